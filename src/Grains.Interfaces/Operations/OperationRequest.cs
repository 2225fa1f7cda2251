using Granary.Grains.Interfaces.Repositories;

namespace Granary.Grains.Interfaces.Operations;

/// <summary>The kind of an operation.</summary>
[GenerateSerializer, Alias("granary.operation-kind")]
public enum OperationKind
{
    /// <summary>Collects garbage.</summary>
    Collection,

    /// <summary>Checks all bytes and rows.</summary>
    Scrub,

    /// <summary>Deletes a repository.</summary>
    Deletion,

    /// <summary>Copies the registry while it serves.</summary>
    Backup,
}

/// <summary>What an administrator asks for.</summary>
[GenerateSerializer, Immutable, Alias("granary.operation-request")]
public sealed record OperationRequest
{
    /// <summary>The kind of operation.</summary>
    [Id(0)]
    public required OperationKind Kind { get; init; }

    /// <summary>A collection: only count what it would remove.</summary>
    [Id(1)]
    public bool DryRun { get; init; }

    /// <summary>A collection: the grace period of unused and of orphaned blobs; null for the settings.</summary>
    [Id(2)]
    public TimeSpan? Grace { get; init; }

    /// <summary>A collection: also remove untagged manifests that were without a tag for longer than this.</summary>
    [Id(3)]
    public TimeSpan? UntaggedAge { get; init; }

    /// <summary>A deletion: the repository.</summary>
    [Id(4)]
    public string? Repository { get; init; }

    /// <summary>A backup: the target directory on the server's machine.</summary>
    [Id(5)]
    public string? Directory { get; init; }

    /// <summary>A scrub: how many bytes it reads in a second at most; null for the setting.</summary>
    [Id(6)]
    public long? BytesPerSecond { get; init; }

    /// <summary>Do not start if one of the same kind with the same <see cref="UntaggedAge"/> started more recently than this.</summary>
    [Id(7)]
    public TimeSpan? AtMostEvery { get; init; }

    /// <summary>A deletion: who asked for it. The lines of the repository's log say so.</summary>
    [Id(8)]
    public CommandOrigin? Origin { get; init; }
}
