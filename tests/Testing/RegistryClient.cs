using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Granary.Protocol;

namespace Granary.Testing;

/// <summary>A registry client for tests: single requests, and the sequences that many tests need.</summary>
public sealed class RegistryClient(Uri address) : IDisposable
{
    private readonly HttpClient _http = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        MaxConnectionsPerServer = 256,
        Expect100ContinueTimeout = Timeout.InfiniteTimeSpan,
    })
    {
        BaseAddress = address,
        Timeout = TimeSpan.FromSeconds(100),
    };

    /// <summary>The token of the administration. Requests to it carry the token unless the test sets the header.</summary>
    public string? AdminToken { get; init; }

    /// <summary>The header line with the token, for raw requests.</summary>
    public string AdminHeader => $"Authorization: Bearer {AdminToken}\r\n";

    public static Digest DigestOf(byte[] content, DigestAlgorithm algorithm = DigestAlgorithm.Sha256) => Digest.Compute(algorithm, content);

    public static byte[] RandomBytes(int count)
    {
        var bytes = new byte[count];
        Random.Shared.NextBytes(bytes);
        return bytes;
    }

    public void Dispose() => _http.Dispose();

    public async Task<HttpResponseMessage> SendAsync(
        string method,
        string path,
        HttpContent? body = null,
        params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path) { Content = body };
        if (AdminToken is not null
            && path.StartsWith("/granary/", StringComparison.Ordinal)
            && !headers.Any(header => header.Name == "Authorization"))
        {
            request.Headers.Add("Authorization", "Bearer " + AdminToken);
        }

        foreach (var (name, value) in headers)
        {
            if (!request.Headers.TryAddWithoutValidation(name, value))
            {
                request.Content ??= new ByteArrayContent([]);
                request.Content.Headers.TryAddWithoutValidation(name, value);
            }
        }

        return await _http.SendAsync(request);
    }

    public Task<HttpResponseMessage> SendAsync(string method, string path, byte[] body, params (string Name, string Value)[] headers) =>
        SendAsync(method, path, new ByteArrayContent(body), headers);

    /// <summary>Sends raw bytes that no client library would send, and reads until the server closes the connection.</summary>
    public async Task<string> SendRawAsync(string request)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(address.Host, address.Port);
        await using var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.Latin1.GetBytes(request));
        using var reader = new StreamReader(stream, Encoding.Latin1);
        return await reader.ReadToEndAsync();
    }

    /// <summary>Sends a part of a request, waits, and ends its direction. Returns when the server closes the connection.</summary>
    public async Task SendPartAsync(string head, byte[] body, Func<Task> beforeTheEnd)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(address.Host, address.Port);
        await using var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.Latin1.GetBytes(head));
        await stream.WriteAsync(body);
        await beforeTheEnd();
        socket.Client.Shutdown(SocketShutdown.Send);
        try
        {
            await stream.CopyToAsync(Stream.Null);
        }
        catch (IOException)
        {
            // The server closed the connection before it read all bytes, which resets it.
        }
    }

    /// <summary>Sends a raw request line, so that no client normalizes the path.</summary>
    public Task<string> SendRawAsync(string method, string target) =>
        SendRawAsync($"{method} {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");

    /// <summary>Starts an upload and returns its location.</summary>
    public async Task<string> StartUploadAsync(string repository, string query = "")
    {
        using var answer = await SendAsync("POST", $"/v2/{repository}/blobs/uploads/{query}");
        Expect(HttpStatusCode.Accepted, answer);
        return answer.Headers.Location!.OriginalString;
    }

    /// <summary>Pushes a blob with one POST and one PUT.</summary>
    public async Task<Digest> PushBlobAsync(string repository, byte[] content, DigestAlgorithm algorithm = DigestAlgorithm.Sha256)
    {
        var digest = DigestOf(content, algorithm);
        var location = await StartUploadAsync(repository);
        using var answer = await SendAsync("PUT", $"{location}?digest={digest}", content);
        Expect(HttpStatusCode.Created, answer);
        return digest;
    }

    public Task<HttpResponseMessage> PushManifestAsync(
        string repository,
        string reference,
        byte[] manifest,
        string mediaType = MediaTypes.OciManifest,
        params (string Name, string Value)[] headers) =>
        SendAsync("PUT", $"/v2/{repository}/manifests/{reference}", manifest, [("Content-Type", mediaType), .. headers]);

    /// <summary>Pushes an image with one small layer. Returns its manifest.</summary>
    public async Task<(Digest Digest, byte[] Manifest)> PushImageAsync(string repository, string tag, int layerSize = 100)
    {
        var (config, layer) = (RandomBytes(50), RandomBytes(layerSize));
        await PushBlobAsync(repository, config);
        await PushBlobAsync(repository, layer);
        var manifest = Manifests.Image(config, [layer]);
        using var answer = await PushManifestAsync(repository, tag, manifest);
        Expect(HttpStatusCode.Created, answer);
        return (DigestOf(manifest), manifest);
    }

    public async Task<byte[]> GetBytesAsync(string path)
    {
        using var answer = await SendAsync("GET", path);
        Expect(HttpStatusCode.OK, answer);
        return await answer.Content.ReadAsByteArrayAsync();
    }

    public async Task<JsonNode> GetJsonAsync(string path) => JsonNode.Parse(await GetBytesAsync(path))!;

    /// <summary>Reads the codes of an error response.</summary>
    public static async Task<string[]> ErrorCodesAsync(HttpResponseMessage answer)
    {
        using var document = JsonDocument.Parse(await answer.Content.ReadAsByteArrayAsync());
        return [.. document.RootElement.GetProperty("errors").EnumerateArray().Select(error => error.GetProperty("code").GetString()!)];
    }

    private static void Expect(HttpStatusCode status, HttpResponseMessage answer)
    {
        if (answer.StatusCode != status)
        {
            var request = answer.RequestMessage;
            throw new InvalidOperationException(
                $"{request?.Method} {request?.RequestUri}: {(int)answer.StatusCode}, not {(int)status}.");
        }
    }
}
