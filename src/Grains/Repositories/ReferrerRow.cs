using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Repositories;

/// <summary>
/// The row of a referrer below its subject: what the list of referrers says of it. Annotations that would not fit a row are not in it; they are read
/// from the manifest.
/// </summary>
/// <param name="Listed">The entry of the list; without annotations if <paramref name="IsPartial"/>.</param>
/// <param name="IsPartial">Whether the annotations have to be read from the manifest.</param>
internal sealed record ReferrerRow(Referrer Listed, bool IsPartial)
{
    private const int MaxAnnotations = 32 * 1024;

    // A damaged row may say any number: no more is allocated ahead.
    private const int MaxSharedNames = 64;

    private static readonly Dictionary<string, string> NoNames = [];

    public static ReferrerRow Of(PutManifest manifest)
    {
        var size = manifest.Annotations.Sum(pair => System.Text.Encoding.UTF8.GetByteCount(pair.Key) + System.Text.Encoding.UTF8.GetByteCount(pair.Value) + 8);
        var fits = size <= MaxAnnotations;
        var annotations = fits ? manifest.Annotations : new Dictionary<string, string>();
        return new ReferrerRow(new Referrer(manifest.Digest, manifest.MediaType, manifest.Body.Length, manifest.ArtifactType, annotations), !fits);
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
    /// <param name="before">The row before it in a list; null if there is none. Types and names of annotations are mostly the same in both: their strings are shared.</param>
    public static ReferrerRow Decode(string key, ReadOnlyMemory<byte> value, Referrer? before = null)
    {
        var reader = new RowReader(value, 1);
        var (mediaType, size, artifactType, partial, count) =
            (reader.Text(before?.MediaType)!, reader.Number(), reader.Text(before?.ArtifactType), reader.Flag(), (int)reader.Number());
        var annotations = new Dictionary<string, string>(Math.Min(count, MaxSharedNames), StringComparer.Ordinal);
        using var names = (before?.Annotations as Dictionary<string, string> ?? NoNames).Keys.GetEnumerator();
        for (var i = 0; i < count; i++)
        {
            var name = names.MoveNext() ? names.Current : null;
            annotations[reader.Text(name)!] = reader.Text()!;
        }

        return new ReferrerRow(new Referrer(Digest.Parse(RepositoryRows.LastPart(key)), mediaType, size, artifactType, annotations), partial);
    }
}
