using System.Net.Sockets;
using System.Text;

namespace Granary.Maintenance.Tests;

/// <summary>
/// A reverse proxy on the server's machine as a default nginx is (<c>proxy_pass http://127.0.0.1:5000;</c>): it writes the server's own
/// address as <c>Host</c>, and adds no header that says for whom it forwards.
/// </summary>
internal sealed class ReverseProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Uri _server;
    private readonly Task _accepting;

    public ReverseProxy(Uri server)
    {
        _server = server;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public Uri Address => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");

    public async ValueTask DisposeAsync()
    {
        _listener.Stop();
        await _accepting;
    }

    private async Task AcceptAsync()
    {
        var forwarding = new List<Task>();
        try
        {
            while (true)
            {
                forwarding.Add(ForwardAsync(await _listener.AcceptTcpClientAsync()));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(forwarding);
        }
    }

    private async Task ForwardAsync(TcpClient accepted)
    {
        using var client = accepted;
        using var server = new TcpClient();
        await server.ConnectAsync(_server.Host, _server.Port);
        var (from, to) = (client.GetStream(), server.GetStream());
        var head = await ReadHeadAsync(from);
        var lines = head.Split("\r\n").Where(line =>
            !line.StartsWith("Host:", StringComparison.OrdinalIgnoreCase)
            && !line.StartsWith("Connection:", StringComparison.OrdinalIgnoreCase));
        var forwarded = string.Join("\r\n", [lines.First(), $"Host: {_server.Authority}", "Connection: close", .. lines.Skip(1)]);
        await to.WriteAsync(Encoding.Latin1.GetBytes(forwarded + "\r\n\r\n"));
        var sending = from.CopyToAsync(to);
        await to.CopyToAsync(from);
        client.Client.Shutdown(SocketShutdown.Send);
        try
        {
            await sending;
        }
        catch (IOException)
        {
            // The server has closed already.
        }
    }

    /// <summary>Reads to the end of the headers, and no byte of the body.</summary>
    private static async Task<string> ReadHeadAsync(NetworkStream stream)
    {
        var (head, one) = (new StringBuilder(), new byte[1]);
        while (await stream.ReadAsync(one) == 1)
        {
            head.Append((char)one[0]);
            if (head.Length >= 4 && head.ToString(head.Length - 4, 4) == "\r\n\r\n")
            {
                return head.ToString(0, head.Length - 4);
            }
        }

        throw new IOException("The client sent no request.");
    }
}
