using System.Globalization;
using System.IO.Pipelines;
using System.Security.Cryptography;
using System.Text;
using Granary.Protocol;
using Granary.Storage;
using Granary.Storage.Blobs;
using Microsoft.AspNetCore.Http;

namespace Granary.Gateway.Transfer;

/// <summary>Streams an object, or pieces of it, into an answer. Bytes are read into the connection's own memory.</summary>
internal static class BlobSender
{
    // One read and one send, with room for the headers before the first: 512 KiB cost half the CPU of 64 KiB for each GB, and 0.9 of that of 256 KiB. Each download holds one of them.
    private const int BlockSize = AnswerBody.MaxFlush;

    /// <summary>Sends the whole, with the status that is set.</summary>
    public static Task SendAsync(HttpContext http, IBlobReader source)
    {
        http.Response.ContentLength = source.Length;
        return CopyAsync(http, source, new ByteRange(0, source.Length), isWholeBody: true);
    }

    /// <summary>Sends one piece (RFC 9110, section 15.3.7.1).</summary>
    public static Task SendRangeAsync(HttpContext http, IBlobReader source, ByteRange range)
    {
        http.Response.StatusCode = StatusCodes.Status206PartialContent;
        http.Response.Headers.ContentRange = ContentRange(range, source.Length);
        http.Response.ContentLength = range.Length;
        return CopyAsync(http, source, range, isWholeBody: true);
    }

    /// <summary>
    /// Sends several pieces (RFC 9110, section 15.3.7.2). Clients that pull parts of a layer ask like this; whoever answers with everything makes them download it all.
    /// </summary>
    public static async Task SendRangesAsync(HttpContext http, IBlobReader source, IReadOnlyList<ByteRange> ranges)
    {
        var boundary = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        var partType = http.Response.ContentType;
        var headers = ranges
            .Select((range, i) => Encoding.ASCII.GetBytes(
                $"{(i == 0 ? "" : "\r\n")}--{boundary}\r\nContent-Type: {partType}\r\nContent-Range: {ContentRange(range, source.Length)}\r\n\r\n"))
            .ToArray();
        var end = Encoding.ASCII.GetBytes($"\r\n--{boundary}--\r\n");

        http.Response.StatusCode = StatusCodes.Status206PartialContent;
        http.Response.ContentType = $"multipart/byteranges; boundary={boundary}";
        http.Response.ContentLength = headers.Sum(header => (long)header.Length) + ranges.Sum(range => range.Length) + end.Length;
        for (var i = 0; i < ranges.Count; i++)
        {
            await AnswerBody.SendAsync(http, headers[i]);
            await CopyAsync(http, source, ranges[i], isWholeBody: false);
        }

        await AnswerBody.SendAsync(http, end);
    }

    /// <summary>The header of a piece.</summary>
    private static string ContentRange(ByteRange range, long size) =>
        string.Create(CultureInfo.InvariantCulture, $"bytes {range.Offset}-{range.Last}/{size}");

    private static async Task CopyAsync(HttpContext http, IBlobReader source, ByteRange range, bool isWholeBody)
    {
        // Until the headers are where the bytes will be, the server would lend other memory, and copy all of it when the answer begins.
        await http.Response.StartAsync(http.RequestAborted);
        PipeWriter writer = http.Response.BodyWriter;
        for (long done = 0; done < range.Length;)
        {
            // No more than is needed: what fits goes into the block of the connection that holds the headers already.
            var memory = writer.GetMemory((int)Math.Min(BlockSize, range.Length - done));
            var wanted = (int)Math.Min(Math.Min(memory.Length, BlockSize), range.Length - done);
            var count = await source.ReadAsync(range.Offset + done, memory[..wanted], http.RequestAborted);
            if (count == 0)
            {
                throw new StorageException(StorageFault.Damaged, $"The object ends after {range.Offset + done} bytes, before its recorded end.");
            }

            writer.Advance(count);
            done += count;
            if (isWholeBody && count == range.Length)
            {
                // One block is the whole body: it leaves together with the end of the answer.
                await AnswerBody.CompleteAsync(http, count);
                return;
            }

            var flushing = AnswerBody.FlushAsync(http, writer, count);
            var isAtOnce = flushing.IsCompleted;
            if (!await flushing)
            {
                // The client is gone.
                return;
            }

            if (isAtOnce)
            {
                // From the page cache to a fast client nothing here ever waits. Without the yield a download keeps its thread to the end
                // of the layer; as
                // many downloads as there are threads keep out every other request, for seconds. It costs nothing that can be measured.
                await Task.Yield();
            }
        }
    }
}
