using Granary.Grains.Interfaces;
using Orleans.Runtime.Messaging;

namespace Granary.Gateway;

/// <summary>How the gateway calls grains: once more where the first answer says nothing about the outcome. Every command can be repeated.</summary>
internal static class GrainCalls
{
    /// <summary>Makes a call, and if its activation or silo has just gone, makes it again.</summary>
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

    /// <summary>The same for a removal: what the second call does not find, the first one has removed.</summary>
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

    /// <summary>Whether the silo that had to answer is gone, or cannot be reached.</summary>
    public static bool IsClusterFault(Exception exception) => exception is SiloUnavailableException or OrleansMessageRejectionException or ConnectionFailedException;

    private static bool IsWorthRepeating(Exception exception) =>
        IsClusterFault(exception) || exception is PartitionUnavailableException { Fault: PartitionFault.Unavailable };
}
