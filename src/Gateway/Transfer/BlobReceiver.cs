using Granary.Protocol;
using Granary.Storage.Blobs;
using Granary.Storage.Space;

namespace Granary.Gateway.Transfer;

/// <summary>
/// Streams a request's body into an object, hashing on the way. Memory is what the connection's pipe holds: blocks go from the socket to the hash and to the
/// store, and are given back.
/// </summary>
internal static class BlobReceiver
{
    // About a millisecond of hashing: after so much without waiting once, an upload lets other requests have its thread.
    private const int Turn = 1024 * 1024;

    /// <summary>Receives the whole body.</summary>
    /// <param name="body">Where from.</param>
    /// <param name="writer">Where to.</param>
    /// <param name="hash">What hashes it; null if it is hashed later.</param>
    /// <param name="space">How many bytes may be written.</param>
    /// <param name="maxBytes">More than this is refused.</param>
    /// <param name="keepAlive">Called after each block, to say to whoever asks that the upload is alive.</param>
    /// <returns>False if the body is longer than <paramref name="maxBytes"/>: what was written does not count.</returns>
    /// <exception cref="BrokenBodyException">The client stopped. What arrived is written.</exception>
    /// <exception cref="OutOfSpaceException">The disk has become too full in the middle.</exception>
    public static async Task<bool> ReceiveAsync(
        RequestBody body,
        IBlobWriter writer,
        RunningHash? hash,
        SpaceAllowance space,
        long maxBytes,
        Func<ValueTask> keepAlive)
    {
        var (received, turn) = (0L, 0L);
        while (true)
        {
            var reading = body.ReadAsync();
            if (!reading.IsCompleted)
            {
                turn = received;
            }

            var read = await reading;
            received += read.Buffer.Length;
            if (received > maxBytes)
            {
                body.Advance(read.Buffer.Start);
                return false;
            }

            try
            {
                space.Cover(received);
                if (hash is not null)
                {
                    foreach (var block in read.Buffer)
                    {
                        hash.Append(block.Span);
                    }
                }

                // All that has arrived in one call. Waiting for more would save nothing that can be measured, and lose what is there when the client breaks off.
                // Not cancelled with the connection: what was received is kept.
                await writer.WriteAsync(read.Buffer, CancellationToken.None);
            }
            finally
            {
                // Also where the store fails: a reader that was not given back keeps the server from reading the rest, and so from answering.
                body.Advance(read.Buffer.End);
            }

            if (read.IsCompleted)
            {
                return true;
            }

            await keepAlive();
            if (received - turn >= Turn)
            {
                turn = received;
                await Task.Yield();
            }
        }
    }
}
