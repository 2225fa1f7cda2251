using System.Net;
using Granary.Silo.Configuration;

namespace Granary.Silo.Hosting;

/// <summary>One address to listen on.</summary>
/// <param name="Host">An IP address, or null for <c>localhost</c>, which is both loopback addresses.</param>
/// <param name="Port">0 for any free port.</param>
/// <param name="IsTls">Whether it speaks TLS.</param>
internal sealed record ListenAddress(IPAddress? Host, int Port, bool IsTls)
{
    /// <summary>Reads the setting <c>urls</c>.</summary>
    /// <exception cref="SettingsException">It names no address that can be listened on.</exception>
    public static IReadOnlyList<ListenAddress> Parse(string urls)
    {
        var addresses = urls.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(ParseOne).ToArray();
        return addresses.Length > 0 ? addresses : throw new SettingsException("urls: there has to be at least one address, such as http://127.0.0.1:5000.");
    }

    private static ListenAddress ParseOne(string url)
    {
        // '*' and '+' are how web servers of this family write "every address".
        var written = url.Replace("://*", "://0.0.0.0", StringComparison.Ordinal).Replace("://+", "://0.0.0.0", StringComparison.Ordinal);
        if (!Uri.TryCreate(written, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https") || uri.PathAndQuery is not "/")
        {
            throw new SettingsException($"urls: '{url}' is not an address such as http://127.0.0.1:5000 or https://0.0.0.0:443.");
        }

        var isTls = uri.Scheme == "https";
        if (uri.Host == "localhost")
        {
            return new ListenAddress(Host: null, uri.Port, isTls);
        }

        if (!IPAddress.TryParse(uri.Host.Trim('[', ']'), out var host))
        {
            throw new SettingsException($"urls: '{uri.Host}' in '{url}' is not an IP address. Name one of this machine's, or 0.0.0.0 for all of them.");
        }

        // "::" is what listens on everything, IPv4 included.
        return new ListenAddress(host.Equals(IPAddress.Any) ? IPAddress.IPv6Any : host, uri.Port, isTls);
    }
}
