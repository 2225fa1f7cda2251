using Granary.Storage.Partitions;
using Granary.Storage.Partitions.Sqlite;

namespace Granary.Maintenance.Tests;

/// <summary>What a scrub finds, and how the registry is repaired.</summary>
public sealed class ScrubTests : IAsyncLifetime
{
    private readonly ShiftedTime _time = new();
    private readonly TemporaryDirectory _data = new();
    private TestRegistry _registry = null!;

    private RegistryClient Client => _registry.Client;

    public Task InitializeAsync() => StartAsync();

    public async Task DisposeAsync()
    {
        await _registry.DisposeAsync();
        _data.Dispose();
    }

    [Fact]
    public async Task A_registry_without_faults_has_no_findings()
    {
        await Client.PushLargeAsync("app", "v1");
        await Client.PushImageAsync("app", "v2");
        await Client.StartUploadAsync("app");

        var scrub = await ScrubAsync();

        Assert.Equal("done", scrub.State());
        Assert.Empty(scrub.Findings());
        Assert.Equal((4, 2, 1, 1), (scrub.Count("blobs"), scrub.Count("manifests"), scrub.Count("objects"), scrub.Count("repositories")));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_damaged_or_missing_blob_is_quarantined_until_it_is_pushed_again(bool isMissing)
    {
        var (_, layer, content) = await Client.PushLargeAsync("app", "v1");
        await Client.PushLargeAsync("other", "v1", content);
        var file = Admin.ObjectOf(_data.Path, layer);
        if (isMissing)
        {
            File.Delete(file);
        }
        else
        {
            Damage(file);
        }

        var scrub = await ScrubAsync();

        Assert.Equal("done", scrub.State());
        Assert.Equal(1, scrub.Count("damaged"));
        Assert.Contains(layer.Value, Assert.Single(scrub.Findings()), StringComparison.Ordinal);
        foreach (var repository in (string[])["app", "other"])
        {
            Assert.Equal(HttpStatusCode.NotFound, await Client.HeadAsync($"/v2/{repository}/blobs/{layer}"));
            using var get = await Client.SendAsync("GET", $"/v2/{repository}/blobs/{layer}");
            Assert.Equal(["BLOB_UNKNOWN"], await RegistryClient.ErrorCodesAsync(get));
        }

        // The registry refuses to mount it, so that the client uploads the bytes.
        using (var mount = await Client.SendAsync("POST", $"/v2/third/blobs/uploads/?mount={layer}&from=app"))
        {
            Assert.Equal(HttpStatusCode.Accepted, mount.StatusCode);
        }

        // The manifests stay. One push repairs the blob in all repositories.
        Assert.Equal(HttpStatusCode.OK, await Client.HeadAsync("/v2/app/manifests/v1"));
        await Client.PushBlobAsync("app", content);
        Assert.Equal(content, await Client.GetBytesAsync($"/v2/app/blobs/{layer}"));
        var repaired = await ScrubAsync();
        Assert.Empty(repaired.Findings());
        Assert.Equal(content, await Client.GetBytesAsync($"/v2/other/blobs/{layer}"));

        await Client.RunAsync("""{"kind":"collection"}""");
        Assert.Equal(content, await File.ReadAllBytesAsync(Admin.ObjectOf(_data.Path, layer)));
    }

    [Fact]
    public async Task A_small_blob_whose_row_was_changed_is_found_and_repaired_by_a_push()
    {
        var content = RegistryClient.RandomBytes(100);
        var digest = await Client.PushBlobAsync("app", content);
        await EditAsync($"blobs/{digest.FirstByte:x2}", $"bytes/{digest}", value => Flip(value, at: 50));

        var scrub = await ScrubAsync();

        Assert.Contains(digest.Value, Assert.Single(scrub.Findings()), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, await Client.HeadAsync($"/v2/app/blobs/{digest}"));
        await Client.PushBlobAsync("app", content);
        Assert.Equal(content, await Client.GetBytesAsync($"/v2/app/blobs/{digest}"));
        Assert.Empty((await ScrubAsync()).Findings());
    }

    [Fact]
    public async Task A_damaged_row_stops_no_collection_and_the_scrub_restores_it()
    {
        var (_, layer, content) = await Client.PushLargeAsync("app", "v1");
        var unused = SameShard(layer, 90_000);
        var other = await Client.PushBlobAsync("app", unused);
        await EditAsync($"blobs/{layer.FirstByte:x2}", $"blob/{layer}", value => value[..5]);

        // The other blobs of its shard are collected.
        _time.Advance(TimeSpan.FromHours(25));
        Assert.Equal("done", (await Client.RunAsync("""{"kind":"collection"}""")).State());
        _time.Advance(TimeSpan.FromHours(2));
        Assert.Equal("done", (await Client.RunAsync("""{"kind":"collection"}""")).State());
        Assert.DoesNotContain(Admin.Objects(_data.Path), file => file.Contains(other.Encoded.ToString(), StringComparison.Ordinal));

        var scrub = await ScrubAsync();

        Assert.Equal((1, 1, 0), (scrub.Count("damagedRows"), scrub.Count("pinned"), scrub.Count("damaged")));
        Assert.Equal(content, await Client.GetBytesAsync($"/v2/app/blobs/{layer}"));
        Assert.Empty((await ScrubAsync()).Findings());
        _time.Advance(TimeSpan.FromDays(30));
        await Client.RunAsync("""{"kind":"collection"}""");
        Assert.Equal(content, await Client.GetBytesAsync($"/v2/app/blobs/{layer}"));
    }

    [Fact]
    public async Task A_row_of_a_newer_release_stays_unchanged()
    {
        var (_, layer, _) = await Client.PushLargeAsync("app", "v1");
        byte[] newer = [200, 1, 2, 3];
        await EditAsync($"blobs/{layer.FirstByte:x2}", $"blob/{layer}", _ => newer);

        var scrub = await ScrubAsync();

        Assert.Contains(scrub.Findings(), finding => finding.Contains("newer release", StringComparison.Ordinal));
        Assert.Equal(newer, await ReadAsync($"blobs/{layer.FirstByte:x2}", $"blob/{layer}"));
    }

    [Fact]
    public async Task A_manifest_whose_rows_were_damaged_is_reported()
    {
        var (manifest, _, _) = await Client.PushLargeAsync("app", "v1");
        await Client.PushLargeAsync("app", "v2");
        await EditAsync("repository/app", $"man/{manifest}", value => value[..3]);

        var scrub = await ScrubAsync();

        Assert.Equal("done", scrub.State());
        Assert.Contains(manifest.Value, Assert.Single(scrub.Findings()), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, await Client.HeadAsync("/v2/app/manifests/v2"));
    }

    [Fact]
    public async Task A_manifest_whose_list_of_names_was_changed_is_reported()
    {
        var (manifest, _, _) = await Client.PushLargeAsync("app", "v1");
        await Client.PushLargeAsync("app", "v2");

        // The manifest's digest does not cover the list of names. Its deletion would end uses of blobs that it never named.
        await EditAsync("repository/app", $"man/{manifest}", value =>
        {
            var first = value.AsSpan().IndexOf("sha256:"u8);
            value[first + 7] = (byte)(value[first + 7] == 'a' ? 'b' : 'a');
            return value;
        });

        var scrub = await ScrubAsync();

        Assert.Equal("done", scrub.State());
        Assert.Contains(manifest.Value, Assert.Single(scrub.Findings()), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Lost_rows_of_blobs_are_restored_from_the_repositories()
    {
        var (_, layer, content) = await Client.PushLargeAsync("app", "v1");
        await Client.PushLargeAsync("other", "v1", content);
        var small = await Client.PushBlobAsync("app", RegistryClient.RandomBytes(60));
        await StopAsync();
        using (var store = new SqlitePartitionStore(Path.Combine(_data.Path, "metadata.db")))
        {
            await foreach (var partition in store.PartitionsAsync("blobs/", default))
            {
                await store.DropAsync(partition, await store.OpenAsync(partition, default), default);
            }
        }

        await StartAsync();
        var scrub = await ScrubAsync();

        Assert.Equal(5, scrub.Count("pinned"));
        Assert.Equal(0, scrub.Count("damaged"));
        Assert.Empty((await ScrubAsync()).Findings());
        _time.Advance(TimeSpan.FromDays(30));
        await Client.RunAsync("""{"kind":"collection","grace":"0s"}""");
        Assert.Equal(content, await Client.GetBytesAsync($"/v2/other/blobs/{layer}"));
        Assert.Equal(HttpStatusCode.NotFound, await Client.HeadAsync($"/v2/app/blobs/{small}"));
    }

    [Fact]
    public async Task Rows_that_are_older_than_the_objects_find_the_objects_by_their_names()
    {
        var (_, layer, content) = await Client.PushLargeAsync("app", "v1");
        var folder = Path.Combine(_data.Path, "blobs/sha256", layer.Encoded[..2].ToString());
        File.Move(Admin.ObjectOf(_data.Path, layer), Path.Combine(folder, $"{layer.Encoded}.{new string('7', 32)}"));

        var scrub = await ScrubAsync();

        Assert.Equal((1, 1), (scrub.Count("damaged"), scrub.Count("mended")));
        Assert.Equal(content, await Client.GetBytesAsync($"/v2/app/blobs/{layer}"));
        Assert.Empty((await ScrubAsync()).Findings());
    }

    [Fact]
    public async Task Orphaned_objects_are_deleted_when_no_upload_can_use_them_any_more_and_not_before()
    {
        var (_, layer, content) = await Client.PushLargeAsync("app", "v1");
        var stray = RegistryClient.RandomBytes(50_000);
        var digest = RegistryClient.DigestOf(stray);
        var @sealed = Path.Combine(_data.Path, "blobs/sha256", digest.Encoded[..2].ToString(), $"{digest.Encoded}.{new string('5', 32)}");
        var open = Path.Combine(_data.Path, "uploads", new string('6', 32));
        await File.WriteAllBytesAsync(@sealed, stray);
        await File.WriteAllBytesAsync(open, stray);
        var location = await Client.StartUploadAsync("app");
        using (var patch = await Client.SendAsync("PATCH", location, stray))
        {
            Assert.Equal(HttpStatusCode.Accepted, patch.StatusCode);
        }

        Assert.Equal(0, (await ScrubAsync()).Count("reclaimed"));
        _time.Advance(TimeSpan.FromHours(20));
        using (var patch = await Client.SendAsync("PATCH", location, stray))
        {
            Assert.Equal(HttpStatusCode.Accepted, patch.StatusCode);
        }

        _time.Advance(TimeSpan.FromHours(29));
        var scrub = await ScrubAsync();

        Assert.Equal((2, 100_000), (scrub.Count("reclaimed"), scrub.Count("reclaimedBytes")));
        Assert.False(File.Exists(@sealed) || File.Exists(open));
        Assert.Equal(content, await Client.GetBytesAsync($"/v2/app/blobs/{layer}"));
    }

    private Task<JsonNode> ScrubAsync() => Client.RunAsync("""{"kind":"scrub","bytesPerSecond":1000000000}""");

    private async Task StartAsync() =>
        _registry = await TestRegistry.StartAsync(new Dictionary<string, string> { ["data"] = _data.Path }, _time);

    private async Task StopAsync() => await _registry.DisposeAsync();

    /// <summary>Changes a row while the registry does not run.</summary>
    private async Task EditAsync(string partition, string key, Func<byte[], byte[]> edit)
    {
        await StopAsync();
        using (var store = new SqlitePartitionStore(Path.Combine(_data.Path, "metadata.db")))
        {
            var name = new PartitionKey(partition);
            var value = (await store.GetAsync(name, [key], default))[0]!.Value.ToArray();
            await store.CommitAsync(name, await store.OpenAsync(name, default), [Mutation.Put(key, edit(value))], default);
        }

        await StartAsync();
    }

    private async Task<byte[]> ReadAsync(string partition, string key)
    {
        await StopAsync();
        using var store = new SqlitePartitionStore(Path.Combine(_data.Path, "metadata.db"));
        var value = (await store.GetAsync(new PartitionKey(partition), [key], default))[0]!.Value.ToArray();
        store.Dispose();
        await StartAsync();
        return value;
    }

    private static void Damage(string file)
    {
        var bytes = File.ReadAllBytes(file);
        File.WriteAllBytes(file, Flip(bytes, bytes.Length / 2));
    }

    private static byte[] Flip(byte[] bytes, int at)
    {
        bytes[at] ^= 1;
        return bytes;
    }

    /// <summary>Returns content whose digest belongs to the same shard.</summary>
    private static byte[] SameShard(Digest digest, int size)
    {
        var content = RegistryClient.RandomBytes(size);
        while (RegistryClient.DigestOf(content).FirstByte != digest.FirstByte)
        {
            content = RegistryClient.RandomBytes(size);
        }

        return content;
    }
}
