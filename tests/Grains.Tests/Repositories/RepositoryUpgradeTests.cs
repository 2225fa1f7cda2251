using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Grains.Repositories;
using Granary.Grains.Tests.Cluster;
using Granary.Protocol;
using Granary.Storage.Partitions;
using Granary.Storage.Partitions.Memory;
using Granary.Testing;

namespace Granary.Grains.Tests.Repositories;

/// <summary>The upgrade turns rows of data format 2 into the rows that this release writes.</summary>
public sealed class RepositoryUpgradeTests : GrainTest
{
    private static readonly RepositoryName App = RepositoryName.Parse("app");
    private static readonly PartitionKey Partition = RepositoryRows.Partition(App);

    private readonly MemoryPartitionStore _old = new();

    [Fact]
    public async Task Upgraded_rows_are_those_that_this_release_writes()
    {
        var expected = await PushAsync();
        await WriteOldAsync(expected);

        Assert.Equal(7, await RepositoryUpgrade.RunAsync(_old, default));

        Assert.Equal(Text(expected), Text(await ReadAsync(_old)));
        Assert.Equal(0, await RepositoryUpgrade.RunAsync(_old, default));
    }

    [Fact]
    public async Task An_upgrade_after_a_crash_upgrades_the_rest()
    {
        var expected = await PushAsync();
        await WriteOldAsync(expected, copies: 3);
        var commits = 0;
        var failing = new FaultyPartitionStore(_old) { OnCommit = _ => ++commits == 2 ? CommitFault.After : CommitFault.None };
        await Assert.ThrowsAnyAsync<Exception>(() => RepositoryUpgrade.RunAsync(failing, default));

        Assert.Equal(7, await RepositoryUpgrade.RunAsync(failing, default));

        Assert.Equal(Text(expected), Text(await ReadAsync(_old)));
    }

    [Fact]
    public async Task A_manifest_that_cannot_be_read_stays_as_it_is_and_the_others_are_upgraded()
    {
        var expected = await PushAsync();
        await WriteOldAsync(expected);
        var lost = RepositoryRows.Body(Big().Digest, 1);
        await CommitAsync(Mutation.Delete(lost), Mutation.Put(RepositoryRows.Manifest(Commands.DigestOf("damaged")), new byte[] { 1, 2 }));
        var before = await ReadAsync(_old);

        Assert.Equal(6, await RepositoryUpgrade.RunAsync(_old, default));

        var after = await ReadAsync(_old);
        foreach (var key in before.Keys.Where(key => key.Contains(Big().Digest.Value, StringComparison.Ordinal)))
        {
            Assert.Equal(before[key], after[key]);
        }
    }

    /// <summary>A repository with one of everything.</summary>
    private async Task<SortedDictionary<string, byte[]>> PushAsync()
    {
        var repository = Cluster.Repository("app");
        foreach (var content in (string[])["config", "layer", "free"])
        {
            await GrainCluster.LinkAsync(repository, Bytes(content));
        }

        var image = Commands.Put("image", ["v1"], blobs: [Commands.DigestOf("config"), Commands.DigestOf("layer")]);
        Digest[] named = [Commands.DigestOf("config"), Commands.DigestOf("absent")];
        var sparse = Commands.Put("sparse", ["v2"], blobs: named) with { Sparse = true };
        foreach (var command in (PutManifest[])
                 [
                     image,
                     sparse,
                     Commands.Put("other", [], blobs: [Commands.DigestOf("layer"), Commands.DigestOf("absent")]) with { Sparse = true },
                     Commands.Put("signature", [], subject: image.Digest),
                     Commands.Index("index", ["all"], image.Digest, sparse.Digest, Commands.DigestOf("free")),
                     Commands.Index("second", [], image.Digest, Commands.DigestOf("gone")) with { Sparse = true },
                     Big(),
                 ])
        {
            Assert.IsType<ManifestStored>(await repository.PutManifest(command, default));
        }

        var rows = await ReadAsync(Rows);
        var manifests = rows.Where(row => row.Key.StartsWith(RepositoryRows.ManifestPrefix, StringComparison.Ordinal));
        foreach (var (key, value) in manifests.ToList())
        {
            // The old format knows no orders.
            rows[key] = (ManifestRow.Decode(value) with { Order = 0 }).Encode().ToArray();
        }

        return rows;
    }

    private static PutManifest Big() => Commands.Put(new string('x', 100_000), ["big"], blobs: [Commands.DigestOf("config")]);

    /// <summary>Writes the same content in data format 2, into so many repositories.</summary>
    private async Task WriteOldAsync(SortedDictionary<string, byte[]> rows, int copies = 1)
    {
        var old = new List<Mutation>();
        foreach (var (key, value) in rows)
        {
            if (key.StartsWith(RepositoryRows.ManifestPrefix, StringComparison.Ordinal))
            {
                old.AddRange(OldManifest(Digest.Parse(key[RepositoryRows.ManifestPrefix.Length..]), rows));
            }
            else if (key.Split('/')[0] is not ("named" or "use" or "body"))
            {
                old.Add(Mutation.Put(key, value));
            }
        }

        for (var i = 0; i < copies; i++)
        {
            await _old.CommitAsync(i == 0 ? Partition : new PartitionKey($"{RepositoryRows.PartitionPrefix}a{i}"), Head.None, old, default);
        }
    }

    private static IEnumerable<Mutation> OldManifest(Digest digest, SortedDictionary<string, byte[]> rows)
    {
        var row = ManifestRow.Decode(rows[RepositoryRows.Manifest(digest)]);
        byte[] content = [.. row.First.ToArray(), .. row.Rest(digest).SelectMany(key => rows[key][1..])];
        yield return Mutation.Put(
            RepositoryRows.Manifest(digest),
            new RowWriter(1).Text(row.MediaType).Number(row.Size).Text(row.Subject?.Value).Time(row.Pushed).ToValue());
        foreach (var (piece, i) in content[row.NamesSize..].Chunk(RepositoryRows.PieceSize).Select((piece, i) => (piece, i)))
        {
            yield return Mutation.Put(RepositoryRows.Body(digest, i), new RowWriter(1).Bytes(piece).ToValue());
        }

        foreach (var name in ManifestNames.Decode(content.AsMemory(0, row.NamesSize)).All)
        {
            yield return Mutation.Put(RepositoryRows.Use(name, digest), RepositoryRows.Mark);
        }
    }

    private async Task CommitAsync(params Mutation[] batch) =>
        await _old.CommitAsync(Partition, await _old.OpenAsync(Partition, default), batch, default);

    private static async Task<SortedDictionary<string, byte[]>> ReadAsync(MemoryPartitionStore store)
    {
        var rows = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        await foreach (var page in store.PagesAsync(Partition, "", after: null, default))
        {
            foreach (var row in page)
            {
                rows[row.Key] = row.Value.ToArray();
            }
        }

        return rows;
    }

    private static IEnumerable<string> Text(SortedDictionary<string, byte[]> rows) =>
        rows.Select(row => $"{row.Key} {Convert.ToHexString(row.Value)}");
}
