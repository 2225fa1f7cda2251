using System.Diagnostics;
using System.Net;

namespace Granary.Silo.Tests;

/// <summary>A full disk without a reserve, and a read-only disk: a real file system of a few megabytes.</summary>
public sealed class StorageFaultTests : IAsyncLifetime
{
    private readonly TemporaryDirectory _directory = new();

    private string Data => _directory.Combine("disk");

    public async Task InitializeAsync()
    {
        Directory.CreateDirectory(Data);
        await RunAsync("mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", Data);
    }

    public async Task DisposeAsync()
    {
        await RunAsync("umount", Data);
        _directory.Dispose();
    }

    [Fact]
    public async Task A_full_disk_is_507_and_loses_nothing()
    {
        await using var granary = await GranaryProcess.StartAsync(Data, "--storage.reserve", "0B");
        using var client = new RegistryClient(granary.Address);
        var (_, manifest) = await client.PushImageAsync("app", "v1", layerSize: 100_000);

        // Fill the disk: large blobs first, then rows.
        var large = await PushUntilRefusedAsync(granary, client, 500_000);
        var small = await PushUntilRefusedAsync(granary, client, 20_000);
        using var pull = await client.SendAsync("GET", "/v2/app/manifests/v1");
        using var ready = await client.SendAsync("GET", "/readyz");

        Assert.Equal(507, (int)large.Answer.StatusCode);
        Assert.Equal(507, (int)small.Answer.StatusCode);
        Assert.Equal(["UNAVAILABLE"], await RegistryClient.ErrorCodesAsync(small.Answer));
        Assert.NotNull(small.Answer.Headers.RetryAfter);
        Assert.Equal(manifest, await pull.Content.ReadAsByteArrayAsync());
        Assert.Contains(" error ", granary.Output, StringComparison.Ordinal);

        // With free space the server accepts pushes again, and has kept every acknowledged blob.
        await RunAsync("mount", "-o", "remount,size=20m", Data);
        await client.PushImageAsync("app", "v2", layerSize: 100_000);
        foreach (var content in large.Stored.Concat(small.Stored))
        {
            Assert.Equal(content, await client.GetBytesAsync($"/v2/app/blobs/{RegistryClient.DigestOf(content)}"));
        }
    }

    [Fact]
    public async Task A_collection_frees_a_disk_full_of_garbage()
    {
        await using var granary = await GranaryProcess.StartAsync(Data);
        using var client = new RegistryClient(granary.Address);
        var (_, manifest) = await client.PushImageAsync("app", "v1", layerSize: 100_000);
        using var large = (await PushUntilRefusedAsync(granary, client, 500_000)).Answer;
        using var small = (await PushUntilRefusedAsync(granary, client, 20_000)).Answer;

        var (done, output) = await GranaryProcess.RunAsync(
            "gc", "run", "--grace", "0s", "--server", granary.Address.ToString(), "--data", Data);

        Assert.Equal(507, (int)large.StatusCode);
        Assert.Equal(507, (int)small.StatusCode);
        Assert.True(done == 0, output);
        Assert.Single(Directory.GetFiles(Path.Combine(Data, "blobs"), "*", SearchOption.AllDirectories));
        Assert.Equal(manifest, await client.GetBytesAsync("/v2/app/manifests/v1"));
        await client.PushImageAsync("app", "v2", layerSize: 500_000);
    }

    [Fact]
    public async Task A_disk_that_has_become_read_only_is_503_and_can_still_be_read()
    {
        byte[] manifest;
        await using (var granary = await GranaryProcess.StartAsync(Data))
        {
            using var client = new RegistryClient(granary.Address);
            (_, manifest) = await client.PushImageAsync("app", "v1", layerSize: 100_000);
            granary.Terminate();
            await granary.WaitForExitAsync();
        }

        await RunAsync("mount", "-o", "remount,ro", Data);
        var (status, output) = await GranaryProcess.RunAsync("serve", "--urls", "http://127.0.0.1:0", "--data", Data);

        Assert.Equal(1, status);
        Assert.Contains("data directory", output, StringComparison.Ordinal);
        Assert.Single(output.Split('\n', StringSplitOptions.RemoveEmptyEntries));

        await RunAsync("mount", "-o", "remount,rw", Data);
        await using var again = await GranaryProcess.StartAsync(Data);
        using var reader = new RegistryClient(again.Address);
        Assert.Equal(manifest, await reader.GetBytesAsync("/v2/app/manifests/v1"));
    }

    [Fact]
    public async Task A_disk_that_becomes_read_only_while_the_server_runs_leaves_it_ready_for_pulls()
    {
        await using var granary = await GranaryProcess.StartAsync(Data, "--storage.reserve", "100KB");
        using var client = new RegistryClient(granary.Address);
        var (_, manifest) = await client.PushImageAsync("app", "v1", layerSize: 100_000);
        var uploads = Path.Combine(Data, "uploads");

        // A file system with a file open for writing cannot become read-only, but a bind mount of one directory can.
        await RunAsync("mount", "--bind", uploads, uploads);
        await RunAsync("mount", "-o", "remount,bind,ro", uploads);
        try
        {
            using var ready = await client.SendAsync("GET", "/readyz");
            var content = RegistryClient.RandomBytes(50_000);
            using var push = await client.SendAsync("POST", $"/v2/app/blobs/uploads/?digest={RegistryClient.DigestOf(content)}", content);

            Assert.Equal(HttpStatusCode.OK, ready.StatusCode);
            Assert.Equal("ready\npushes: refused, the disk is read-only\n", await ready.Content.ReadAsStringAsync());
            Assert.Equal(HttpStatusCode.ServiceUnavailable, push.StatusCode);
            Assert.Equal(manifest, await client.GetBytesAsync("/v2/app/manifests/v1"));
        }
        finally
        {
            await RunAsync("umount", uploads);
        }
    }

    private static async Task<(HttpResponseMessage Answer, List<byte[]> Stored)> PushUntilRefusedAsync(
        GranaryProcess granary,
        RegistryClient client,
        int size)
    {
        var stored = new List<byte[]>();
        while (true)
        {
            var content = RegistryClient.RandomBytes(size);
            HttpResponseMessage answer;
            try
            {
                answer = await client.SendAsync("POST", $"/v2/app/blobs/uploads/?digest={RegistryClient.DigestOf(content)}", content);
            }
            catch (HttpRequestException e)
            {
                throw new InvalidOperationException($"No answer (ended: {granary.HasExited}):\n{granary.Output}", e);
            }

            if (answer.StatusCode != HttpStatusCode.Created)
            {
                return (answer, stored);
            }

            stored.Add(content);
            answer.Dispose();
        }
    }

    private static async Task RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
    }
}
