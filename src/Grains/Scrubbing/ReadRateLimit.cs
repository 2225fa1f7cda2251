namespace Granary.Grains.Scrubbing;

/// <summary>Keeps the reads of a scrub below a number of bytes in a second, on average since its start.</summary>
internal sealed class ReadRateLimit(long bytesPerSecond, TimeProvider time)
{
    // Timers are no finer than some milliseconds.
    private static readonly TimeSpan MinDelay = TimeSpan.FromMilliseconds(5);

    private readonly long _started = time.GetTimestamp();
    private long _bytes;

    /// <summary>Counts bytes that were read, and waits until the average is below the limit.</summary>
    public async ValueTask WaitAsync(int count, CancellationToken cancellationToken)
    {
        _bytes += count;
        var ahead = TimeSpan.FromSeconds((double)_bytes / bytesPerSecond) - time.GetElapsedTime(_started);
        if (ahead > MinDelay)
        {
            await Task.Delay(ahead, time, cancellationToken);
        }
    }
}
