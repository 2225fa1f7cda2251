using Granary.Gateway.Transfer;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Granary.Gateway.Hosting;

/// <summary>How the web server has to be set up for the registry's traffic.</summary>
public static class GatewayKestrel
{
    // A hundred tags of 128 characters in one request line (protocol.md, end-7b).
    private const int MaxRequestLine = 64 * 1024;

    // HTTP/2's default windows hold an upload to a fraction of what the connection can carry.
    private const int Http2ConnectionWindow = 16 * 1024 * 1024;
    private const int Http2StreamWindow = 8 * 1024 * 1024;

    /// <summary>Gives the web server memory for large transfers. To be called after its own services were added.</summary>
    public static IServiceCollection AddGatewayMemory(this IServiceCollection services) => services.AddSingleton<IMemoryPoolFactory<byte>, BlockPool>();

    /// <summary>Sets limits and headers, and how answers are sent.</summary>
    public static void Configure(KestrelServerOptions kestrel)
    {
        kestrel.ConfigureEndpointDefaults(options => options.UseSocketOutput());
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestLineSize = MaxRequestLine;
        kestrel.Limits.MaxRequestHeadersTotalSize = MaxRequestLine;

        // Layers have any size, and a stalled upload ends by its idle timeout: the endpoints see to both.
        kestrel.Limits.MaxRequestBodySize = null;
        kestrel.Limits.MinRequestBodyDataRate = null;
        kestrel.Limits.Http2.InitialConnectionWindowSize = Http2ConnectionWindow;
        kestrel.Limits.Http2.InitialStreamWindowSize = Http2StreamWindow;
    }
}
