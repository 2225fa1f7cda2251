using System.Net;
using System.Net.Sockets;
using Granary.Silo.Configuration;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Granary.Silo.Hosting;

/// <summary>
/// The sockets of the setting <c>urls</c>. They are bound before the server is composed, so that an unusable address ends in one message.
/// If the web server found it later, the start would fail while grains and background services already run, with many stack traces. No
/// socket listens before the web server starts.
/// </summary>
internal sealed class ListenSockets : IDisposable
{
    private readonly List<(ListenAddress Address, Socket Socket)> _bound = [];

    private ListenSockets()
    {
    }

    /// <summary>The endpoints that the web server listens on.</summary>
    public IEnumerable<(ListenAddress Address, IPEndPoint EndPoint)> EndPoints =>
        _bound.Select(bound => (bound.Address, (IPEndPoint)bound.Socket.LocalEndPoint!));

    /// <summary>Binds a socket to each address.</summary>
    /// <exception cref="SettingsException">An address cannot be used; the message says why and what to do.</exception>
    public static ListenSockets Bind(IReadOnlyList<ListenAddress> addresses)
    {
        RefuseOverlap(addresses);
        var sockets = new ListenSockets();
        try
        {
            foreach (var address in addresses)
            {
                sockets.Bind(address);
            }

            return sockets;
        }
        catch
        {
            sockets.Dispose();
            throw;
        }
    }

    /// <summary>Hands the socket of an endpoint over to the web server, which closes it.</summary>
    public Socket Take(EndPoint endPoint)
    {
        var index = _bound.FindIndex(bound => endPoint.Equals(bound.Socket.LocalEndPoint));
        var socket = _bound[index].Socket;
        _bound.RemoveAt(index);
        return socket;
    }

    /// <summary>Closes the sockets that the web server has not taken.</summary>
    public void Dispose()
    {
        foreach (var (_, socket) in _bound)
        {
            socket.Dispose();
        }
    }

    /// <summary>Refuses two addresses that overlap: binding both would succeed, and listening on the second would fail.</summary>
    private static void RefuseOverlap(IReadOnlyList<ListenAddress> addresses)
    {
        for (var i = 0; i < addresses.Count; i++)
        {
            if (addresses.Take(i).FirstOrDefault(addresses[i].Overlaps) is { } other)
            {
                throw new SettingsException($"urls: '{other.Url}' and '{addresses[i].Url}' are the same address. Remove one of them.");
            }
        }
    }

    private void Bind(ListenAddress address)
    {
        if (address.Host is not null)
        {
            _bound.Add((address, Open(address, new IPEndPoint(address.Host, address.Port))));
            return;
        }

        var first = Open(address, new IPEndPoint(IPAddress.Loopback, address.Port));
        _bound.Add((address, first));
        try
        {
            _bound.Add((address, Open(address, new IPEndPoint(IPAddress.IPv6Loopback, ((IPEndPoint)first.LocalEndPoint!).Port))));
        }
        catch (SettingsException e) when (e.InnerException is not SocketException { SocketErrorCode: SocketError.AddressAlreadyInUse })
        {
            // The machine has no IPv6, so localhost is the IPv4 address alone.
        }
    }

    private static Socket Open(ListenAddress address, IPEndPoint endPoint)
    {
        try
        {
            return SocketTransportOptions.CreateDefaultBoundListenSocket(endPoint);
        }
        catch (SocketException e)
        {
            throw new SettingsException("urls: " + Explain(address, endPoint, e), e);
        }
    }

    private static string Explain(ListenAddress address, IPEndPoint endPoint, SocketException e) => e.SocketErrorCode switch
    {
        SocketError.AddressAlreadyInUse =>
            $"the address '{address.Url}' is in use by another program. Stop that program, or choose another address with --urls or " +
            "GRANARY_URLS.",
        SocketError.AddressNotAvailable =>
            $"'{endPoint.Address}' in '{address.Url}' is not an address of this machine. " +
            "Name one of its addresses, or 0.0.0.0 for all of them, with --urls or GRANARY_URLS.",
        SocketError.AccessDenied =>
            $"this user may not listen on port {endPoint.Port} of '{address.Url}', because low ports are for privileged programs. " +
            "Choose a port from 1024 on with --urls or GRANARY_URLS, or give the program the capability CAP_NET_BIND_SERVICE.",
        _ => $"the server cannot listen on '{address.Url}' ({e.Message}). Choose another address with --urls or GRANARY_URLS.",
    };
}
