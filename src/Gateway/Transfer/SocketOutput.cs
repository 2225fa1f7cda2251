using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Granary.Gateway.Transfer;

/// <summary>
/// Takes the place of a connection's output pipe: a flush gives the bytes to the socket on the thread that has them, where the pipe would hand them to a loop that sends, and wait for it. What is
/// not flushed lies in one piece of memory, and a connection that has nothing to send holds none.
/// </summary>
/// <param name="connection">The connection, aborted when it cannot be written to.</param>
/// <param name="socket">Its socket.</param>
/// <param name="pipe">The pipe: its end is still the connection's.</param>
/// <param name="blocks">Memory for what fits into one of them, as nearly everything does.</param>
internal sealed class SocketOutput(ConnectionContext connection, Socket socket, PipeWriter pipe, MemoryPool<byte> blocks) : PipeWriter
{
    private IMemoryOwner<byte>? _memory;
    private int _count;
    private bool _isBroken;

    /// <inheritdoc/>
    public override bool CanGetUnflushedBytes => true;

    /// <inheritdoc/>
    public override long UnflushedBytes => _count;

    /// <inheritdoc/>
    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        var needed = _count + Math.Max(sizeHint, 1);
        if (_memory is null || _memory.Memory.Length < needed)
        {
            var larger = needed <= blocks.MaxBufferSize ? blocks.Rent(needed) : MemoryPool<byte>.Shared.Rent(needed);
            _memory?.Memory[.._count].CopyTo(larger.Memory);
            _memory?.Dispose();
            _memory = larger;
        }

        return _memory.Memory[_count..];
    }

    /// <inheritdoc/>
    public override Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    /// <inheritdoc/>
    public override void Advance(int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)bytes, (uint)((_memory?.Memory.Length ?? 0) - _count), nameof(bytes));
        _count += bytes;
    }

    /// <summary>Sends what was written. As with a pipe that nobody reads any more, a connection that is gone is no error: the answer says that it is completed.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        // Half an answer cannot be taken back: whoever does not want to wait for the rest gives up the connection.
        using var giveUp = cancellationToken.UnsafeRegister(static state => ((ConnectionContext)state!).Abort(), connection);
        try
        {
            for (var sent = 0; sent < _count && !_isBroken;)
            {
                sent += await socket.SendAsync(_memory!.Memory[sent.._count], SocketFlags.None, CancellationToken.None);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            _isBroken = true;
            connection.Abort(new ConnectionAbortedException("The connection cannot be written to.", e));
        }

        Release();
        cancellationToken.ThrowIfCancellationRequested();
        return new FlushResult(isCanceled: false, isCompleted: _isBroken);
    }

    /// <summary>Nothing in here or above waits for a flush that it would take back.</summary>
    public override void CancelPendingFlush()
    {
    }

    /// <inheritdoc/>
    public override void Complete(Exception? exception = null)
    {
        Release();
        pipe.Complete(exception);
    }

    private void Release()
    {
        _memory?.Dispose();
        (_memory, _count) = (null, 0);
    }
}

/// <summary>Gives connections a <see cref="SocketOutput"/>.</summary>
internal static class SocketOutputExtensions
{
    /// <summary>Lets what is written to the endpoint's connections, encrypted or not, go to their sockets directly.</summary>
    public static void UseSocketOutput(this ListenOptions options)
    {
        var blocks = options.ApplicationServices.GetRequiredService<IMemoryPoolFactory<byte>>().Create();
        options.Use(next => async connection =>
        {
            if (connection.Features.Get<IConnectionSocketFeature>()?.Socket is not { } socket)
            {
                await next(connection);
                return;
            }

            var pipes = connection.Transport;
            connection.Transport = new Pipes(pipes.Input, new SocketOutput(connection, socket, pipes.Output, blocks));
            try
            {
                await next(connection);
            }
            finally
            {
                connection.Transport = pipes;
            }
        });
    }

    private sealed record Pipes(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
