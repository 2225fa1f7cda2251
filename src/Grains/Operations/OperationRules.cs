using Granary.Grains.Interfaces.Operations;
using Granary.Grains.Partitions;

namespace Granary.Grains.Operations;

/// <summary>The rules of the list of operations: which one may start, and how a state follows from another.</summary>
internal static class OperationRules
{
    // Operations that have ended and stay in the list.
    private const int MaxEnded = 50;

    /// <summary>Adds an operation, unless another one prevents it, and removes the oldest ones that have ended.</summary>
    public static OperationStarted Start(RowBatch rows, OperationRequest request, DateTimeOffset now)
    {
        var all = All(rows);
        if (FindConflict(all, request, now) is { } conflict)
        {
            return new OperationStarted(conflict, IsNew: false);
        }

        foreach (var old in all.Where(operation => operation.IsOver).SkipLast(MaxEnded - 1))
        {
            rows.Delete(OperationRows.Operation(old.Id));
        }

        // The id is the time of the request, and no two operations have the same.
        var created = all is [.., { Created: var last }] && last >= now ? last.AddTicks(1) : now;
        var started = Waiting(request, created);
        rows.Put(OperationRows.Operation(started.Id), OperationRows.Encode(started));
        return new OperationStarted(started, IsNew: true);
    }

    /// <summary>Changes an operation. Returns the result; null if the id is unknown.</summary>
    public static OperationStatus? Change(RowBatch rows, string id, Func<OperationStatus, OperationStatus> change)
    {
        if (Find(rows, id) is not { } operation)
        {
            return null;
        }

        var changed = change(operation);
        if (!ReferenceEquals(changed, operation))
        {
            rows.Put(OperationRows.Operation(id), OperationRows.Encode(changed));
        }

        return changed;
    }

    public static OperationStatus? Find(RowView rows, string id) =>
        rows.Get(OperationRows.Operation(id)) is { } value ? OperationRows.Decode(value) : null;

    /// <summary>Returns the oldest operation that has not ended and meets the condition.</summary>
    public static OperationStatus? FindOpen(RowView rows, Func<string, bool> condition) =>
        All(rows).Find(operation => !operation.IsOver && condition(operation.Id));

    public static OperationStatus[] Newest(RowView rows, OperationKind? kind, int limit) =>
        [.. All(rows).Where(operation => kind is null || operation.Request.Kind == kind).Reverse().Take(limit)];

    public static OperationStatus Run(OperationStatus operation) =>
        operation.State == OperationState.Waiting ? operation with { State = OperationState.Running } : operation;

    public static OperationStatus Advance(OperationStatus operation, OperationProgress progress) =>
        operation.IsOver ? operation : operation with { Progress = progress };

    public static OperationStatus Cancel(OperationStatus operation, DateTimeOffset now) => operation.State switch
    {
        OperationState.Waiting => operation with { State = OperationState.Cancelled, Ended = now },
        OperationState.Running => operation with { State = OperationState.Cancelling },
        _ => operation,
    };

    public static OperationStatus Finish(OperationStatus operation, OperationProgress progress, string? error, DateTimeOffset now) =>
        operation.IsOver
            ? operation
            : operation with { Progress = progress, Ended = now, Error = error, State = EndOf(operation.State, error) };

    private static OperationState EndOf(OperationState state, string? error) => (error, state) switch
    {
        (not null, _) => OperationState.Failed,
        (null, OperationState.Cancelling) => OperationState.Cancelled,
        _ => OperationState.Done,
    };

    // One of the same kind that waits or runs, or one that started too recently.
    private static OperationStatus? FindConflict(List<OperationStatus> all, OperationRequest request, DateTimeOffset now) =>
        all.Find(operation => operation.Request.Kind == request.Kind && !operation.IsOver)
        ?? all.FindLast(operation => request.AtMostEvery is { } interval
            && operation.Request.Kind == request.Kind
            && operation.Request.UntaggedAge == request.UntaggedAge
            && operation.Created + interval > now);

    private static OperationStatus Waiting(OperationRequest request, DateTimeOffset created) => new()
    {
        Id = OperationRows.Id(created),
        Request = request,
        State = OperationState.Waiting,
        Progress = new OperationProgress { Counts = new Dictionary<string, long>(), Findings = [] },
        Created = created,
    };

    private static List<OperationStatus> All(RowView rows) =>
        [.. rows.Scan(OperationRows.Prefix).Select(row => OperationRows.Decode(row.Value))];
}
