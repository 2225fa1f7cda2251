using System.Runtime.CompilerServices;
using Granary.Grains.Partitions;
using Granary.Protocol;
using Granary.Storage;
using Granary.Storage.Partitions;

namespace Granary.Grains.Repositories;

/// <summary>
/// Upgrades the rows of repositories from data format 2 to 3. In format 2 all bytes of a manifest are in rows of their own,
/// <c>body/&lt;digest&gt;/&lt;piece&gt;</c>, and each blob that it names has a row <c>use/&lt;blob&gt;/&lt;manifest&gt;</c>. The upgrade
/// runs before the server accepts requests. A run after a crash upgrades the manifests that are left.
/// </summary>
public static class RepositoryUpgrade
{
    // Manifests in one commit.
    private const int StepSize = 64;

    /// <summary>Upgrades all repositories of a store. A manifest that cannot be read stays as it is, and the scrub reports it.</summary>
    /// <returns>How many manifests were upgraded.</returns>
    /// <exception cref="StorageException">The store cannot be read.</exception>
    /// <exception cref="Interfaces.PartitionUnavailableException">A repository's rows cannot be read or written.</exception>
    public static async Task<long> RunAsync(IPartitionStore store, CancellationToken cancellationToken)
    {
        var upgraded = 0L;
        await foreach (var key in store.PartitionsAsync(RepositoryRows.PartitionPrefix, cancellationToken))
        {
            var partition = new Partition(store, key, _ => { });
            await partition.OpenAsync(cancellationToken);
            var steps = OldManifestsAsync(partition, cancellationToken).Chunk(StepSize);
            await foreach (var manifests in steps.WithCancellation(cancellationToken))
            {
                upgraded += await partition.DecideAsync(
                    [.. manifests.SelectMany(Needs)],
                    batch => manifests.Count(manifest => TryUpgrade(batch, manifest)),
                    cancellationToken);
            }
        }

        return upgraded;
    }

    private static async IAsyncEnumerable<Digest> OldManifestsAsync(
        Partition partition,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var row in partition.ScanAsync(RepositoryRows.ManifestPrefix, after: null, cancellationToken))
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
        // :: Step 1: read the manifest in format 2.
        var reader = new RowReader(row, 1);
        var (mediaType, size, subject, pushed) = (reader.Text()!, (int)reader.Number(), reader.Text(), reader.Time());
        var count = Math.Max(1, (size + RepositoryRows.PieceSize - 1) / RepositoryRows.PieceSize);
        string[] pieces = [.. Enumerable.Range(0, count).Select(piece => RepositoryRows.Body(digest, piece))];
        byte[] body = [.. pieces.SelectMany(piece => rows.Get(piece) is { } value ? new RowReader(value, 1).Rest.ToArray() : [])];
        if (body.Length != size)
        {
            return false;
        }

        // :: Step 2: find the content whose uses it has raised: it has a use/ row for each. Links have counted it already.
        var named = Manifest.TryParse(body, mediaType, out var manifest, out _) ? ManifestNames.Of(manifest) : new ManifestNames([], []);
        var names = new ManifestNames(
            Array.FindAll(named.Blobs, blob => rows.Has(RepositoryRows.Use(blob, digest))),
            Array.FindAll(named.Children, child => rows.Has(RepositoryRows.Use(child, digest))));
        Digest[] unlinked = [.. names.All.Where(name => LinkRow.Find(rows, name) is null)];

        // :: Step 3: write the manifest in format 3. The use/ rows of an index stay.
        foreach (var key in pieces.Concat(names.Blobs.Select(blob => RepositoryRows.Use(blob, digest))))
        {
            rows.Delete(key);
        }

        foreach (var name in unlinked)
        {
            LinkRules.AddUse(rows, name);
        }

        var upgraded = new ManifestRow(mediaType, size, subject is null ? null : Digest.Parse(subject), pushed);
        ManifestRules.StoreContent(rows, digest, upgraded, names, body);
        return true;
    }
}
