namespace Granary.Maintenance.Tests;

/// <summary>Backups of a registry that serves, and registries that are restored from them.</summary>
public sealed class BackupTests : IAsyncLifetime
{
    private readonly ShiftedTime _time = new();
    private readonly TemporaryDirectory _directory = new();
    private TestRegistry _registry = null!;

    private RegistryClient Client => _registry.Client;

    private string Backup => _directory.Combine("backup");

    private string Restored => _directory.Combine("restored");

    public async Task InitializeAsync() => _registry = await TestRegistry.StartAsync(time: _time);

    public async Task DisposeAsync()
    {
        await _registry.DisposeAsync();
        _directory.Dispose();
    }

    [Fact]
    public async Task A_backup_made_while_pushes_and_collections_run_has_everything_acknowledged_before_it()
    {
        var acknowledged = new List<(string Tag, Digest Layer, byte[] Content)>();
        for (var i = 0; i < 10; i++)
        {
            var (_, layer, content) = await Client.PushLargeAsync("app", $"before{i}");
            acknowledged.Add(($"before{i}", layer, content));
        }

        using var stop = new CancellationTokenSource();
        var busy = Task.WhenAll(PushAndDeleteAsync(stop.Token), CollectAsync(stop.Token));
        var backup = await BackupAsync();
        await stop.CancelAsync();
        await busy;

        Assert.Equal("done", backup.State());
        Assert.Empty(backup.Findings());
        var (status, output) = await GranaryProcess.RunAsync("restore", Backup, "--data", Restored);
        Assert.True(status == 0, output);
        await using var restored = await TestRegistry.StartAsync(new Dictionary<string, string> { ["data"] = Restored }, _time);
        foreach (var (tag, layer, content) in acknowledged)
        {
            Assert.Equal(HttpStatusCode.OK, await restored.Client.HeadAsync($"/v2/app/manifests/{tag}"));
            Assert.Equal(content, await restored.Client.GetBytesAsync($"/v2/app/blobs/{layer}"));
        }

        // The rows are of one point in time, and the backup has all their objects: every manifest has its layers.
        var scrub = await restored.Client.RunAsync("""{"kind":"scrub","bytesPerSecond":1000000000}""");
        Assert.Empty(scrub.Findings());
        await restored.Client.PushLargeAsync("app", "after");
    }

    [Fact]
    public async Task A_second_backup_copies_new_objects_and_removes_deleted_ones()
    {
        var (first, gone, _) = await Client.PushLargeAsync("app", "v1");
        await BackupAsync();
        var (_, layer, content) = await Client.PushLargeAsync("app", "v2");
        await Client.PushLargeAsync("app", "v3");
        await Client.DeleteAsync($"/v2/app/manifests/{first}");
        await Client.RunAsync("""{"kind":"collection","grace":"0s"}""");

        var second = await BackupAsync();

        Assert.Equal((2, 2), (second.Count("objects"), second.Count("copied")));
        Assert.Equal(0, (await BackupAsync()).Count("copied"));
        Assert.Equal(content, await File.ReadAllBytesAsync(Admin.ObjectOf(Backup, layer)));
        Assert.DoesNotContain(Admin.Objects(Backup), file => file.Contains(gone.Encoded.ToString(), StringComparison.Ordinal));
    }

    /// <summary>The remedy of docs/operations.md for lost rows, with an older backup of them.</summary>
    [Fact]
    public async Task A_scrub_joins_rows_of_an_older_backup_with_newer_objects()
    {
        using var data = new TemporaryDirectory();
        var settings = new Dictionary<string, string> { ["data"] = data.Path };
        byte[] layer = RegistryClient.RandomBytes(100_000), lost = RegistryClient.RandomBytes(90_000);
        await using (var before = await TestRegistry.StartAsync(settings, _time))
        {
            await before.Client.PushLargeAsync("app", "v1", layer);
            await before.Client.PushLargeAsync("app", "v2", lost);
            Assert.Equal("done", (await before.Client.RunAsync($$"""{"kind":"backup","directory":"{{Backup}}"}""")).State());

            // One layer is collected and pushed again as another object. The other one is only collected.
            await before.Client.RunAsync("""{"kind":"deletion","repository":"app"}""");
            await before.Client.RunAsync("""{"kind":"collection","grace":"0s"}""");
            await before.Client.PushLargeAsync("other", "v1", layer);
        }

        File.Copy(Path.Combine(Backup, "metadata.db"), Path.Combine(data.Path, "metadata.db"), overwrite: true);
        File.Delete(Path.Combine(data.Path, "metadata.db-wal"));
        File.Delete(Path.Combine(data.Path, "metadata.db-shm"));
        await using var after = await TestRegistry.StartAsync(settings, _time);
        var scrub = await after.Client.RunAsync("""{"kind":"scrub","bytesPerSecond":1000000000}""");

        Assert.Equal((2, 1), (scrub.Count("damaged"), scrub.Count("mended")));
        Assert.Equal(layer, await after.Client.GetBytesAsync($"/v2/app/blobs/{RegistryClient.DigestOf(layer)}"));
        Assert.Equal(HttpStatusCode.OK, await after.Client.HeadAsync("/v2/app/manifests/v1"));
        Assert.Equal(HttpStatusCode.NotFound, await after.Client.HeadAsync($"/v2/app/blobs/{RegistryClient.DigestOf(lost)}"));
    }

