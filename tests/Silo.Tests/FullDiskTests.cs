using System.Diagnostics;
using System.Net;

namespace Granary.Silo.Tests;

/// <summary>A disk that runs out of free space: a real file system of 48 MB, and the real program.</summary>
public sealed class FullDiskTests : IAsyncLifetime
{
    private const int InsufficientStorage = 507;

    private readonly TemporaryDirectory _directory = new();

    private string Data => _directory.Combine("disk");

    private string Foreign => Path.Combine(Data, "foreign");

    private string Registry => Path.Combine(Data, "data");

    private long Free => new DriveInfo(Data).AvailableFreeSpace;

    public async Task InitializeAsync()
    {
        Directory.CreateDirectory(Data);
        await RunAsync("mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", Data);
    }

    public async Task DisposeAsync()
    {
        await RunAsync("umount", Data);
        _directory.Dispose();
    }

    [Fact]
    public async Task A_disk_that_pushes_have_filled_can_be_emptied_through_the_registry()
    {
        await using var granary = await GranaryProcess.StartAsync(Registry);
        using var client = new RegistryClient(granary.Address);
        var (_, manifest) = await client.PushImageAsync("app", "kept", layerSize: 100_000);
        var (_, doomed) = await client.PushImageAsync("app", "doomed", layerSize: 3_000_000);
        var cancelled = await BeginAsync(client, 1_000_000);
        var refused = await BeginAsync(client, 1_000_000);

        await FillByPushesAsync(client, 1_000_000);
        await FillByPushesAsync(client, 20_000);
        await FillByPushesAsync(client, 100);
        using var put = await client.PushManifestAsync("app", "new", manifest);
        using var ready = await client.SendAsync("GET", "/readyz");
        var readiness = await ready.Content.ReadAsStringAsync();
        using var tooMuch = await client.SendAsync("PATCH", refused, RegistryClient.RandomBytes(2_000_000));
        using var gone = await client.SendAsync("GET", refused);

        // The server refuses pushes with a reason. It drops the bytes that the refused upload sent before.
        Assert.Equal(InsufficientStorage, (int)tooMuch.StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, gone.StatusCode);
        Assert.Equal(["BLOB_UPLOAD_UNKNOWN"], await RegistryClient.ErrorCodesAsync(gone));
        Assert.Single(Directory.GetFiles(Path.Combine(Registry, "uploads")));
        Assert.Equal(InsufficientStorage, (int)put.StatusCode);
        Assert.Contains("storage.reserve", await put.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, ready.StatusCode);
        Assert.StartsWith("ready\npushes: refused, ", readiness, StringComparison.Ordinal);

        // Requests that free space succeed.
        using var cancel = await client.SendAsync("DELETE", cancelled);
        using var untag = await client.SendAsync("DELETE", "/v2/app/manifests/doomed");
        await ExpectAsync(client, HttpStatusCode.Accepted, "DELETE", $"/v2/app/manifests/{RegistryClient.DigestOf(doomed)}");
        var free = Free;
        var (status, output) = await CollectAsync(granary);
        Assert.Equal(HttpStatusCode.NoContent, cancel.StatusCode);
        Assert.Equal(HttpStatusCode.Accepted, untag.StatusCode);
        Assert.True(status == 0, output);
        Assert.InRange(Free, free + 10_000_000, long.MaxValue);

        // Pushes succeed again.
        await client.PushImageAsync("app", "after", layerSize: 1_000_000);
        await UntilAsync(() => granary.Output.Contains("Pushes are accepted again", StringComparison.Ordinal), () => granary.Output);
        Assert.Equal("ready\n", await ReadinessAsync(client));
        Assert.Single(granary.Output.Split('\n'), line => line.Contains("Pushes are refused", StringComparison.Ordinal));
        Assert.DoesNotContain(" error ", granary.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_collection_frees_a_disk_full_of_rows()
    {
        await using var granary = await GranaryProcess.StartAsync(Registry);
        using var client = new RegistryClient(granary.Address);
        await FillByPushesAsync(client, 30_000);
        var full = DatabaseLength();

        var (status, output) = await CollectAsync(granary);

        Assert.True(status == 0, output);
        await UntilAsync(() => DatabaseLength() < full / 4, () => $"The database had {full} bytes, and has {DatabaseLength()}.");
        await client.PushImageAsync("app", "after", layerSize: 20_000_000);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_server_starts_and_serves_on_a_disk_without_a_free_byte(bool isStopped)
    {
        byte[] kept, doomed;
        await using (var before = await GranaryProcess.StartAsync(Registry))
        {
            using var pusher = new RegistryClient(before.Address);
            (_, kept) = await pusher.PushImageAsync("app", "kept", layerSize: 100_000);
            (_, doomed) = await pusher.PushImageAsync("app", "doomed", layerSize: 3_000_000);
            await FillByPushesAsync(pusher, 1_000_000);
            if (isStopped)
            {
                before.Terminate();
                await before.WaitForExitAsync();
            }
        }

        FillByAnotherProgram();
        await using var granary = await GranaryProcess.StartAsync(Registry);

        await ServesAndIsEmptiedAsync(granary, kept, doomed);
        if (isStopped)
        {
            // After a kill the log file of the database still exists. Its space may suffice, and the ballast stays.
            Assert.Single(granary.Output.Split('\n'), line => line.Contains("[3403]", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task A_disk_that_another_program_fills_while_the_server_runs_can_be_emptied()
    {
        await using var granary = await GranaryProcess.StartAsync(Registry);
        using var client = new RegistryClient(granary.Address);
        var (_, kept) = await client.PushImageAsync("app", "kept", layerSize: 100_000);
        var (_, doomed) = await client.PushImageAsync("app", "doomed", layerSize: 3_000_000);
        await FillByPushesAsync(client, 1_000_000);

        FillByAnotherProgram();

        await ServesAndIsEmptiedAsync(granary, kept, doomed);
    }

    [Fact]
    public async Task A_new_data_directory_on_a_disk_without_a_free_byte_is_a_clear_error()
    {
        Directory.CreateDirectory(Registry);
        FillByAnotherProgram();

        var (status, output) = await GranaryProcess.RunAsync("serve", "--urls", "http://127.0.0.1:0", "--data", Registry);

        Assert.Equal(1, status);
        Assert.Contains("its file system is full. Make room there", output, StringComparison.Ordinal);
        Assert.Single(output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        File.Delete(Foreign);
        await using var granary = await GranaryProcess.StartAsync(Registry);
    }

    [Fact]
    public async Task An_upload_without_a_length_that_outgrows_the_disk_is_refused_and_dropped()
    {
        await using var granary = await GranaryProcess.StartAsync(Registry);
        using var client = new RegistryClient(granary.Address);
        var location = await BeginAsync(client, 1_000_000);
        var free = Free;

        // The server reads little more after it has answered, and closes: the client has to read the answer while it sends.
        var answer = await SendAsync(
            granary,
            $"PATCH {location} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n",
            RegistryClient.RandomBytes(60_000_000));
        using var gone = await client.SendAsync("PATCH", location, RegistryClient.RandomBytes(10));

        Assert.StartsWith("HTTP/1.1 507 ", answer, StringComparison.Ordinal);
        Assert.Contains("\"code\":\"UNAVAILABLE\"", answer, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, gone.StatusCode);
        Assert.Empty(Directory.GetFiles(Path.Combine(Registry, "uploads")));
        Assert.InRange(Free, free, long.MaxValue);
    }

    [Fact]
    public async Task An_upload_that_says_it_is_larger_than_the_disk_is_refused_before_it_sends_anything()
    {
        await using var granary = await GranaryProcess.StartAsync(Registry);
        using var client = new RegistryClient(granary.Address);
        var location = await client.StartUploadAsync("app");

        // The client waits for 100 (Continue) before it sends the body. The server answers 507 instead.
        var answer = await SendAsync(
            granary,
            $"PATCH {location} HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 60000000\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 507 ", answer, StringComparison.Ordinal);
        Assert.Contains("60 MB", answer, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(Path.Combine(Registry, "uploads")));
        Assert.Equal("ready\n", await ReadinessAsync(client));
    }

    /// <summary>Sends the head of a request and a body in chunks. Reads meanwhile, to the end of the error document.</summary>
    private static async Task<string> SendAsync(GranaryProcess granary, string head, byte[]? body = null)
    {
        using var socket = new System.Net.Sockets.TcpClient();
        await socket.ConnectAsync(granary.Address.Host, granary.Address.Port);
        await using var stream = socket.GetStream();
        await stream.WriteAsync(System.Text.Encoding.ASCII.GetBytes(head));
        var sending = body is null ? Task.CompletedTask : SendChunksAsync(stream, body);
        var answer = "";
        var buffer = new byte[4096];
        while (!answer.EndsWith("}]}", StringComparison.Ordinal) && await stream.ReadAsync(buffer) is > 0 and var count)
        {
            answer += System.Text.Encoding.UTF8.GetString(buffer, 0, count);
        }

        await sending;
        return answer;
    }

    private static async Task SendChunksAsync(Stream stream, byte[] body)
    {
        try
        {
            foreach (var chunk in body.Chunk(100_000))
            {
                await stream.WriteAsync(System.Text.Encoding.ASCII.GetBytes($"{chunk.Length:x}\r\n"));
                await stream.WriteAsync(chunk);
                await stream.WriteAsync("\r\n"u8.ToArray());
            }

            await stream.WriteAsync("0\r\n\r\n"u8.ToArray());
        }
        catch (IOException)
        {
            // The server has answered and does not read any more.
        }
    }

    private async Task ServesAndIsEmptiedAsync(GranaryProcess granary, byte[] kept, byte[] doomed)
    {
        using var client = new RegistryClient(granary.Address);
        Assert.Equal(kept, await client.GetBytesAsync("/v2/app/manifests/kept"));
        Assert.StartsWith("ready\npushes: refused, ", await ReadinessAsync(client), StringComparison.Ordinal);
        using var put = await client.PushManifestAsync("app", "new", kept);
        Assert.Equal(InsufficientStorage, (int)put.StatusCode);

        await ExpectAsync(client, HttpStatusCode.Accepted, "DELETE", "/v2/app/manifests/doomed");
        await ExpectAsync(client, HttpStatusCode.Accepted, "DELETE", $"/v2/app/manifests/{RegistryClient.DigestOf(doomed)}");
        var (status, output) = await CollectAsync(granary);
        Assert.True(status == 0, output);
        Assert.Single(Directory.GetFiles(Path.Combine(Registry, "blobs"), "*", SearchOption.AllDirectories));

        File.Delete(Foreign);
        await client.PushImageAsync("app", "after", layerSize: 1_000_000);
        await UntilAsync(() => new DirectoryInfo(Path.Combine(Registry, "ballast")).GetFiles().Length > 0, () => granary.Output);
        Assert.DoesNotContain(" error ", granary.Output, StringComparison.Ordinal);
    }

    /// <summary>Starts an upload session, and sends bytes to it.</summary>
    private static async Task<string> BeginAsync(RegistryClient client, int size)
    {
        var location = await client.StartUploadAsync("app");
        using var answer = await client.SendAsync("PATCH", location, RegistryClient.RandomBytes(size));
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        return location;
    }

    private static async Task FillByPushesAsync(RegistryClient client, int size)
    {
        while (true)
        {
            var content = RegistryClient.RandomBytes(size);
            using var answer = await client.SendAsync("POST", $"/v2/app/blobs/uploads/?digest={RegistryClient.DigestOf(content)}", content);
            if (answer.StatusCode != HttpStatusCode.Created)
            {
                Assert.Equal(InsufficientStorage, (int)answer.StatusCode);
                Assert.NotNull(answer.Headers.RetryAfter);
                return;
            }
        }
    }

    /// <summary>Fills the disk as another program would: until it has no free byte.</summary>
    private void FillByAnotherProgram()
    {
        var block = new byte[4096];
        try
        {
            using var file = new FileStream(Foreign, FileMode.Append, FileAccess.Write, FileShare.None, bufferSize: 0);
            while (true)
            {
                file.Write(block);
            }
        }
        catch (IOException)
        {
            Assert.Equal(0, Free);
        }
    }

    private Task<(int Status, string Output)> CollectAsync(GranaryProcess granary) =>
        GranaryProcess.RunAsync("gc", "run", "--grace", "0s", "--server", granary.Address.ToString(), "--data", Registry);

    private static async Task ExpectAsync(RegistryClient client, HttpStatusCode status, string method, string path)
    {
        using var answer = await client.SendAsync(method, path);
        Assert.Equal(status, answer.StatusCode);
    }

    private static async Task<string> ReadinessAsync(RegistryClient client) =>
        System.Text.Encoding.UTF8.GetString(await client.GetBytesAsync("/readyz"));

    private long DatabaseLength() => new FileInfo(Path.Combine(Registry, "metadata.db")).Length;

    private static Task UntilAsync(Func<bool> isSo, Func<string> explain) => UntilAsync(() => Task.FromResult(isSo()), explain);

    private static async Task UntilAsync(Func<Task<bool>> isSo, Func<string> explain)
    {
        var began = Stopwatch.StartNew();
        while (!await isSo())
        {
            Assert.True(began.Elapsed < TimeSpan.FromMinutes(1), explain());
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
        }
    }

    private static async Task RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
    }
}
