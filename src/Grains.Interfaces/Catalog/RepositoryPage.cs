using Granary.Protocol;

namespace Granary.Grains.Interfaces.Catalog;

/// <summary>A page of the list of repositories.</summary>
/// <param name="Repositories">The names, in ordinal order.</param>
/// <param name="More">Whether others follow.</param>
[GenerateSerializer, Immutable, Alias("granary.repository-page")]
public sealed record RepositoryPage([property: Id(0)] RepositoryName[] Repositories, [property: Id(1)] bool More);
