namespace Granary.Gateway.Transfer;

/// <summary>Names who broke an exchange off before its end.</summary>
public enum BreakOff
{
    /// <summary>The exchange is whole.</summary>
    None,

    /// <summary>The client closed or reset the connection, or the network lost it.</summary>
    Client,

    /// <summary>The client took nothing of the answer for <c>downloads.idleTimeout</c>; the server gave it up.</summary>
    IdleReader,

    /// <summary>The client sent nothing of its body for <c>uploads.idleTimeout</c>; the server gave it up.</summary>
    IdleSender,

    /// <summary>A fault of the server, such as a disk that cannot be read.</summary>
    Fault,

    /// <summary>The server stopped, and the exchange took longer than <c>shutdown.timeout</c>.</summary>
    Shutdown,
}
