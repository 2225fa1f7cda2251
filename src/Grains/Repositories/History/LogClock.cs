namespace Granary.Grains.Repositories.History;

/// <summary>
/// The times of the lines of a log. They never fall, so that a line of a time can be found by bisection over versions. A clock that is far
/// behind the last line starts a new run of times. Otherwise one wrong clock ahead would stop the times for years.
/// </summary>
internal sealed class LogClock
{
    private static readonly TimeSpan MaxStep = TimeSpan.FromHours(1);

    private DateTimeOffset _last;

    /// <summary>Continues after the last line of the log.</summary>
    public void Continue(DateTimeOffset last) => _last = last;

    /// <summary>
    /// Returns the time of the next line. A decision that runs again gets the same time or a later one, so its repetition does no harm.
    /// </summary>
    public DateTimeOffset Next(DateTimeOffset now)
    {
        if (now > _last || _last - now > MaxStep)
        {
            _last = now;
        }

        return _last;
    }
}
