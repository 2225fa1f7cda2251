using Granary.Grains.Interfaces;
using Orleans.Runtime.Messaging;

namespace Granary.Gateway;

/// <summary>
/// Calls grains, and retries a call once if its failure does not say whether the command ran. Every command is idempotent.
/// </summary>
internal static class GrainCalls
{
    /// <summary>Makes a call, and repeats it if its activation or silo has gone.</summary>
    public static async Task<T> RetryOnceAsync<T>(Func<Task<T>> call)
    {
        try
        {
            return await call();
        }
        catch (Exception e) when (IsWorthRepeating(e))
        {
            return await call();
        }
    }

    /// <summary>
    /// Makes a call that removes something. If the first call fails and the second one finds nothing, the first one has removed it.
    /// </summary>
    public static async Task<bool> RemoveAsync(Func<Task<bool>> call)
    {
        try
        {
            return await call();
        }
        catch (Exception e) when (IsWorthRepeating(e))
        {
            await call();
            return true;
        }
    }

    /// <summary>Returns whether the silo of the grain has gone or cannot be reached.</summary>
    public static bool IsClusterFault(Exception exception) =>
        exception is SiloUnavailableException or OrleansMessageRejectionException or ConnectionFailedException;

    private static bool IsWorthRepeating(Exception exception) =>
        IsClusterFault(exception) || exception is PartitionUnavailableException { Fault: PartitionFault.Unavailable };
}
