using Granary.Gateway;
using Granary.Gateway.Admin;
using Granary.Gateway.Hosting;
using Granary.Gateway.Http;
using Granary.Grains;
using Granary.Grains.Interfaces;
using Granary.Grains.Operations;
using Granary.Grains.Repositories;
using Granary.Silo.Configuration;
using Granary.Silo.Operations;
using Granary.Storage;
using Granary.Storage.Blobs;
using Granary.Storage.Data;
using Granary.Storage.Partitions;
using Granary.Storage.Space;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Granary.Silo.Hosting;

/// <summary>The whole registry in one process: gateway, grains and stores. A test makes one in one line.</summary>
public sealed partial class GranaryServer : IAsyncDisposable
{
    private readonly DataDirectory _data;
    private readonly ListenSockets _sockets;
    private readonly WebApplication _app;
    private readonly ILogger<GranaryServer> _logger;
    private readonly GranarySettings _settings;

    private GranaryServer(GranarySettings settings, DataDirectory data, ListenSockets sockets, WebApplication app)
    {
        (_settings, _data, _sockets, _app) = (settings, data, sockets, app);
        _logger = app.Services.GetRequiredService<ILogger<GranaryServer>>();
    }

    /// <summary>The addresses that it listens on, once it has started.</summary>
    public IReadOnlyCollection<string> Addresses => [.. _app.Urls];

    /// <summary>The services, for tests that look inside.</summary>
    public IServiceProvider Services => _app.Services;

    /// <summary>Opens the data directory and puts everything together. Nothing listens yet.</summary>
    /// <exception cref="SettingsException">A setting is wrong.</exception>
    /// <exception cref="DataDirectoryException">The data directory cannot be used.</exception>
    public static GranaryServer Create(GranarySettings settings, TimeProvider? time = null)
    {
        var sockets = ListenSockets.Bind(ListenAddress.Parse(settings.Server.Urls));
        DataDirectory? data = null;
        try
        {
            data = DataDirectory.Open(settings.Server.Data, time, settings.Storage.Reserve);
            return new GranaryServer(settings, data, sockets, Build(settings, data, sockets, time ?? TimeProvider.System));
        }
        catch
        {
            data?.Dispose();
            sockets.Dispose();
            throw;
        }
    }

    /// <summary>Starts, and answers requests from then on. Rows of an older format are upgraded first.</summary>
    /// <exception cref="DataDirectoryException">They cannot be upgraded.</exception>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        _data.Space.Watch(new SpaceLog(_app.Services.GetRequiredService<ILogger<SpaceLog>>()).Write);
        if (_data.HasOldRows)
        {
            await UpgradeAsync(cancellationToken);
        }

        try
        {
            await _app.StartAsync(cancellationToken);
        }
        catch
        {
            // Services that run already would fail one after the other while their host is disposed of, and hide the cause among their
            // stack traces.
            await StopStartedAsync();
            throw;
        }

