using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace Granary.Silo.Tests;

/// <summary>The real program: its start, the messages of a start that fails, and its stop.</summary>
public sealed class StartTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task A_started_server_is_alive_is_ready_and_serves()
    {
        await using var granary = await GranaryProcess.StartAsync(_directory.Path);
        using var client = new RegistryClient(granary.Address);

        Assert.Equal("ok\n", System.Text.Encoding.UTF8.GetString(await client.GetBytesAsync("/healthz")));
        Assert.Equal("ready\n", System.Text.Encoding.UTF8.GetString(await client.GetBytesAsync("/readyz")));
        Assert.Equal("{}", System.Text.Encoding.UTF8.GetString(await client.GetBytesAsync("/v2/")));
    }

    [Fact]
    public async Task Pushed_content_is_there_after_a_restart()
    {
        byte[] manifest;
        await using (var first = await GranaryProcess.StartAsync(_directory.Path))
        {
            using var client = new RegistryClient(first.Address);
            (_, manifest) = await client.PushImageAsync("app", "v1", layerSize: 100_000);
            first.Terminate();
            Assert.Equal(0, await first.WaitForExitAsync());
        }

        await using var second = await GranaryProcess.StartAsync(_directory.Path);
        using var again = new RegistryClient(second.Address);
        Assert.Equal(manifest, await again.GetBytesAsync("/v2/app/manifests/v1"));
    }

    [Fact]
    public async Task A_data_directory_in_use_is_refused()
    {
        await using var first = await GranaryProcess.StartAsync(_directory.Path);

        var (status, output) = await GranaryProcess.RunAsync("serve", "--urls", "http://127.0.0.1:0", "--data", _directory.Path);

        Assert.Equal(1, status);
        Assert.Contains("is in use by another process", output, StringComparison.Ordinal);
        Assert.Single(output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public async Task An_address_in_use_is_refused()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();

        var (status, output) = await GranaryProcess.RunAsync(
            "serve", "--urls", $"http://{listener.LocalEndpoint}", "--data", _directory.Path);

        Assert.Equal(1, status);
        var line = Assert.Single(output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("granary: urls: the address 'http://", line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("granary-data 5\ncluster 00000000000000000000000000000001\n", "newer release")]
    [InlineData("nonsense", "is damaged")]
    public async Task A_data_directory_of_another_format_is_refused(string format, string reason)
    {
        await File.WriteAllTextAsync(_directory.Combine("format"), format);

        var (status, output) = await GranaryProcess.RunAsync("serve", "--urls", "http://127.0.0.1:0", "--data", _directory.Path);

        Assert.Equal(1, status);
        Assert.Contains(reason, output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("serve", "--manifests.sparse", "maybe")]
    [InlineData("serve", "--urls", "localhost:5000")]
    [InlineData("serve", "--urls", "https://127.0.0.1:0")]
    [InlineData("serve", "--config", "absent.yaml")]
    public async Task A_wrong_setting_is_one_line_that_names_it(params string[] arguments)
    {
        var (status, output) = await GranaryProcess.RunAsync([.. arguments, "--data", _directory.Path]);

        Assert.Equal(1, status);
        Assert.StartsWith("granary: ", Assert.Single(output.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Help_explains_every_setting()
    {
        var (status, output) = await GranaryProcess.RunAsync("serve", "--help");

        Assert.Equal(0, status);
        Assert.All(Configuration.SettingCatalog.All, setting => Assert.Contains("--" + setting.Name, output, StringComparison.Ordinal));
        Assert.Contains("Whether manifests may name content", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stop_fails_readiness_first_and_lets_transfers_finish()
    {
        await using var granary = await GranaryProcess.StartAsync(_directory.Path, "--shutdown.delay", "3s");
        using var client = new RegistryClient(granary.Address);
        var content = RegistryClient.RandomBytes(200_000);
        var location = await client.StartUploadAsync("app");
        var transfer = new SteppedContent(content);
        var upload = client.SendAsync("PUT", $"{location}?digest={RegistryClient.DigestOf(content)}", transfer);
        await transfer.Begun;

        granary.Terminate();
        HttpStatusCode ready;
        do
        {
            using var answer = await client.SendAsync("GET", "/readyz");
            ready = answer.StatusCode;
        }
        while (ready == HttpStatusCode.OK);
        using var root = await client.SendAsync("HEAD", "/");
        using var during = await client.SendAsync("GET", "/v2/");
        transfer.Finish();
        using var done = await upload;

        Assert.Equal(HttpStatusCode.ServiceUnavailable, ready);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, root.StatusCode);
        Assert.Equal(HttpStatusCode.OK, during.StatusCode);
        Assert.Equal(HttpStatusCode.Created, done.StatusCode);
        Assert.Equal(0, await granary.WaitForExitAsync());
        Assert.Contains("Stopped", granary.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_line_about_a_request_names_its_id_before_its_text()
    {
        await using var granary = await GranaryProcess.StartAsync(_directory.Path);
        using var client = new RegistryClient(granary.Address);
        var layer = RegistryClient.RandomBytes(100_000);
        await client.PushBlobAsync("app", layer);
        File.Delete(Assert.Single(Directory.EnumerateFiles(Path.Combine(_directory.Path, "blobs"), "*", SearchOption.AllDirectories)));

        using var answer = await client.SendAsync("GET", $"/v2/app/blobs/{RegistryClient.DigestOf(layer)}");
        var id = answer.Headers.GetValues("X-Request-Id").Single();
        granary.Terminate();
        await granary.WaitForExitAsync();

        var lines = granary.Output.Split('\n').Where(line => line.Contains($"] {id} ", StringComparison.Ordinal)).ToArray();
        Assert.Equal(2, lines.Length);
        Assert.Contains("PullBlob[2102]", lines[0], StringComparison.Ordinal);
        Assert.Contains("AccessLog[3001]", lines[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Json_logs_carry_the_id_of_the_request()
    {
        await using var granary = await GranaryProcess.StartAsync(_directory.Path, "--log.format", "json");
        using var client = new RegistryClient(granary.Address);
        using var answer = await client.SendAsync("GET", "/v2/app/tags/list");
        var id = answer.Headers.GetValues("X-Request-Id").Single();
        granary.Terminate();
        await granary.WaitForExitAsync();

        var lines = granary.Output
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonDocument.Parse(line).RootElement)
            .ToArray();
        var access = Assert.Single(lines, line => line.GetProperty("EventId").GetInt32() == 3001);
        Assert.Contains(id, access.GetRawText(), StringComparison.Ordinal);
        var state = access.GetProperty("State");
        Assert.Equal(404, int.Parse(state.GetProperty("Status").ToString()));
        Assert.All(
            ["Method", "Path", "Sent", "Received", "Milliseconds", "Client", "UserAgent", "BrokenBy"],
            name => Assert.True(state.TryGetProperty(name, out _), name));
    }

    private sealed class SteppedContent(byte[] content) : HttpContent
    {
        private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _finish = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Begun => _begun.Task;

        public void Finish() => _finish.SetResult();

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.WriteAsync(content.AsMemory(0, content.Length / 2));
            await stream.FlushAsync();
            _begun.SetResult();
            await _finish.Task;
            await stream.WriteAsync(content.AsMemory(content.Length / 2));
        }

        protected override bool TryComputeLength(out long length)
        {
            length = content.Length;
            return true;
        }
    }
}
