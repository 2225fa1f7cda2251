using Granary.Gateway;
using Granary.Gateway.Hosting;
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
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Options;

namespace Granary.Silo.Hosting;

/// <summary>The whole registry in one process: gateway, grains and stores. A test makes one in one line.</summary>
public sealed partial class GranaryServer : IAsyncDisposable
{
    private readonly DataDirectory _data;
    private readonly WebApplication _app;
    private readonly ILogger<GranaryServer> _logger;
    private readonly GranarySettings _settings;

    private GranaryServer(GranarySettings settings, DataDirectory data, WebApplication app)
    {
        (_settings, _data, _app) = (settings, data, app);
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
        var addresses = ListenAddress.Parse(settings.Server.Urls);
        var data = DataDirectory.Open(settings.Server.Data, time);
        try
        {
            return new GranaryServer(settings, data, Build(settings, data, addresses, time ?? TimeProvider.System));
        }
        catch
        {
            data.Dispose();
            throw;
        }
    }

    /// <summary>Starts, and answers requests from then on. Rows of an older format are upgraded first.</summary>
    /// <exception cref="DataDirectoryException">They cannot be upgraded.</exception>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        if (_data.HasOldRows)
        {
            await UpgradeAsync(cancellationToken);
        }

        await _app.StartAsync(cancellationToken);
        foreach (var address in Addresses)
        {
            LogListening(_logger, address, _data.Path);
        }
    }

    /// <summary>Starts, and serves until the process is told to stop.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await StartAsync(cancellationToken);
        await _app.WaitForShutdownAsync(cancellationToken);
        LogStopped(_logger);
    }

    /// <summary>Stops: readiness fails, running requests finish within the time of <c>shutdown</c>.</summary>
    public Task StopAsync() => _app.StopAsync();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _data.Dispose();
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
            throw new DataDirectoryException($"The rows in the data directory '{_data.Path}' could not all be upgraded. Mend the cause, and start again: that goes on where this ended. ({e.Message})", e);
        }
    }

    private static WebApplication Build(GranarySettings settings, DataDirectory data, IReadOnlyList<ListenAddress> addresses, TimeProvider time)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "granary" });
        var services = builder.Services;
        services.AddSingleton(time);
        services.AddSingleton<IPartitionStore>(data.Partitions);
        services.AddSingleton<IBlobStore>(data.Blobs);
        services.AddSingleton(Options.Create(settings.Locations));
        services.AddSingleton(Options.Create(settings.Manifests));
        services.AddSingleton(Options.Create(settings.Blobs));
        services.AddSingleton(Options.Create(settings.Uploads));
        services.AddSingleton(Options.Create(settings.Limits));
        services.AddSingleton(Options.Create(settings.Lifetimes));
        services.AddSingleton(Options.Create(settings.Collection));
        services.AddSingleton(Options.Create(settings.Scrub));
        services.AddSingleton(Options.Create(settings.Admin));
        services.AddGranaryUpkeep();
        services.AddSingleton(data);
        services.AddSingleton<IOperation, BackupOperation>();
        services.AddSingleton<Health>();
        services.Configure<HostOptions>(options => options.ShutdownTimeout = settings.Shutdown.Timeout);
        AddLogging(builder.Logging, settings.Log);
        services.AddGranaryGateway();
        builder.UseOrleans(silo => EmbeddedCluster.Configure(silo, data.ClusterId));
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel((_, kestrel) => Listen(kestrel, addresses, settings.Tls, time));

        services.AddGatewayMemory();

        var app = builder.Build();
        app.Lifetime.ApplicationStopping.Register(() => Drain(settings.Shutdown, time, app.Logger));
        Route(app, settings, time);
        return app;
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

        // For as long as it may say anything it makes a trace's span of each request, which is a tenth of what a small one costs; AccessLog says which request a line is about.
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

    private static void Listen(KestrelServerOptions kestrel, IReadOnlyList<ListenAddress> addresses, TlsOptions tls, TimeProvider time)
    {
        GatewayKestrel.Configure(kestrel);
        PemCertificate? certificate = null;
        foreach (var address in addresses)
        {
            if (address.IsTls)
            {
                certificate ??= new PemCertificate(tls, time, kestrel.ApplicationServices.GetRequiredService<ILogger<PemCertificate>>());
            }

            if (address.Host is null)
            {
                kestrel.ListenLocalhost(address.Port, Bind);
            }
            else
            {
                kestrel.Listen(address.Host, address.Port, Bind);
            }

            void Bind(ListenOptions options)
            {
                // Without TLS there is no negotiation, and registry clients speak HTTP/1.1 then.
                options.Protocols = address.IsTls ? HttpProtocols.Http1AndHttp2 : HttpProtocols.Http1;
                if (address.IsTls)
                {
                    options.UseHttps(new TlsHandshakeCallbackOptions
                    {
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
        var accessLog = new AccessLog(app.Services.GetRequiredService<ILogger<AccessLog>>(), time, settings.Log.Access);
        var health = app.Services.GetRequiredService<Health>();
        app.Use(next => http => accessLog.HandleAsync(http, next));
        app.UseGranaryGateway();
        app.UseGranaryAdmin();
        app.Use(_ => http => (http.Request.Path.Value switch
        {
            "/healthz" => Health.AliveAsync(http),
            // Load balancers that can only ask for the root of a host.
            "/" when http.Request.Method is "GET" or "HEAD" => health.ReadyAsync(http),
            "/readyz" => health.ReadyAsync(http),
            _ => Gateway.Http.ErrorResponse.WriteAsync(http, Protocol.RegistryError.PathUnknown),
        }));
    }

    /// <summary>Runs before the server stops: it would close its listener at once, and load balancers would learn of it from failed requests.</summary>
    private static void Drain(ShutdownOptions options, TimeProvider time, ILogger logger)
    {
        LogStopping(logger, options.Delay, options.Timeout);
        using var over = new ManualResetEventSlim();
        using var timer = time.CreateTimer(state => ((ManualResetEventSlim)state!).Set(), over, options.Delay, Timeout.InfiniteTimeSpan);
        over.Wait();
    }

    [LoggerMessage(3301, LogLevel.Information, "Granary serves {Address} from {Data}")]
    private static partial void LogListening(ILogger logger, string address, string data);

    [LoggerMessage(3302, LogLevel.Information, "Stopping: requests are accepted for {Delay} more, and running transfers have {Timeout} to finish")]
    private static partial void LogStopping(ILogger logger, TimeSpan delay, TimeSpan timeout);

    [LoggerMessage(3304, LogLevel.Information, "The rows in {Data} are of an older format, and are upgraded before anything is served")]
    private static partial void LogUpgrading(ILogger logger, string data);

    [LoggerMessage(3305, LogLevel.Information, "{Manifests} manifests were upgraded")]
    private static partial void LogUpgraded(ILogger logger, long manifests);

    [LoggerMessage(3303, LogLevel.Information, "Stopped")]
    private static partial void LogStopped(ILogger logger);
}
