using System.Net.Security;
using Granary.Gateway.Transfer.Transport;
using Granary.Silo.Configuration;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Granary.Silo.Hosting.Composition;

/// <summary>Configures the web server: it listens on the bound sockets, with TLS where the address asks for it.</summary>
internal static class WebServer
{
    public static void UseWebServer(this IWebHostBuilder web, ListenSockets sockets, TlsOptions tls, TimeProvider time) => web
        .UseKestrelCore()
        .UseKestrelHttpsConfiguration()
        .ConfigureKestrel(kestrel => Listen(kestrel, sockets, tls, time))
        .ConfigureServices(services =>
        {
            services.AddGatewayMemory();
            services.Configure<SocketTransportOptions>(transport => transport.CreateBoundListenSocket = sockets.Take);
        });

    private static void Listen(KestrelServerOptions kestrel, ListenSockets sockets, TlsOptions tls, TimeProvider time)
    {
        GatewayKestrel.Configure(kestrel);
        PemCertificate? certificate = null;
        foreach (var (address, endPoint) in sockets.EndPoints)
        {
            if (address.IsTls)
            {
                certificate ??= new PemCertificate(tls, time, kestrel.ApplicationServices.GetRequiredService<ILogger<PemCertificate>>());
                kestrel.Listen(endPoint, options => UseTls(options, certificate));
            }
            else
            {
                // Without TLS no protocol is negotiated, and registry clients speak HTTP/1.1.
                kestrel.Listen(endPoint, options => options.Protocols = HttpProtocols.Http1);
            }
        }
    }

    private static void UseTls(ListenOptions options, PemCertificate certificate)
    {
        options.Protocols = HttpProtocols.Http1AndHttp2;
        options.UseHttps(new TlsHandshakeCallbackOptions
        {
            HandshakeTimeout = GatewayKestrel.HandshakeTimeout,
            OnConnection = _ => ValueTask.FromResult(Authenticate(certificate)),
        });
    }

    private static SslServerAuthenticationOptions Authenticate(PemCertificate certificate)
    {
        var (server, chain) = certificate.Current;
        return new SslServerAuthenticationOptions
        {
            ServerCertificateContext = SslStreamCertificateContext.Create(server, chain, offline: true),
        };
    }
}
