using Azure;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;
using Granary.Protocol;

namespace Granary.Storage.Azure.Blobs;

/// <summary>
/// What requests do to one block blob, each under a condition: other requests, and repetitions of the same one, may have been faster.
/// </summary>
internal static class BlockBlobs
{
    // Each attempt is ended by another request that changes the object, and there are few of those.
    private const int MaxAttempts = 4;

    public static BlobRequestConditions IfAbsent => new() { IfNoneMatch = ETag.All };

    public static async Task<bool> PutAsync(
        BlockBlobClient blob,
        Digest digest,
        UploadBuffer? content,
        long maxSize,
        CancellationToken cancellationToken)
    {
        var options = new BlobUploadOptions
        {
            Conditions = IfAbsent,
            Metadata = BlobMetadata.Of(digest),

            // One request, whatever the size.
            TransferOptions = new() { InitialTransferSize = maxSize, MaximumConcurrency = 1 },
        };
        try
        {
            await using var stream = content?.OpenStream() ?? Stream.Null;
            await blob.UploadAsync(stream, options, cancellationToken);
            return true;
        }
        catch (RequestFailedException e) when (BlobFaults.IsConflict(e))
        {
            // It may be the work of this request, whose answer was lost and which the client library has repeated.
            return (await FindPropertiesAsync(blob, cancellationToken))?.Metadata is { } metadata
                && BlobMetadata.FindDigest(metadata) == digest;
        }
    }

    /// <summary>
    /// Commits the blocks that count. Returns false if they are missing, or if the object is sealed under another digest.
    /// </summary>
    /// <param name="blob">The object.</param>
    /// <param name="digest">The digest under which it is sealed; null if it only becomes readable.</param>
    /// <param name="size">The number of bytes that count.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public static async Task<bool> CommitAsync(BlockBlobClient blob, Digest? digest, long size, CancellationToken cancellationToken)
    {
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            var list = await ListAsync(blob, cancellationToken);
            if (list is null && size > 0)
            {
                return false;
            }

            var (chain, condition) = (list is null ? [] : list.FindChain(size), IfAbsent);

            // The list says neither whether the object is sealed nor under which digest. It is asked only where it may be.
            if ((chain is null || list is { HasCommitted: true } || attempt > 0)
                && await FindPropertiesAsync(blob, cancellationToken) is { } properties)
            {
                if (BlobMetadata.FindDigest(properties.Metadata) is { } sealedAs)
                {
                    return sealedAs == digest;
                }

                condition = new() { IfMatch = properties.ETag };
            }

            if (chain is null)
            {
                return false;
            }

            if (await TryCommitAsync(blob, chain, digest, condition, cancellationToken) is not null)
            {
                return true;
            }
        }

        throw new StorageException(StorageFault.Unavailable, "Other requests change the object at the same time; try again.");
    }

    /// <summary>
    /// Commits blocks under a condition. Returns the new entity tag; null if the condition does not hold, or if a block is missing.
    /// </summary>
    public static async Task<ETag?> TryCommitAsync(
        BlockBlobClient blob,
        IReadOnlyList<Block> blocks,
        Digest? digest,
        BlobRequestConditions condition,
        CancellationToken cancellationToken)
    {
        try
        {
            var options = new CommitBlockListOptions
            {
                Conditions = condition,
                Metadata = digest is { } known ? BlobMetadata.Of(known) : null,
            };
            BlobContentInfo committed = await blob.CommitBlockListAsync(
                blocks.Select(block => block.Id),
                options,
                cancellationToken);
            return committed.ETag;
        }
        catch (RequestFailedException e) when (BlobFaults.IsConflict(e) || e.ErrorCode == BlobErrorCode.InvalidBlockList)
        {
            return null;
        }
    }

    public static async Task<bool> DeleteAsync(BlockBlobClient blob, Digest? digest, CancellationToken cancellationToken)
    {
        if (digest is not null && await TryDeleteAsync(blob, condition: null, cancellationToken))
        {
            return true;
        }

        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            // Blocks that are only staged would be kept, and paid for, another week. The commit of an empty list drops them.
            var etag = await TryCommitAsync(blob, [], digest: null, IfAbsent, cancellationToken);
            if (etag is null && await FindPropertiesAsync(blob, cancellationToken) is { } properties)
            {
                if (digest is null && BlobMetadata.FindDigest(properties.Metadata) is not null)
                {
                    // It is sealed after all. Only the shard of its digest decides about it.
                    return true;
                }

                etag = properties.ETag;
            }

            if (etag is not null && await TryDeleteAsync(blob, new BlobRequestConditions { IfMatch = etag }, cancellationToken))
            {
                return true;
            }
        }

        throw new StorageException(StorageFault.Unavailable, "Other requests change the object at the same time; try again.");
    }

    /// <summary>Deletes a committed object. Returns false if there is none, or if the condition does not hold.</summary>
    private static async Task<bool> TryDeleteAsync(
        BlockBlobClient blob,
        BlobRequestConditions? condition,
        CancellationToken cancellationToken)
    {
        try
        {
            await blob.DeleteAsync(conditions: condition, cancellationToken: cancellationToken);
            return true;
        }
        catch (RequestFailedException e) when (BlobFaults.IsMissing(e) || BlobFaults.IsConflict(e))
        {
            return false;
        }
    }

    private static async Task<BlobProperties?> FindPropertiesAsync(BlockBlobClient blob, CancellationToken cancellationToken)
    {
        try
        {
            return await blob.GetPropertiesAsync(cancellationToken: cancellationToken);
        }
        catch (RequestFailedException e) when (BlobFaults.IsMissing(e))
        {
            return null;
        }
    }

    public static async Task<BlockList?> ListAsync(BlockBlobClient blob, CancellationToken cancellationToken)
    {
        try
        {
            return BlockList.Of(await blob.GetBlockListAsync(BlockListTypes.All, cancellationToken: cancellationToken));
        }
        catch (RequestFailedException e) when (BlobFaults.IsMissing(e))
        {
            return null;
        }
    }
}
