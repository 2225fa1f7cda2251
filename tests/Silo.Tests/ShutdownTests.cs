using System.Net.Sockets;
using System.Text;
using Granary.Silo.Configuration;
using Granary.Silo.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Granary.Silo.Tests;

/// <summary>How the real program stops: the effect of each setting of <c>shutdown</c>.</summary>
public sealed class ShutdownTests : IDisposable
{
    private const int LayerSize = 32 * 1024 * 1024;

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Transfers_of_slow_clients_run_to_their_end(bool isInterrupt)
    {
        await using var granary = await GranaryProcess.StartAsync(_directory.Path, "--shutdown.timeout", "10m");
        using var client = new RegistryClient(granary.Address);
        var layer = RegistryClient.RandomBytes(LayerSize);
        var digest = await client.PushBlobAsync("app", layer);
        using var pull = await RawConnection.OpenAsync(granary.Address);
        await pull.SendAsync($"GET /v2/app/blobs/{digest} HTTP/1.1\r\nHost: test\r\n\r\n");
        var pulled = await pull.ReadBodyAsync(1_000_000);
        var pushed = RegistryClient.RandomBytes(1_000_000);
        var location = await client.StartUploadAsync("app");
        using var push = await RawConnection.OpenAsync(granary.Address);
        await push.SendAsync(
            $"PUT {location}?digest={RegistryClient.DigestOf(pushed)} HTTP/1.1\r\nHost: test\r\nContent-Length: {pushed.Length}\r\n\r\n");
        await push.SendAsync(pushed.AsMemory(0, 200_000));

        // Connections without a running request do not delay the end: neither the client's, which had one, nor this one, which had none.
        using var idle = await RawConnection.OpenAsync(granary.Address);
        if (isInterrupt)
        {
            granary.Interrupt();
        }
        else
        {
            granary.Terminate();
        }

        await granary.WaitForLineAsync("Stopping");
        var rest = (Pull: (LayerSize - pulled.Length) / 20, Push: 40_000);
        using (var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(150)))
        {
            for (var step = 0; step < 20; step++)
            {
                await pace.WaitForNextTickAsync();
                pulled = [.. pulled, .. await pull.ReadBodyAsync(step < 19 ? rest.Pull : LayerSize - pulled.Length)];
                await push.SendAsync(pushed.AsMemory(200_000 + (step * rest.Push), rest.Push));
            }
        }

