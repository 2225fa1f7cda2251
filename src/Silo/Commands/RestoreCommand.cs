using System.CommandLine;
using Granary.Grains.Interfaces.Operations;
using Granary.Storage;
using Granary.Storage.Data;

namespace Granary.Silo.Commands;

/// <summary><c>granary restore</c>: makes a data directory from a backup, without a server.</summary>
internal static class RestoreCommand
{
    public static Command Create()
    {
        var backup = new Argument<string>("backup") { Description = "The directory of the backup." };
        var data = new Option<string>("--data")
        {
            Description = "The data directory to make. It has to be empty or not to exist.",
            HelpName = "DIR",
            Required = true,
        };
        var command = new Command(
            "restore",
            "Makes a data directory from a backup, and checks every byte on the way. No server is needed. " +
            "Exit status 0: done; 1: failed; 2: done, but blobs in the backup are damaged; they are listed.")
        {
            backup,
            data,
        };
        command.SetAction(async result =>
        {
            using var signals = new StopSignals();
            return await RestoreAsync(result.GetValue(backup)!, result.GetValue(data)!, signals.Token);
        });
        return command;
    }

    private static async Task<int> RestoreAsync(string backup, string data, CancellationToken cancellationToken)
    {
        try
        {
            var (count, bytes, faults) = (0L, 0L, 0L);
            await foreach (var step in DataBackup.RestoreAsync(backup, data, cancellationToken))
            {
                count++;
                bytes += step.Length;
                if (step.Fault is { } fault)
                {
                    faults++;
                    Console.WriteLine("! " + fault);
                }
            }

            Console.WriteLine($"Restored {count} {(count == 1 ? "object" : "objects")} ({ByteText.Of(bytes)}) to '{Path.GetFullPath(data)}'. Start the server with --data '{data}'.");
            if (faults > 0)
            {
                Console.WriteLine(
                    "Run 'granary scrub' when the server serves: it answers 404 for damaged blobs from then on, " +
                    "and the next push of their image mends them.");
            }

            return faults > 0 ? AdminCommand.Found : AdminCommand.Done;
        }
        catch (Exception e) when (e is DataDirectoryException or StorageException)
        {
            return GranaryCommand.Fail(e.Message);
        }
        catch (OperationCanceledException)
        {
            return GranaryCommand.Fail("Stopped before the end. Run the same command again to finish it.");
        }
    }
}
