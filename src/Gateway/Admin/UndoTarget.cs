using System.Diagnostics.CodeAnalysis;
using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;

namespace Granary.Gateway.Admin;

/// <summary>Where a tag goes back to: a manifest, or a line of the history, or (both null) where it was before its last move.</summary>
/// <param name="Digest">The manifest.</param>
/// <param name="Line">The line after which the tag pointed at the manifest.</param>
public readonly record struct UndoTarget(Digest? Digest, LogPosition? Line)
{
    /// <summary>Parses a digest or a position. Returns false if the text is neither.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out UndoTarget target)
    {
        target = default;
        if (Protocol.Digest.TryParse(text, out var digest))
        {
            target = new UndoTarget(digest, Line: null);
            return true;
        }

        if (LogPosition.TryParse(text, out var line))
        {
            target = new UndoTarget(Digest: null, line);
            return true;
        }

        return false;
    }

    /// <inheritdoc/>
    public override string ToString() => Digest?.Value ?? Line?.ToString() ?? "";
}
