namespace Granary.Grains;

/// <summary>When clients used the registry last, as far as this silo's grains know: what works beside them gives way while they do.</summary>
public sealed class ClientActivity(TimeProvider time)
{
    // A client between two requests of one push, or a few clients that are not always at it, are still there.
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(1);

    private long _last;

    /// <summary>Whether clients use the registry just now.</summary>
    public bool IsOn => Volatile.Read(ref _last) is > 0 and var last && time.GetElapsedTime(last) < Window;

    /// <summary>A client has come. Costs a look at the clock; that of two at once the older one may win does no harm.</summary>
    public void Note() => Volatile.Write(ref _last, time.GetTimestamp());
}
