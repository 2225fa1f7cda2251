using System.CommandLine;
using Granary.Gateway.Admin;
using Granary.Grains.Interfaces.Operations;
using Granary.Protocol.Units;

namespace Granary.Silo.Commands;

/// <summary>What all commands that call a running server share: options, the end of an operation, the exit status.</summary>
internal static class AdminCommand
{
    public const int Done = 0;

    /// <summary>The exit status of an operation that ran to its end and listed damage.</summary>
    public const int DamageFound = 2;

    // Most collections end within a tenth of a second, and the user waits for them. A backup takes hours; two polls a second are enough.
    private static readonly TimeSpan FirstPoll = TimeSpan.FromMilliseconds(40);
    private static readonly TimeSpan LastPoll = TimeSpan.FromMilliseconds(500);

    public static Option<bool> Json() => new("--json") { Description = "Print JSON: one line for each change; the last line is the end." };

    public static Option<bool> NoWait() => new("--no-wait")
    {
        Description = "Do not wait for the end: print the operation's id, for 'granary operation watch ID'.",
    };

    public static Option<TimeSpan?> Duration(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "DURATION",
        CustomParser = result =>
        {
            if (Durations.TryParse(result.Tokens[0].Value, out var duration))
            {
                return duration;
            }

            result.AddError($"{name}: '{result.Tokens[0].Value}' is not a duration, such as 90m, 12h or 0s.");
            return null;
        },
    };

    /// <summary>Returns a command that fails with a message instead of a stack trace, also when a signal interrupts it.</summary>
    public static Command Create(
        string name,
        string description,
        IEnumerable<Symbol> symbols,
        Func<ParseResult, CancellationToken, Task<int>> action)
    {
        var command = new Command(name, description);
        foreach (var symbol in symbols)
        {
            if (symbol is Option option)
            {
                command.Options.Add(option);
            }
            else
            {
                command.Arguments.Add((Argument)symbol);
            }
        }

        command.SetAction(async result =>
        {
            using var signals = new StopSignals();
            try
            {
                return await action(result, signals.Token);
            }
            catch (CommandException e)
            {
                return GranaryCommand.Fail(e.Message);
            }
            catch (OperationCanceledException)
            {
                return GranaryCommand.Fail(
                    "The command stopped before the server answered. The server may do the work all the same; see 'granary operation " +
                    "list'.");
            }
        });
        return command;
    }

    /// <summary>Starts an operation, and waits for its end if <paramref name="isWaiting"/>.</summary>
    public static async Task<int> RunAsync(
        AdminClient client,
        StartRequest request,
        bool isWaiting,
        bool isJson,
        CancellationToken cancellationToken)
    {
        var started = await client.StartAsync(request, cancellationToken);
        if (!isWaiting)
        {
            Console.WriteLine(isJson ? OperationText.Json(started) : started.Id);
            return Done;
        }

        return await WatchAsync(client, started, isJson, cancellationToken);
    }

    /// <summary>Shows an operation until it ends, and returns the exit status.</summary>
    public static async Task<int> WatchAsync(
        AdminClient client,
        OperationStatus operation,
        bool isJson,
        CancellationToken cancellationToken)
    {
        var poll = FirstPoll;
        try
        {
            operation = await OperationDisplay.Choose(isJson).ShowAsync(operation, NextAsync);
        }
        catch (OperationCanceledException)
        {
            throw new CommandException(
                $"The {OperationText.Name(operation.Request.Kind)} goes on in the server. " +
                $"See 'granary operation watch {operation.Id}' and 'granary operation cancel {operation.Id}'.");
        }

        return operation switch
        {
            { State: not OperationState.Done } => GranaryCommand.Failed,
            { Progress.Findings.Length: > 0 } => DamageFound,
            _ when OperationText.IsDeletionOfNothing(operation) => GranaryCommand.Failed,
            _ => Done,
        };

        async Task<OperationStatus> NextAsync()
        {
            await Task.Delay(poll, TimeProvider.System, cancellationToken);
            poll = poll * 1.5 < LastPoll ? poll * 1.5 : LastPoll;
            return await client.FindAsync(operation.Id, cancellationToken);
        }
    }
}
