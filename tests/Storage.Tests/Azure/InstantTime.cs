namespace Granary.Storage.Tests.Azure;

/// <summary>The system's time, except that pauses end at once. It records how long they would have been.</summary>
internal sealed class InstantTime : TimeProvider
{
    private readonly List<TimeSpan> _pauses = [];

    public IReadOnlyList<TimeSpan> Pauses
    {
        get
        {
            lock (_pauses)
            {
                return [.. _pauses];
            }
        }
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        lock (_pauses)
        {
            _pauses.Add(dueTime);
        }

        return System.CreateTimer(callback, state, TimeSpan.Zero, period);
    }
}
