using Granary.Protocol;
using Granary.Protocol.Hashing;
using Granary.Storage.Blobs;

namespace Granary.Grains.Scrubbing;

/// <summary>Checks that an object has the bytes that a digest says.</summary>
internal sealed class ObjectCheck(IBlobStore store, ReadRateLimit limit)
{
    private const int ReadSize = 1024 * 1024;

    /// <summary>Returns what is wrong with an object; null if it is whole.</summary>
    public async Task<string?> FindFaultAsync(ObjectId id, Digest digest, long size, CancellationToken cancellationToken)
    {
        ByteRange? whole = size > 0 ? new ByteRange(0, size) : null;
        await using var reader = await store.OpenAsync(id, digest, whole, cancellationToken);
        if (reader is null)
        {
            return $"object {id} is missing";
        }

        if (reader.Length != size)
        {
            return $"object {id} has {reader.Length} bytes and not {size}";
        }

        return await HashAsync(reader, digest.Algorithm, size, cancellationToken) == digest
            ? null
            : $"the bytes of object {id} are not what the digest says";
    }

    private async Task<Digest> HashAsync(IBlobReader reader, DigestAlgorithm algorithm, long size, CancellationToken cancellationToken)
    {
        using var hash = RunningHash.Create(algorithm);
        var buffer = new byte[Math.Clamp(size, 1, ReadSize)];
        var offset = 0L;
        while (await reader.ReadAsync(offset, buffer, cancellationToken) is > 0 and var count)
        {
            hash.Append(buffer.AsSpan(0, count));
            offset += count;
            await limit.WaitAsync(count, cancellationToken);
        }

        return hash.ToDigest();
    }
}
