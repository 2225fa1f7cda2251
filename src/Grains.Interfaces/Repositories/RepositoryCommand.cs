using Granary.Grains.Interfaces.Blobs;
using Granary.Protocol;

namespace Granary.Grains.Interfaces.Repositories;

/// <summary>
/// A command that changes a repository. The lines of the repository's log say who sent it. Each attempt has an order of its own, so that a
/// late copy of an attempt has no effect (docs/adr/0014-a-late-copy-has-no-effect.md).
/// </summary>
[GenerateSerializer, Immutable, Alias("granary.repository-command")]
public abstract record RepositoryCommand
{
    private protected RepositoryCommand()
    {
    }

    /// <summary>Who sent the command, and why.</summary>
    [Id(0)]
    public required CommandOrigin Origin { get; init; }

    /// <summary>
    /// The order of this attempt (<see cref="CommandOrders"/>). The repository refuses it with a <see cref="ReorderException"/> unless it
    /// is above the orders of the rows that the command touches. 0 for an attempt that has none: it is always refused.
    /// </summary>
    [Id(1)]
    public long Order { get; init; }

    /// <summary>The order of the first attempt. What any attempt has done has an order from this one on.</summary>
    [Id(2)]
    public long FirstOrder { get; init; }

    /// <summary>
    /// When the attempt ends, by the clock of the sender: a copy that comes later is refused. It bounds what a command may still do that
    /// was never answered.
    /// </summary>
    [Id(3)]
    public DateTimeOffset ValidUntil { get; init; } = DateTimeOffset.MaxValue;

    /// <summary>Whether another attempt was sent before this one, and may have been done.</summary>
    public bool IsRepeat => Order > FirstOrder;
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

/// <summary>A step of the removal of the repository.</summary>
/// <param name="Limit">How many manifests or blobs the step removes, at most.</param>
[GenerateSerializer, Immutable, Alias("granary.clear-repository")]
public sealed record ClearRepository([property: Id(0)] int Limit) : RepositoryCommand;

/// <summary>A tag is removed. Its manifest stays.</summary>
/// <param name="Tag">The tag.</param>
[GenerateSerializer, Immutable, Alias("granary.remove-tag")]
public sealed record RemoveTag([property: Id(0)] Tag Tag) : RepositoryCommand;
