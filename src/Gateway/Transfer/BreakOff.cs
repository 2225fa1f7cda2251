namespace Granary.Gateway.Transfer;

/// <summary>Names who broke an exchange off before its end.</summary>
public enum BreakOff
{
    /// <summary>The exchange is whole.</summary>
    None,

    /// <summary>The client closed or reset the connection, or the network lost it.</summary>
    Client,

    /// <summary>The client took nothing of the answer for <c>downloads.idleTimeout</c>; the server closed the connection.</summary>
    IdleReader,

    /// <summary>The client sent nothing of its body for <c>uploads.idleTimeout</c>; the server closed the connection.</summary>
    IdleSender,

    /// <summary>The server failed, for example because a disk cannot be read.</summary>
    Fault,

    /// <summary>The server stopped, and the exchange took longer than <c>shutdown.timeout</c>.</summary>
    Shutdown,
}
