using Granary.Protocol;

namespace Granary.Grains.Interfaces.Repositories;

/// <summary>A page of the history of a tag, the newest line first.</summary>
/// <param name="Current">The manifest that the tag points at; null if there is no such tag now.</param>
/// <param name="Entries">The lines.</param>
/// <param name="Next">The line with which the next page begins; null if this is the last page.</param>
/// <param name="IsCut">Whether older lines were removed after the setting <c>history.retention</c>.</param>
[GenerateSerializer, Immutable, Alias("granary.tag-history")]
public sealed record TagHistory(
    [property: Id(0)] Digest? Current,
    [property: Id(1)] TagHistoryEntry[] Entries,
    [property: Id(2)] LogPosition? Next,
    [property: Id(3)] bool IsCut)
{
    /// <summary>How many lines a page has at most.</summary>
    public const int MaxLimit = 1000;
}

/// <summary>A line of the history of a tag.</summary>
/// <param name="Line">The line.</param>
/// <param name="IsHere">Whether the repository still has the manifest that the tag pointed at after the line.</param>
/// <param name="KeptUntil">
/// When the collection of untagged manifests may remove that manifest; null if the collection is off, or the manifest is tagged or gone.
/// </param>
[GenerateSerializer, Immutable, Alias("granary.tag-history-entry")]
public sealed record TagHistoryEntry(
    [property: Id(0)] LogLine Line,
    [property: Id(1)] bool IsHere,
    [property: Id(2)] DateTimeOffset? KeptUntil);

/// <summary>A tag goes back to a manifest that it pointed at before, by the rules of a push.</summary>
[GenerateSerializer, Immutable, Alias("granary.undo-tag")]
public sealed record UndoTag : RepositoryCommand
{
    /// <summary>The tag.</summary>
    [Id(0)]
    public required Tag Tag { get; init; }

    /// <summary>The manifest to which it goes back; it has to be in the history of the tag. Null if <see cref="Line"/> says it.</summary>
    [Id(1)]
    public Digest? Digest { get; init; }

    /// <summary>The line after which the tag pointed at the manifest. If this and the digest are null, the last move.</summary>
    [Id(2)]
    public LogPosition? Line { get; init; }

    /// <summary>The condition on the tag; null if there is none.</summary>
    [Id(3)]
    public TagCondition? Condition { get; init; }

    /// <summary>Whether content that the manifest names may be absent (<c>manifests.sparse</c>).</summary>
    [Id(4)]
    public bool Sparse { get; init; }
}

/// <summary>The answer to an <see cref="UndoTag"/>.</summary>
[GenerateSerializer, Immutable, Alias("granary.undo-tag-answer")]
public abstract record UndoTagAnswer
{
    private protected UndoTagAnswer()
    {
    }
}

/// <summary>The tag went back.</summary>
/// <param name="From">The manifest that it pointed at before; null if the tag had been removed.</param>
/// <param name="To">The manifest that it points at now.</param>
/// <param name="Line">The line that says so; null if the tag pointed there already.</param>
[GenerateSerializer, Immutable, Alias("granary.tag-undone")]
public sealed record TagUndone(
    [property: Id(0)] Digest? From,
    [property: Id(1)] Digest To,
    [property: Id(2)] LogPosition? Line) : UndoTagAnswer;

/// <summary>The repository knows no such tag: it has no line about it.</summary>
[GenerateSerializer, Immutable, Alias("granary.undo-tag-unknown")]
public sealed record UndoTagUnknown : UndoTagAnswer;

/// <summary>The history of the tag has no such line or manifest, or its older lines were removed.</summary>
[GenerateSerializer, Immutable, Alias("granary.undo-target-unknown")]
public sealed record UndoTargetUnknown : UndoTagAnswer;

/// <summary>The tag pointed at no manifest then: the move to undo made the tag, or the line removed it.</summary>
[GenerateSerializer, Immutable, Alias("granary.undo-to-nothing")]
public sealed record UndoToNothing : UndoTagAnswer;

/// <summary>The tag does not meet the condition. Nothing was changed.</summary>
/// <param name="Current">The manifest that the tag points at; null if there is no such tag.</param>
[GenerateSerializer, Immutable, Alias("granary.undo-condition-failed")]
public sealed record UndoConditionFailed([property: Id(0)] Digest? Current) : UndoTagAnswer;

/// <summary>The repository no longer has the manifest.</summary>
/// <param name="Digest">The manifest.</param>
/// <param name="Deletion">The line that says when it was removed; null if it was not found.</param>
[GenerateSerializer, Immutable, Alias("granary.undo-manifest-gone")]
public sealed record UndoManifestGone([property: Id(0)] Digest Digest, [property: Id(1)] LogLine? Deletion) : UndoTagAnswer;

/// <summary>The manifest is there, but content that it names was deleted. A push of it would be refused too.</summary>
/// <param name="Digest">The manifest.</param>
/// <param name="Missing">The missing content, in the manifest's order.</param>
[GenerateSerializer, Immutable, Alias("granary.undo-content-missing")]
public sealed record UndoContentMissing([property: Id(0)] Digest Digest, [property: Id(1)] Digest[] Missing) : UndoTagAnswer;
