using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Granary.Gateway.Admin;
using Granary.Grains.Interfaces.Operations;
using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;

namespace Granary.Silo.Commands;

/// <summary>A client of the administration's API of a server.</summary>
internal sealed class AdminClient : IDisposable
{
    public const string DefaultServer = "http://127.0.0.1:5000";

    // Every request is short: the server answers a start before the work begins, and the client polls long work.
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(100);

    private static readonly MediaTypeHeaderValue Json = new("application/json");

    private static readonly ProductInfoHeaderValue UserAgent =
        new("granary", typeof(AdminClient).Assembly.GetName().Version?.ToString(fieldCount: 3));

    private readonly HttpClient _http;
    private readonly TokenFile _tokenFile;
    private readonly string? _tokenFault;

    /// <param name="server">The address of the server.</param>
    /// <param name="tokenFile">
    /// The file with the server's token. Without the file the client sends requests all the same, because "the server does not run" is the
    /// more useful message.
    /// </param>
    /// <exception cref="CommandException">The address is not an HTTP address.</exception>
    public AdminClient(string server, TokenFile tokenFile)
    {
        _tokenFile = tokenFile;
        if (!Uri.TryCreate(server, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https"))
        {
            throw new CommandException($"--server: '{server}' is not an address such as {DefaultServer}.");
        }

        _http = new HttpClient(CreateHandler(address)) { BaseAddress = new Uri(address, "/granary/v1/"), Timeout = AnswerTimeout };

        // The history of a tag names the program that moved it.
        _http.DefaultRequestHeaders.UserAgent.Add(UserAgent);

        // The token is for a server on this machine. No other server may learn it.
        if (address.IsLoopback && tokenFile.Read(out _tokenFault) is { } token)
        {
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }
    }

    /// <summary>Starts an operation.</summary>
    public async Task<OperationStatus> StartAsync(StartRequest request, CancellationToken cancellationToken)
    {
        using var content = new ReadOnlyMemoryContent(OperationJson.Of(request)) { Headers = { ContentType = Json } };
        return await SendAsync(HttpMethod.Post, "operations", content, OperationJson.ReadOperation, cancellationToken);
    }

    /// <summary>Returns an operation.</summary>
    public Task<OperationStatus> FindAsync(string id, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, PathOf(id), content: null, OperationJson.ReadOperation, cancellationToken);

    /// <summary>Cancels an operation at its next step.</summary>
    public Task<OperationStatus> CancelAsync(string id, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Delete, PathOf(id), content: null, OperationJson.ReadOperation, cancellationToken);

    /// <summary>Returns the newest operations, the newest first.</summary>
    public Task<IReadOnlyList<OperationStatus>> ListAsync(OperationKind? kind, int limit, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Get,
        kind is null ? $"operations?limit={limit}" : $"operations?kind={kind}&limit={limit}",
        content: null,
        OperationJson.ReadOperations,
        cancellationToken);

    /// <summary>Returns the explanation why content is kept, or when it is deleted.</summary>
    public Task<JsonElement> ExplainAsync(string repository, string reference, CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Get,
        $"explain?repository={Uri.EscapeDataString(repository)}&reference={Uri.EscapeDataString(reference)}",
        content: null,
        document => JsonElement.Parse(document.Span),
        cancellationToken);

    /// <summary>Returns a page of the history of a tag, as the server's document and as it reads.</summary>
    public Task<(string Document, TagHistory History)> ReadHistoryAsync(
        TagName name,
        LogPosition? before,
        int limit,
        CancellationToken cancellationToken) => SendAsync(
        HttpMethod.Get,
        $"repositories/{name.Repository}/-/history?tag={name.Tag}&limit={limit}" + (before is { } from ? $"&before={from}" : ""),
        content: null,
        document => (Encoding.UTF8.GetString(document.Span), HistoryJson.ReadHistory(document)),
        cancellationToken);

    /// <summary>Points a tag at a manifest that it pointed at before. Returns the server's document and what it says.</summary>
    public async Task<(string Document, TagUndone Undone)> UndoAsync(
        TagName name,
        UndoTarget target,
        Digest? expected,
        CancellationToken cancellationToken)
    {
        using var content = new ReadOnlyMemoryContent(HistoryJson.Of(target)) { Headers = { ContentType = Json } };
        return await SendAsync(
            HttpMethod.Post,
            $"repositories/{name.Repository}/-/tags/{name.Tag}/undo",
            content,
            document => (Encoding.UTF8.GetString(document.Span), HistoryJson.ReadUndone(document)),
            cancellationToken,
            expected is { } digest ? new EntityTagHeaderValue($"\"{digest}\"") : null);
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private string Address => _http.BaseAddress!.GetLeftPart(UriPartial.Authority);

    private static string PathOf(string id) => $"operations/{Uri.EscapeDataString(id)}";

    private static SocketsHttpHandler CreateHandler(Uri address)
    {
        // A proxy or a redirect would carry the token to another machine.
        var handler = new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, ConnectTimeout = ConnectTimeout };
        if (address is { IsLoopback: true, Scheme: "https" })
        {
            AcceptAnyCertificate(handler);
        }

        return handler;
    }

    /// <summary>
    /// Accepts any certificate: it names the host that clients of the registry use, and no other machine is between a client and a server
    /// on a loopback address.
    /// </summary>
    private static void AcceptAnyCertificate(SocketsHttpHandler handler)
    {
#pragma warning disable CA5359, MA0039
        handler.SslOptions.RemoteCertificateValidationCallback = (_, _, _, _) => true;
#pragma warning restore CA5359, MA0039
    }

    private async Task<T> SendAsync<T>(
        HttpMethod method,
        string path,
        HttpContent? content,
        Func<ReadOnlyMemory<byte>, T> read,
        CancellationToken cancellationToken,
        EntityTagHeaderValue? ifMatch = null)
    {
        try
        {
            using var request = new HttpRequestMessage(method, path) { Content = content };
            if (ifMatch is not null)
            {
                request.Headers.IfMatch.Add(ifMatch);
            }

            using var response = await _http.SendAsync(request, cancellationToken);
            var document = await response.Content.ReadAsByteArrayAsync(cancellationToken);
            return response.IsSuccessStatusCode
                ? read(document)
                : throw new CommandException(ExplainRefusal(response.StatusCode, document));
        }
        catch (HttpRequestException e)
        {
            throw new CommandException(
                $"{Address} cannot be reached: {e.Message.TrimEnd('.')}. Start the server with 'granary serve', or name the address " +
                "that it listens on (its setting urls) with --server.");
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
                $"{Address} did not answer within {AnswerTimeout.TotalSeconds} seconds. See its log; it may do what the command asked " +
                "for all the same.");
        }
    }

    private string ExplainRefusal(HttpStatusCode status, ReadOnlyMemory<byte> document) => (status, FindMessage(document)) switch
    {
        (_, null) =>
            $"{Address} answered with status {(int)status}, as no Granary server does. Name the address of the server with --server.",
        (HttpStatusCode.Unauthorized, _) => _tokenFault ??
            $"{Address} refused the token in '{_tokenFile.Path}' ({_tokenFile.Reason}): it is the token of another data directory. " +
            "Name the data directory of this server with --data or GRANARY_DATA.",
        (_, var message) => message,
    };

    /// <summary>
    /// Returns the message of an OCI error document, with the operation's id if it has one; null if it is no such document.
    /// </summary>
    private static string? FindMessage(ReadOnlyMemory<byte> document)
    {
        try
        {
            var error = JsonElement.Parse(document.Span).GetProperty("errors")[0];
            var message = error.GetProperty("message").GetString();
            return error.TryGetProperty("detail", out var detail) && detail.ValueKind == JsonValueKind.Object
                && detail.TryGetProperty("id", out var id) ? $"{message} ({id})" : message;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or IndexOutOfRangeException)
        {
            return null;
        }
    }
}
