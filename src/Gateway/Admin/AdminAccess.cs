using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Granary.Gateway.Admin;

/// <summary>
/// Decides whether a request may use the administration's API: it has the token of the data directory, and it comes from this machine.
/// <para>
/// The token is the protection. A reverse proxy on the same machine connects from a loopback address, and by default sends a loopback
/// <c>Host</c> and no proxy header, so an address proves nothing. Until there is access control, a request must also be local, so that
/// a leaked token is useless on other machines.
/// </para>
/// </summary>
/// <param name="token">The token; null if there is none, and then every request is refused.</param>
public sealed class AdminAccess(string? token)
{
    private const string Scheme = "Bearer ";

    // Most proxies add one of these headers to requests that they forward.
    private static readonly string[] ProxyHeaders = ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via"];

    private readonly byte[]? _token = token is null ? null : Encoding.ASCII.GetBytes(token);

    /// <summary>Returns whether the request has the token.</summary>
    internal bool HasToken(HttpContext http)
    {
        if (_token is null
            || http.Request.Headers.Authorization is not [{ } header]
            || !header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            return false;
        }

        // In constant time, so that the duration does not reveal how much of a guess is right.
        return CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(header[Scheme.Length..].Trim()), _token);
    }

    /// <summary>
    /// Returns whether a program on this machine sent the request directly to this server. It is false for a page in a browser on this
    /// machine: the request of a page has an <c>Origin</c>, or a <c>Host</c> of the page's site that resolves to this machine.
    /// </summary>
    internal static bool IsLocal(HttpContext http) =>
        http.Connection.RemoteIpAddress is { } address && IPAddress.IsLoopback(address)
        && !Array.Exists(ProxyHeaders, http.Request.Headers.ContainsKey)
        && !http.Request.Headers.ContainsKey("Origin")
        && IsLoopback(http.Request.Host.Host);

    private static bool IsLoopback(string host) =>
        host is "localhost" || (IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address));
}
