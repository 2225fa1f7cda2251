using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Granary.Gateway.Transfer;

/// <summary>
/// Takes the place of a connection's output pipe: a flush gives the bytes to the socket on the thread that has them, where the pipe would hand them to a loop that sends, and wait for it. What is
/// not flushed lies in one piece of memory, and a connection that has nothing to send holds none.
/// <para>
/// A client that takes nothing for the idle timeout while a flush waits is given up. What it takes is measured by what its end of the
/// connection
/// has acknowledged: one flush of 512 KiB takes minutes at 1 KB/s, and the system wakes a sender only when much of its buffer is free.
/// </para>
/// </summary>
/// <param name="connection">The connection, aborted when it cannot be written to.</param>
/// <param name="socket">Its socket.</param>
/// <param name="pipe">The pipe: its end is still the connection's.</param>
/// <param name="blocks">Memory for what fits into one of them, as nearly everything does.</param>
/// <param name="idleTimeout">How long the client may take nothing while a flush waits for it.</param>
/// <param name="time">Measures that.</param>
internal sealed class SocketOutput(
    ConnectionContext connection,
    Socket socket,
    PipeWriter pipe,
    MemoryPool<byte> blocks,
    TimeSpan idleTimeout,
    TimeProvider time) : PipeWriter
{
    // TCP_INFO of Linux (tcp(7), linux/tcp.h): the member tcpi_bytes_acked.
    private const int LevelTcp = 6;
    private const int OptionTcpInfo = 11;
    private const int BytesAcknowledged = 120;

    // Where the system does not say what was acknowledged, finished sends do; in pieces, so that a slow client finishes some.
    private const int Piece = 64 * 1024;

    // A client is given up between one and one and a quarter idle timeouts after it has taken something.
    private const int ChecksPerTimeout = 4;

    private IMemoryOwner<byte>? _memory;
    private int _count;
    private long _finished;

    // Set while a flush waits. Only the timer's callback reads the two below it meanwhile.
    private volatile bool _isWaiting;
    private long _taken;
    private long _takenAt;
    private ITimer? _timer;

    /// <inheritdoc/>
    public override bool CanGetUnflushedBytes => true;

    /// <inheritdoc/>
    public override long UnflushedBytes => _count;

    /// <summary>Whether the connection has failed, or was given up, while something was sent.</summary>
    public bool IsBroken { get; private set; }

    /// <summary>Who broke it; <see cref="BreakOff.None"/> if the server closed its end for another reason.</summary>
    public BreakOff BrokenBy { get; private set; }

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
            for (var sent = 0; sent < _count && !IsBroken;)
            {
                var end = OperatingSystem.IsLinux() ? _count : Math.Min(_count, sent + Piece);
                var sending = socket.SendAsync(_memory!.Memory[sent..end], SocketFlags.None, CancellationToken.None);
                if (!sending.IsCompleted)
                {
                    BeginWait();
                }

                var count = await sending;
                sent += count;
                _finished += count;
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            IsBroken = true;
            var isLocal = e is not SocketException { SocketErrorCode: not (SocketError.OperationAborted or SocketError.Interrupted) };
            if (BrokenBy == BreakOff.None && !isLocal)
            {
                BrokenBy = BreakOff.Client;
            }

            connection.Abort(new ConnectionAbortedException("The connection cannot be written to.", e));
        }
        finally
        {
            EndWait();
        }

        Release();
        cancellationToken.ThrowIfCancellationRequested();
        return new FlushResult(isCanceled: false, isCompleted: IsBroken);
    }

    /// <summary>Nothing in here or above waits for a flush that it would take back.</summary>
    public override void CancelPendingFlush()
    {
    }

    /// <inheritdoc/>
    public override void Complete(Exception? exception = null)
    {
        _isWaiting = false;
        _timer?.Dispose();
        Release();
        pipe.Complete(exception);
    }

    /// <summary>How many bytes the client has taken, since the connection began.</summary>
    public long Taken()
    {
        if (!OperatingSystem.IsLinux())
        {
            return _finished;
        }

        Span<byte> info = stackalloc byte[BytesAcknowledged + sizeof(long)];
        try
        {
            return socket.GetRawSocketOption(LevelTcp, OptionTcpInfo, info) == info.Length
                ? BitConverter.ToInt64(info[BytesAcknowledged..])
                : _finished;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return _finished;
        }
    }

    private void BeginWait()
    {
        (_taken, _takenAt) = (Taken(), time.GetTimestamp());
        _isWaiting = true;
        var interval = idleTimeout / ChecksPerTimeout;
        _timer ??= time.CreateTimer(
            static state => ((SocketOutput)state!).Check(),
            this,
            Timeout.InfiniteTimeSpan,
            Timeout.InfiniteTimeSpan);
        _timer.Change(interval, interval);
    }

    private void EndWait()
    {
        if (_isWaiting)
        {
            _isWaiting = false;
            _timer!.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    private void Check()
    {
        if (!_isWaiting)
        {
            return;
        }

        var taken = Taken();
        if (taken != _taken)
        {
            (_taken, _takenAt) = (taken, time.GetTimestamp());
        }
        else if (time.GetElapsedTime(_takenAt) >= idleTimeout)
        {
            GiveUp();
        }
    }

    private void GiveUp()
    {
        BrokenBy = BreakOff.IdleReader;
        try
        {
            // A reset. Closed in peace, the system would keep what is unsent, and offer it to the client for minutes.
            socket.LingerState = new LingerOption(enable: true, seconds: 0);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The connection has ended by itself.
        }

        connection.Abort(new ConnectionAbortedException($"The client took nothing of the answer for {idleTimeout}."));
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
        var services = options.ApplicationServices;
        var blocks = services.GetRequiredService<IMemoryPoolFactory<byte>>().Create();
        var idleTimeout = services.GetRequiredService<IOptions<DownloadOptions>>().Value.IdleTimeout;
        var time = services.GetRequiredService<TimeProvider>();
        options.Use(next => async connection =>
        {
            if (connection.Features.Get<IConnectionSocketFeature>()?.Socket is not { } socket)
            {
                await next(connection);
                return;
            }

            var pipes = connection.Transport;
            var output = new SocketOutput(connection, socket, pipes.Output, blocks, idleTimeout, time);
            connection.Features.Set(output);
            connection.Transport = new Pipes(pipes.Input, output);
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
