using System.Collections;
using System.Globalization;
using System.Net;
using System.Text;
using Granary.Gateway.Transfer;

namespace Granary.Silo.Hosting;

/// <summary>
/// The access log's line about one request. The text is short: <c>GET /v2/app/blobs/sha256:3f… 200 sent=67108864 in 12.3 ms 10.0.0.1
/// "docker/28"</c>. The JSON form has every field by name.
/// </summary>
/// <param name="Method">The method.</param>
/// <param name="Path">The path without its query.</param>
/// <param name="Status">The status; 499 if the exchange broke off before an answer began.</param>
/// <param name="Sent">Bytes of the answer's body that the server sent.</param>
/// <param name="Received">Bytes of the request's body that the server received.</param>
/// <param name="Elapsed">The time from the request's headers to the end of the answer.</param>
/// <param name="Client">The address of the client.</param>
/// <param name="UserAgent">The header <c>User-Agent</c>.</param>
/// <param name="BrokenBy">Which side broke the exchange off, if one did.</param>
internal readonly record struct AccessLine(
    string Method,
    string? Path,
    int Status,
    long Sent,
    long Received,
    TimeSpan Elapsed,
    IPAddress? Client,
    string UserAgent,
    BreakOff BrokenBy) : IReadOnlyList<KeyValuePair<string, object?>>
{
    // Long enough for the name and version of every client. Kernel, architecture and commit follow them.
    private const int MaxAgent = 40;

    /// <inheritdoc/>
    public int Count => 9;

    private IPAddress? Address => Client is { IsIPv4MappedToIPv6: true } ? Client.MapToIPv4() : Client;

    /// <inheritdoc/>
    public KeyValuePair<string, object?> this[int index] => index switch
    {
        0 => new("Method", Method),
        1 => new("Path", Path),
        2 => new("Status", Status),
        3 => new("Sent", Sent),
        4 => new("Received", Received),
        5 => new("Milliseconds", Math.Round(Elapsed.TotalMilliseconds, 3)),
        6 => new("Client", Address?.ToString()),
        7 => new("UserAgent", UserAgent),
        8 => new("BrokenBy", BrokenBy == BreakOff.None ? null : BrokenBy.ToString()),
        _ => throw new ArgumentOutOfRangeException(nameof(index)),
    };

    /// <inheritdoc/>
    public override string ToString()
    {
        var text = new StringBuilder(200);
        text.Append(CultureInfo.InvariantCulture, $"{Method} {Path} {Status} ");
        if (Received > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"received={Received} ");
        }

        if (Sent > 0 || Received == 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"sent={Sent} ");
        }

        text.Append(CultureInfo.InvariantCulture, $"in {Elapsed.TotalMilliseconds:F1} ms {Address} \"{Product(UserAgent)}\"");
        return BrokenBy == BreakOff.None ? text.ToString() : text.Append(" broken off: ").Append(Reason(BrokenBy)).ToString();
    }

    /// <inheritdoc/>
    public IEnumerator<KeyValuePair<string, object?>> GetEnumerator()
    {
        for (var i = 0; i < Count; i++)
        {
            yield return this[i];
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private static ReadOnlySpan<char> Product(ReadOnlySpan<char> agent)
    {
        var end = agent.IndexOf(' ');
        var product = end < 0 ? agent : agent[..end];
        return product.Length <= MaxAgent ? product : product[..MaxAgent];
    }

    private static string Reason(BreakOff by) => by switch
    {
        BreakOff.Client => "the client went away",
        BreakOff.IdleReader => "the client took nothing for downloads.idleTimeout",
        BreakOff.IdleSender => "the client sent nothing for uploads.idleTimeout",
        BreakOff.Shutdown => "the server stopped",
        _ => "the server failed",
    };
}
