namespace Granary.Grains.Interfaces;

/// <summary>How long calls wait for their answers, where that differs from the setting <c>cluster.callTimeout</c>.</summary>
public static class CallTimeouts
{
    /// <summary>
    /// For calls of background work and of administrators that read many rows. The others wait for seconds only, because a call to a silo
    /// that has died gets no answer, and a client waits for it.
    /// </summary>
    public const string Slow = "00:00:30";
}
