using Granary.Protocol;
using Orleans.Concurrency;

namespace Granary.Grains.Interfaces.Catalog;

/// <summary>The list of repositories. There is one, with the key 0. Its entries are leases, as blob references are (rule 9).</summary>
[Alias("granary.catalog")]
public interface ICatalogGrain : IGrainWithIntegerKey
{
    /// <summary>Adds a repository that is about to become visible, if <paramref name="sequence"/> is newer than what is known.</summary>
    /// <returns>What it is to rest on when it becomes visible; null: the entry is durable.</returns>
    [AlwaysInterleave, Alias("add")]
    Task<CommitTicket?> Add(RepositoryName repository, long sequence, CancellationToken cancellationToken);

    /// <summary>Removes a repository that has become empty, if its entry is not newer than <paramref name="sequence"/>.</summary>
    [AlwaysInterleave, Alias("remove")]
    Task Remove(RepositoryName repository, long sequence, CancellationToken cancellationToken);

    /// <summary>Repositories in ordinal order.</summary>
    /// <param name="after">Only names after this text, which need not be a name.</param>
    /// <param name="limit">At most so many.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    [AlwaysInterleave, Alias("list")]
    Task<RepositoryPage> List(string? after, int limit, CancellationToken cancellationToken);

    /// <summary>Entries whose repositories have to be asked whether they still exist, at most <paramref name="limit"/>.</summary>
    [AlwaysInterleave, Alias("due")]
    Task<CatalogEntry[]> Due(int limit, CancellationToken cancellationToken);

    /// <summary>Does what the sweep has found out, in one commit. An entry that has changed since <see cref="Due"/> is left alone.</summary>
    /// <param name="held">Entries whose repositories exist.</param>
    /// <param name="dropped">Entries whose repositories do not.</param>
    /// <param name="cancellationToken">Ends the caller's wait.</param>
    [AlwaysInterleave, Alias("settle")]
    Task Settle([Immutable] CatalogEntry[] held, [Immutable] CatalogEntry[] dropped, CancellationToken cancellationToken);
}

/// <summary>An entry that has to be asked about.</summary>
/// <param name="Repository">The repository.</param>
/// <param name="Sequence">As of which version of its partition.</param>
/// <param name="LeaseUntil">Until when that is believed.</param>
[GenerateSerializer, Immutable, Alias("granary.catalog-entry")]
public sealed record CatalogEntry(
    [property: Id(0)] RepositoryName Repository,
    [property: Id(1)] long Sequence,
    [property: Id(2)] DateTimeOffset LeaseUntil);

/// <summary>A page of repositories.</summary>
/// <param name="Repositories">In ordinal order.</param>
/// <param name="More">Whether others follow.</param>
[GenerateSerializer, Immutable, Alias("granary.repository-page")]
public sealed record RepositoryPage([property: Id(0)] RepositoryName[] Repositories, [property: Id(1)] bool More);
