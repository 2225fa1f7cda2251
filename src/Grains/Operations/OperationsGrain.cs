using Granary.Grains.Interfaces.Operations;
using Granary.Grains.Partitions;
using Granary.Storage.Partitions;
using Microsoft.Extensions.Logging;

namespace Granary.Grains.Operations;

/// <inheritdoc cref="IOperationsGrain"/>
internal sealed class OperationsGrain(IPartitionStore store, OperationSignal signal, TimeProvider time, ILogger<OperationsGrain> logger)
    : PartitionGrain(store, time, logger), IOperationsGrain
{
    // A worker reports every 2 seconds, so that its claim outlives a few failed reports.
    private static readonly TimeSpan ClaimDuration = TimeSpan.FromSeconds(30);

    // Not durable. After a restart any worker may claim an operation; a worker that still runs one has its claim back with its next report.
    private readonly Dictionary<string, (Guid Worker, DateTimeOffset Until)> _claims = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    protected override PartitionKey PartitionKey => OperationRows.Partition;

    /// <inheritdoc/>
    public async Task<OperationStarted> Start(OperationRequest request, CancellationToken cancellationToken)
    {
        var now = Time.GetUtcNow();
        var answer = await Partition.DecideAsync([], rows => OperationRules.Start(rows, request, now), cancellationToken);
        if (answer.IsNew)
        {
            signal.Set();
        }

        return answer;
    }

    /// <inheritdoc/>
    public async Task<OperationStatus?> Find(string id, CancellationToken cancellationToken) =>
        await Partition.ReadAsync([OperationRows.Operation(id)], rows => OperationRules.Find(rows, id), cancellationToken);

    /// <inheritdoc/>
    public async Task<OperationStatus[]> List(OperationKind? kind, int limit, CancellationToken cancellationToken) =>
        await Partition.ReadAsync([], rows => OperationRules.Newest(rows, kind, limit), cancellationToken);

    /// <inheritdoc/>
    public Task<OperationStatus?> Cancel(string id, CancellationToken cancellationToken)
    {
        var now = Time.GetUtcNow();
        return ChangeAsync(id, operation => OperationRules.Cancel(operation, now), cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<OperationStatus?> Claim(Guid worker, CancellationToken cancellationToken)
    {
        var now = Time.GetUtcNow();
        var open = await Partition.ReadAsync([], rows => OperationRules.FindOpen(rows, id => !IsClaimed(id, now)), cancellationToken);
        if (open is null)
        {
            return null;
        }

        _claims[open.Id] = (worker, now + ClaimDuration);
        return await ChangeAsync(open.Id, OperationRules.Run, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<bool> Report(string id, Guid worker, OperationProgress progress, CancellationToken cancellationToken)
    {
        var now = Time.GetUtcNow();
        if (IsClaimedByAnother(id, worker, now))
        {
            return false;
        }

        _claims[id] = (worker, now + ClaimDuration);
        var operation = await ChangeAsync(id, operation => OperationRules.Advance(operation, progress), cancellationToken);
        return operation?.State == OperationState.Running;
    }

    /// <inheritdoc/>
    public async Task Finish(string id, Guid worker, OperationProgress progress, string? error, CancellationToken cancellationToken)
    {
        var now = Time.GetUtcNow();
        if (IsClaimedByAnother(id, worker, now))
        {
            return;
        }

        await ChangeAsync(id, operation => OperationRules.Finish(operation, progress, error, now), cancellationToken);
        _claims.Remove(id);
    }

    private bool IsClaimedByAnother(string id, Guid worker, DateTimeOffset now) => IsClaimed(id, now) && _claims[id].Worker != worker;

    private bool IsClaimed(string id, DateTimeOffset now) => _claims.TryGetValue(id, out var claim) && claim.Until >= now;

    private Task<OperationStatus?> ChangeAsync(
        string id,
        Func<OperationStatus, OperationStatus> change,
        CancellationToken cancellationToken) =>
        Partition.DecideAsync([OperationRows.Operation(id)], rows => OperationRules.Change(rows, id, change), cancellationToken);
}
