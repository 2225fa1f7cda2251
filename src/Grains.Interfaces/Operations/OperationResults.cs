using System.Globalization;

namespace Granary.Grains.Interfaces.Operations;

/// <summary>Says in words what an operation has counted, for the commands and for the log.</summary>
public static class OperationResults
{
    /// <summary>The count that is 1 if the others are too low: a dry run had no memory to count everything.</summary>
    public const string AtLeast = "atLeast";

    private static readonly Phrase[] Collected =
    [
        new("manifests", "{0} manifest", "{0} manifests"),
        new("unlinked", "{0} blob from its repository", "{0} blobs from their repositories"),
        new("blobs", "{0} blob ({1}) from the registry", "{0} blobs ({1}) from the registry", "bytes"),
        new("objects", "{0} object from the storage", "{0} objects from the storage"),
        new("uploads", "{0} upload that broke off", "{0} uploads that broke off"),
    ];

    private static readonly Phrase[] Scrubbed =
    [
        new("repositories", "{0} repository checked", "{0} repositories checked"),
        new("manifests", "{0} manifest", "{0} manifests"),
        new("blobs", "{0} blob ({1})", "{0} blobs ({1})", "bytes"),
        new("objects", "{0} object", "{0} objects"),
        new("damaged", "{0} blob is DAMAGED", "{0} blobs are DAMAGED"),
        new("damagedRows", "{0} row was DAMAGED", "{0} rows were DAMAGED"),
        new("pinned", "{0} reference made again", "{0} references made again"),
        new("mended", "{0} damaged blob mended", "{0} damaged blobs mended"),
        new("reclaimed", "{0} orphaned object ({1}) deleted", "{0} orphaned objects ({1}) deleted", "reclaimedBytes"),
    ];

    private static readonly Phrase[] BackedUp =
    [
        new("objects", "{0} object ({1})", "{0} objects ({1})", "bytes"),
        new("copied", "{0} copied", "{0} copied"),
        new("damaged", "{0} blob is DAMAGED", "{0} blobs are DAMAGED"),
    ];

    private static readonly Phrase[] Deleted = [new("removed", "{0} manifest or blob", "{0} manifests and blobs")];

    /// <summary>Returns what came of an operation, such as "2 blobs (314.6 KB) from the registry, 1 object from the storage"; empty if nothing did.</summary>
    public static string Text(OperationKind kind, IReadOnlyDictionary<string, long> counts)
    {
        var phrases = kind switch
        {
            OperationKind.Collection => Collected,
            OperationKind.Scrub => Scrubbed,
            OperationKind.Backup => BackedUp,
            _ => Deleted,
        };
        var text = string.Join(", ", phrases.Where(phrase => counts.GetValueOrDefault(phrase.Count) > 0).Select(phrase => phrase.Text(counts)));
        return counts.GetValueOrDefault(AtLeast) > 0 && text.Length > 0 ? "at least " + text : text;
    }

    /// <summary>How one count is said.</summary>
    /// <param name="Count">Its name.</param>
    /// <param name="One">If it is 1.</param>
    /// <param name="Many">If it is more.</param>
    /// <param name="Bytes">The name of the count of bytes that belongs to it.</param>
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
