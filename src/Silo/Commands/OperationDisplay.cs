using Granary.Grains.Interfaces.Operations;
using Spectre.Console;

namespace Granary.Silo.Commands;

/// <summary>Shows an operation while it runs: as JSON for programs, as lines for logs, as a bar for a terminal.</summary>
internal abstract class OperationDisplay
{
    public static OperationDisplay Choose(bool isJson) =>
        isJson ? new JsonDisplay() : Console.IsOutputRedirected ? new LineDisplay() : new BarDisplay();

    /// <summary>Shows an operation until it has ended.</summary>
    /// <param name="operation">The operation, as the server last described it.</param>
    /// <param name="next">Waits for a poll, and returns the operation as the server describes it then.</param>
    /// <returns>The operation at its end.</returns>
    public abstract Task<OperationStatus> ShowAsync(OperationStatus operation, Func<Task<OperationStatus>> next);

    private static void End(OperationStatus operation)
    {
        foreach (var line in OperationText.EndLines(operation))
        {
            Console.WriteLine(line);
        }
    }

    /// <summary>For programs: one JSON document in a line for each change.</summary>
    private sealed class JsonDisplay : OperationDisplay
    {
        public override async Task<OperationStatus> ShowAsync(OperationStatus operation, Func<Task<OperationStatus>> next)
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

                operation = await next();
            }
        }
    }

    /// <summary>For logs: a line at the start, a line for each tenth of the work, and the end.</summary>
    private sealed class LineDisplay : OperationDisplay
    {
        public override async Task<OperationStatus> ShowAsync(OperationStatus operation, Func<Task<OperationStatus>> next)
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

                operation = await next();
            }

            End(operation);
            return operation;
        }
    }

    /// <summary>For a terminal: a progress bar, and the end.</summary>
    private sealed class BarDisplay : OperationDisplay
    {
        public override async Task<OperationStatus> ShowAsync(OperationStatus operation, Func<Task<OperationStatus>> next)
        {
            await AnsiConsole.Progress()
                .AutoClear(true)
                .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new ElapsedTimeColumn())
                .StartAsync(async progress =>
                {
                    var bar = progress.AddTask(Markup.Escape(OperationText.Title(operation)));
                    while (!operation.IsOver)
                    {
                        bar.Value = OperationText.Percent(operation);
                        operation = await next();
                    }

                    bar.Value = bar.MaxValue;
                });
            End(operation);
            return operation;
        }
    }
}
