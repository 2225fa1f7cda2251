using Granary.Protocol;

namespace Granary.Storage.Blobs.FileSystem;

/// <summary>
/// The names of all files of objects below the data directory:
/// <code>
/// uploads/&lt;object&gt;                          not sealed
/// blobs/sha256/3f/3f…c1.&lt;object&gt;           sealed: an operator finds it by its digest and checks it with sha256sum
/// </code>
/// </summary>
internal sealed class ObjectPaths(string root)
{
    public string Uploads { get; } = Path.Combine(root, "uploads");

    public string Blobs { get; } = Path.Combine(root, "blobs");

    public string Upload(ObjectId id) => Path.Combine(Uploads, id.Value);

    public string BlobDirectory(Digest digest) => Path.Combine(AlgorithmDirectory(digest.Algorithm), digest.Encoded[..2].ToString());

    public string Blob(ObjectId id, Digest digest) => Path.Combine(BlobDirectory(digest), $"{digest.Encoded}.{id.Value}");

    /// <summary>Returns all directories. The store creates them once, so that no upload has to sync a new one.</summary>
    public IEnumerable<string> Directories() =>
        [Uploads, Blobs, .. Enum.GetValues<DigestAlgorithm>().Select(AlgorithmDirectory), .. BlobDirectories()];

    /// <summary>Returns the directories that hold sealed objects.</summary>
    public IEnumerable<string> BlobDirectories() =>
        from algorithm in Enum.GetValues<DigestAlgorithm>()
        from first in Enumerable.Range(0, 256)
        select Path.Combine(AlgorithmDirectory(algorithm), first.ToString("x2"));

    /// <summary>Parses the name of a sealed object's file.</summary>
    public static bool TryParseBlob(string path, out ObjectId id, out Digest digest)
    {
        (id, digest) = (default, default);
        var name = Path.GetFileName(path);
        var dot = name.IndexOf('.', StringComparison.Ordinal);
        var algorithm = Path.GetFileName(Path.GetDirectoryName(Path.GetDirectoryName(path)));
        return dot > 0 && Digest.TryParse($"{algorithm}:{name[..dot]}", out digest) && ObjectId.TryParse(name[(dot + 1)..], out id);
    }

    private string AlgorithmDirectory(DigestAlgorithm algorithm) =>
        Path.Combine(Blobs, algorithm == DigestAlgorithm.Sha512 ? "sha512" : "sha256");
}
