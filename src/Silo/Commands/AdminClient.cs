using System.Net.Http.Headers;
using System.Text.Json;
using Granary.Gateway.Admin;
using Granary.Grains.Interfaces.Operations;

namespace Granary.Silo.Commands;

/// <summary>
/// Speaks to a server's administration, and waits for its answers: a command has nothing else to do, and what would let it do something else is compiled anew at each start.
/// </summary>
internal sealed class AdminClient : IDisposable
{
    public const string DefaultServer = "http://127.0.0.1:5000";

    private static readonly MediaTypeHeaderValue Json = new("application/json");

    private readonly HttpClient _http;

    // A command lives for a moment, and most of what a client can do would only be set up for it: traces, cookies, proxies.
    private readonly SocketsHttpHandler _handler = new() { UseProxy = false, UseCookies = false, AllowAutoRedirect = false, ActivityHeadersPropagator = null };

    /// <exception cref="CommandException">The address is none.</exception>
    public AdminClient(string server)
    {
        if (!Uri.TryCreate(server, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https"))
        {
            throw new CommandException($"--server: '{server}' is not an address, such as {DefaultServer}.");
        }

        if (address is { IsLoopback: true, Scheme: "https" })
        {
            AcceptAnyCertificate(_handler);
        }

        _http = new HttpClient(_handler) { BaseAddress = new Uri(address, "/granary/v1/"), Timeout = TimeSpan.FromSeconds(100) };
    }

    public OperationStatus Start(StartRequest request, CancellationToken cancellationToken)
    {
        using var content = new ReadOnlyMemoryContent(OperationJson.Of(request)) { Headers = { ContentType = Json } };
        return Send(HttpMethod.Post, "operations", content, OperationJson.ReadOperation, cancellationToken);
    }

    public OperationStatus Find(string id, CancellationToken cancellationToken) =>
        Send(HttpMethod.Get, $"operations/{Uri.EscapeDataString(id)}", content: null, OperationJson.ReadOperation, cancellationToken);

    public OperationStatus Cancel(string id, CancellationToken cancellationToken) =>
        Send(HttpMethod.Delete, $"operations/{Uri.EscapeDataString(id)}", content: null, OperationJson.ReadOperation, cancellationToken);

    /// <summary>The newest ones, the newest first.</summary>
    public IReadOnlyList<OperationStatus> List(OperationKind? kind, int limit, CancellationToken cancellationToken) => Send(
        HttpMethod.Get,
        kind is null ? $"operations?limit={limit}" : $"operations?kind={kind}&limit={limit}",
        content: null,
        OperationJson.ReadOperations,
        cancellationToken);

    public JsonElement Explain(string repository, string digest, CancellationToken cancellationToken) => Send(
        HttpMethod.Get,
        $"explain?repository={Uri.EscapeDataString(repository)}&digest={Uri.EscapeDataString(digest)}",
        content: null,
        document => JsonElement.Parse(document.Span),
        cancellationToken);

    public void Dispose()
    {
        _http.Dispose();
        _handler.Dispose();
    }

    /// <summary>The certificate is for the name that others use, and nobody is in between.</summary>
    private static void AcceptAnyCertificate(SocketsHttpHandler handler)
    {
#pragma warning disable CA5359, MA0039
        handler.SslOptions.RemoteCertificateValidationCallback = (_, _, _, _) => true;
#pragma warning restore CA5359, MA0039
    }

    private T Send<T>(HttpMethod method, string path, HttpContent? content, Func<ReadOnlyMemory<byte>, T> read, CancellationToken cancellationToken)
    {
        try
        {
            using var request = new HttpRequestMessage(method, path) { Content = content };
            using var response = _http.Send(request, cancellationToken);
            using var body = new MemoryStream();
            response.Content.CopyTo(body, context: null, cancellationToken);
            var document = body.GetBuffer().AsMemory(0, (int)body.Length);
            return response.IsSuccessStatusCode
                ? read(document)
                : throw new CommandException(Message(document) ?? $"{_http.BaseAddress} answered {(int)response.StatusCode}: is that a Granary server?");
        }
        catch (HttpRequestException e)
        {
            throw new CommandException($"{_http.BaseAddress} cannot be reached: {e.Message} Is the server running? Name its address with --server.");
        }
        catch (JsonException)
        {
            throw new CommandException($"{_http.BaseAddress} answered something else than expected: is that a Granary server of this release?");
        }
        catch (TaskCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CommandException($"{_http.BaseAddress} did not answer in time.");
        }
    }

    /// <summary>What an OCI error says.</summary>
    private static string? Message(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            var error = document.RootElement.GetProperty("errors")[0];
            var id = error.TryGetProperty("detail", out var detail) && detail.ValueKind == JsonValueKind.Object && detail.TryGetProperty("id", out var text) ? $" ({text})" : "";
            return error.GetProperty("message").GetString() + id;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or IndexOutOfRangeException)
        {
            return null;
        }
    }
}
