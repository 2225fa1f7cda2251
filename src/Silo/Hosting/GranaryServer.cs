using Granary.Gateway.Http;
using Granary.Silo.Configuration;
using Granary.Silo.Hosting.Composition;
using Granary.Silo.Hosting.Storage;
using Granary.Storage.Data;
using Microsoft.AspNetCore.Hosting.Server;

namespace Granary.Silo.Hosting;

/// <summary>
/// The registry, or the part of it that its role says: gateway, grains and stores in one process, or grains alone, or a gateway alone. It
/// starts, serves and stops.
/// </summary>
public sealed partial class GranaryServer : IAsyncDisposable
{
    private readonly IServerStorage _storage;
    private readonly ListenSockets _sockets;
    private readonly WebApplication _app;
    private readonly ILogger<GranaryServer> _logger;
    private readonly GranarySettings _settings;

    private GranaryServer(GranarySettings settings, IServerStorage storage, ListenSockets sockets, WebApplication app)
    {
        (_settings, _storage, _sockets, _app) = (settings, storage, sockets, app);
        _logger = app.Services.GetRequiredService<ILogger<GranaryServer>>();
    }

    /// <summary>The addresses that a started server listens on.</summary>
    public IReadOnlyCollection<string> Addresses => [.. _app.Urls];

    /// <summary>The services, for tests that look inside.</summary>
    public IServiceProvider Services => _app.Services;

    /// <summary>Binds the sockets, opens the storage, and composes a server. No socket listens yet.</summary>
    /// <exception cref="SettingsException">A setting is wrong.</exception>
    /// <exception cref="DataDirectoryException">The data directory cannot be used.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static async Task<GranaryServer> CreateAsync(
        GranarySettings settings,
        TimeProvider? time = null,
        CancellationToken cancellationToken = default)
    {
        var clock = time ?? TimeProvider.System;
        var sockets = ListenSockets.Bind(ListenAddress.Parse(settings.Server.Urls));
        IServerStorage? storage = null;
        try
        {
            storage = settings.Azure.IsSet
                ? await AccountStorage.OpenAsync(settings, clock, cancellationToken)
                : EmbeddedStorage.Open(settings, clock);
            var app = ServerComposition.Build(settings, storage, sockets, clock);
            return new GranaryServer(settings, storage, sockets, app);
        }
        catch
        {
            storage?.Dispose();
            sockets.Dispose();
            throw;
        }
    }

    /// <summary>Prepares the stores, such as rows of an older format, and then starts to serve.</summary>
    /// <exception cref="DataDirectoryException">The rows cannot be upgraded.</exception>
    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        await _storage.PrepareAsync(_app.Services, _logger, cancellationToken);
        try
        {
            await _app.StartAsync(cancellationToken);
        }
        catch
        {
            // If the host were disposed of with services that run, each of them would fail, and their stack traces would hide the cause.
            await StopStartedAsync();
            throw;
        }

        foreach (var address in Addresses)
        {
            LogListening(_logger, address, _storage.Place);
        }
    }

    /// <summary>Starts, serves until <paramref name="cancellationToken"/> is cancelled or a background service fails, and stops.</summary>
    /// <returns>False if a background service failed. The log says which.</returns>
    public async Task<bool> RunAsync(CancellationToken cancellationToken)
    {
        await StartAsync(cancellationToken);
        await StopRequestedAsync(cancellationToken);
        var isRequested = cancellationToken.IsCancellationRequested;
        await StopAsync();
        LogStopped(_logger);
        return isRequested;
    }

    /// <summary>Stops: readiness fails, running requests finish within the times of <c>shutdown</c>, and the rest is cut.</summary>
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
        _storage.Dispose();
    }

    private async Task StopStartedAsync()
    {
        try
        {
            await _app.StopAsync(CancellationToken.None);
        }
        catch (InvalidOperationException)
        {
            // The silo had not started. The caller reports the failure of the start, which is the cause.
        }
    }

    private async Task StopRequestedAsync(CancellationToken cancellationToken)
    {
        // The host stops the application when a background service fails.
        var stop = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var signal = cancellationToken.Register(() => stop.TrySetResult());
        await using var failure = _app.Lifetime.ApplicationStopping.Register(() => stop.TrySetResult());
        await stop.Task;
    }

    [LoggerMessage(3301, LogLevel.Information, "Granary serves {Address} from {Data}")]
    private static partial void LogListening(ILogger logger, string address, string data);

    [LoggerMessage(3303, LogLevel.Information, "Stopped")]
    private static partial void LogStopped(ILogger logger);
}
