using Granary.Grains.Interfaces;
using Granary.Grains.Interfaces.Catalog;
using Granary.Grains.Partitions;
using Granary.Protocol;
using Granary.Storage.Partitions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Granary.Grains.Catalog;

/// <inheritdoc cref="ICatalogGrain"/>
internal sealed class CatalogGrain(
    IPartitionStore store,
    IOptions<LifetimeOptions> lifetimeOptions,
    TimeProvider time,
    ILogger<CatalogGrain> logger) : PartitionGrain(store, logger), ICatalogGrain
{
    private readonly LifetimeOptions _lifetimes = lifetimeOptions.Value;

    /// <inheritdoc/>
    protected override PartitionKey PartitionKey => CatalogRows.Partition;

    /// <inheritdoc/>
    public async Task<CommitTicket?> Add(RepositoryName repository, long sequence, CancellationToken cancellationToken)
    {
        var due = time.GetUtcNow() + _lifetimes.FirstLease;
        var added = await Rows.DecideEarlyAsync(
            [CatalogRows.Repository(repository)],
            rows =>
            {
                var entry = EntryRow.Find(rows, repository);
                if (entry is not null && entry.Sequence >= sequence)
                {
                    return false;
                }

                if (entry is not null)
                {
                    rows.Delete(CatalogRows.Due(entry.LeaseUntil, repository));
                }

                rows.Put(CatalogRows.Repository(repository), new EntryRow(sequence, due, Renewals: 0).Encode());
                rows.Put(CatalogRows.Due(due, repository), CatalogRows.Mark);
                return true;
            },
            _ => true,
            cancellationToken);
        return added.Ticket;
    }

    /// <inheritdoc/>
    public Task Remove(RepositoryName repository, long sequence, CancellationToken cancellationToken) => Rows.DecideAsync(
        [CatalogRows.Repository(repository)],
        rows =>
        {
            if (EntryRow.Find(rows, repository) is not { } entry || entry.Sequence > sequence)
            {
                return false;
            }

            rows.Delete(CatalogRows.Repository(repository));
            rows.Delete(CatalogRows.Due(entry.LeaseUntil, repository));
            return true;
        },
        cancellationToken);

    /// <inheritdoc/>
    public async Task<RepositoryPage> List(string? after, int limit, CancellationToken cancellationToken)
    {
        // No name is as long as this, so cutting the rest off changes no comparison.
        var start = after?[..Math.Min(after.Length, RepositoryName.MaxLength + 1)];
        var (names, more) = await Rows.ListAsync(CatalogRows.RepositoryPrefix, start, limit, RepositoryName.Parse, cancellationToken);
        return new RepositoryPage(names, more);
    }

    /// <inheritdoc/>
    public async Task<CatalogEntry[]> Due(int limit, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var names = new List<RepositoryName>();
        await foreach (var row in Rows.ScanAsync(CatalogRows.DuePrefix, after: null, cancellationToken))
        {
            var (due, name) = CatalogRows.ParseDue(row.Key);
            if (due > now || names.Count == limit)
            {
                break;
            }

            names.Add(name);
        }

        return await Rows.ReadAsync(
            [.. names.Select(CatalogRows.Repository)],
            rows => names
                .Select(name => (Name: name, Row: EntryRow.Find(rows, name)))
                .Where(pair => pair.Row is not null && pair.Row.LeaseUntil <= now)
                .Select(pair => new CatalogEntry(pair.Name, pair.Row!.Sequence, pair.Row.LeaseUntil))
                .ToArray(),
            cancellationToken);
    }

    /// <inheritdoc/>
    public Task Settle(CatalogEntry[] held, CatalogEntry[] dropped, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        return Rows.DecideAsync(
            [.. held.Concat(dropped).Select(entry => CatalogRows.Repository(entry.Repository))],
            rows =>
            {
                foreach (var entry in held)
                {
                    if (Unchanged(rows, entry) is { } row)
                    {
                        var affirmed = row.Renewals + 1;
                        var until = now + Leases.Length(affirmed, entry.Repository.Value[^1], _lifetimes);
                        rows.Delete(CatalogRows.Due(row.LeaseUntil, entry.Repository));
                        rows.Put(CatalogRows.Repository(entry.Repository), new EntryRow(row.Sequence, until, affirmed).Encode());
                        rows.Put(CatalogRows.Due(until, entry.Repository), CatalogRows.Mark);
                    }
                }

                foreach (var entry in dropped)
                {
                    if (Unchanged(rows, entry) is { } row)
                    {
                        rows.Delete(CatalogRows.Due(row.LeaseUntil, entry.Repository));
                        rows.Delete(CatalogRows.Repository(entry.Repository));
                    }
                }

                return true;
            },
            cancellationToken);
    }

    /// <summary>The entry, if nothing has happened to it since it was due (<c>settle</c>).</summary>
    private static EntryRow? Unchanged(RowView rows, CatalogEntry due) =>
        EntryRow.Find(rows, due.Repository) is { } entry && entry.Sequence == due.Sequence && entry.LeaseUntil == due.LeaseUntil ? entry : null;
}
