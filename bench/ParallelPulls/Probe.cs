using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace Granary.ParallelPulls;

/// <summary>Another client: requests <c>/v2/</c> ten times a second, each time over a new connection.</summary>
internal static class Probe
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    /// <summary>Sends requests until the end. Returns the duration of each in seconds, in ascending order.</summary>
    public static List<double> Run(Uri server, CancellationToken end)
    {
        var times = new List<double>();
        var request = Encoding.ASCII.GetBytes($"GET /v2/ HTTP/1.1\r\nHost: {server.Authority}\r\nConnection: close\r\n\r\n");
        var buffer = new byte[4096];
        do
        {
            var watch = Stopwatch.StartNew();
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            socket.Connect(server.Host, server.Port);
            socket.Send(request);
            if (socket.Receive(buffer) == 0)
            {
                throw new IOException("The server closed the connection without an answer.");
            }

            times.Add(watch.Elapsed.TotalSeconds);
        }
        while (!end.WaitHandle.WaitOne(Interval));

        times.Sort();
        return times;
    }
}