    [Fact]
    public async Task The_backup_and_the_restore_report_damaged_blobs()
    {
        var (_, layer, content) = await Client.PushLargeAsync("app", "v1");
        content[10] ^= 1;
        await File.WriteAllBytesAsync(Admin.ObjectOf(_registry.Data, layer), content);

        var backup = await BackupAsync();
        var (status, output) = await GranaryProcess.RunAsync("restore", Backup, "--data", Restored);

        Assert.Equal(1, backup.Count("damaged"));
        Assert.Contains(layer.Encoded.ToString(), Assert.Single(backup.Findings()), StringComparison.Ordinal);
        Assert.Equal(2, status);
        Assert.Contains(layer.Encoded.ToString(), output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_interrupted_restore_has_to_be_repeated_before_the_server_starts()
    {
        var (_, layer, content) = await Client.PushLargeAsync("app", "v1");
        await BackupAsync();

        // The state after a kill during the copy.
        Directory.CreateDirectory(Restored);
        await File.WriteAllTextAsync(Path.Combine(Restored, "restore.unfinished"), "");
        var folder = Path.Combine(Restored, "blobs/sha256", layer.Encoded[..2].ToString());
        Directory.CreateDirectory(folder);
        var unfinished = Path.Combine(folder, Path.GetFileName(Admin.ObjectOf(Backup, layer))) + ".unfinished";
        await File.WriteAllBytesAsync(unfinished, content[..100]);

        var (served, message) = await GranaryProcess.RunAsync("serve", "--urls", "http://127.0.0.1:0", "--data", Restored);
        Assert.Equal(1, served);
        Assert.Contains("granary restore", message, StringComparison.Ordinal);
        Assert.Equal(0, (await GranaryProcess.RunAsync("restore", Backup, "--data", Restored)).Status);
        await using var restored = await TestRegistry.StartAsync(new Dictionary<string, string> { ["data"] = Restored }, _time);
        Assert.Equal(content, await restored.Client.GetBytesAsync($"/v2/app/blobs/{layer}"));
    }

    [Fact]
    public async Task Wrong_directories_are_refused_with_a_reason()
    {
        await Client.PushLargeAsync("app", "v1");
        var inside = await Client.RunAsync($$"""{"kind":"backup","directory":"{{Path.Combine(_registry.Data, "backup")}}"}""");
        Assert.Equal("failed", inside.State());
        Assert.Contains("inside the other", inside["error"]!.GetValue<string>(), StringComparison.Ordinal);

        var file = _directory.Combine("file");
        await File.WriteAllTextAsync(file, "");
        var onFile = await Client.RunAsync($$"""{"kind":"backup","directory":"{{file}}"}""");
        Assert.Equal("failed", onFile.State());
        Assert.Contains(file, onFile["error"]!.GetValue<string>(), StringComparison.Ordinal);

        var (none, noBackup) = await GranaryProcess.RunAsync("restore", _directory.Path, "--data", Restored);
        Assert.Equal(1, none);
        Assert.Contains("is not a backup", noBackup, StringComparison.Ordinal);

        await BackupAsync();
        Directory.CreateDirectory(Restored);
        await File.WriteAllTextAsync(Path.Combine(Restored, "letter"), "");
        var (full, notEmpty) = await GranaryProcess.RunAsync("restore", Backup, "--data", Restored);
        Assert.Equal(1, full);
        Assert.Contains("is not empty", notEmpty, StringComparison.Ordinal);

        var (same, inUse) = await GranaryProcess.RunAsync("restore", _registry.Data, "--data", _directory.Combine("copy"));
        Assert.Equal(1, same);
        Assert.Contains("in use by another process", inUse, StringComparison.Ordinal);
    }

    private Task<JsonNode> BackupAsync() => Client.RunAsync($$"""{"kind":"backup","directory":"{{Backup}}"}""");

    private async Task PushAndDeleteAsync(CancellationToken stop)
    {
        for (var i = 0; !stop.IsCancellationRequested; i++)
        {
            var (manifest, _, _) = await Client.PushLargeAsync("app", $"while{i}");
            if (i % 2 == 0)
            {
                await Client.DeleteAsync($"/v2/app/manifests/{manifest}");
            }
        }
    }

    private async Task CollectAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            // With a grace period of a second, running pushes do not have to start again.
            await Client.RunAsync("""{"kind":"collection","grace":"1s"}""");
        }
    }
}
