using Granary.Protocol;
using Orleans.Concurrency;

namespace Granary.Grains.Interfaces.Catalog;

/// <summary>
/// The list of repositories. There is one such grain, with the key 0. Its entries are leases, as references to blobs are
/// (docs/garbage-collection.md, <c>catalog-seq</c> and <c>catalog-guard</c>).
/// </summary>
[Alias("granary.catalog")]
public interface ICatalogGrain : IGrainWithIntegerKey
{
    /// <summary>
    /// Adds a repository that is about to become visible, if <paramref name="sequence"/> is newer than that of its entry.
    /// </summary>
    /// <returns>The commit that the repository's own commit has to depend on; null if the entry is durable.</returns>
    [AlwaysInterleave, Alias("add")]
    Task<CommitTicket?> Add(RepositoryName repository, long sequence, CancellationToken cancellationToken);

    /// <summary>Removes a repository that has become empty, unless its entry is newer than <paramref name="sequence"/>.</summary>
    [AlwaysInterleave, Alias("remove")]
    Task Remove(RepositoryName repository, long sequence, CancellationToken cancellationToken);

    /// <summary>Returns repositories in ordinal order.</summary>
    /// <param name="after">Only names after this text, which need not be a valid name.</param>
    /// <param name="limit">The most names to return.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    [AlwaysInterleave, Alias("list")]
    Task<RepositoryPage> List(string? after, int limit, CancellationToken cancellationToken);

    /// <summary>
    /// Returns entries whose leases have ended, at most <paramref name="limit"/>. The sweep asks their repositories whether they exist.
    /// </summary>
    [AlwaysInterleave, Alias("due")]
    Task<CatalogEntry[]> Due(int limit, CancellationToken cancellationToken);

    /// <summary>
    /// Commits the answers of the repositories. An entry that has changed since <see cref="Due"/> stays as it is (<c>settle</c>).
    /// </summary>
    /// <param name="confirmed">Entries whose repositories exist. Their leases are extended.</param>
    /// <param name="denied">Entries whose repositories do not exist. They are removed.</param>
    /// <param name="cancellationToken">Ends the caller's wait.</param>
    [AlwaysInterleave, Alias("settle")]
    Task Settle([Immutable] CatalogEntry[] confirmed, [Immutable] CatalogEntry[] denied, CancellationToken cancellationToken);
}
