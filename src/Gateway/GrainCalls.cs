using Granary.Grains.Interfaces;
using Granary.Grains.Interfaces.Repositories;
using Orleans.Runtime.Messaging;

namespace Granary.Gateway;

/// <summary>
/// Calls grains, and repeats a call whose failure does not say whether it took effect. A silo that was killed or is frozen is noticed after
/// some seconds, and its grains answer again after some more: the repeats last longer than that. Every call may be repeated.
/// </summary>
/// <param name="orders">Gives each attempt of a command an order of its own.</param>
/// <param name="time">The clock of the pauses.</param>
internal sealed class GrainCalls(CommandOrders orders, TimeProvider time)
{
    /// <summary>How long a call is repeated. Then the client gets a 503.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    // The first repeats reach an activation that was lost to another one and begins again. The longest pause is a tenth of the time in
    // which the cluster notices a killed silo.
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(400);

    /// <summary>Makes a call, and repeats it.</summary>
    /// <param name="call">Makes one attempt. Its answer counts only if no attempt was made after it.</param>
    /// <param name="aborted">Ends the repeats, because the client has gone. An attempt that is under way is not ended.</param>
    public async Task<T> RepeatAsync<T>(Func<Task<T>> call, CancellationToken aborted)
    {
        var began = time.GetTimestamp();
        for (var pause = FirstPause; ; pause = Longer(pause))
        {
            try
            {
                return await call();
            }
            catch (Exception e) when (IsWorthRepeating(e) && HasTime(began, pause) && !aborted.IsCancellationRequested)
            {
                // The pause follows.
            }

            await Task.Delay(pause * (0.5 + Random.Shared.NextDouble()), time, aborted);
        }
    }

    /// <summary>
    /// Sends a command, and repeats it. Each attempt has a new order, and the same request. The answer is that of the newest attempt: an
    /// earlier one says nothing of what the newest may still do (<c>newest</c>).
    /// </summary>
    /// <param name="command">The command.</param>
    /// <param name="send">Makes one attempt.</param>
    /// <param name="aborted">Ends the repeats, because the client has gone.</param>
    public Task<TAnswer> SendAsync<TCommand, TAnswer>(TCommand command, Func<TCommand, Task<TAnswer>> send, CancellationToken aborted)
        where TCommand : RepositoryCommand
    {
        return RepeatAsync(SendInOrderAsync, aborted);

        async Task<TAnswer> SendInOrderAsync()
        {
            var began = time.GetTimestamp();
            while (true)
            {
                try
                {
                    command = orders.Next(command);
                    return await send(command);
                }
                catch (ReorderException e) when (HasTime(began, TimeSpan.Zero))
                {
                    // The repository has changed nothing. It answers at once, so there is nothing to wait for.
                    orders.Raise(e.Highest);
                }
            }
        }
    }

    /// <summary>Returns whether the silo of the grain has gone or cannot be reached.</summary>
    public static bool IsClusterFault(Exception exception) =>
        exception is SiloUnavailableException or OrleansMessageRejectionException or ConnectionFailedException or ReorderException;

    private bool HasTime(long began, TimeSpan pause) => time.GetElapsedTime(began) + pause < Patience;

    private static TimeSpan Longer(TimeSpan pause) => pause * 2 < LongestPause ? pause * 2 : LongestPause;

    private static bool IsWorthRepeating(Exception exception) => exception
        is SiloUnavailableException
        or OrleansMessageRejectionException
        or ConnectionFailedException
        or TimeoutException
        or PartitionUnavailableException { Fault: PartitionFault.Unavailable };
}
