using Granary.Gateway.Transfer;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Granary.Gateway.Hosting;

/// <summary>
/// Sets the web server up for the registry's traffic. Every limit that clients can meet is chosen here, also where the choice is the web
/// server's
/// own default: a default that nobody chose once cut slow downloads off.
/// </summary>
public static class GatewayKestrel
{
    /// <summary>
    /// How long a client may take for the TLS handshake: longer than it takes over any line, short for one that only holds the socket.
    /// </summary>
    public static readonly TimeSpan HandshakeTimeout = TimeSpan.FromSeconds(10);

    /// <summary>The most headers of a request. Proxies add some each, and clients of other registries get along without a limit.</summary>
    public const int MaxHeaders = 1000;

    /// <summary>
    /// The most bytes of all headers of a request; the largest limit of common proxies is 64 KiB (cookies and tokens included).
    /// </summary>
    public const int MaxHeaderBytes = 128 * 1024;

    // A hundred tags of 128 characters in one request line (protocol.md, end-7b).
    private const int MaxRequestLine = 64 * 1024;

    // What a connection may receive before the request's handler takes it. Two pieces of the socket's receive buffer; no limit on an
    // upload's rate.
    private const int MaxRequestBuffer = 1024 * 1024;

    // HTTP/2's default windows hold an upload to a fraction of what the connection can carry.
    private const int Http2ConnectionWindow = 16 * 1024 * 1024;
    private const int Http2StreamWindow = 8 * 1024 * 1024;

    // The least that RFC 9113 recommends (section 6.5.2). A client that needs more opens another connection.
    private const int Http2Streams = 100;

    // The defaults of RFC 9113 (SETTINGS_MAX_FRAME_SIZE, SETTINGS_HEADER_TABLE_SIZE): clients use them whatever a server allows.
    private const int Http2FrameSize = 16 * 1024;
    private const int Http2HeaderTable = 4096;

    // Longer than load balancers keep a connection that is not used (60 s mostly): it is they who close it, so that no request meets a
    // closed one.
    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(130);

    // For the headers alone; a body has uploads.idleTimeout.
    private static readonly TimeSpan RequestHeaders = TimeSpan.FromSeconds(30);

    /// <summary>Gives the web server memory for large transfers. To be called after its own services were added.</summary>
    public static IServiceCollection AddGatewayMemory(this IServiceCollection services) => services.AddSingleton<IMemoryPoolFactory<byte>, BlockPool>();

    /// <summary>Sets limits and headers, and how answers are sent.</summary>
    public static void Configure(KestrelServerOptions kestrel)
    {
        kestrel.ConfigureEndpointDefaults(options => options.UseSocketOutput());
        kestrel.AddServerHeader = false;
        kestrel.AllowSynchronousIO = false;
        SetSizes(kestrel.Limits);
        SetRates(kestrel.Limits);
        SetHttp2(kestrel.Limits.Http2);
    }

    private static void SetSizes(KestrelServerLimits limits)
    {
        limits.MaxRequestLineSize = MaxRequestLine;
        limits.MaxRequestHeaderCount = MaxHeaders;
        limits.MaxRequestHeadersTotalSize = MaxHeaderBytes;
        limits.MaxRequestBufferSize = MaxRequestBuffer;

        // Layers have any size; manifests are bounded where they are read.
        limits.MaxRequestBodySize = null;

        // Requests are bounded by limits.requests, which answers 429; a refused connection would say nothing.
        limits.MaxConcurrentConnections = null;
    }

    private static void SetRates(KestrelServerLimits limits)
    {
        // A slow transfer is not a stalled one. A stalled upload ends by uploads.idleTimeout (RequestBody), a stalled answer by
        // downloads.idleTimeout
        // (SocketOutput, StreamWatch). The web server's own rates cut off clients below some 200 KB/s, and any client while the server was
        // busy.
        limits.MinRequestBodyDataRate = null;
        limits.MinResponseDataRate = null;
        limits.KeepAliveTimeout = KeepAlive;
        limits.RequestHeadersTimeout = RequestHeaders;
    }

    private static void SetHttp2(Http2Limits limits)
    {
        limits.InitialConnectionWindowSize = Http2ConnectionWindow;
        limits.InitialStreamWindowSize = Http2StreamWindow;
        limits.MaxStreamsPerConnection = Http2Streams;
        limits.MaxFrameSize = Http2FrameSize;
        limits.HeaderTableSize = Http2HeaderTable;
        limits.MaxRequestHeaderFieldSize = MaxHeaderBytes;

        // No pings: the idle timeouts end a connection whose other end is gone, and a busy client that answers late is not gone.
        limits.KeepAlivePingDelay = TimeSpan.MaxValue;
    }
}
