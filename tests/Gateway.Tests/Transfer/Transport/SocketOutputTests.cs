using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Granary.Gateway.Transfer.Transport;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Gateway.Tests.Transfer.Transport;

public sealed class SocketOutputTests : IAsyncLifetime
{
    private readonly Pipe _pipe = new();
    private readonly DefaultConnectionContext _connection = new();
    private readonly CountedPool _pool = new();
    private readonly FakeTimeProvider _time = new();
    private Socket _server = null!;
    private Socket _client = null!;
    private SocketOutput _output = null!;

    public async Task InitializeAsync()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        _client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await _client.ConnectAsync(listener.LocalEndPoint!);
        _server = await listener.AcceptAsync();
        _output = new SocketOutput(_connection, _server, _pipe.Writer, _pool, TimeSpan.FromSeconds(60), _time);
    }

    public Task DisposeAsync()
    {
        _client.Dispose();
        _server.Dispose();
        return Task.CompletedTask;
    }

    [Fact]
    public async Task Bytes_written_in_pieces_arrive_once_in_order_and_only_after_a_flush()
    {
        byte[] expected = [.. Enumerable.Range(0, 300_000).Select(i => (byte)(i * 7))];
        var (done, sizes) = (0, new[] { 1, 400, 65_536, 3, 200_000 });
        foreach (var size in sizes)
        {
            expected.AsSpan(done, size).CopyTo(_output.GetSpan(size));
            _output.Advance(size);
            done += size;
        }

        Assert.Equal(done, _output.UnflushedBytes);
        Assert.Equal(0, _client.Available);
        var flushing = _output.FlushAsync();
        Assert.Equal(expected[..done], await ReceiveAsync(done));
        Assert.False((await flushing).IsCompleted);
        Assert.Equal(0, _output.UnflushedBytes);

        await _output.WriteAsync(expected.AsMemory(done));
        Assert.Equal(expected[done..], await ReceiveAsync(expected.Length - done));
        Assert.Equal(0, _client.Available);
    }

    [Fact]
    public async Task A_flush_waits_for_a_slow_client()
    {
        var flushing = FlushAsync(16_000_000);
        Assert.False(flushing.IsCompleted);
        Assert.All(await ReceiveAsync(16_000_000), value => Assert.Equal(1, value));
        Assert.False((await flushing).IsCompleted);
    }

    [Fact]
    public async Task A_client_that_is_gone_ends_the_connection_without_an_exception()
    {
        var flushing = FlushAsync(16_000_000);
        _client.Dispose();
        Assert.True((await flushing).IsCompleted);
        await WaitUntilClosedAsync();

        // Later writes go nowhere.
        Assert.True((await FlushAsync(10)).IsCompleted);
    }

    [Fact]
    public async Task Cancelling_a_flush_aborts_the_connection()
    {
        using var cancellation = new CancellationTokenSource();
        using var closing = _connection.ConnectionClosed.Register(_server.Dispose);
        var flushing = FlushAsync(16_000_000, cancellation.Token);
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => flushing);
        await WaitUntilClosedAsync();
    }

    [Fact]
    public async Task A_connection_with_nothing_to_send_holds_no_memory()
    {
        await FlushAsync(10);
        Assert.Equal((1, 0), (_pool.Rented, _pool.Held));

        _output.GetMemory(10);
        Assert.Equal(1, _pool.Held);
        await _output.CompleteAsync();
        Assert.Equal(0, _pool.Held);
        Assert.True((await _pipe.Reader.ReadAsync()).IsCompleted);
    }

    private Task<FlushResult> FlushAsync(int count, CancellationToken cancellationToken = default)
    {
        _output.GetSpan(count)[..count].Fill(1);
        _output.Advance(count);
        return _output.FlushAsync(cancellationToken).AsTask();
    }

    /// <summary>Waits for the end of the connection, which another thread signals.</summary>
    private async Task WaitUntilClosedAsync()
    {
        var closed = new TaskCompletionSource();
        await using var closing = _connection.ConnectionClosed.Register(closed.SetResult);
        await closed.Task;
    }

    private async Task<byte[]> ReceiveAsync(int count)
    {
        var bytes = new byte[count];
        for (var done = 0; done < count;)
        {
            done += await _client.ReceiveAsync(bytes.AsMemory(done));
        }

        return bytes;
    }

    /// <summary>Blocks of 4 KiB, counted.</summary>
    private sealed class CountedPool : MemoryPool<byte>
    {
        public int Rented { get; private set; }

        public int Held { get; private set; }

        public override int MaxBufferSize => 4096;

        public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
        {
            Rented++;
            Held++;
            return new Block(this);
        }

        protected override void Dispose(bool disposing)
        {
        }

        private sealed class Block(CountedPool pool) : IMemoryOwner<byte>
        {
            public Memory<byte> Memory { get; } = new byte[4096];

            public void Dispose() => pool.Held--;
        }
    }
}
