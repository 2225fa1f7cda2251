using System.Globalization;
using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;

namespace Granary.Gateway.Admin;

/// <summary>Says in sentences why a history cannot be read, or a tag cannot go back.</summary>
internal static class HistoryText
{
    private const int MaxListed = 10;

    /// <summary>Says that a repository has no line about a tag, or none at a position.</summary>
    public static string Unknown(RepositoryName repository, Tag tag, LogPosition? line = null) => line is { } position
        ? $"{NoLine(repository, tag, position)} Read the history without 'before'."
        : $"{repository} has no history of a tag {tag}: there never was such a tag, or its last move is older than history.retention.";

    /// <summary>Says that the history has no such line or manifest.</summary>
    public static string UnknownTarget(RepositoryName repository, UndoTag command) => command switch
    {
        { Digest: { } digest } =>
            $"The history of the tag {command.Tag} of {repository} has no manifest {digest}: the tag never pointed at it, or its line " +
            $"was removed after history.retention. {ReadIt(repository, command.Tag)}",
        { Line: { } line } => $"{NoLine(repository, command.Tag, line)} {ReadIt(repository, command.Tag)}",
        _ =>
            $"The line before the last move of the tag {command.Tag} of {repository} was removed after history.retention. Name the " +
            "manifest with 'to', or push it by the tag.",
    };

    /// <summary>Says that there was no tag at that time.</summary>
    public static string ToNothing(RepositoryName repository, UndoTag command)
    {
        var tag = command.Tag;
        var what = command.Line is { } line
            ? $"After line {line} there was no tag {tag}"
            : $"The tag {tag} did not exist before its last move";
        return $"{what}, so there is no manifest to go back to. To delete the tag, send DELETE /v2/{repository}/manifests/{tag}. " +
            $"To point it at an earlier manifest, name a line or a digest of its history with 'to'. {ReadIt(repository, tag)}";
    }

    /// <summary>Says since when a manifest is gone.</summary>
    public static string Gone(Tag tag, UndoManifestGone gone) => gone.Deletion is { } line
        ? $"The manifest {gone.Digest} is gone since {Text(line.Time)}: {Cause(line.Origin.Cause)} removed it (line {line.Position}). " +
          $"Push it again by the tag {tag}."
        : $"The manifest {gone.Digest} is gone. When it was removed is not known, because the line about that was removed after " +
          $"history.retention or was never written. Push it again by the tag {tag}.";

    /// <summary>Says which content of a manifest is gone.</summary>
    public static string Missing(UndoContentMissing answer)
    {
        var listed = string.Join(", ", answer.Missing.Take(MaxListed)) + (answer.Missing.Length > MaxListed ? ", …" : "");
        return $"The manifest {answer.Digest} names content that is damaged or was deleted: {listed}. Push the image again, or push what " +
            "is missing and repeat the undo.";
    }

    /// <summary>Shortens what the client sent, so that an answer stays small.</summary>
    public static string Shorten(string text) => text.Length <= 200 ? text : text[..200] + "…";

    private static string NoLine(RepositoryName repository, Tag tag, LogPosition line) =>
        $"The history of the tag {tag} of {repository} has no line {line}: it is the position of another tag, or the line was removed " +
        "after history.retention.";

    private static string ReadIt(RepositoryName repository, Tag tag) => $"'granary tag history {repository}:{tag}' lists the lines.";

    private static string Cause(ChangeCause cause) => cause switch
    {
        ChangeCause.Push => "a push",
        ChangeCause.Delete => "a deletion",
        ChangeCause.Undo => "an undo",
        ChangeCause.Restore => "a restore",
        ChangeCause.Retention => "a retention rule",
        ChangeCause.Collection => "a collection of garbage",
        ChangeCause.Mirror => "a mirror",
        ChangeCause.Import => "an import",
        ChangeCause.Replication => "a replication",
        _ => "an earlier release",
    };

    private static string Text(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
