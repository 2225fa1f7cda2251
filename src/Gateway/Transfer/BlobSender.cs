using System.Globalization;
using System.IO.Pipelines;
using System.Security.Cryptography;
using System.Text;
using Granary.Protocol;
using Granary.Storage;
using Granary.Storage.Blobs;
using Microsoft.AspNetCore.Http;

namespace Granary.Gateway.Transfer;

/// <summary>Streams an object, or ranges of it, into an answer. The store reads into the connection's memory, without a copy.</summary>
internal static class BlobSender
{
    // The size of one read and one send. For each GB, 512 KiB cost half the CPU of 64 KiB, and 0.9 of that of 256 KiB. Each download holds
    // one block.
    private const int BlockSize = AnswerBody.MaxFlush;

    /// <summary>Sends the whole object with the status that is set.</summary>
    public static Task SendAsync(HttpContext http, IBlobReader source)
    {
        http.Response.ContentLength = source.Length;
        return CopyAsync(http, source, new ByteRange(0, source.Length), isWholeBody: true);
    }

    /// <summary>Sends one range (RFC 9110, section 15.3.7.1).</summary>
    public static Task SendRangeAsync(HttpContext http, IBlobReader source, ByteRange range)
    {
        http.Response.StatusCode = StatusCodes.Status206PartialContent;
        http.Response.Headers.ContentRange = ContentRange(range, source.Length);
        http.Response.ContentLength = range.Length;
        return CopyAsync(http, source, range, isWholeBody: true);
    }

    /// <summary>
    /// Sends several ranges (RFC 9110, section 15.3.7.2). Clients that pull parts of a layer ask for them; an answer with the whole layer
    /// would make them download all of it.
    /// </summary>
    public static async Task SendRangesAsync(HttpContext http, IBlobReader source, IReadOnlyList<ByteRange> ranges)
    {
        var boundary = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        var partType = http.Response.ContentType;
        var headers = ranges
            .Select((range, i) => Encoding.ASCII.GetBytes(
                $"{(i == 0 ? "" : "\r\n")}--{boundary}\r\n"
                + $"Content-Type: {partType}\r\nContent-Range: {ContentRange(range, source.Length)}\r\n\r\n"))
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

    /// <summary>Returns the value of <c>Content-Range</c> for a range.</summary>
    private static string ContentRange(ByteRange range, long size) =>
        string.Create(CultureInfo.InvariantCulture, $"bytes {range.Offset}-{range.Last}/{size}");

    private static async Task CopyAsync(HttpContext http, IBlobReader source, ByteRange range, bool isWholeBody)
    {
        // Before the answer starts, the web server lends memory of its own and copies it later. That copy was 6 % of the CPU of downloads.
        await http.Response.StartAsync(http.RequestAborted);
        source.Expect(range);
        PipeWriter writer = http.Response.BodyWriter;
        for (long done = 0; done < range.Length;)
        {
            // Asks for no more than is needed: a small range then shares the block of the connection that holds the headers.
            var memory = writer.GetMemory((int)Math.Min(BlockSize, range.Length - done));
            var wanted = (int)Math.Min(Math.Min(memory.Length, BlockSize), range.Length - done);
            var count = await source.ReadAsync(range.Offset + done, memory[..wanted], http.RequestAborted);
            if (count == 0)
            {
                throw new StorageException(
                    StorageFault.Damaged,
                    $"The object ends after {range.Offset + done} bytes, before its recorded end.");
            }

            writer.Advance(count);
            done += count;
            if (isWholeBody && count == range.Length)
            {
                // The block is the whole body: it leaves in one send with the end of the answer.
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
                // From the page cache to a fast client nothing here ever waits. Without the yield a download keeps its thread to the end of
                // the layer, and as many downloads as there are threads block every other request for seconds. The yield costs nothing
                // that can be measured.
                await Task.Yield();
            }
        }
    }
}
