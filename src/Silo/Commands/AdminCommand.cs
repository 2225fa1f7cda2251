using System.CommandLine;
using Granary.Gateway.Admin;
using Granary.Gateway.Units;
using Granary.Grains.Interfaces.Operations;

namespace Granary.Silo.Commands;

/// <summary>What the commands that speak to a running server have in common.</summary>
internal static class AdminCommand
{
    public const int Done = 0;

    /// <summary>The operation ran to its end and found damage, which it lists.</summary>
    public const int Found = 2;

    // Most collections take a moment, and a user who waits for one notices each tenth of a second; for a backup of hours two polls a second
    // are enough.
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

    /// <summary>Makes a command that fails with a message instead of a stack trace, also when it is interrupted.</summary>
    public static Command Create(string name, string description, IEnumerable<Symbol> symbols, Func<ParseResult, CancellationToken, int> action)
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

        command.SetAction(result =>
        {
            using var signals = new StopSignals();
            try
            {
                return action(result, signals.Token);
            }
            catch (CommandException e)
            {
                return GranaryCommand.Fail(e.Message);
            }
            catch (OperationCanceledException)
            {
                return GranaryCommand.Fail(
                    "Stopped before the server answered. What it was asked to do may be done all the same; see 'granary operation list'.");
            }
        });
        return command;
    }

    /// <summary>Starts an operation and waits for its end, unless told not to.</summary>
    public static int Run(AdminClient client, StartRequest request, bool isWaiting, bool isJson, CancellationToken cancellationToken)
    {
        var started = client.Start(request, cancellationToken);
        if (!isWaiting)
        {
            Console.WriteLine(isJson ? OperationText.Json(started) : started.Id);
            return Done;
        }

        return Watch(client, started, isJson, cancellationToken);
    }

    /// <summary>Shows an operation until it ends.</summary>
    public static int Watch(AdminClient client, OperationStatus operation, bool isJson, CancellationToken cancellationToken)
    {
        var poll = FirstPoll;
        try
        {
            operation = OperationDisplay.Choose(isJson).Show(operation, Next);
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
            { Progress.Findings.Length: > 0 } => Found,
            _ when OperationText.IsDeletionOfNothing(operation) => GranaryCommand.Failed,
            _ => Done,
        };

        OperationStatus Next()
        {
            if (cancellationToken.WaitHandle.WaitOne(poll))
            {
                cancellationToken.ThrowIfCancellationRequested();
            }

            poll = poll * 1.5 < LastPoll ? poll * 1.5 : LastPoll;
            return client.Find(operation.Id, cancellationToken);
        }
    }
}
