using System.Globalization;
using System.Net;
using Granary.Grains.Interfaces.Repositories;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace Granary.Gateway.Http;

/// <summary>Makes the origin of a command from the request that asks for it: who sent the command, and why.</summary>
public sealed class RequestOrigin(IOptions<OriginOptions> options)
{
    // The longest name in the DNS, a colon and a port. The web server takes a Host of up to 32 KiB, and each line of the log keeps it.
    private const int MaxHost = 253 + 6;

    /// <summary>
    /// Gives a request that may change something an id by which its line of the access log, its answer and the lines of a repository's log
    /// are found.
    /// </summary>
    public static void Identify(HttpContext http)
    {
        if (http.Request.Method is not ("GET" or "HEAD"))
        {
            http.TraceIdentifier = Guid.NewGuid().ToString();
        }
    }

    /// <summary>Returns the origin of a command. Its id is that of the request; a failed command is repeated as it is.</summary>
    public CommandOrigin Of(HttpContext http, ChangeCause cause)
    {
        var hasAddress = options.Value.Address;
        return new CommandOrigin
        {
            RequestId = Guid.TryParse(http.TraceIdentifier, out var id) ? id : Guid.NewGuid(),
            Cause = cause,
            Peer = hasAddress ? Text(http.Connection.RemoteIpAddress) : null,
            Host = Clean(http.Request.Host.Value, MaxHost),
            UserAgent = hasAddress ? Clean(http.Request.Headers.UserAgent.ToString(), CommandOrigin.MaxUserAgent) : null,
        };
    }

    /// <summary>Returns the IPv4 address of an IPv4 client that came through a socket for both versions.</summary>
    private static string? Text(IPAddress? address) =>
        (address is { IsIPv4MappedToIPv6: true } ? address.MapToIPv4() : address)?.ToString();

    /// <summary>
    /// Returns the text without invisible characters, cut at a length; null if nothing is left. Control characters, and those that change
    /// the direction of text, would let a client rewrite the terminal of the operator who reads the history.
    /// </summary>
    private static string? Clean(string? text, int maxLength)
    {
        if (string.IsNullOrEmpty(text))
        {
            return null;
        }

        if (text.AsSpan().ContainsAnyExceptInRange(' ', '~') && text.Any(IsInvisible))
        {
            text = string.Concat(text.Where(character => !IsInvisible(character)));
        }

        text = text.Trim();
        if (text.Length > maxLength)
        {
            // A pair of surrogates stays whole: half of one is not text that JSON can carry.
            text = text[..(char.IsHighSurrogate(text[maxLength - 1]) ? maxLength - 1 : maxLength)];
        }

        return text.Length == 0 ? null : text;
    }

    private static bool IsInvisible(char character) => !char.IsAscii(character)
        ? char.GetUnicodeCategory(character)
            is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        : char.IsControl(character);
}
