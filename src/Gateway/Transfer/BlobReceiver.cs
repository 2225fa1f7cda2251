using Granary.Protocol.Hashing;
using Granary.Storage.Blobs;
using Granary.Storage.Space;

namespace Granary.Gateway.Transfer;

/// <summary>
/// Streams a request's body into an object and hashes it on the way. An upload holds only the blocks of its connection's pipe: each goes to
/// the hash and to the store, and returns to the pool.
/// </summary>
internal static class BlobReceiver
{
    // About a millisecond of hashing. An upload that has not waited for so many bytes yields its thread to other requests.
    private const int YieldInterval = 1024 * 1024;

    /// <summary>Receives the whole body.</summary>
    /// <param name="body">The body.</param>
    /// <param name="writer">The object's writer.</param>
    /// <param name="hash">The running hash; null if the content is hashed later.</param>
    /// <param name="space">The disk space that the bytes may use.</param>
    /// <param name="maxBytes">The most bytes that are received.</param>
    /// <param name="keepAlive">Called after each block. It renews the claim on the session when that is due.</param>
    /// <returns>False if the body is longer than <paramref name="maxBytes"/>: the written bytes must not count.</returns>
    /// <exception cref="BrokenBodyException">The client stopped. The bytes that arrived are written.</exception>
    /// <exception cref="OutOfSpaceException">The disk became too full during the upload.</exception>
    public static async Task<bool> ReceiveAsync(
        RequestBody body,
        IBlobWriter writer,
        RunningHash? hash,
        SpaceAllowance space,
        long maxBytes,
        Func<ValueTask> keepAlive)
    {
        var (received, yielded) = (0L, 0L);
        while (true)
        {
            var reading = body.ReadAsync();
            if (!reading.IsCompleted)
            {
                yielded = received;
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

                // One call for all bytes that have arrived. Waiting for more would save nothing that can be measured, and would lose these
                // bytes if the client broke off. The connection's end does not cancel the write: received bytes are kept.
                await writer.WriteAsync(read.Buffer, CancellationToken.None);
            }
            finally
            {
                // Also when the store fails: without this call the server cannot read the rest of the body, and so cannot answer.
                body.Advance(read.Buffer.End);
            }

            if (read.IsCompleted)
            {
                return true;
            }

            await keepAlive();
            if (received - yielded >= YieldInterval)
            {
                yielded = received;
                await Task.Yield();
            }
        }
    }
}
