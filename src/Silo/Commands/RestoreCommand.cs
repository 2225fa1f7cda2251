using System.CommandLine;
using Granary.Protocol.Units;
using Granary.Storage;
using Granary.Storage.Data;

namespace Granary.Silo.Commands;

/// <summary><c>granary restore</c>: writes a data directory from a backup. No server takes part.</summary>
internal static class RestoreCommand
{
    public static Command Create()
    {
        var backup = new Argument<string>("backup") { Description = "The directory of the backup." };
        var data = new Option<string>("--data")
        {
            Description = "The new data directory. It must be empty or must not exist.",
            HelpName = "DIR",
            Required = true,
        };
        var command = new Command(
            "restore",
            "Restores a data directory from a backup, and checks every byte. No server is needed. " +
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

            var objects = count == 1 ? "1 object" : $"{count} objects";
            Console.WriteLine(
                $"Restored {objects} ({ByteText.Of(bytes)}) to '{Path.GetFullPath(data)}'. Start the server with --data '{data}'.");
            if (faults > 0)
            {
                Console.WriteLine(
                    "Start the server and run 'granary scrub'. The server then answers 404 for the damaged blobs, " +
                    "and the next push of their image repairs them.");
            }

            return faults > 0 ? AdminCommand.DamageFound : AdminCommand.Done;
        }
        catch (Exception e) when (e is DataDirectoryException or StorageException)
        {
            return GranaryCommand.Fail(e.Message);
        }
        catch (OperationCanceledException)
        {
            return GranaryCommand.Fail("A signal stopped the restore before its end. Run the same command again to finish it.");
        }
    }
}
