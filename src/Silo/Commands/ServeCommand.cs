using System.CommandLine;
using Granary.Silo.Configuration;
using Granary.Silo.Hosting;
using Granary.Storage.Data;
using Microsoft.AspNetCore.Connections;

namespace Granary.Silo.Commands;

/// <summary><c>granary serve</c>: runs the registry. Each setting is an option under its name.</summary>
internal static class ServeCommand
{
    public const string Name = "serve";

    public static Command Create(bool withOptions)
    {
        var file = new Option<string?>("--config")
        {
            Description = "A YAML or JSON file with settings. Also GRANARY_CONFIG. Default: none.",
            HelpName = "FILE",
        };
        var command = new Command(
            Name,
            "Runs the registry until SIGINT (Ctrl+C) or SIGTERM.")
        {
            file,
        };
        var options = new List<(Setting Setting, Option<string?> Option)>();
        foreach (var setting in withOptions ? SettingCatalog.All : [])
        {
            var option = new Option<string?>("--" + setting.Name)
            {
                HelpName = setting.ValueName,
            };
            options.Add((setting, option));
            command.Options.Add(option);
        }

        command.SetAction(result => ServeAsync(
            result.GetValue(file),
            options
                .Select(pair => (pair.Setting.Name, Value: result.GetValue(pair.Option)))
                .Where(pair => pair.Value is not null)
                .ToDictionary(pair => pair.Name, pair => pair.Value!, StringComparer.Ordinal)));
        return command;
    }

    /// <summary>
    /// Fills in the descriptions of the options, for the help. A start skips this, because reading the documentation files delays it
    /// noticeably.
    /// </summary>
    public static void Describe(Command serve)
    {
        serve.Description +=
            " Every setting can be given here, in the environment (GRANARY_MANIFESTS__SPARSE=true), or in a file (manifests: { sparse: " +
            "true }). " +
            "An option here counts first, then the environment, then the file.";
        var options = serve.Options.ToDictionary(option => option.Name, StringComparer.Ordinal);
        foreach (var setting in SettingCatalog.All)
        {
            options["--" + setting.Name].Description = $"{setting.Description} Default: {setting.DefaultText}.";
        }
    }

    private static async Task<int> ServeAsync(string? file, IReadOnlyDictionary<string, string> commandLine)
    {
        using var signals = new StopSignals();
        var urls = "";
        try
        {
            var settings = GranarySettings.Load(file, commandLine);
            urls = settings.Server.Urls;
            await using var server = await GranaryServer.CreateAsync(settings, cancellationToken: signals.Token);

            // A read or write of rows or files blocks its thread for a moment, and other requests need a thread meanwhile. More threads
            // than these only take turns. A sync blocks for long, and has threads of its own.
            ThreadPool.GetMinThreads(out _, out var completions);
            ThreadPool.SetMinThreads(2 * Environment.ProcessorCount, completions);
            return await server.RunAsync(signals.Token)
                ? 0
                : GranaryCommand.Fail(
                    "A part of the server failed, and the server has stopped. The log says why. Please report this defect.");
        }
        catch (Exception e) when (e is SettingsException or DataDirectoryException)
        {
            return GranaryCommand.Fail(e.Message);
        }
        catch (IOException e) when (e.InnerException is AddressInUseException)
        {
            // Another server bound the same address, and began to listen before this one.
            return GranaryCommand.Fail(
                $"urls: an address of '{urls}' is in use by another program. Stop that program, or choose another address with --urls " +
                "or GRANARY_URLS.");
        }
        catch (OperationCanceledException) when (signals.Token.IsCancellationRequested)
        {
            // A signal arrived while the server was starting.
            return 0;
        }
    }
}
