using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Granary.Gateway.Transfer;
using Granary.Gateway.Transfer.Transport;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Gateway.Tests.Transfer;

/// <summary>The protocol between client and server.</summary>
public enum Wire
{
    Http11,
    Http11Tls,
    Http2Tls,
}

/// <summary>The web server as the registry configures it, on a real socket, with one endpoint and the test's own clock.</summary>
internal sealed class TransferHost : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly Wire _wire;
    private readonly TaskCompletionSource<SocketOutput> _output = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<(RequestTraffic, BreakOff)> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private TransferHost(WebApplication app, Wire wire, FakeTimeProvider time) => (_app, _wire, Time) = (app, wire, time);

    public FakeTimeProvider Time { get; }

    public TimeSpan IdleTimeout { get; } = new DownloadOptions().IdleTimeout;

    public Uri Address => new(_app.Urls.First());

    /// <summary>The output of the first request's connection.</summary>
    public Task<SocketOutput> Output => _output.Task;

    /// <summary>The counts of the first request, when its endpoint has ended.</summary>
    public Task<(RequestTraffic Traffic, BreakOff BrokenBy)> End => _end.Task;

    public static async Task<TransferHost> StartAsync(Wire wire, RequestDelegate endpoint)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
        {
            GatewayKestrel.Configure(kestrel);
            kestrel.Listen(IPAddress.Loopback, 0, listen =>
            {
                listen.Protocols = wire == Wire.Http2Tls ? HttpProtocols.Http2 : HttpProtocols.Http1;
                if (wire != Wire.Http11)
                {
                    listen.UseHttps(CreateCertificate());
                }
            });
        });
        builder.Services.AddGatewayMemory();
        builder.Services.AddSingleton<EarlyAnswers>();
        var time = new FakeTimeProvider();
        builder.Services.AddSingleton<TimeProvider>(time);
        var app = builder.Build();
        var host = new TransferHost(app, wire, time);
        app.Use(next => async http =>
        {
            try
            {
                await next(http);
            }
            finally
            {
                var traffic = RequestTraffic.Of(http)!;
                host._end.TrySetResult((traffic, traffic.Conclude(http, isStopping: false)));
            }
        });
        app.UseGranaryTransfer();
        app.Run(http =>
        {
            host._output.TrySetResult(http.Features.Get<SocketOutput>()!);
            return endpoint(http);
        });
        await app.StartAsync();
        return host;
    }

    /// <summary>Returns a client whose end of the connection buffers little, so that the server soon notices how much it takes.</summary>
    public HttpClient Connect() => new(new SocketsHttpHandler
    {
        SslOptions = { RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate!.Subject == "CN=localhost" },
        ConnectCallback = async (context, cancellationToken) =>
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 16 * 1024 };
            await socket.ConnectAsync(context.DnsEndPoint, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        },
    })
    {
        DefaultRequestVersion = _wire == Wire.Http2Tls ? HttpVersion.Version20 : HttpVersion.Version11,
        DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        BaseAddress = new Uri($"{(_wire == Wire.Http11 ? "http" : "https")}://127.0.0.1:{Address.Port}"),
    };

    /// <summary>Advances the clock by steps until the first request has ended.</summary>
    public async Task AdvanceToEndAsync(TimeSpan step)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (!End.IsCompleted)
        {
            patience.Token.ThrowIfCancellationRequested();
            Time.Advance(step);
            await Task.Yield();
        }
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private static X509Certificate2 CreateCertificate()
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), password: null);
    }
}
