using System.Runtime.CompilerServices;
using Granary.Storage;
using Granary.Storage.Partitions;

namespace Granary.Grains.Partitions;

/// <summary>
/// Reads the rows of a partition. A read sees committed rows of one version only: it starts again if a commit is published while it loads
/// rows. If other processes can write to the store, each load proves that the activation owns the partition.
/// </summary>
internal sealed class PartitionReader(
    IPartitionStore store,
    PartitionKey key,
    RowCache cache,
    ValidityTracker validity,
    Ownership ownership)
{
    // After so many starts the read gives up, and its caller decides in the commit loop instead, where no commit can come between.
    private const int MaxRestarts = 3;

    private readonly CachedRows _cached = new(cache);

    /// <summary>Runs a rule over the cache. Returns false if a row that it asked for is not there.</summary>
    public bool TryReadCached<T>(Func<RowView, T> read, out T answer)
    {
        _cached.Reset();
        try
        {
            answer = read(_cached);
            return !_cached.HasMissed;
        }
        catch (Exception) when (_cached.HasMissed)
        {
            // The rule took a row that is only not in memory for an absent one.
            answer = default!;
            return false;
        }
    }

    /// <summary>Loads the rows that a rule asks for, and runs it over them.</summary>
    /// <returns>False if commits have overtaken the read too often.</returns>
    public async ValueTask<(bool IsRead, T Answer)> LoadAndReadAsync<T>(
        IReadOnlyList<string> needs,
        Func<RowView, T> read,
        CancellationToken cancellationToken)
    {
        var loaded = new LoadedRows(cache);
        var view = new CommittedRows(loaded);
        var current = validity.Current;
        var restarts = 0;
        loaded.Request(needs);
        while (true)
        {
            if (loaded.HasMissed)
            {
                var mark = ownership.Mark;
                await LoadAsync(loaded, cancellationToken);
                var isOwn = !ownership.IsNeeded || await ownership.ConfirmAsync(mark, loaded.Head, cancellationToken);
                if (!isOwn || validity.Current != current)
                {
                    // Rows of one side of a commit, and rows that the cache has of the other side, are of two versions.
                    if (++restarts > MaxRestarts)
                    {
                        return (false, default!);
                    }

                    loaded.Clear();
                    current = validity.Current;
                }
            }

            if (loaded.TryRun(read, view, out var answer))
            {
                loaded.MoveToCache();
                return (true, answer);
            }
        }
    }

    /// <summary>Reads rows in ordinal order, straight from the store: for lists that may be long.</summary>
    public async IAsyncEnumerable<Row> ScanAsync(string prefix, string? after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var page in PagesAsync(prefix, after, cancellationToken))
        {
            for (var i = 0; i < page.Count; i++)
            {
                yield return page[i];
            }
        }
    }

    /// <summary>Lists what the keys of rows say behind a prefix, straight from the store.</summary>
    /// <param name="prefix">The prefix.</param>
    /// <param name="after">What follows the prefix in the key after which the list begins; null for the first.</param>
    /// <param name="limit">How many items at most.</param>
    /// <param name="parse">Makes an item of what follows the prefix.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <returns>The items, and whether others follow. With a limit of 0 that is not looked up.</returns>
    public async Task<(T[] Items, bool More)> ListAsync<T>(
        string prefix,
        string? after,
        int limit,
        Func<string, T> parse,
        CancellationToken cancellationToken)
    {
        var items = new List<T>();
        if (limit == 0)
        {
            return ([], false);
        }

        // Page by page: one step of an asynchronous iterator for each row would be most of what a list of thousands costs.
        await foreach (var page in PagesAsync(prefix, after is null ? null : prefix + after, cancellationToken))
        {
            for (var i = 0; i < page.Count; i++)
            {
                if (items.Count == limit)
                {
                    return ([.. items], true);
                }

                items.Add(parse(page[i].Key[prefix.Length..]));
            }
        }

        return ([.. items], false);
    }

    private async IAsyncEnumerable<IReadOnlyList<Row>> PagesAsync(
        string prefix,
        string? after,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var pages = store.PagesAsync(key, prefix, after, cancellationToken).GetAsyncEnumerator(cancellationToken);
        while (true)
        {
            try
            {
                if (!await pages.MoveNextAsync())
                {
                    yield break;
                }
            }
            catch (StorageException e)
            {
                throw PartitionFaults.Translate(e, key);
            }

            yield return pages.Current;
        }
    }

    private async ValueTask LoadAsync(LoadedRows loaded, CancellationToken cancellationToken)
    {
        try
        {
            await loaded.LoadMissingAsync(store, key, isForCommit: false, cancellationToken);
        }
        catch (StorageException e)
        {
            throw PartitionFaults.Translate(e, key);
        }
    }
}
