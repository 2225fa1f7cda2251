namespace Granary.Storage.Azure;

/// <summary>Counts the requests that a storage account refused because there were too many.</summary>
public sealed class ThrottleCounter
{
    private long _count;

    /// <summary>How many there were since the process began.</summary>
    public long Count => Interlocked.Read(ref _count);

    /// <summary>Counts one.</summary>
    internal void Add() => Interlocked.Increment(ref _count);
}
