using System.Globalization;
using Granary.Grains.GarbageCollection;
using Granary.Grains.Interfaces.Catalog;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Interfaces.Schedules;
using Granary.Grains.Tests.Cluster;
using Granary.Grains.Tests.Repositories.History;
using Granary.Protocol;

namespace Granary.Grains.Tests.GarbageCollection;

/// <summary>What counts as garbage: manifests, referrers, repositories.</summary>
public sealed class GarbageTests : CollectionTest
{
    private IRepositoryGrain Repository => Cluster.Repository("app");

    [Fact]
    public async Task An_empty_repository_leaves_the_catalog_and_returns_with_a_push()
    {
        var manifest = await PutAsync(Commands.Put("m", ["v1"]));
        Assert.Equal(["app"], await CatalogAsync());

        await Repository.DeleteManifest(manifest, default);
        await SweepAfterAsync(Lifetimes.LinkGrace + TimeSpan.FromMinutes(1));
        Assert.Empty(await CatalogAsync());
        Assert.Null(await Repository.ListTags(null, 10, default));

        await PutAsync(Commands.Put("m", ["v2"]));
        Assert.Equal(["app"], await CatalogAsync());
        Assert.NotNull(await Repository.ListTags(null, 10, default));
    }

    [Fact]
    public async Task A_repository_with_a_blob_stays_and_without_removeEmpty_an_empty_one_too()
    {
        await GrainCluster.LinkAsync(Repository, Bytes("blob"));
        var manifest = await PutAsync(Commands.Put("m", ["v1"], blobs: [Commands.DigestOf("blob")]));
        await SweepAfterAsync(TimeSpan.FromDays(400));
        Assert.Equal(["app"], await CatalogAsync());

        Collection.RemoveEmpty = false;
        await Repository.DeleteManifest(manifest, default);
        await SweepAfterAsync(TimeSpan.FromDays(100));
        await SweepAfterAsync(TimeSpan.FromDays(100));
        Assert.Equal(["app"], await CatalogAsync());
        Assert.Empty((await Repository.ListTags(null, 10, default))!.Tags);
    }

    [Fact]
    public async Task A_catalog_entry_without_a_repository_is_removed()
    {
        // A push that died after its first step leaves this entry.
        await Cluster.Grains.GetGrain<ICatalogGrain>(0).Add(RepositoryName.Parse("ghost"), 1, default);
        Assert.Equal(["ghost"], await CatalogAsync());

        await SweepAfterAsync(Lifetimes.FirstLease + TimeSpan.FromMinutes(1));
        Assert.Empty(await CatalogAsync());
        Assert.Empty(await KeysAsync("catalog", ""));
    }

    [Fact]
    public async Task A_manifest_keeps_thousands_of_blobs_and_its_deletion_releases_them_all()
    {
        string[] contents = [.. Enumerable.Range(0, 3000).Select(i => $"reference {i}")];
        await Parallel.ForEachAsync(contents, async (content, _) => await GrainCluster.LinkAsync(Repository, Bytes(content)));
        var manifest = await PutAsync(Commands.Put("large", ["v1"], blobs: [.. contents.Select(content => Commands.DigestOf(content))]));

        Assert.Equal(0, (await SweepAfterAsync(TimeSpan.FromDays(40))).BlobsUnlinked);
        await Repository.DeleteManifest(manifest, default);
        Assert.Equal(3000, (await SweepAfterAsync(Lifetimes.LinkGrace + TimeSpan.FromMinutes(1))).BlobsUnlinked);
        await SweepAfterAsync(Lifetimes.BlobGrace + TimeSpan.FromMinutes(1));
        await SweepAfterAsync(Lifetimes.BlobGrace + TimeSpan.FromMinutes(1));

        Assert.Empty(await CatalogAsync());
        for (var shard = 0; shard < GarbageCollector.ShardCount; shard++)
        {
            Assert.Empty(await KeysAsync($"blobs/{shard:x2}", "blob/"));
        }
    }

