using System.Text;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;

namespace Granary.Grains.Repositories;

/// <summary>
/// The row of a referrer below its subject: its entry in the list of referrers. If the annotations are too long for a row, the row has
/// none, and the list reads them from the manifest.
/// </summary>
/// <param name="Listed">The entry; without annotations if <paramref name="IsPartial"/>.</param>
/// <param name="IsPartial">Whether the annotations are in the manifest only.</param>
internal sealed record ReferrerRow(Referrer Listed, bool IsPartial)
{
    private const int MaxAnnotations = 32 * 1024;

    // The capacity of a dictionary at most. The count of a damaged row may be any number.
    private const int MaxInitialCapacity = 64;

    private static readonly Dictionary<string, string> NoNames = [];

    public static ReferrerRow Of(PutManifest manifest)
    {
        var size = manifest.Annotations.Sum(pair => Encoding.UTF8.GetByteCount(pair.Key) + Encoding.UTF8.GetByteCount(pair.Value) + 8);
        var fits = size <= MaxAnnotations;
        var annotations = fits ? manifest.Annotations : new Dictionary<string, string>();
        var listed = new Referrer(manifest.Digest, manifest.MediaType, manifest.Body.Length, manifest.ArtifactType, annotations);
        return new ReferrerRow(listed, !fits);
    }

    public ReadOnlyMemory<byte> Encode()
    {
        var writer = new RowWriter(1, 512)
            .Text(Listed.MediaType).Number(Listed.Size).Text(Listed.ArtifactType).Flag(IsPartial).Number(Listed.Annotations.Count);
        foreach (var (key, value) in Listed.Annotations)
        {
            writer = writer.Text(key).Text(value);
        }

        return writer.ToValue();
    }

    /// <summary>Reads a row.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="value">Its value.</param>
    /// <param name="before">
    /// The entry before it in the list; null if there is none. Both mostly have the same media types and the same names of annotations; the
    /// new entry shares those strings.
    /// </param>
    public static ReferrerRow Decode(string key, ReadOnlyMemory<byte> value, Referrer? before = null)
    {
        var reader = new RowReader(value, 1);
        var (mediaType, size, artifactType, partial, count) =
            (reader.Text(before?.MediaType)!, reader.Number(), reader.Text(before?.ArtifactType), reader.Flag(), (int)reader.Number());
        var annotations = new Dictionary<string, string>(Math.Min(count, MaxInitialCapacity), StringComparer.Ordinal);
        using var names = (before?.Annotations as Dictionary<string, string> ?? NoNames).Keys.GetEnumerator();
        for (var i = 0; i < count; i++)
        {
            var name = names.MoveNext() ? names.Current : null;
            annotations[reader.Text(name)!] = reader.Text()!;
        }

        var digest = RepositoryRows.LastDigest(key);
        return new ReferrerRow(new Referrer(digest, mediaType, size, artifactType, annotations), partial);
    }
}
