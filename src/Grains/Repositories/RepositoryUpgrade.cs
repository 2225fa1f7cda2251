using System.Runtime.CompilerServices;
using Granary.Grains.Partitions;
using Granary.Protocol;
using Granary.Storage;
using Granary.Storage.Partitions;

namespace Granary.Grains.Repositories;

/// <summary>
/// Brings the rows of repositories from data format 2 to 3. In format 2 all bytes of a manifest lay in rows of their own, <c>body/&lt;digest&gt;/&lt;piece&gt;</c>, and each blob that it names had a row
/// <c>use/&lt;blob&gt;/&lt;manifest&gt;</c>. Runs before anything is served; what broke off is done again, and finds what is left to do.
/// </summary>
public static class RepositoryUpgrade
{
    // Manifests of one commit.
    private const int StepSize = 64;

    /// <summary>Upgrades all repositories of a store. Answers how many manifests there were to upgrade; one that cannot be read stays what it is, and the scrub tells of it.</summary>
    /// <exception cref="StorageException">The store cannot be read.</exception>
    /// <exception cref="Interfaces.PartitionUnavailableException">A repository's rows cannot be read or written.</exception>
    public static async Task<long> RunAsync(IPartitionStore store, CancellationToken cancellationToken)
    {
        var upgraded = 0L;
        await foreach (var key in store.PartitionsAsync(RepositoryRows.PartitionPrefix, cancellationToken))
        {
            var rows = new Partition(store, key, _ => { });
            await rows.OpenAsync(cancellationToken);
            await foreach (var manifests in OldManifestsAsync(rows, cancellationToken).Chunk(StepSize).WithCancellation(cancellationToken))
            {
                upgraded += await rows.DecideAsync(
                    [.. manifests.SelectMany(Needs)],
                    batch => manifests.Count(manifest => TryUpgrade(batch, manifest)),
                    cancellationToken);
            }
        }

        return upgraded;
    }

    private static async IAsyncEnumerable<Digest> OldManifestsAsync(Partition rows, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var row in rows.ScanAsync(RepositoryRows.ManifestPrefix, after: null, cancellationToken))
        {
            if (IsOld(row.Value) && Digest.TryParse(row.Key[RepositoryRows.ManifestPrefix.Length..], out var digest))
            {
                yield return digest;
            }
        }
    }

    private static bool IsOld(ReadOnlyMemory<byte> row) => row.Span is [1, ..];

    private static string[] Needs(Digest manifest) => [RepositoryRows.Manifest(manifest), RepositoryRows.Body(manifest, 0)];

    private static bool TryUpgrade(RowBatch rows, Digest digest)
    {
        try
        {
            return rows.Get(RepositoryRows.Manifest(digest)) is { } row && IsOld(row) && Upgrade(rows, digest, row);
        }
        catch (FormatException)
        {
            return false;
        }
    }

    private static bool Upgrade(RowBatch rows, Digest digest, ReadOnlyMemory<byte> row)
    {
        // :: Step 1: the manifest as it was.
        var reader = new RowReader(row, 1);
        var (mediaType, size, subject, pushed) = (reader.Text()!, (int)reader.Number(), reader.Text(), reader.Time());
        string[] pieces = [.. Enumerable.Range(0, Math.Max(1, (size + RepositoryRows.PieceSize - 1) / RepositoryRows.PieceSize)).Select(piece => RepositoryRows.Body(digest, piece))];
        byte[] body = [.. pieces.SelectMany(piece => rows.Get(piece) is { } value ? new RowReader(value, 1).Rest.ToArray() : [])];
        if (body.Length != size)
        {
            return false;
        }

        // :: Step 2: what it counts as a user of: what there is a row of. A link has counted it already.
        var named = Manifest.TryParse(body, mediaType, out var manifest, out _) ? ManifestNames.Of(manifest) : new ManifestNames([], []);
        var names = new ManifestNames(
            Array.FindAll(named.Blobs, blob => rows.Has(RepositoryRows.Use(blob, digest))),
            Array.FindAll(named.Children, child => rows.Has(RepositoryRows.Use(child, digest))));
        Digest[] unlinked = [.. names.All.Where(name => LinkRow.Find(rows, name) is null)];

        // :: Step 3: the manifest as it will be. Uses by an index keep their rows.
        foreach (var key in pieces.Concat(names.Blobs.Select(blob => RepositoryRows.Use(blob, digest))))
        {
            rows.Delete(key);
        }

        foreach (var name in unlinked)
        {
            LinkRules.Use(rows, name);
        }

        ManifestRules.StoreContent(rows, digest, new ManifestRow(mediaType, size, subject is null ? null : Digest.Parse(subject), pushed), names, body);
        return true;
    }
}
