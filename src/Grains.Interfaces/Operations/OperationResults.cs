using System.Globalization;
using Granary.Protocol.Units;

namespace Granary.Grains.Interfaces.Operations;

/// <summary>Formats the counts of an operation for the commands and the log.</summary>
public static class OperationResults
{
    /// <summary>The count that is 1 if the others are too low, because a dry run had no memory to count everything.</summary>
    public const string AtLeast = "atLeast";

    private static readonly Phrase[] Collected =
    [
        new("manifests", "{0} manifest", "{0} manifests"),
        new("unlinked", "{0} blob from its repository", "{0} blobs from their repositories"),
        new("blobs", "{0} blob ({1}) from the registry", "{0} blobs ({1}) from the registry", "bytes"),
        new("objects", "{0} object from the storage", "{0} objects from the storage"),
        new("uploads", "{0} abandoned upload", "{0} abandoned uploads"),
    ];

    private static readonly Phrase[] Scrubbed =
    [
        new("repositories", "{0} repository checked", "{0} repositories checked"),
        new("manifests", "{0} manifest", "{0} manifests"),
        new("blobs", "{0} blob ({1})", "{0} blobs ({1})", "bytes"),
        new("objects", "{0} object", "{0} objects"),
        new("damaged", "{0} blob is DAMAGED", "{0} blobs are DAMAGED"),
        new("damagedRows", "{0} row was DAMAGED", "{0} rows were DAMAGED"),
        new("pinned", "{0} reference restored", "{0} references restored"),
        new("mended", "{0} damaged blob repaired", "{0} damaged blobs repaired"),
        new("reclaimed", "{0} orphaned object ({1}) deleted", "{0} orphaned objects ({1}) deleted", "reclaimedBytes"),
    ];

    private static readonly Phrase[] BackedUp =
    [
        new("objects", "{0} object ({1})", "{0} objects ({1})", "bytes"),
        new("copied", "{0} copied", "{0} copied"),
        new("damaged", "{0} blob is DAMAGED", "{0} blobs are DAMAGED"),
    ];

    private static readonly Phrase[] Deleted = [new("removed", "{0} manifest or blob", "{0} manifests and blobs")];

    /// <summary>
    /// Returns the results of an operation, such as "2 blobs (314.6 KB) from the registry, 1 object from the storage". Returns an empty
    /// text if all counts are zero.
    /// </summary>
    public static string Text(OperationKind kind, IReadOnlyDictionary<string, long> counts)
    {
        var phrases = kind switch
        {
            OperationKind.Collection => Collected,
            OperationKind.Scrub => Scrubbed,
            OperationKind.Backup => BackedUp,
            _ => Deleted,
        };
        var counted = phrases.Where(phrase => counts.GetValueOrDefault(phrase.Count) > 0);
        var text = string.Join(", ", counted.Select(phrase => phrase.Text(counts)));
        return counts.GetValueOrDefault(AtLeast) > 0 && text.Length > 0 ? "at least " + text : text;
    }

    /// <summary>The words for one count.</summary>
    /// <param name="Count">The name of the count.</param>
    /// <param name="One">The text for a count of 1.</param>
    /// <param name="Many">The text for larger counts.</param>
    /// <param name="Bytes">The name of the count of bytes that the text shows too.</param>
    private sealed record Phrase(string Count, string One, string Many, string? Bytes = null)
    {
        public string Text(IReadOnlyDictionary<string, long> counts)
        {
            var count = counts[Count];
            var bytes = Bytes is null ? "" : ByteText.Of(counts.GetValueOrDefault(Bytes));
            return string.Format(CultureInfo.InvariantCulture, count == 1 ? One : Many, count, bytes);
        }
    }
}
