namespace Granary.Grains.Uploads;

/// <summary>The state of a session.</summary>
internal enum SessionState : byte
{
    /// <summary>Requests can append bytes.</summary>
    Open = 0,

    /// <summary>Closed over its content. Only Renounce decides about its object.</summary>
    Sealed = 1,

    /// <summary>Cancelled or expired.</summary>
    Cancelled = 2,

    /// <summary>Sealed, and another object has the content. Renounce decides about its own object with the next sweep.</summary>
    Orphaned = 3,

    /// <summary>Sealed, and Renounce has decided about its object. The row only keeps the id from beginning another session.</summary>
    Renounced = 4,
}
