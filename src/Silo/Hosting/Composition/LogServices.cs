using Granary.Silo.Configuration;
using Microsoft.Extensions.Logging.Console;

namespace Granary.Silo.Hosting.Composition;

/// <summary>Configures the log: one line for a message to standard output, and little of what the frameworks log.</summary>
internal static class LogServices
{
    public static void AddGranaryLogging(this ILoggingBuilder logging, LogOptions options)
    {
        logging.SetMinimumLevel(options.Level switch
        {
            LogSeverity.Debug => LogLevel.Debug,
            LogSeverity.Info => LogLevel.Information,
            LogSeverity.Warning => LogLevel.Warning,
            _ => LogLevel.Error,
        });
        AddFilters(logging);
        AddConsole(logging, options.Format == LogFormat.Json ? ConsoleFormatterNames.Json : TextFormatter.FormatterName);
    }

    private static void AddFilters(ILoggingBuilder logging)
    {
        // Operators need no messages about the normal operation of the frameworks.
        logging.AddFilter("Microsoft", LogLevel.Warning);
        logging.AddFilter("Orleans", LogLevel.Warning);
        logging.AddFilter("Polly", LogLevel.Warning);

        // If this category is on, ASP.NET makes a span for each request, a tenth of the cost of a small one. AccessLog names the request.
        logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);

        // HealthEndpoints logs a failed check. The library would log each check again, and a warning for each request on a full disk.
        logging.AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None);

        // The silo recommends the garbage collector of large servers, which needs more memory than a registry at rest should.
        logging.AddFilter("Orleans.Runtime.Silo", LogLevel.Error);

        // The watchdog mistakes the time since the machine started for a thread that hangs.
        logging.AddFilter("Orleans.Runtime.Watchdog", LogLevel.Error);
    }

    private static void AddConsole(ILoggingBuilder logging, string formatter)
    {
        logging.AddConsoleFormatter<TextFormatter, ConsoleFormatterOptions>();
        logging.AddJsonConsole(json =>
        {
            json.IncludeScopes = true;
            json.UseUtcTimestamp = true;
            json.TimestampFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";
        });

        // After AddJsonConsole, which chooses its own formatter.
        logging.Services.Configure<ConsoleLoggerOptions>(console => console.FormatterName = formatter);
    }
}
