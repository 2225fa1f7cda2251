using System.Net.Sockets;
using System.Text;

namespace Granary.Conformance.Tests;

/// <summary>Answers that leave before the body was read. The server reads a bounded part of the body after them.</summary>
public sealed class EarlyAnswerTests(RegistryFixture fixture) : RegistryTest(fixture)
{
    // The most that the server drops, and the buffers of the system at both ends of a connection.
    private const long Bound = 40_000_000;

    [Theory]
    [InlineData("PUT", "/v2/test/early/manifests/latest", 413)]
    [InlineData("PATCH", "/v2/test/early/blobs/uploads/nothing", 404)]
    [InlineData("PUT", "/v2/test/early/tags/list", 405)]
    [InlineData("POST", "/v2/", 405)]
    [InlineData("POST", "/healthz", 405)]
    [InlineData("POST", "/granary/v1/explain", 403)]
    [InlineData("PUT", "/nothing/here", 404)]
    public async Task A_body_without_end_gets_its_answer_and_is_read_up_to_a_bound(string method, string path, int status)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(Address.Host, Address.Port);
        await using var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"{method} {path} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"));
        var sending = SendAsync(stream);

        var answer = await ReadAsync(stream);

        Assert.StartsWith($"HTTP/1.1 {status} ", answer, StringComparison.Ordinal);
        Assert.Contains("Connection: close\r\n", answer, StringComparison.Ordinal);
        Assert.InRange(await sending, 0, Bound);
    }

    [Fact]
    public async Task A_short_body_that_the_answer_does_not_need_keeps_the_connection()
    {
        var answer = await Client.SendRawAsync(
            "PUT /nothing HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nabcde"
            + "PUT /nothing HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            + "GET /v2/ HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");

        Assert.Equal(2, answer.Split("HTTP/1.1 404 ").Length - 1);
        Assert.Contains("HTTP/1.1 200 ", answer, StringComparison.Ordinal);
        Assert.Single(answer.Split("Connection: close").Skip(1));
    }

    [Fact]
    public async Task A_client_that_asks_before_it_sends_is_not_told_to_go_on()
    {
        var asking = Client.SendRawAsync("PUT /nothing HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n");

        var answer = await asking;

        Assert.StartsWith("HTTP/1.1 404 ", answer, StringComparison.Ordinal);
        Assert.Contains("Connection: close\r\n", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("100 Continue", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_that_sends_twice_the_largest_manifest_before_it_reads_finds_its_413()
    {
        using var client = new TcpClient();
        await client.ConnectAsync(Address.Host, Address.Port);
        await using var stream = client.GetStream();
        var body = new byte[2 * Manifest.MaxSize];
        var head = $"PUT /v2/test/early/manifests/latest HTTP/1.1\r\nHost: test\r\nContent-Length: {body.Length}\r\n\r\n";
        await stream.WriteAsync(Encoding.ASCII.GetBytes(head));
        await stream.WriteAsync(body);

        Assert.StartsWith("HTTP/1.1 413 ", await ReadAsync(stream), StringComparison.Ordinal);
    }

    /// <summary>Sends chunks as fast as the server takes them. Returns the number of bytes sent until the server ends it.</summary>
    private static async Task<long> SendAsync(NetworkStream stream)
    {
        byte[] chunk = [.. "10000\r\n"u8, .. new byte[65536], .. "\r\n"u8];
        var sent = 0L;
        try
        {
            for (; sent < 8 * Bound; sent += chunk.Length)
            {
                await stream.WriteAsync(chunk);
            }
        }
        catch (IOException)
        {
            // The server has closed the connection.
        }

        return sent;
    }

    /// <summary>Reads until the server ends the connection.</summary>
    private static async Task<string> ReadAsync(NetworkStream stream)
    {
        var answer = new MemoryStream();
        try
        {
            await stream.CopyToAsync(answer);
        }
        catch (IOException)
        {
            // A reset, after the answer.
        }

        return Encoding.Latin1.GetString(answer.ToArray());
    }
}
