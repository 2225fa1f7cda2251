using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Granary.Gateway.Transfer.Transport;

/// <summary>
/// Configures the web server for the registry's traffic. It sets every limit that clients can meet, also to the web server's own default:
/// a default that we had not chosen cut off slow downloads.
/// </summary>
public static class GatewayKestrel
{
    /// <summary>
    /// How long a client may take for the TLS handshake: long enough for any line, and short for a client that only occupies the socket.
    /// </summary>
    public static readonly TimeSpan HandshakeTimeout = TimeSpan.FromSeconds(10);

    /// <summary>The most headers of a request. Each proxy adds some, and other registries have no limit.</summary>
    public const int MaxHeaders = 1000;

    /// <summary>
    /// The most bytes of all headers of a request, cookies and tokens included. The largest limit of common proxies is 64 KiB.
    /// </summary>
    public const int MaxHeaderBytes = 128 * 1024;

    // A hundred tags of 128 characters in one request line (end-7b).
    private const int MaxRequestLine = 64 * 1024;

    // How much a connection may receive before the request's handler takes it. It does not limit an upload's rate.
    private const int MaxRequestBuffer = 1024 * 1024;

    // The default windows of HTTP/2 slow an upload down to a fraction of what the connection can carry.
    private const int Http2ConnectionWindow = 16 * 1024 * 1024;
    private const int Http2StreamWindow = 8 * 1024 * 1024;

    // The least that RFC 9113 recommends (section 6.5.2). A client that needs more opens another connection.
    private const int Http2Streams = 100;

    // The defaults of RFC 9113 (SETTINGS_MAX_FRAME_SIZE, SETTINGS_HEADER_TABLE_SIZE): clients use them whatever a server allows.
    private const int Http2FrameSize = 16 * 1024;
    private const int Http2HeaderTable = 4096;

    // Longer than load balancers keep an idle connection (mostly 60 s). So they close it first, and send no request to a closed one.
    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(130);

    // For the headers only; uploads.idleTimeout is for the body.
    private static readonly TimeSpan RequestHeaders = TimeSpan.FromSeconds(30);

    /// <summary>Adds the web server's memory for large transfers. Call it after the web server's own services were added.</summary>
    public static IServiceCollection AddGatewayMemory(this IServiceCollection services) =>
        services.AddSingleton<IMemoryPoolFactory<byte>, BlockPool>();

    /// <summary>Sets limits and headers, and lets answers go directly to the socket.</summary>
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

        // Layers may have any size. PushManifest bounds manifests.
        limits.MaxRequestBodySize = null;

        // limits.requests bounds requests and answers 429. A refused connection would tell the client nothing.
        limits.MaxConcurrentConnections = null;
    }

    private static void SetRates(KestrelServerLimits limits)
    {
        // A slow transfer is not a stalled one. uploads.idleTimeout ends a stalled upload (RequestBody), downloads.idleTimeout a stalled
        // answer (SocketOutput, Http2IdleWatch). The web server's own rates cut off clients below some 200 KB/s, and any client while the
        // server was busy.
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

        // No pings: the idle timeouts end a connection whose client is gone, and a client that answers late because it is busy is not gone.
        limits.KeepAlivePingDelay = TimeSpan.MaxValue;
    }
}
