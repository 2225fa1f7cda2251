using Granary.Grains.Interfaces.Blobs;
using Granary.Protocol;

namespace Granary.Grains.Interfaces.Repositories;

/// <summary>A command that changes a repository. The lines of the repository's log say who sent it.</summary>
[GenerateSerializer, Immutable, Alias("granary.repository-command")]
public abstract record RepositoryCommand
{
    private protected RepositoryCommand()
    {
    }

    /// <summary>Who sent the command, and why.</summary>
    [Id(0)]
    public required CommandOrigin Origin { get; init; }
}

/// <summary>A blob that was received completely is linked to the repository, or its link is renewed.</summary>
/// <param name="Digest">The digest of the content.</param>
/// <param name="Content">The content. An object is durable before the call.</param>
/// <param name="Deadline">For an object: the deadline after which the shard no longer accepts it.</param>
[GenerateSerializer, Immutable, Alias("granary.link-blob")]
public sealed record LinkBlob(
    [property: Id(0)] Digest Digest,
    [property: Id(1)] BlobContent Content,
    [property: Id(2)] DateTimeOffset Deadline) : RepositoryCommand;

/// <summary>A blob that the registry has is linked to the repository, or its link is renewed.</summary>
/// <param name="Digest">The blob.</param>
[GenerateSerializer, Immutable, Alias("granary.mount-blob")]
public sealed record MountBlob([property: Id(0)] Digest Digest) : RepositoryCommand;

/// <summary>A blob is removed from the repository.</summary>
/// <param name="Digest">The blob.</param>
/// <param name="EvenIfUsed">Whether to remove it even if manifests use it.</param>
[GenerateSerializer, Immutable, Alias("granary.remove-blob")]
public sealed record RemoveBlob([property: Id(0)] Digest Digest, [property: Id(1)] bool EvenIfUsed) : RepositoryCommand;

/// <summary>A manifest is removed, with all tags that point at it.</summary>
/// <param name="Digest">The manifest.</param>
[GenerateSerializer, Immutable, Alias("granary.remove-manifest")]
public sealed record RemoveManifest([property: Id(0)] Digest Digest) : RepositoryCommand;

/// <summary>A tag is removed. Its manifest stays.</summary>
/// <param name="Tag">The tag.</param>
[GenerateSerializer, Immutable, Alias("granary.remove-tag")]
public sealed record RemoveTag([property: Id(0)] Tag Tag) : RepositoryCommand;
