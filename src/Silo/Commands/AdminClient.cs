using System.Net.Http.Headers;
using System.Text.Json;
using Granary.Gateway.Admin;
using Granary.Grains.Interfaces.Operations;

namespace Granary.Silo.Commands;

/// <summary>Speaks to a server's administration.</summary>
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

    public async Task<OperationStatus> StartAsync(StartRequest request, CancellationToken cancellationToken)
    {
        using var content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(request, AdminJson.Options)) { Headers = { ContentType = Json } };
        return await SendAsync<OperationStatus>(HttpMethod.Post, "operations", content, cancellationToken);
    }

    public Task<OperationStatus> FindAsync(string id, CancellationToken cancellationToken) =>
        SendAsync<OperationStatus>(HttpMethod.Get, $"operations/{Uri.EscapeDataString(id)}", content: null, cancellationToken);

    public Task<OperationStatus> CancelAsync(string id, CancellationToken cancellationToken) =>
        SendAsync<OperationStatus>(HttpMethod.Delete, $"operations/{Uri.EscapeDataString(id)}", content: null, cancellationToken);

    /// <summary>The newest ones, the newest first.</summary>
    public async Task<OperationStatus[]> ListAsync(OperationKind? kind, int limit, CancellationToken cancellationToken)
    {
        var query = kind is null ? $"operations?limit={limit}" : $"operations?kind={kind}&limit={limit}";
        return (await SendAsync<OperationList>(HttpMethod.Get, query, content: null, cancellationToken)).Operations;
    }

    public Task<JsonElement> ExplainAsync(string repository, string digest, CancellationToken cancellationToken) => SendAsync<JsonElement>(
        HttpMethod.Get,
        $"explain?repository={Uri.EscapeDataString(repository)}&digest={Uri.EscapeDataString(digest)}",
        content: null,
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

    private async Task<T> SendAsync<T>(HttpMethod method, string path, HttpContent? content, CancellationToken cancellationToken)
    {
        try
        {
            using var request = new HttpRequestMessage(method, path) { Content = content };
            using var response = await _http.SendAsync(request, cancellationToken);
            var body = await response.Content.ReadAsByteArrayAsync(cancellationToken);
            return response.IsSuccessStatusCode
                ? JsonSerializer.Deserialize<T>(body, AdminJson.Options)!
                : throw new CommandException(Message(body) ?? $"{_http.BaseAddress} answered {(int)response.StatusCode}: is that a Granary server?");
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
    private static string? Message(byte[] body)
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