        foreach (var address in Addresses)
        {
            LogListening(_logger, address, _data.Path);
        }
    }

    /// <summary>Starts, serves until it is told to stop, and stops.</summary>
    /// <returns>False if it was not told to: a part of it cannot go on, and the log says which.</returns>
    public async Task<bool> RunAsync(CancellationToken cancellationToken)
    {
        await StartAsync(cancellationToken);
        await StopRequested(cancellationToken);
        var isAsked = cancellationToken.IsCancellationRequested;
        await StopAsync();
        LogStopped(_logger);
        return isAsked;
    }

    /// <summary>Stops: readiness fails, running requests finish within the times of <c>shutdown</c>, and are cut after that.</summary>
    public Task StopAsync() => new Shutdown(
        _app,
        _app.Services.GetRequiredService<IServer>(),
        _app.Services.GetRequiredService<RequestGate>(),
        _settings.Shutdown,
        _app.Services.GetRequiredService<TimeProvider>(),
        _logger).RunAsync();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _sockets.Dispose();
        _data.Dispose();
    }

    private async Task StopStartedAsync()
    {
        try
        {
            await _app.StopAsync(CancellationToken.None);
        }
        catch (InvalidOperationException)
        {
            // The silo had not started. What it says is of no use: the failure of the start is reported.
        }
    }

    private async Task StopRequested(CancellationToken cancellationToken)
    {
        // A background service that failed stops the application as well.
        var stop = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var signal = cancellationToken.Register(() => stop.TrySetResult());
        await using var failure = _app.Lifetime.ApplicationStopping.Register(() => stop.TrySetResult());
        await stop.Task;
    }

    private async Task UpgradeAsync(CancellationToken cancellationToken)
    {
        LogUpgrading(_logger, _data.Path);
        try
        {
            LogUpgraded(_logger, await RepositoryUpgrade.RunAsync(_data.Partitions, cancellationToken));
            _data.RowsAreUpgraded();
        }
        catch (Exception e) when (e is StorageException or PartitionUnavailableException or IOException)
        {
            throw new DataDirectoryException(
                $"The rows in the data directory '{_data.Path}' could not all be upgraded. Correct the cause, and start again: the upgrade " +
                $"goes on where it ended. ({e.Message})", e);
        }
    }

    private static WebApplication Build(GranarySettings settings, DataDirectory data, ListenSockets sockets, TimeProvider time)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "granary" });
        var services = builder.Services;
        services.AddSingleton(time);
        services.AddSingleton<IPartitionStore>(data.Partitions);
        services.AddSingleton<IBlobStore>(data.Blobs);
        services.AddSingleton<IFreeSpace>(data.Space);
        services.AddSingleton(Options.Create(settings.Locations));
        services.AddSingleton(Options.Create(settings.Manifests));
        services.AddSingleton(Options.Create(settings.Blobs));
        services.AddSingleton(Options.Create(settings.Uploads));
        services.AddSingleton(Options.Create(settings.Downloads));
        services.AddSingleton(Options.Create(settings.Limits));
        services.AddSingleton(Options.Create(settings.Lifetimes));
        services.AddSingleton(Options.Create(settings.Collection));
        services.AddSingleton(Options.Create(settings.Scrub));
        services.AddSingleton(Options.Create(settings.Admin));
        services.AddSingleton(provider => MakeAdminAccess(settings.Admin, data, provider.GetRequiredService<ILogger<GranaryServer>>()));
        services.AddSingleton(data);
        services.AddSingleton<IOperation, BackupOperation>();
        services.AddSingleton<Health>();

        // The host's own one would listen to signals; the program does that, and a test's process is not this server's.
        services.Replace(ServiceDescriptor.Singleton<IHostLifetime, NoLifetime>());
        services.Configure<HostOptions>(options =>
        {
            options.ShutdownTimeout = Shutdown.RestTimeout;

            // Without collections and operations it would seem to run while its disk fills. It stops instead, and systemd or Kubernetes
            // starts it again.
            options.BackgroundServiceExceptionBehavior = BackgroundServiceExceptionBehavior.StopHost;
        });
        AddLogging(builder.Logging, settings.Log);
        services.AddGranaryGateway();
        builder.UseOrleans(silo => EmbeddedCluster.Configure(silo, data.ClusterId));

        // After the silo: hosted services start in this order and stop in the reverse one, and a worker that calls a grain of a silo that
        // does not run yet would log an error at the start of a slow machine.
        services.AddGranaryMaintenance();
        builder.WebHost
            .UseKestrelCore()
            .UseKestrelHttpsConfiguration()
            .ConfigureKestrel((_, kestrel) => Listen(kestrel, sockets, settings.Tls, time));

        services.AddGatewayMemory();
        services.Configure<SocketTransportOptions>(transport => transport.CreateBoundListenSocket = sockets.Take);

        var app = builder.Build();
        Route(app, settings, time);
        return app;
    }

    private static AdminAccess MakeAdminAccess(AdminOptions options, DataDirectory data, ILogger logger)
    {
        try
        {
            return new AdminAccess(options.Enabled ? AdminToken.Ensure(data.Path) : null);
        }
        catch (StorageException e)
        {
            // A disk without room for a token must not keep the registry from serving.
            LogNoToken(logger, e.Message);
            return new AdminAccess(token: null);
        }
    }

    private static void AddLogging(ILoggingBuilder logging, LogOptions options)
    {
        logging.SetMinimumLevel(options.Level switch
        {
            LogSeverity.Debug => LogLevel.Debug,
            LogSeverity.Info => LogLevel.Information,
            LogSeverity.Warning => LogLevel.Warning,
            _ => LogLevel.Error,
        });

        // What the frameworks say on a good day is no operator's business, and what they say of themselves at the end neither.
        logging.AddFilter("Microsoft", LogLevel.Warning);
        logging.AddFilter("Orleans", LogLevel.Warning);
        logging.AddFilter("Polly", LogLevel.Warning);

        // For as long as it may say anything it makes a trace's span of each request, which is a tenth of what a small one costs; AccessLog
        // says which request a line is about.
        logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);

        // It recommends the garbage collector of large servers; a registry at rest shall be small.
        logging.AddFilter("Orleans.Runtime.Silo", LogLevel.Error);

        // It takes the time since the machine started for a thread that hangs.
        logging.AddFilter("Orleans.Runtime.Watchdog", LogLevel.Error);
        logging.AddConsole(console => console.FormatterName = options.Format == LogFormat.Json ? "json" : TextFormatter.FormatterName);
        logging.AddConsoleFormatter<TextFormatter, Microsoft.Extensions.Logging.Console.ConsoleFormatterOptions>();
        logging.AddJsonConsole(json =>
        {
            json.IncludeScopes = true;
            json.UseUtcTimestamp = true;
            json.TimestampFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";
        });
        logging.Services.Configure<Microsoft.Extensions.Logging.Console.ConsoleLoggerOptions>(console =>
            console.FormatterName = options.Format == LogFormat.Json ? "json" : TextFormatter.FormatterName);
    }

    private static void Listen(KestrelServerOptions kestrel, ListenSockets sockets, TlsOptions tls, TimeProvider time)
    {
        GatewayKestrel.Configure(kestrel);
        PemCertificate? certificate = null;
        foreach (var (address, endPoint) in sockets.EndPoints)
        {
            if (address.IsTls)
            {
                certificate ??= new PemCertificate(tls, time, kestrel.ApplicationServices.GetRequiredService<ILogger<PemCertificate>>());
            }

            kestrel.Listen(endPoint, Bind);

            void Bind(ListenOptions options)
            {
                // Without TLS there is no negotiation, and registry clients speak HTTP/1.1 then.
                options.Protocols = address.IsTls ? HttpProtocols.Http1AndHttp2 : HttpProtocols.Http1;
                if (address.IsTls)
                {
                    options.UseHttps(new TlsHandshakeCallbackOptions
                    {
                        HandshakeTimeout = GatewayKestrel.HandshakeTimeout,
                        OnConnection = _ =>
                        {
                            var (server, chain) = certificate!.Current;
                            return ValueTask.FromResult(new System.Net.Security.SslServerAuthenticationOptions
                            {
                                ServerCertificateContext = System.Net.Security.SslStreamCertificateContext.Create(server, chain, offline: true),
                            });
                        },
                    });
                }
            }
        }
    }

    private static void Route(WebApplication app, GranarySettings settings, TimeProvider time)
    {
        var accessLog = new AccessLog(
            app.Services.GetRequiredService<ILogger<AccessLog>>(),
            time,
            settings.Log.Access,
            app.Lifetime.ApplicationStopping);
        var health = app.Services.GetRequiredService<Health>();
        app.Use(next => http => accessLog.HandleAsync(http, next));
        app.UseGranaryTransfer();
        app.UseGranaryGateway();
        app.UseGranaryAdmin();
        app.Use(_ => http => (http.Request.Path.Value switch
        {
            "/healthz" => health.HandleAsync(http, isReadiness: false),
            "/readyz" => health.HandleAsync(http, isReadiness: true),

            // Load balancers that can only ask for the root of a host.
            "/" => health.HandleAsync(http, isReadiness: true),
            _ => Gateway.Http.ErrorResponse.WriteAsync(http, Protocol.RegistryError.PathUnknown),
        }));
    }

    [LoggerMessage(3301, LogLevel.Information, "Granary serves {Address} from {Data}")]
    private static partial void LogListening(ILogger logger, string address, string data);

    [LoggerMessage(3304, LogLevel.Information, "The rows in {Data} are of an older format, and are upgraded before anything is served")]
    private static partial void LogUpgrading(ILogger logger, string data);

    [LoggerMessage(3305, LogLevel.Information, "{Manifests} manifests were upgraded")]
    private static partial void LogUpgraded(ILogger logger, long manifests);

    [LoggerMessage(3307, LogLevel.Error,
        "The administration's API refuses every request until the next start, because its token could not be read or written; mend the " +
        "cause and start again: {Reason}")]
    private static partial void LogNoToken(ILogger logger, string reason);

    [LoggerMessage(3303, LogLevel.Information, "Stopped")]
    private static partial void LogStopped(ILogger logger);

    /// <summary>Leaves starting and stopping to the code that owns the server.</summary>
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
