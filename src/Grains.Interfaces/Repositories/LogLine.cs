using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Granary.Protocol;

namespace Granary.Grains.Interfaces.Repositories;

/// <summary>
/// The place of a line in the log of a repository: the version of the commit that made it, and its number in that commit. Its text is both
/// numbers with a dot, such as <c>418.0</c>.
/// </summary>
/// <param name="Version">The version of the repository.</param>
/// <param name="Number">The number of the line among those of the version, from 0 on.</param>
[GenerateSerializer, Immutable, Alias("granary.log-position")]
public readonly record struct LogPosition([property: Id(0)] long Version, [property: Id(1)] int Number)
{
    /// <summary>Parses a position. Returns false if the text is none.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out LogPosition position)
    {
        position = default;
        var dot = text?.IndexOf('.', StringComparison.Ordinal) ?? -1;
        if (dot < 0
            || !long.TryParse(text.AsSpan(0, dot), NumberStyles.None, CultureInfo.InvariantCulture, out var version)
            || !int.TryParse(text.AsSpan(dot + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            return false;
        }

        position = new LogPosition(version, number);
        return true;
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Version}.{Number}");
}

/// <summary>What a line of the log tells. The numbers are stored.</summary>
[GenerateSerializer, Alias("granary.change-kind")]
public enum ChangeKind
{
    /// <summary>A manifest was stored, and the tag of the line, if there is one, points at it.</summary>
    Pushed = 1,

    /// <summary>A tag was pointed at a manifest that was there.</summary>
    Tagged = 2,

    /// <summary>A tag was removed. Its manifest stayed.</summary>
    Untagged = 3,

    /// <summary>A manifest was removed, and with it the tag of the line, if there is one.</summary>
    Deleted = 4,

    /// <summary>A deleted manifest was brought back.</summary>
    Restored = 5,

    /// <summary>The repository entered the catalog.</summary>
    RepositoryCreated = 6,

    /// <summary>The repository left the catalog.</summary>
    RepositoryDeleted = 7,
}

/// <summary>
/// A line of the log of a repository: one change, committed together with the rows that it changed. Lines are in the order of commits.
/// </summary>
[GenerateSerializer, Immutable, Alias("granary.log-line")]
public sealed record LogLine
{
    /// <summary>The place of the line.</summary>
    [Id(0)]
    public required LogPosition Position { get; init; }

    /// <summary>What changed.</summary>
    [Id(1)]
    public required ChangeKind Kind { get; init; }

    /// <summary>Who changed it, and why.</summary>
    [Id(2)]
    public required CommandOrigin Origin { get; init; }

    /// <summary>When it changed: not before the line before, unless the clock was set back by more than an hour.</summary>
    [Id(3)]
    public required DateTimeOffset Time { get; init; }

    /// <summary>The tag that moved; null if none did.</summary>
    [Id(4)]
    public Tag? Tag { get; init; }

    /// <summary>The manifest that the tag points at after the line, or that was pushed; null if the line removed it.</summary>
    [Id(5)]
    public Digest? Digest { get; init; }

    /// <summary>The manifest that the tag pointed at before the line, or that was removed; null if there was none.</summary>
    [Id(6)]
    public Digest? Previous { get; init; }

    /// <summary>The line before this one about the same tag; null for the first.</summary>
    [Id(7)]
    public LogPosition? Before { get; init; }

    /// <summary>The media type of the manifest that was pushed, tagged or removed; null if the line tells of none.</summary>
    [Id(8)]
    public string? MediaType { get; init; }

    /// <summary>Its size in bytes.</summary>
    [Id(9)]
    public long Size { get; init; }

    /// <summary>Its subject.</summary>
    [Id(10)]
    public Digest? Subject { get; init; }

    /// <summary>Its artifact type, if it was pushed with a subject.</summary>
    [Id(11)]
    public string? ArtifactType { get; init; }

    /// <summary>Whether the line is the one that says that the manifest is new in the repository.</summary>
    [Id(12)]
    public bool IsNew { get; init; }

    /// <summary>
    /// The order of the command that changed it, or, for a change that the registry made on its own, of the tag that it removed. The orders
    /// of the lines about one tag never fall.
    /// </summary>
    [Id(13)]
    public long Order { get; init; }
}
