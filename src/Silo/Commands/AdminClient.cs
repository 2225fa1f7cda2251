using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Granary.Gateway.Admin;
using Granary.Grains.Interfaces.Operations;

namespace Granary.Silo.Commands;

/// <summary>
/// Speaks to a server's administration. Calls are synchronous: a command has nothing else to do meanwhile, and asynchronous methods are
/// compiled anew at each start.
/// </summary>
internal sealed class AdminClient : IDisposable
{
    public const string DefaultServer = "http://127.0.0.1:5000";

    // Every request is short: the server answers a start at once, and long work is asked about again and again.
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(100);

    private static readonly MediaTypeHeaderValue Json = new("application/json");

    private readonly HttpClient _http;
    private readonly TokenFile _tokenFile;
    private readonly string? _tokenFault;

    // A command lives for a moment, and most of what a client can do would only be set up for it: traces, cookies, proxies.
    private readonly SocketsHttpHandler _handler = new()
    {
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        ActivityHeadersPropagator = null,
        ConnectTimeout = ConnectTimeout,
    };

    /// <param name="server">The address of the server.</param>
    /// <param name="tokenFile">Where its token is. Without one the server is asked all the same: that it does not run is the first thing to
    /// say.</param>
    /// <exception cref="CommandException">The address is none.</exception>
    public AdminClient(string server, TokenFile tokenFile)
    {
        _tokenFile = tokenFile;
        if (!Uri.TryCreate(server, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https"))
        {
            throw new CommandException($"--server: '{server}' is not an address such as {DefaultServer}.");
        }

        if (address is { IsLoopback: true, Scheme: "https" })
        {
            AcceptAnyCertificate(_handler);
        }

        _http = new HttpClient(_handler) { BaseAddress = new Uri(address, "/granary/v1/"), Timeout = AnswerTimeout };

        // The token is for a server on this machine; no other one may learn it.
        if (address.IsLoopback && tokenFile.Read(out _tokenFault) is { } token)
        {
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }
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

    public JsonElement Explain(string repository, string reference, CancellationToken cancellationToken) => Send(
        HttpMethod.Get,
        $"explain?repository={Uri.EscapeDataString(repository)}&reference={Uri.EscapeDataString(reference)}",
        content: null,
        document => JsonElement.Parse(document.Span),
        cancellationToken);

    public void Dispose()
    {
        _http.Dispose();
        _handler.Dispose();
    }

    /// <summary>
    /// The certificate is for the name that clients of the registry use, and on a loopback address no other machine is in between.
    /// </summary>
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
            return response.IsSuccessStatusCode ? read(document) : throw Refused(response.StatusCode, document);
        }
        catch (HttpRequestException e)
        {
            throw new CommandException(
                $"{Address} cannot be reached: {e.Message.TrimEnd('.')}. Start the server with 'granary serve', or name the address " +
                "that it listens on " +
                "(its setting urls) with --server.");
        }
        catch (JsonException)
        {
            throw new CommandException(
                $"{Address} gave an answer that this program does not understand. Name the address of a Granary server of this release " +
                "with --server.");
        }
        catch (TaskCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CommandException(
                $"{Address} did not answer within {AnswerTimeout.TotalSeconds} seconds. See its log; what it was asked to do may be " +
                "done all the same.");
        }
    }

    private string Address => _http.BaseAddress!.GetLeftPart(UriPartial.Authority);

    private CommandException Refused(HttpStatusCode status, ReadOnlyMemory<byte> document) => new(status switch
    {
        HttpStatusCode.Unauthorized when Message(document) is null => NotGranary(status),
        HttpStatusCode.Unauthorized => _tokenFault ??
            $"{Address} refused the token in '{_tokenFile.Path}' ({_tokenFile.Reason}): it is the token of another data directory. " +
            "Name the data directory of this server with --data or GRANARY_DATA.",
        _ => Message(document) ?? NotGranary(status),
    });

    private string NotGranary(HttpStatusCode status) =>
        $"{Address} answered with status {(int)status}, as no Granary server does. Name the address of the server with --server.";

    /// <summary>Returns what an OCI error says; null if the document is none.</summary>
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
