using System.Net;
using System.Net.Sockets;
using Granary.Silo.Configuration;

namespace Granary.Silo.Hosting;

/// <summary>One address to listen on.</summary>
/// <param name="Host">An IP address, or null for <c>localhost</c>, which is both loopback addresses.</param>
/// <param name="Port">The port; 0 for any free one.</param>
/// <param name="IsTls">Whether connections use TLS.</param>
/// <param name="Url">The address as the operator wrote it, for messages.</param>
internal sealed record ListenAddress(IPAddress? Host, int Port, bool IsTls, string Url)
{
    /// <summary>Returns the addresses of the setting <c>urls</c>.</summary>
    /// <exception cref="SettingsException">The setting has no address, or one that a server cannot listen on.</exception>
    public static IReadOnlyList<ListenAddress> Parse(string urls)
    {
        var addresses = urls.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(ParseOne).ToArray();
        return addresses.Length > 0
            ? addresses
            : throw new SettingsException("urls: there has to be at least one address, such as http://127.0.0.1:5000.");
    }

    /// <summary>Returns whether a server cannot listen on both addresses.</summary>
    public bool Overlaps(ListenAddress other) =>
        Port != 0 && Port == other.Port
        && (IsAny || other.IsAny || Equals(Host, other.Host) || CoversLoopback(other) || other.CoversLoopback(this));

    private bool IsAny => Host is not null && (Host.Equals(IPAddress.Any) || Host.Equals(IPAddress.IPv6Any));

    private bool CoversLoopback(ListenAddress other) =>
        Host is null && (Equals(other.Host, IPAddress.Loopback) || Equals(other.Host, IPAddress.IPv6Loopback));

    private static ListenAddress ParseOne(string url)
    {
        // ASP.NET writes '*' or '+' for every address of the machine.
        var written = url.Replace("://*", "://0.0.0.0", StringComparison.Ordinal).Replace("://+", "://0.0.0.0", StringComparison.Ordinal);
        if (!Uri.TryCreate(written, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https") || uri.PathAndQuery is not "/")
        {
            throw new SettingsException(
                $"urls: '{url}' is not an address such as http://127.0.0.1:5000 or https://0.0.0.0:443. Correct it in --urls, " +
                "GRANARY_URLS or the configuration file.");
        }

        var isTls = uri.Scheme == "https";
        if (uri.Host == "localhost")
        {
            return new ListenAddress(Host: null, uri.Port, isTls, url);
        }

        if (!IPAddress.TryParse(uri.Host.Trim('[', ']'), out var host))
        {
            throw new SettingsException(
                $"urls: '{uri.Host}' in '{url}' is not an IP address. Name an address of this machine, or 0.0.0.0 for all of them, with " +
                "--urls or GRANARY_URLS.");
        }

        // On a machine with IPv6, a socket on "::" takes connections of both IPv4 and IPv6.
        return new ListenAddress(host.Equals(IPAddress.Any) && Socket.OSSupportsIPv6 ? IPAddress.IPv6Any : host, uri.Port, isTls, url);
    }
}
