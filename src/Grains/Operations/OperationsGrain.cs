using Granary.Grains.Interfaces.Operations;
using Granary.Grains.Partitions;
using Granary.Storage.Partitions;
using Microsoft.Extensions.Logging;

namespace Granary.Grains.Operations;

/// <inheritdoc cref="IOperationsGrain"/>
internal sealed class OperationsGrain(IPartitionStore store, OperationSignal signal, TimeProvider time, ILogger<OperationsGrain> logger) : PartitionGrain(store, logger), IOperationsGrain
{
    // Ended ones that are kept, for who comes to look.
    private const int Kept = 50;

    // A worker says more often than this that it lives.
    private static readonly TimeSpan WorkerTimeout = TimeSpan.FromSeconds(30);

    // Who works on what, and until when without a further word. Not durable: after a restart anybody may take over, and who did is told from its reports.
    private readonly Dictionary<string, (Guid Worker, DateTimeOffset Until)> _workers = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    protected override PartitionKey PartitionKey => OperationRows.Partition;

    /// <inheritdoc/>
    public async Task<OperationStarted> Start(OperationRequest request, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var answer = await Rows.DecideAsync(
            [],
            rows =>
            {
                var all = All(rows);
                var inTheWay = all.Find(operation => operation.Request.Kind == request.Kind && !operation.IsOver)
                    ?? all.FindLast(operation => request.AtMostEvery is { } interval
                        && operation.Request.Kind == request.Kind
                        && operation.Request.UntaggedAge == request.UntaggedAge
                        && operation.Created + interval > now);
                if (inTheWay is not null)
                {
                    return new OperationStarted(inTheWay, IsNew: false);
                }

                foreach (var old in all.Where(operation => operation.IsOver).SkipLast(Kept - 1))
                {
                    rows.Delete(OperationRows.Operation(old.Id));
                }

                // Ids are times; no two operations have the same.
                var created = all is [.., { Created: var last }] && last >= now ? last.AddTicks(1) : now;
                var started = new OperationStatus
                {
                    Id = OperationRows.Id(created),
                    Request = request,
                    State = OperationState.Waiting,
                    Progress = new OperationProgress { Counts = new Dictionary<string, long>(), Findings = [] },
                    Created = created,
                };
                rows.Put(OperationRows.Operation(started.Id), OperationRows.Encode(started));
                return new OperationStarted(started, IsNew: true);
            },
            cancellationToken);
        if (answer.IsNew)
        {
            signal.Set();
        }

        return answer;
    }

    /// <inheritdoc/>
    public async Task<OperationStatus?> Find(string id, CancellationToken cancellationToken) =>
        await Rows.ReadAsync([OperationRows.Operation(id)], rows => Get(rows, id), cancellationToken);

    /// <inheritdoc/>
    public async Task<OperationStatus[]> List(OperationKind? kind, int limit, CancellationToken cancellationToken) => await Rows.ReadAsync(
        [],
        rows => All(rows).Where(operation => kind is null || operation.Request.Kind == kind).Reverse().Take(limit).ToArray(),
        cancellationToken);

    /// <inheritdoc/>
    public Task<OperationStatus?> Cancel(string id, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        return Change(
            id,
            operation => operation.State switch
            {
                OperationState.Waiting => operation with { State = OperationState.Cancelled, Ended = now },
                OperationState.Running => operation with { State = OperationState.Cancelling },
                _ => operation,
            },
            cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<OperationStatus?> Claim(Guid worker, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var open = await Rows.ReadAsync([], rows => All(rows).Find(operation => !operation.IsOver && IsFree(operation.Id, now)), cancellationToken);
        if (open is null)
        {
            return null;
        }

        _workers[open.Id] = (worker, now + WorkerTimeout);
        return await Change(
            open.Id,
            operation => operation.State == OperationState.Waiting ? operation with { State = OperationState.Running } : operation,
            cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<bool> Report(string id, Guid worker, OperationProgress progress, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        if (IsAnothers(id, worker, now))
        {
            return false;
        }

        _workers[id] = (worker, now + WorkerTimeout);
        var operation = await Change(id, operation => operation.IsOver ? operation : operation with { Progress = progress }, cancellationToken);
        return operation?.State == OperationState.Running;
    }

    /// <inheritdoc/>
    public async Task Finish(string id, Guid worker, OperationProgress progress, string? error, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        if (IsAnothers(id, worker, now))
        {
            return;
        }

        await Change(
            id,
            operation => operation.IsOver
                ? operation
                : operation with
                {
                    Progress = progress,
                    Ended = now,
                    Error = error,
                    State = error is not null ? OperationState.Failed : operation.State == OperationState.Cancelling ? OperationState.Cancelled : OperationState.Done,
                },
            cancellationToken);
        _workers.Remove(id);
    }

    private bool IsAnothers(string id, Guid worker, DateTimeOffset now) => !IsFree(id, now) && _workers[id].Worker != worker;

    private bool IsFree(string id, DateTimeOffset now) => !_workers.TryGetValue(id, out var held) || held.Until < now;

    private Task<OperationStatus?> Change(string id, Func<OperationStatus, OperationStatus> change, CancellationToken cancellationToken) => Rows.DecideAsync(
        [OperationRows.Operation(id)],
        rows =>
        {
            if (Get(rows, id) is not { } operation)
            {
                return null;
            }

            var changed = change(operation);
            if (!ReferenceEquals(changed, operation))
            {
                rows.Put(OperationRows.Operation(id), OperationRows.Encode(changed));
            }

            return changed;
        },
        cancellationToken);

    private static OperationStatus? Get(RowView rows, string id) => rows.Get(OperationRows.Operation(id)) is { } value ? OperationRows.Decode(value) : null;

    private static List<OperationStatus> All(RowView rows) => [.. rows.Scan(OperationRows.Prefix).Select(row => OperationRows.Decode(row.Value))];
}
