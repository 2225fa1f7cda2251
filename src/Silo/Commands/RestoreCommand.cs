using System.CommandLine;
using Granary.Grains.Interfaces.Operations;
using Granary.Storage;
using Granary.Storage.Data;

namespace Granary.Silo.Commands;

/// <summary><c>granary restore</c>: makes a data directory of a backup. No server is needed.</summary>
internal static class RestoreCommand
{
    public static Command Create()
    {
        var backup = new Argument<string>("backup") { Description = "The directory of the backup." };
        var data = new Option<string>("--data") { Description = "The data directory to make: empty, or not there yet.", HelpName = "DIR", Required = true };
        var command = new Command(
            "restore",
            "Makes a data directory of a backup, and checks every byte on the way. Exit status 0: all is well; 2: the backup has damaged blobs, which are listed.")
        {
            backup,
            data,
        };
        command.SetAction((result, cancellationToken) => RestoreAsync(result.GetValue(backup)!, result.GetValue(data)!, cancellationToken));
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
                Console.WriteLine("Run 'granary scrub' when it serves: damaged blobs are then as good as absent, and pushing them again mends them.");
            }

            return faults > 0 ? AdminCommand.Found : AdminCommand.Done;
        }
        catch (Exception e) when (e is DataDirectoryException or StorageException)
        {
            return GranaryCommand.Fail(e.Message);
        }
        catch (OperationCanceledException)
        {
            return GranaryCommand.Fail("stopped before the end. Run it again.");
        }
    }
}
