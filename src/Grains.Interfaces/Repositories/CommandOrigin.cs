namespace Granary.Grains.Interfaces.Repositories;

/// <summary>Who sent a command, and why. The lines of the log keep it.</summary>
[GenerateSerializer, Immutable, Alias("granary.command-origin")]
public sealed record CommandOrigin
{
    /// <summary>The longest <see cref="UserAgent"/>, in characters.</summary>
    public const int MaxUserAgent = 80;

    /// <summary>
    /// The id of the client's request, the same in each attempt. A command that was done is found by it in the log.
    /// </summary>
    [Id(0)]
    public required Guid RequestId { get; init; }

    /// <summary>Why the repository changes.</summary>
    [Id(1)]
    public required ChangeCause Cause { get; init; }

    /// <summary>The name of the caller; null without access control, or for an anonymous one.</summary>
    [Id(2)]
    public string? Actor { get; init; }

    /// <summary>The credential that the caller used; null if there is none.</summary>
    [Id(3)]
    public string? Credential { get; init; }

    /// <summary>The address at the other end of the connection; null if the setting <c>history.address</c> leaves it out.</summary>
    [Id(4)]
    public string? Peer { get; init; }

    /// <summary>The address of the client, as a trusted proxy says; null if no proxy says so.</summary>
    [Id(5)]
    public string? Address { get; init; }

    /// <summary>The host that the client asked.</summary>
    [Id(6)]
    public string? Host { get; init; }

    /// <summary>The client's program, at most <see cref="MaxUserAgent"/>; null if <c>history.address</c> leaves it out.</summary>
    [Id(7)]
    public string? UserAgent { get; init; }

    /// <summary>The rule that allowed or demanded the change; null if there is none.</summary>
    [Id(8)]
    public string? Rule { get; init; }

    /// <summary>The version of the access policy that allowed the change; 0 without one.</summary>
    [Id(9)]
    public long PolicyVersion { get; init; }

    /// <summary>Returns the origin of a change that the registry makes on its own.</summary>
    public static CommandOrigin OfRegistry(ChangeCause cause) => new() { RequestId = Guid.Empty, Cause = cause };
}

/// <summary>Why a repository changes. The numbers are stored.</summary>
[GenerateSerializer, Alias("granary.change-cause")]
public enum ChangeCause
{
    /// <summary>An earlier release made the change, and did not record why.</summary>
    Unknown = 0,

    /// <summary>A client pushed.</summary>
    Push = 1,

    /// <summary>A client or an administrator deleted.</summary>
    Delete = 2,

    /// <summary>A move of a tag was undone.</summary>
    Undo = 3,

    /// <summary>A state of the past was restored.</summary>
    Restore = 4,

    /// <summary>A retention rule removed it.</summary>
    Retention = 5,

    /// <summary>A collection of garbage removed it.</summary>
    Collection = 6,

    /// <summary>It was mirrored from another registry.</summary>
    Mirror = 7,

    /// <summary>It was imported.</summary>
    Import = 8,

    /// <summary>It was replicated from another registry.</summary>
    Replication = 9,
}
