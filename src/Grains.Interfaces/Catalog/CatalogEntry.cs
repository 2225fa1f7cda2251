using Granary.Protocol;

namespace Granary.Grains.Interfaces.Catalog;

/// <summary>An entry of the catalog whose lease has ended.</summary>
/// <param name="Repository">The repository.</param>
/// <param name="Sequence">The sequence of the entry.</param>
/// <param name="LeaseUntil">The time at which its lease ended.</param>
[GenerateSerializer, Immutable, Alias("granary.catalog-entry")]
public sealed record CatalogEntry(
    [property: Id(0)] RepositoryName Repository,
    [property: Id(1)] long Sequence,
    [property: Id(2)] DateTimeOffset LeaseUntil);