    [Fact]
    public async Task Referrers_are_removed_after_their_subject_and_their_own_referrers_after_them()
    {
        var image = await PutAsync(Commands.Put("image", ["v1"]));
        var signature = await PutAsync(Commands.Put("signature", [], subject: image));
        var timestamp = await PutAsync(Commands.Put("timestamp", [], subject: signature));
        var tagged = await PutAsync(Commands.Put("tagged", ["sig"], subject: image));

        await SweepAfterAsync(TimeSpan.FromDays(30));
        Assert.True(await ExistsAsync(signature));

        await Repository.DeleteManifest(image, default);
        await SweepAfterAsync(Lifetimes.LinkGrace - TimeSpan.FromMinutes(1));
        Assert.True(await ExistsAsync(signature));

        await SweepAfterAsync(TimeSpan.FromMinutes(2));
        Assert.False(await ExistsAsync(signature));
        await SweepAfterAsync(Lifetimes.LinkGrace + TimeSpan.FromMinutes(1));
        Assert.False(await ExistsAsync(timestamp));
        Assert.True(await ExistsAsync(tagged));
        await SweepAfterAsync(Lifetimes.LinkGrace + TimeSpan.FromMinutes(1));
        Assert.Single(await KeysAsync("repository/app", "due/"), Logs.IsDueRow);
    }

    [Fact]
    public async Task Referrers_stay_if_their_subject_is_pushed_again_in_time_or_the_setting_is_off()
    {
        var put = Commands.Put("image", ["v1"]);
        var image = await PutAsync(put);
        var signature = await PutAsync(Commands.Put("signature", [], subject: image));
        await Repository.DeleteManifest(image, default);
        await PutAsync(put with { Origin = Commands.Origin() });
        await SweepAfterAsync(Lifetimes.LinkGrace * 2);
        Assert.True(await ExistsAsync(signature));

        Collection.Referrers = false;
        await Repository.DeleteManifest(image, default);
        await SweepAfterAsync(Lifetimes.LinkGrace * 2);
        Assert.True(await ExistsAsync(signature));
    }

    [Fact]
    public async Task Hundreds_of_referrers_are_removed_in_steps()
    {
        var image = await PutAsync(Commands.Put("image", ["v1"]));
        for (var i = 0; i < 450; i++)
        {
            await PutAsync(Commands.Put(i.ToString(CultureInfo.InvariantCulture), i % 9 == 0 ? ["t" + i] : [], subject: image));
        }

        await Repository.DeleteManifest(image, default);
        Assert.Equal(400, (await SweepAfterAsync(Lifetimes.LinkGrace * 2)).ManifestsRemoved);
        Assert.Equal(50, (await Repository.ListTags(null, 1000, default))!.Tags.Length);
    }

    [Fact]
    public async Task Manifests_that_no_tag_reaches_are_removed_and_the_others_stay()
    {
        var child = await PutAsync(Commands.Put("child", []));
        await PutAsync(Commands.Index("index", ["v1"], child));
        var deadChild = await PutAsync(Commands.Put("dead child", []));
        var deadIndex = await PutAsync(Commands.Index("dead index", [], deadChild));
        var signed = await PutAsync(Commands.Put("signed", []));
        await PutAsync(Commands.Put("signature", ["sig"], subject: signed));
        var overwritten = await PutAsync(Commands.Put("overwritten", ["latest"]));
        await PutAsync(Commands.Put("newer", ["latest"]));
        var early = await PutAsync(Commands.Put("signature without its subject", [], subject: Commands.DigestOf("later")));
        Time.Advance(TimeSpan.FromDays(8));
        var young = await PutAsync(Commands.Put("young", []));

        Assert.Equal(4, await ForecastUntaggedAsync());
        Assert.True(await ExistsAsync(overwritten));
        Assert.Equal(4, await CollectUntaggedAsync());

        foreach (var gone in new[] { deadIndex, deadChild, overwritten, early })
        {
            Assert.False(await ExistsAsync(gone));
        }

        foreach (var kept in new[] { child, signed, young })
        {
            Assert.True(await ExistsAsync(kept));
        }
    }

