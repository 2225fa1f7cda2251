using System.Runtime.CompilerServices;
using Granary.Protocol;
using Granary.Protocol.Hashing;
using Granary.Storage.Blobs.FileSystem;
using Microsoft.Win32.SafeHandles;

namespace Granary.Storage.Data;

/// <summary>
/// Copies sealed objects between a data directory and a backup. A sealed object never changes, so a complete copy stays right.
/// </summary>
internal static class ObjectCopies
{
    private const string Unfinished = ".unfinished";
    private const int BufferSize = 1024 * 1024;

    /// <summary>Copies the objects that the target lacks, and syncs them.</summary>
    /// <param name="from">The root of the objects to copy.</param>
    /// <param name="to">The root of the copies; its directories exist.</param>
    /// <param name="cancellationToken">Ends the copying between two reads.</param>
    public static async IAsyncEnumerable<CopyStep> CopyAsync(
        string from,
        string to,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (source, target) = (new ObjectPaths(from), new ObjectPaths(to));
        var total = Directory.EnumerateFiles(source.Blobs, "*", SearchOption.AllDirectories).LongCount();
        var buffer = new byte[BufferSize];
        foreach (var directory in source.BlobDirectories().Where(Directory.Exists))
        {
            var changed = default(string);
            foreach (var file in new DirectoryInfo(directory).EnumerateFiles())
            {
                if (!ObjectPaths.TryParseBlob(file.FullName, out var id, out var digest))
                {
                    continue;
                }

                var path = target.Blob(id, digest);
                var step = new CopyStep(total, file.Length, WasPresent: true, Fault: null);
                if (!File.Exists(path) || new FileInfo(path).Length != file.Length)
                {
                    var fault = await CopyAsync(file.FullName, path, digest, buffer, cancellationToken);
                    (step, changed) = (step with { WasPresent = false, Fault = fault }, target.BlobDirectory(digest));
                }

                yield return step;
            }

            if (changed is not null)
            {
                DataBackup.Guard(to, () => FileSync.Directory(changed));
            }
        }
    }

    /// <summary>Removes the copies of objects that the source no longer has.</summary>
    public static void RemoveDeleted(string from, string to, CancellationToken cancellationToken)
    {
        var (source, target) = (new ObjectPaths(from), new ObjectPaths(to));
        foreach (var file in Directory.EnumerateFiles(target.Blobs, "*", SearchOption.AllDirectories))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!ObjectPaths.TryParseBlob(file, out var id, out var digest) || !File.Exists(source.Blob(id, digest)))
            {
                File.Delete(file);
            }
        }
    }

    /// <summary>
    /// Copies an object under another name, syncs it, and renames it. Returns what is wrong with its bytes; null if nothing is. A damaged
    /// object is copied too: its rows quarantine it already, or the next scrub does.
    /// </summary>
    private static async Task<string?> CopyAsync(string from, string to, Digest digest, byte[] buffer, CancellationToken cancellationToken)
    {
        try
        {
            using var hash = RunningHash.Create(digest.Algorithm);
            using (var source = OpenSource(from))
            using (var target = File.OpenHandle(to + Unfinished, FileMode.Create, FileAccess.Write))
            {
                var offset = 0L;
                while (await RandomAccess.ReadAsync(source, buffer, offset, cancellationToken) is > 0 and var count)
                {
                    hash.Append(buffer.AsSpan(0, count));
                    RandomAccess.Write(target, buffer.AsSpan(0, count), offset);
                    offset += count;
                }

                RandomAccess.FlushToDisk(target);
            }

            File.Move(to + Unfinished, to, overwrite: true);
            return hash.ToDigest() == digest ? null : $"The bytes of '{from}' are not what its name says: it is damaged.";
        }
        catch (Exception e) when (StorageErrors.IsFileSystem(e))
        {
            throw StorageErrors.Translate(e, $"'{from}' cannot be copied");
        }
    }

    private static SafeFileHandle OpenSource(string path) =>
        File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, FileOptions.SequentialScan);
}
