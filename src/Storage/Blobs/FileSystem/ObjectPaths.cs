using Granary.Protocol;

namespace Granary.Storage.Blobs.FileSystem;

/// <summary>
/// Every name below the data directory that belongs to objects:
/// <code>
/// uploads/&lt;object&gt;                          not sealed yet
/// blobs/sha256/3f/3f…c1.&lt;object&gt;           sealed: find it by its digest, check it with sha256sum
/// </code>
/// </summary>
internal sealed class ObjectPaths(string root)
{
    public string Uploads { get; } = Path.Combine(root, "uploads");

    public string Blobs { get; } = Path.Combine(root, "blobs");

    public string Upload(ObjectId id) => Path.Combine(Uploads, id.Value);

    public string BlobDirectory(Digest digest) => Path.Combine(Blobs, AlgorithmName(digest.Algorithm), digest.Encoded[..2].ToString());

    public string Blob(ObjectId id, Digest digest) => Path.Combine(BlobDirectory(digest), $"{digest.Encoded}.{id.Value}");

    /// <summary>All directories; they are made once, so that an upload never has to sync one that is new.</summary>
    public IEnumerable<string> Directories()
    {
        yield return Uploads;
        yield return Blobs;
        foreach (var algorithm in Enum.GetValues<DigestAlgorithm>())
        {
            var directory = Path.Combine(Blobs, AlgorithmName(algorithm));
            yield return directory;
            for (var first = 0; first < 256; first++)
            {
                yield return Path.Combine(directory, first.ToString("x2"));
            }
        }
    }

    /// <summary>Reads the name of a sealed object's file.</summary>
    public static bool TryParseBlob(string path, out ObjectId id, out Digest digest)
    {
        (id, digest) = (default, default);
        var name = Path.GetFileName(path);
        var dot = name.IndexOf('.', StringComparison.Ordinal);
        var algorithm = Path.GetFileName(Path.GetDirectoryName(Path.GetDirectoryName(path)));
        return dot > 0 && Digest.TryParse($"{algorithm}:{name[..dot]}", out digest) && ObjectId.TryParse(name[(dot + 1)..], out id);
    }

    private static string AlgorithmName(DigestAlgorithm algorithm) => algorithm == DigestAlgorithm.Sha512 ? "sha512" : "sha256";
}
