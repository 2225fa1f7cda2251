using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Grains.Repositories.History;

namespace Granary.Grains.Repositories;

/// <summary>
/// The rule of order: a late copy of a command has no effect (docs/adr/0014-a-late-copy-has-no-effect.md). Each decision of a command
/// <list type="number">
/// <item>looks whether an earlier attempt of the command was done (<c>request</c>, <see cref="DoneSearch"/>);</item>
/// <item>refuses an order that is not above those of the rows that it touches (<c>order</c>) and above the floor (<c>floor</c>);</item>
/// <item>decides, and records its order: in the rows that it writes, or in the floor if it removes something;</item>
/// <item>where other processes may write, commits also if it changes nothing, and records its order in the floor (<c>commit</c>).</item>
/// </list>
/// </summary>
internal static class OrderRules
{
    /// <summary>
    /// Returns the ruling that refuses a change, if its order is too low, or its attempt has ended; null if it may go on.
    /// </summary>
    /// <param name="rows">The batch.</param>
    /// <param name="change">The change.</param>
    /// <param name="touched">The highest order of the rows that the command touches.</param>
    public static Ruling<T>? Refuse<T>(RowBatch rows, Change change, long touched) =>
        FindHigher(rows, change, touched) is { } highest ? Ruling<T>.Reorder(highest) : null;

    /// <summary>Returns the order above which a change has to be, if it is not; null if it may go on.</summary>
    public static long? FindHigher(RowBatch rows, Change change, long touched)
    {
        var highest = Math.Max(touched, Floor.Of(rows).Order);
        if (change.FindEnd() is { } end)
        {
            return Math.Max(highest, end);
        }

        return change.Order <= highest ? highest : null;
    }

    /// <summary>
    /// Returns the ruling of a decision that changes nothing: a refusal, or a command that was done by an earlier attempt.
    /// </summary>
    public static Ruling<T> Unchanged<T>(RowBatch rows, Change change, T answer) => new(answer)
    {
        Unrecorded = Record(rows, change) ? null : change.Order,
    };

    /// <summary>
    /// Records the order of a command that is answered without a change, so that a late copy of it finds the floor above its order.
    /// Returns false if the partition does not exist: then a read of its head is enough, so that requests for unknown names make no
    /// partitions.
    /// </summary>
    public static bool Record(RowBatch rows, Change change)
    {
        if (!change.IsShared)
        {
            return true;
        }

        if (rows.Version == 1)
        {
            return false;
        }

        Floor.Raise(rows, change.Order);
        rows.Fence();
        return true;
    }
}

/// <summary>The outcome of a decision under the rule of order.</summary>
/// <param name="Answer">The answer, unless <see cref="Highest"/> says that there is none.</param>
internal readonly record struct Ruling<T>(T Answer)
{
    /// <summary>The order above which the command has to be; null if the decision has decided.</summary>
    public long? Highest { get; private init; }

    /// <summary>
    /// The order of the command, if the answer is no commit because the partition does not exist, so that a read has to prove it.
    /// </summary>
    public long? Unrecorded { get; init; }

    public static Ruling<T> Reorder(long highest) => new(default!) { Highest = highest };

    /// <summary>Returns the answer.</summary>
    /// <exception cref="ReorderException">There is none: the order of the command is too low, or it has to be decided again.</exception>
    public async ValueTask<T> ProveAsync(Partition partition, CancellationToken cancellationToken)
    {
        if (Highest is { } highest)
        {
            throw new ReorderException(highest);
        }

        if (Unrecorded is { } order)
        {
            await partition.ProveCurrentAsync(cancellationToken);
            if (partition.NextVersion > 1)
            {
                // Another command has made the partition meanwhile. The next attempt decides again, and commits.
                throw new ReorderException(order);
            }
        }

        return Answer;
    }
}
