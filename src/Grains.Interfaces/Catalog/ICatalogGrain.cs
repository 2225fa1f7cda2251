using Granary.Protocol;
using Orleans.Concurrency;

namespace Granary.Grains.Interfaces.Catalog;

/// <summary>The list of repositories. There is one, with the key 0. Its entries are leases, as blob references are (rule 9).</summary>
[Alias("granary.catalog")]
public interface ICatalogGrain : IGrainWithIntegerKey
{
    /// <summary>Adds a repository that is about to become visible, if <paramref name="sequence"/> is newer than what is known.</summary>
    [AlwaysInterleave, Alias("add")]
    Task Add(RepositoryName repository, long sequence, CancellationToken cancellationToken);

    /// <summary>Removes a repository that has become empty, if its entry is not newer than <paramref name="sequence"/>.</summary>
    [AlwaysInterleave, Alias("remove")]
    Task Remove(RepositoryName repository, long sequence, CancellationToken cancellationToken);

    /// <summary>Repositories in ordinal order.</summary>
    /// <param name="after">Only names after this text, which need not be a name.</param>
    /// <param name="limit">At most so many.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    [AlwaysInterleave, Alias("list")]
    Task<RepositoryPage> List(string? after, int limit, CancellationToken cancellationToken);
}

/// <summary>A page of repositories.</summary>
/// <param name="Repositories">In ordinal order.</param>
/// <param name="More">Whether others follow.</param>
[GenerateSerializer, Immutable, Alias("granary.repository-page")]
public sealed record RepositoryPage([property: Id(0)] RepositoryName[] Repositories, [property: Id(1)] bool More);
