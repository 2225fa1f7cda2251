namespace Granary.Grains.Interfaces.Repositories;

/// <summary>
/// Makes the orders of a process's commands: the ticks of its clock, never the same twice, and above each order that it was told. So the
/// clocks of two processes may differ: the one that is behind learns the orders of the other from the repository that refuses its own.
/// </summary>
public sealed class CommandOrders(TimeProvider time)
{
    /// <summary>How long an attempt is valid. It is longer than a caller waits for its answer.</summary>
    public static readonly TimeSpan Validity = TimeSpan.FromSeconds(30);

    private long _last;

    /// <summary>Returns a command as a new attempt with an order above those of all attempts before.</summary>
    public T Next<T>(T command)
        where T : RepositoryCommand
    {
        var order = Next();
        return command with
        {
            Order = order,
            FirstOrder = command.FirstOrder == 0 ? order : command.FirstOrder,

            // By the clock of the orders: a clock that is behind that of the repository would make attempts that have ended already.
            ValidUntil = new DateTimeOffset(Math.Min(order, (DateTimeOffset.MaxValue - Validity).UtcTicks), TimeSpan.Zero) + Validity,
        };
    }

    /// <summary>Makes the next order greater than one that a repository has seen.</summary>
    public void Raise(long order)
    {
        var last = Volatile.Read(ref _last);
        while (order > last)
        {
            last = Swap(order, last);
        }
    }

    private long Next()
    {
        var last = Volatile.Read(ref _last);
        while (true)
        {
            var next = Math.Max(time.GetUtcNow().UtcTicks, last + 1);
            var found = Swap(next, last);
            if (found == last)
            {
                return next;
            }

            last = found;
        }
    }

    private long Swap(long next, long last) => Interlocked.CompareExchange(ref _last, next, last);
}
