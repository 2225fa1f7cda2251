using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace Granary.Silo.Hosting;

/// <summary>Writes a log line as text: time, severity, source, event id, request id, message.</summary>
internal sealed class TextFormatter(TimeProvider time) : ConsoleFormatter(FormatterName)
{
    public const string FormatterName = "granary";

    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        textWriter.Write(time.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
        textWriter.Write(logEntry.LogLevel switch
        {
            LogLevel.Information => " info  ",
            LogLevel.Warning => " warn  ",
            LogLevel.Error or LogLevel.Critical => " error ",
            _ => " debug ",
        });
        textWriter.Write(logEntry.Category[(logEntry.Category.LastIndexOf('.') + 1)..]);
        textWriter.Write('[');
        textWriter.Write(logEntry.EventId.Id);
        textWriter.Write("] ");

        // The request's id comes before the message, so that it stands in the same place in all lines; messages have any length.
        scopeProvider?.ForEachScope(
            static (scope, writer) =>
            {
                if (scope is IEnumerable<KeyValuePair<string, object?>> values)
                {
                    foreach (var (key, value) in values)
                    {
                        if (key == "RequestId")
                        {
                            writer.Write(value);
                            writer.Write(' ');
                        }
                    }
                }
            },
            textWriter);
        textWriter.WriteLine(OneLine(logEntry.Formatter(logEntry.State, logEntry.Exception)));
        if (logEntry.Exception is { } exception)
        {
            textWriter.WriteLine(exception.ToString());
        }
    }

    /// <summary>
    /// Replaces control characters. A message may contain text of a client, which could forge log lines or control the operator's
    /// terminal.
    /// </summary>
    private static string OneLine(string message) => message.Any(char.IsControl)
        ? string.Concat(message.Select(character => char.IsControl(character) ? '?' : character))
        : message;
}
