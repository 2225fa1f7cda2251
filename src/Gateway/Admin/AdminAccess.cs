using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Granary.Gateway.Admin;

/// <summary>
/// Decides whether a request may use the administration's API: it carries the token of the data directory, and it comes from this machine.
/// <para>
/// The token is what protects. A reverse proxy on the same machine connects from a loopback address, and by default sends a loopback
/// <c>Host</c> and no header that gives it away, so an address proves nothing. That a request is local is asked as well, until there is
/// access control: a token that got out is then of no use from elsewhere.
/// </para>
/// </summary>
/// <param name="token">The token; null if it could not be made, and nothing is allowed then.</param>
public sealed class AdminAccess(string? token)
{
    private const string Scheme = "Bearer ";

    // Proxies that forward for others say so, unless they are set up not to.
    private static readonly string[] ProxyHeaders = ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via"];

    private readonly byte[]? _token = token is null ? null : Encoding.ASCII.GetBytes(token);

    /// <summary>Returns whether the request carries the token.</summary>
    internal bool HasToken(HttpContext http)
    {
        if (_token is null
            || http.Request.Headers.Authorization is not [{ } header]
            || !header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            return false;
        }

        // In constant time: how long it takes must not tell how much of a guess is right.
        return CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(header[Scheme.Length..].Trim()), _token);
    }

    /// <summary>
    /// Returns whether the request comes from a program on this machine that speaks to this server itself. A page in a browser on this
    /// machine is none: a request of a page has an <c>Origin</c>, or a <c>Host</c> of the page's own that leads here.
    /// </summary>
    internal static bool IsLocal(HttpContext http) =>
        http.Connection.RemoteIpAddress is { } address && IPAddress.IsLoopback(address)
        && !Array.Exists(ProxyHeaders, http.Request.Headers.ContainsKey)
        && !http.Request.Headers.ContainsKey("Origin")
        && IsLoopback(http.Request.Host.Host);

    private static bool IsLoopback(string host) =>
        host is "localhost" || (IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address));
}