        Assert.StartsWith("HTTP/1.1 201 ", await push.ReadLineAsync(), StringComparison.Ordinal);
        Assert.True(layer.AsSpan().SequenceEqual(pulled));
        Assert.Equal(0, await granary.WaitForExitAsync());
        Assert.Contains("[3303] Stopped", granary.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("[3306]", granary.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task After_the_timeout_transfers_are_cut_and_counted_and_uploads_keep_their_bytes()
    {
        string location;
        await using (var granary = await GranaryProcess.StartAsync(_directory.Path, "--shutdown.timeout", "1s"))
        {
            using var client = new RegistryClient(granary.Address);
            var digest = await client.PushBlobAsync("app", RegistryClient.RandomBytes(LayerSize));
            using var pull = await RawConnection.OpenAsync(granary.Address);
            await pull.SendAsync($"GET /v2/app/blobs/{digest} HTTP/1.1\r\nHost: test\r\n\r\n");
            await pull.ReadBodyAsync(1000);
            location = await client.StartUploadAsync("app");
            using var push = await RawConnection.OpenAsync(granary.Address);
            await push.SendAsync($"PATCH {location} HTTP/1.1\r\nHost: test\r\nContent-Length: 200000\r\n\r\n");
            await push.SendAsync(new byte[100_000]);
            await ReceivedAsync(100_000);

            granary.Terminate();

            Assert.Equal(0, await granary.WaitForExitAsync());
            Assert.Contains(
                "[3306] Cut 2 requests that were still running 1s (shutdown.timeout) after the listener was closed",
                granary.Output, StringComparison.Ordinal);
            Assert.Contains("[3303] Stopped", granary.Output, StringComparison.Ordinal);
            Assert.DoesNotContain("   at ", granary.Output, StringComparison.Ordinal);
        }

        await using var again = await GranaryProcess.StartAsync(_directory.Path);
        using var other = new RegistryClient(again.Address);
        using var status = await other.SendAsync("GET", location);
        Assert.Equal("0-99999", status.Headers.GetValues("Range").Single());
    }

    [Fact]
    public async Task The_time_for_transfers_begins_after_the_delay()
    {
        await using var granary = await GranaryProcess.StartAsync(_directory.Path, "--shutdown.delay", "5s", "--shutdown.timeout", "5s");
        using var client = new RegistryClient(granary.Address);
        var content = new byte[1000];
        var location = await client.StartUploadAsync("app");
        using var push = await RawConnection.OpenAsync(granary.Address);
        await push.SendAsync(
            $"PUT {location}?digest={RegistryClient.DigestOf(content)} HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\n");

        granary.Terminate();
        while (await IsOpenAsync(granary.Address))
        {
            Assert.False(granary.HasExited);
        }

        await push.SendAsync(content);

        Assert.StartsWith("HTTP/1.1 201 ", await push.ReadLineAsync(), StringComparison.Ordinal);
        Assert.Equal(0, await granary.WaitForExitAsync());
    }

    [Fact]
    public async Task A_second_signal_ends_the_program_at_once()
    {
        await using var granary = await GranaryProcess.StartAsync(_directory.Path, "--shutdown.delay", "1h");
        granary.Terminate();
        await granary.WaitForLineAsync("Stopping");

        granary.Terminate();

        Assert.Equal(128 + 15, await granary.WaitForExitAsync());
        Assert.DoesNotContain("Stopped", granary.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_stops_without_a_signal_reports_a_failure()
    {
        var settings = new Dictionary<string, string>
        {
            ["data"] = _directory.Path,
            ["urls"] = "http://127.0.0.1:0",
            ["log.level"] = "error",
        };
        await using var server = await GranaryServer.CreateAsync(GranarySettings.Load(file: null, settings));
        using var stop = new CancellationTokenSource();
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var lifetime = server.Services.GetRequiredService<IHostApplicationLifetime>();
        await using var registration = lifetime.ApplicationStarted.Register(started.SetResult);
        var running = server.RunAsync(stop.Token);
        await started.Task;

        // The host does this when a background service fails.
        lifetime.StopApplication();

        Assert.False(await running);
    }

    /// <summary>Waits until the server has written the bytes that an upload sent.</summary>
    private async Task ReceivedAsync(long bytes)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!new DirectoryInfo(_directory.Combine("uploads")).EnumerateFiles().Any(file => file.Length == bytes))
        {
            await timer.WaitForNextTickAsync();
        }
    }

    private static async Task<bool> IsOpenAsync(Uri address)
    {
        try
        {
            using var connection = await RawConnection.OpenAsync(address);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>A client that sends and reads as slowly as the test says.</summary>
    private sealed class RawConnection(TcpClient client) : IDisposable
    {
        private readonly NetworkStream _stream = client.GetStream();
        private bool _hasHead;

        public static async Task<RawConnection> OpenAsync(Uri address)
        {
            var client = new TcpClient();
            try
            {
                await client.ConnectAsync(address.Host, address.Port);
                return new RawConnection(client);
            }
            catch
            {
                client.Dispose();
                throw;
            }
        }

        public ValueTask SendAsync(string text) => SendAsync(Encoding.ASCII.GetBytes(text));

        public ValueTask SendAsync(ReadOnlyMemory<byte> bytes) => _stream.WriteAsync(bytes);

        public async Task<string> ReadLineAsync()
        {
            var (line, one) = (new StringBuilder(), new byte[1]);
            while (await _stream.ReadAsync(one) == 1 && one[0] != '\n')
            {
                line.Append((char)one[0]);
            }

            return line.ToString().TrimEnd('\r');
        }

        /// <summary>Reads the next bytes of an answer's body.</summary>
        public async Task<byte[]> ReadBodyAsync(int count)
        {
            if (!_hasHead)
            {
                Assert.StartsWith("HTTP/1.1 200 ", await ReadLineAsync(), StringComparison.Ordinal);
                while (await ReadLineAsync() is not "")
                {
                }

                _hasHead = true;
            }

            var bytes = new byte[count];
            await _stream.ReadExactlyAsync(bytes);
            return bytes;
        }

        public void Dispose() => client.Dispose();
    }
}
