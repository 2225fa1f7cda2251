using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Granary.Gateway.Transfer.Transport;
using Microsoft.AspNetCore.Http;

namespace Granary.Gateway.Transfer;

/// <summary>
/// Sends and counts the bytes of an answer's body, and gives up a client that takes none of them. Every answer with a body uses it.
/// </summary>
public static class AnswerBody
{
    /// <summary>The most bytes of one flush: a block of the connection without the room that its headers need.</summary>
    internal const int MaxFlush = BlockPool.LargeBlockSize - 1024;

    /// <summary>Sends a body that is in memory. The answer to HEAD has none.</summary>
    public static async Task SendAsync(HttpContext http, ReadOnlyMemory<byte> bytes)
    {
        if (http.Request.Method == "HEAD")
        {
            return;
        }

        for (var done = 0; done < bytes.Length; done += MaxFlush)
        {
            await SendPieceAsync(http, bytes.Slice(done, Math.Min(MaxFlush, bytes.Length - done)));
        }
    }

    /// <summary>Sends the bytes that were written to the answer's pipe. Returns false if the client is gone.</summary>
    /// <param name="http">The exchange.</param>
    /// <param name="writer">The answer's pipe.</param>
    /// <param name="count">The number of bytes written since the last flush.</param>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    internal static async ValueTask<bool> FlushAsync(HttpContext http, PipeWriter writer, int count)
    {
        var traffic = RequestTraffic.Of(http);
        var flushing = writer.FlushAsync(http.RequestAborted);
        FlushResult result;
        if (flushing.IsCompleted || traffic is null)
        {
            result = await flushing;
        }
        else
        {
            using var watch = Http2IdleWatch.Start(http, traffic, count);
            result = await flushing;
        }

        if (result.IsCompleted)
        {
            traffic?.MarkCut();
            return false;
        }

        traffic?.AddSent(http, count);
        return true;
    }

    /// <summary>Ends an answer whose last bytes are in its pipe: they leave in one send with the end.</summary>
    internal static async Task CompleteAsync(HttpContext http, int count)
    {
        var traffic = RequestTraffic.Of(http);
        var completing = http.Response.CompleteAsync();
        if (completing.IsCompleted || traffic is null)
        {
            await completing;
        }
        else
        {
            using var watch = Http2IdleWatch.Start(http, traffic, count);
            await completing;
        }

        traffic?.AddSent(http, count);
    }

    private static async Task SendPieceAsync(HttpContext http, ReadOnlyMemory<byte> bytes)
    {
        var traffic = RequestTraffic.Of(http);
        var writing = http.Response.Body.WriteAsync(bytes, http.RequestAborted);
        if (writing.IsCompleted || traffic is null)
        {
            await writing;
        }
        else
        {
            using var watch = Http2IdleWatch.Start(http, traffic, bytes.Length);
            await writing;
        }

        traffic?.AddSent(http, bytes.Length);
    }
}
