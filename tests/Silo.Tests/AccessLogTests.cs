using System.Net.Sockets;
using System.Text;

namespace Granary.Silo.Tests;

/// <summary>The access log of the real program: the bytes sent and received, and which side broke an exchange off.</summary>
public sealed class AccessLogTests : IDisposable
{
    // More than the system's socket buffers hold for one connection.
    private const int Large = 24_000_000;

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task A_line_has_the_byte_counts_of_both_bodies()
    {
        await using var granary = await GranaryProcess.StartAsync(_directory.Path);
        using var client = new RegistryClient(granary.Address);
        var content = RegistryClient.RandomBytes(100_000);
        var digest = await client.PushBlobAsync("app", content);
        var path = $"/v2/app/blobs/{digest}";

        using var head = await client.SendAsync("HEAD", path);
        using var get = await client.SendAsync("GET", path, headers: [("User-Agent", "docker/28.0.1 go/go1.23 kernel/6.1 (linux; amd64)")]);
        using var range = await client.SendAsync("GET", path, headers: [("Range", "bytes=0-9")]);
        using var catalog = await client.SendAsync("GET", "/v2/_catalog");
        var listed = catalog.Content.Headers.ContentLength;

        Assert.Contains(" 201 received=100000 in ", await granary.WaitForLineAsync(" PUT "), StringComparison.Ordinal);
        Assert.Contains($" HEAD {path} 200 sent=0 in ", await granary.WaitForLineAsync(" HEAD "), StringComparison.Ordinal);
        var line = await granary.WaitForLineAsync(" GET ");
        Assert.Contains($" GET {path} 200 sent=100000 in ", line, StringComparison.Ordinal);
        Assert.EndsWith(" 127.0.0.1 \"docker/28.0.1\"", line, StringComparison.Ordinal);
        Assert.Contains($"AccessLog[3001] {get.Headers.GetValues("X-Request-Id").Single()} GET ", line, StringComparison.Ordinal);
        Assert.Contains(" 206 sent=10 in ", await granary.WaitForLineAsync(" GET "), StringComparison.Ordinal);
        Assert.Contains($" 200 sent={listed} in ", await granary.WaitForLineAsync(" GET /v2/_catalog "), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_reader_that_takes_nothing_is_reset_and_its_line_says_so()
    {
        await using var granary = await GranaryProcess.StartAsync(_directory.Path, "--downloads.idleTimeout", "1s");
        using var reader = await PullAsync(granary);

        var line = await granary.WaitForLineAsync("AccessLog[3001] ", " GET ");

        Assert.EndsWith(" broken off: the client took nothing for downloads.idleTimeout", line, StringComparison.Ordinal);
        Assert.DoesNotContain($"sent={Large} ", line, StringComparison.Ordinal);
        var reset = await Assert.ThrowsAsync<SocketException>(() => DrainAsync(reader));
        Assert.Equal(SocketError.ConnectionReset, reset.SocketErrorCode);
    }

    [Fact]
    public async Task A_line_names_a_client_that_goes_away()
    {
        await using var granary = await GranaryProcess.StartAsync(_directory.Path);
        using (var reader = await PullAsync(granary))
        {
            Assert.NotEqual(0, await reader.ReceiveAsync(new byte[1000]));
        }

        var line = await granary.WaitForLineAsync("AccessLog[3001] ", " GET ");

        Assert.EndsWith(" broken off: the client went away", line, StringComparison.Ordinal);
        Assert.DoesNotContain($"sent={Large} ", line, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_line_of_a_broken_upload_has_the_bytes_that_arrived()
    {
        await using var granary = await GranaryProcess.StartAsync(_directory.Path, "--uploads.idleTimeout", "1s");
        using var client = new RegistryClient(granary.Address);
        var head = $"PATCH {await client.StartUploadAsync("app")} HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\n";

        await client.SendPartAsync(head, new byte[60_000], () => StoredAsync(60_000));
        var gone = await granary.WaitForLineAsync(" PATCH ");
        using var idle = new TcpClient();
        await idle.ConnectAsync(granary.Address.Host, granary.Address.Port);
        await idle.GetStream().WriteAsync(Encoding.ASCII.GetBytes(head));
        var given = await granary.WaitForLineAsync(" PATCH ");

        Assert.Contains(" received=60000 ", gone, StringComparison.Ordinal);
        Assert.EndsWith(" broken off: the client went away", gone, StringComparison.Ordinal);
        Assert.EndsWith(" broken off: the client sent nothing for uploads.idleTimeout", given, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_line_of_an_exchange_that_a_shutdown_cuts_says_so()
    {
        await using var granary = await GranaryProcess.StartAsync(_directory.Path, "--shutdown.timeout", "500ms");
        using var reader = await PullAsync(granary);
        Assert.NotEqual(0, await reader.ReceiveAsync(new byte[1000]));

        granary.Terminate();

        var line = await granary.WaitForLineAsync("AccessLog[3001] ", " GET ");
        Assert.EndsWith(" broken off: the server stopped", line, StringComparison.Ordinal);
    }

    /// <summary>Pushes a layer, requests it, and reads nothing of the answer.</summary>
    private static async Task<Socket> PullAsync(GranaryProcess granary)
    {
        using var client = new RegistryClient(granary.Address);
        var digest = await client.PushBlobAsync("app", RegistryClient.RandomBytes(Large));
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(granary.Address.Host, granary.Address.Port);
        await socket.SendAsync(Encoding.ASCII.GetBytes($"GET /v2/app/blobs/{digest} HTTP/1.1\r\nHost: test\r\n\r\n"));
        return socket;
    }

    /// <summary>
    /// Waits until the server has stored this many bytes of an upload. Bytes that it has not taken are lost when the connection ends.
    /// </summary>
    private async Task StoredAsync(long length)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (!Directory.EnumerateFiles(_directory.Combine("uploads")).Any(file => new FileInfo(file).Length == length))
        {
            await timer.WaitForNextTickAsync();
        }
    }

    private static async Task DrainAsync(Socket socket)
    {
        for (var buffer = new byte[64 * 1024]; await socket.ReceiveAsync(buffer) > 0;)
        {
            // Bytes that arrived before the reset.
        }
    }
}
