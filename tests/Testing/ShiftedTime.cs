namespace Granary.Testing;

/// <summary>The system's time, moved by as much as the test says. Timers run as ever: the cluster underneath needs them.</summary>
public sealed class ShiftedTime : TimeProvider
{
    private long _shift;

    public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + TimeSpan.FromTicks(Interlocked.Read(ref _shift));

    public void Advance(TimeSpan by) => Interlocked.Add(ref _shift, by.Ticks);
}