    [Fact]
    public async Task Clear_removes_a_repository_with_everything_in_it()
    {
        for (var i = 0; i < 30; i++)
        {
            await GrainCluster.LinkAsync(Repository, Bytes("blob" + i));
            await PutAsync(Commands.Put("m" + i, ["v" + i], blobs: [Commands.DigestOf("blob" + i)]));
        }

        while (await Cluster.Maintenance("app").Clear(7, default) > 0)
        {
        }

        Assert.Empty(await CatalogAsync());
        foreach (var prefix in new[] { "tag/", "tagged/", "man/", "body/", "use/", "link/", "bytes/", "out/", "meta" })
        {
            Assert.Empty(await KeysAsync("repository/app", prefix));
        }

        await SweepAfterAsync(Lifetimes.LinkGrace + Lifetimes.BlobGrace);
        await SweepAfterAsync(Lifetimes.LinkGrace + Lifetimes.BlobGrace);
        for (var shard = 0; shard < 256; shard++)
        {
            Assert.Empty(await KeysAsync($"blobs/{shard:x2}", ""));
        }

        // The log says who removed the repository, until its retention ends. The floor stops late copies of commands for as long.
        string[] kinds = [.. (await KeysAsync("repository/app", "")).Select(key => key.Split('/')[0]).Distinct()];
        Assert.Equal(["due", "floor", "gone", "history", "log"], kinds);
        Assert.Single(await KeysAsync("repository/app", "due/"), Logs.IsDueRow);
        await SweepAfterAsync(History.Retention);
        Assert.Empty(await KeysAsync("repository/app", ""));
    }

    [Fact]
    public async Task A_grace_period_of_zero_removes_unused_blobs_at_once_and_no_others()
    {
        await GrainCluster.LinkAsync(Repository, Bytes("unused"));
        await GrainCluster.LinkAsync(Repository, Bytes("used"));
        await PutAsync(Commands.Put("m", ["v1"], blobs: [Commands.DigestOf("used")]));

        var told = await ForecastAsync(TimeSpan.Zero);
        Assert.Equal((1, 1, 6), (told.Counts.BlobsUnlinked, told.Counts.BlobsCollected, told.Counts.BytesCollected));
        Assert.NotNull(await Repository.FindBlobSize(Commands.DigestOf("unused"), default));

        var counts = await CollectNowAsync();
        Assert.Equal((1, 1), (counts.BlobsUnlinked, counts.BlobsCollected));
        Assert.Null(await Repository.FindBlobSize(Commands.DigestOf("unused"), default));
        Assert.NotNull(await Repository.FindBlobSize(Commands.DigestOf("used"), default));
    }

    private async Task<CollectionCounts> CollectNowAsync()
    {
        var counts = new CollectionCounts();
        await Collector.CollectAllRepositoriesAsync([.. ScheduleKeys.Repositories], TimeSpan.Zero, counts, default);
        await Collector.CollectShardsAsync(Enumerable.Range(0, GarbageCollector.ShardCount), TimeSpan.Zero, counts, default);
        return counts;
    }

    private async Task<long> ForecastUntaggedAsync() =>
        (await ForecastAsync(grace: null, Time.GetUtcNow() - TimeSpan.FromDays(7))).Counts.ManifestsRemoved;

    private async Task<long> CollectUntaggedAsync()
    {
        var counts = new CollectionCounts();
        await Collector.CollectUntaggedAsync(RepositoryName.Parse("app"), Time.GetUtcNow() - TimeSpan.FromDays(7), counts, default);
        return counts.ManifestsRemoved;
    }

    private async Task<Digest> PutAsync(PutManifest command)
    {
        Assert.IsType<ManifestStored>(await Repository.PutManifest(command, default));
        return command.Digest;
    }

    private async Task<bool> ExistsAsync(Digest manifest) => await Repository.FindManifest(manifest, withBody: false, default) is not null;

    private async Task<string[]> CatalogAsync() =>
        [.. (await Cluster.Grains.GetGrain<ICatalogGrain>(0).List(null, 10, default)).Repositories.Select(name => name.Value)];
}
