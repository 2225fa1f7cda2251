using Granary.Grains.Interfaces;

namespace Granary.Grains.Partitions;

/// <summary>A decision in the queue of a <see cref="CommitLoop"/>, and its caller's answer.</summary>
/// <param name="needs">Keys and prefixes that it will ask for.</param>
internal abstract class QueuedDecision(IReadOnlyList<string> needs)
{
    /// <summary>Keys and prefixes that it will ask for, as far as its caller knows them.</summary>
    public IReadOnlyList<string> Needs => needs;

    /// <summary>The timestamp at which it was queued; 0 if nothing depends on how long it waits.</summary>
    public long Queued { get; set; }

    /// <summary>Whether its answer may leave before the commit is durable.</summary>
    public abstract bool IsEarly { get; }

    /// <summary>Runs the decision over the batch.</summary>
    public abstract DecisionOutcome Decide(RowBatch batch, LoadedRows loaded);

    /// <summary>Answers before the commit is durable. What depends on the ticket fails if the commit does.</summary>
    public abstract void AnswerEarly(CommitTicket ticket);

    /// <summary>Answers: the commit is durable.</summary>
    public abstract void Complete();

    /// <summary>Fails the caller: the commit failed.</summary>
    public abstract void Fail(Exception reason);
}

/// <summary>A decision with an answer of type <typeparamref name="T"/>.</summary>
/// <param name="needs">Keys and prefixes that it will ask for.</param>
/// <param name="decide">The decision.</param>
/// <param name="dependencies">The commits that it depends on.</param>
/// <param name="isEarly">Whether an answer may leave before the commit is durable; null: none may.</param>
internal sealed class QueuedDecision<T>(
    IReadOnlyList<string> needs,
    Func<RowBatch, T> decide,
    CommitTicket?[] dependencies,
    Func<T, bool>? isEarly) : QueuedDecision(needs)
{
    private readonly TaskCompletionSource<T> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private T _decided = default!;
    private Exception? _failure;

    /// <summary>The answer.</summary>
    public Task<T> Answer => _answer.Task;

    /// <summary>The commit that the answer depends on; null once that is durable.</summary>
    public CommitTicket? Ticket { get; private set; }

    public override bool IsEarly => isEarly is not null && _failure is null && isEarly(_decided);

    public override DecisionOutcome Decide(RowBatch batch, LoadedRows loaded)
    {
        batch.DropCurrent();
        try
        {
            if (!loaded.TryRun(decide, batch, out _decided))
            {
                return DecisionOutcome.NeedsRows;
            }

            if (!batch.FitsCurrent)
            {
                batch.DropCurrent();
                return DecisionOutcome.DoesNotFit;
            }

            batch.AcceptCurrent(dependencies);
        }
        catch (Exception e)
        {
            // The decisions beside it in the batch are not its fault.
            batch.FailCurrent();
            _failure = e;
        }

        return DecisionOutcome.Accepted;
    }

    public override void AnswerEarly(CommitTicket ticket)
    {
        Ticket = ticket;
        _answer.TrySetResult(_decided);
    }

    public override void Complete()
    {
        if (_failure is null)
        {
            _answer.TrySetResult(_decided);
        }
        else
        {
            _answer.TrySetException(_failure);
        }
    }

    public override void Fail(Exception reason) => _answer.TrySetException(reason);
}

/// <summary>What became of a decision that ran over a batch.</summary>
internal enum DecisionOutcome
{
    /// <summary>Its changes are part of the batch, or it has failed.</summary>
    Accepted,

    /// <summary>Rows have to be loaded; then it runs again.</summary>
    NeedsRows,

    /// <summary>The store would no longer commit the batch at once; the decision begins the next one.</summary>
    DoesNotFit,
}
