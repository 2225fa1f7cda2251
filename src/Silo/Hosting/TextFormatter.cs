using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace Granary.Silo.Hosting;

/// <summary>Writes log lines for people: when, how severe, who, which request it was about, and what.</summary>
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

        // In one place of all lines, before the text: the text has any length.
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

    /// <summary>What a client sent may be in it: it must neither make lines of its own nor speak to the operator's terminal.</summary>
    private static string OneLine(string message) => message.Any(char.IsControl)
        ? string.Concat(message.Select(character => char.IsControl(character) ? '?' : character))
        : message;
}
