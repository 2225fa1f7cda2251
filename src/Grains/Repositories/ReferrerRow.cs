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

    public static ReferrerRow Decode(string key, ReadOnlyMemory<byte> value)
    {
        var reader = new RowReader(value, 1);
        var (mediaType, size, artifactType, partial, count) = (reader.Text()!, reader.Number(), reader.Text(), reader.Flag(), reader.Number());
        var annotations = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var i = 0; i < count; i++)
        {
            annotations[reader.Text()!] = reader.Text()!;
        }

        return new ReferrerRow(new Referrer(Digest.Parse(RepositoryRows.LastPart(key)), mediaType, size, artifactType, annotations), partial);
    }
}
