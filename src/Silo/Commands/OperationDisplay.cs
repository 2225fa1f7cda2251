using Granary.Grains.Interfaces.Operations;
using Spectre.Console;

namespace Granary.Silo.Commands;

/// <summary>Shows an operation while it runs, as whoever looks on wants it.</summary>
internal abstract class OperationDisplay
{
    public static OperationDisplay Choose(bool isJson) => isJson ? new JsonDisplay() : Console.IsOutputRedirected ? new LineDisplay() : new BarDisplay();

    /// <summary>Shows it until it has ended.</summary>
    /// <returns>How it ended.</returns>
    public abstract OperationStatus Show(OperationStatus operation, Func<OperationStatus> next);

    private static void End(OperationStatus operation)
    {
        foreach (var line in OperationText.End(operation))
        {
            Console.WriteLine(line);
        }
    }

    /// <summary>For programs: a document in a line for each change.</summary>
    private sealed class JsonDisplay : OperationDisplay
    {
        public override OperationStatus Show(OperationStatus operation, Func<OperationStatus> next)
        {
            var shown = "";
            while (true)
            {
                var text = OperationText.Json(operation);
                if (text != shown)
                {
                    Console.WriteLine(text);
                    shown = text;
                }

                if (operation.IsOver)
                {
                    return operation;
                }

                operation = next();
            }
        }
    }

    /// <summary>For logs: the beginning, every tenth of the way, the end.</summary>
    private sealed class LineDisplay : OperationDisplay
    {
        public override OperationStatus Show(OperationStatus operation, Func<OperationStatus> next)
        {
            var shown = -1;
            while (!operation.IsOver)
            {
                var tenth = (int)(OperationText.Percent(operation) / 10);
                if (tenth > shown)
                {
                    Console.WriteLine(OperationText.Line(operation));
                    shown = tenth;
                }

                operation = next();
            }

            End(operation);
            return operation;
        }
    }

    /// <summary>For people: a bar.</summary>
    private sealed class BarDisplay : OperationDisplay
    {
        public override OperationStatus Show(OperationStatus operation, Func<OperationStatus> next)
        {
            AnsiConsole.Progress()
                .AutoClear(true)
                .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new ElapsedTimeColumn())
                .Start(progress =>
                {
                    var bar = progress.AddTask(Markup.Escape(OperationText.Title(operation)));
                    while (!operation.IsOver)
                    {
                        bar.Value = OperationText.Percent(operation);
                        operation = next();
                    }

                    bar.Value = bar.MaxValue;
                });
            End(operation);
            return operation;
        }
    }
}
