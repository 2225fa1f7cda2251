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
    ILogger<CatalogGrain> logger) : PartitionGrain(store, time, logger), ICatalogGrain
{
    private readonly LifetimeOptions _lifetimes = lifetimeOptions.Value;

    /// <inheritdoc/>
    protected override PartitionKey PartitionKey => CatalogRows.Partition;

    /// <inheritdoc/>
    public async Task<CommitTicket?> Add(RepositoryName repository, long sequence, CancellationToken cancellationToken)
    {
        var now = Time.GetUtcNow();
        var added = await Partition.DecideEarlyAsync(
            [CatalogRows.Repository(repository)],
            rows => CatalogRules.Add(rows, repository, sequence, now, _lifetimes),
            isEarly: _ => true,
            cancellationToken);
        return added.Ticket;
    }

    /// <inheritdoc/>
    public Task Remove(RepositoryName repository, long sequence, CancellationToken cancellationToken) =>
        Partition.DecideAsync(
            [CatalogRows.Repository(repository)],
            rows => CatalogRules.Remove(rows, repository, sequence),
            cancellationToken);

    /// <inheritdoc/>
    public async Task<RepositoryPage> List(string? after, int limit, CancellationToken cancellationToken)
    {
        // A name is shorter than this, so that no comparison needs the rest of the text.
        var start = after?[..Math.Min(after.Length, RepositoryName.MaxLength + 1)];
        var (names, more) = await Partition.ListAsync(CatalogRows.RepositoryPrefix, start, limit, RepositoryName.Parse, cancellationToken);
        return new RepositoryPage(names, more);
    }

    /// <inheritdoc/>
    public async Task<CatalogEntry[]> Due(int limit, CancellationToken cancellationToken)
    {
        var now = Time.GetUtcNow();
        var names = new List<RepositoryName>();
        await foreach (var row in Partition.ScanAsync(CatalogRows.DuePrefix, after: null, cancellationToken))
        {
            var (due, name) = CatalogRows.ParseDue(row.Key);
            if (due > now || names.Count == limit)
            {
                break;
            }

            names.Add(name);
        }

        return await Partition.ReadAsync(
            [.. names.Select(CatalogRows.Repository)],
            rows => CatalogRules.FindDue(rows, names, now),
            cancellationToken);
    }

    /// <inheritdoc/>
    public Task Settle(CatalogEntry[] confirmed, CatalogEntry[] denied, CancellationToken cancellationToken)
    {
        var now = Time.GetUtcNow();
        return Partition.DecideAsync(
            [.. confirmed.Concat(denied).Select(entry => CatalogRows.Repository(entry.Repository))],
            rows => CatalogRules.Settle(rows, confirmed, denied, now, _lifetimes),
            cancellationToken);
    }
}
