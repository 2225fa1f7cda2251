using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace Granary.ParallelPulls;

/// <summary>The layer that is pushed once and pulled many times.</summary>
internal static class Layer
{
    private const int Block = 1024 * 1024;

    /// <summary>Pushes a layer of a size. Returns its path.</summary>
    public static async Task<string> PushAsync(Uri server, long size)
    {
        using var client = new HttpClient { BaseAddress = server, Timeout = Timeout.InfiniteTimeSpan };
        using var start = await client.PostAsync(new Uri("/v2/bench/layer/blobs/uploads/", UriKind.Relative), content: null);
        using var content = new RandomContent(size);
        using var patch = await client.PatchAsync(start.Headers.Location, content);
        patch.EnsureSuccessStatusCode();
        var location = patch.Headers.Location!.OriginalString;
        var digest = $"sha256:{Convert.ToHexStringLower(content.Hash)}";
        var query = location.Contains('?', StringComparison.Ordinal) ? '&' : '?';
        using var put = await client.PutAsync(new Uri($"{location}{query}digest={digest}", UriKind.RelativeOrAbsolute), content: null);
        put.EnsureSuccessStatusCode();
        return $"/v2/bench/layer/blobs/{digest}";
    }

    /// <summary>Pulls the layer over a new connection. Returns how many of its bytes arrived.</summary>
    public static long Pull(Uri server, string path, long size)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Connect(server.Host, server.Port);
        socket.Send(Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: {server.Authority}\r\nConnection: close\r\n\r\n"));
        var buffer = new byte[Block];
        var (received, head) = (0L, -1);
        try
        {
            for (int count; (count = socket.Receive(buffer)) > 0; received += count)
            {
                if (head < 0)
                {
                    head = buffer.AsSpan(0, count).IndexOf("\r\n\r\n"u8) + 4;
                }
            }
        }
        catch (SocketException)
        {
            // The server has reset the connection. The bytes that arrived count.
        }

        return Math.Min(received - Math.Max(head, 0), size);
    }

    /// <summary>Random bytes, which no file system compresses, hashed while they are sent.</summary>
    private sealed class RandomContent(long size) : HttpContent
    {
        public byte[] Hash { get; private set; } = [];

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var block = RandomNumberGenerator.GetBytes(Block);
            for (long done = 0; done < size; done += Block)
            {
                BitConverter.TryWriteBytes(block, done);
                hash.AppendData(block);
                await stream.WriteAsync(block);
            }

            Hash = hash.GetHashAndReset();
        }

        protected override bool TryComputeLength(out long length)
        {
            length = size;
            return true;
        }
    }
}
