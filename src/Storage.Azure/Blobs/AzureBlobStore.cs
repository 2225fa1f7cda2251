using System.Runtime.CompilerServices;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;
using Granary.Protocol;
using Granary.Storage.Blobs;

namespace Granary.Storage.Azure.Blobs;

/// <summary>
/// Stores objects as block blobs of one container, under <c>objects/&lt;id&gt;</c>. Writers stage blocks whose ids say epoch and offset.
/// The seal commits the list of the blocks that count, with the digest as metadata. So an old writer is not stopped: what it stages is
/// never chosen (<see cref="BlockList"/>).
/// </summary>
public sealed class AzureBlobStore : IBlobStore, IBlobLinks, IDisposable
{
    private const string Prefix = "objects/";
    private const string Probe = "probe";
    private const string NotListed = "The objects cannot be listed";

    private readonly BlobContainerClient _container;
    private readonly DownloadLinks _links;

    /// <summary>Makes a store over a container. <see cref="StartAsync"/> creates it if it is missing.</summary>
    /// <param name="container">The container, of a client with the options of <see cref="AzureBlobClients"/>.</param>
    /// <param name="options">Sizes and bounds.</param>
    /// <param name="time">The clock that dates blocks.</param>
    public AzureBlobStore(BlobContainerClient container, AzureBlobOptions options, TimeProvider time)
    {
        (_container, Options, Time) = (container, options, time);
        Memory = new UploadMemory(options.BlocksInMemory, options.BlockSize);
        Sizes = new BlockSizes(options.BlockSize);
        _links = new DownloadLinks(container, time);
    }

    /// <inheritdoc/>
    public bool ReadsUnsealed => false;

    internal AzureBlobOptions Options { get; }

    internal TimeProvider Time { get; }

    internal UploadMemory Memory { get; }

    internal BlockSizes Sizes { get; }

    /// <summary>Checks that the container accepts writes, and creates it if it does not exist.</summary>
    /// <exception cref="StorageException">The container cannot be used. The message says why and what to do.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var what = $"The container '{_container.Name}' at {_container.Uri} cannot be used";
        await BlobFaults.CallAsync(what, () => CreateAsync(cancellationToken), cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<IBlobWriter?> OpenWriterAsync(ObjectId id, long epoch, long offset, CancellationToken cancellationToken)
    {
        // Nothing is asked of the service: an object that has lost blocks is found when it is sealed. Each claim flushes once, so that the
        // number of pieces is known well enough until there are many.
        var pieces = Sizes.MaxPieces(offset, flushes: epoch);
        if (offset > 0 && pieces > Options.MaxPieces / 2)
        {
            if (await FindChainAsync(Blob(id), offset, cancellationToken) is not { } chain)
            {
                return null;
            }

            pieces = chain.Count;
        }

        return new AzureBlobWriter(this, id, epoch, offset, offset == 0 ? 0 : pieces);
    }

    /// <inheritdoc/>
    public ValueTask<bool> SealAsync(ObjectId id, Digest digest, long size, CancellationToken cancellationToken) =>
        new(BlobFaults.CallAsync(
            $"Object {id} cannot be sealed",
            () => BlockBlobs.CommitAsync(Blob(id), digest, size, cancellationToken),
            cancellationToken));

    /// <inheritdoc/>
    public ValueTask<IBlobReader?> OpenAsync(ObjectId id, Digest digest, ByteRange? expected, CancellationToken cancellationToken) =>
        AzureBlobReader.OpenAsync(Blob(id), digest, expected, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<IBlobReader?> OpenUnsealedAsync(ObjectId id, long size, CancellationToken cancellationToken)
    {
        // The service reads only committed blocks. The commit without a digest drops all blocks that are not in its list.
        var blob = Blob(id);
        var isCommitted = await BlobFaults.CallAsync(
            $"Object {id} cannot be read",
            () => BlockBlobs.CommitAsync(blob, digest: null, size, cancellationToken),
            cancellationToken);
        return isCommitted ? await AzureBlobReader.OpenAsync(blob, digest: null, expected: null, cancellationToken) : null;
    }

    /// <inheritdoc/>
    public ValueTask DeleteAsync(ObjectId id, Digest? digest, CancellationToken cancellationToken) =>
        new(BlobFaults.CallAsync(
            $"Object {id} cannot be deleted",
            () => BlockBlobs.DeleteAsync(Blob(id), digest, cancellationToken),
            cancellationToken));

    /// <inheritdoc/>
    public ValueTask CheckAsync(CancellationToken cancellationToken) =>
        new(BlobFaults.CallAsync("The container cannot be written", () => ProbeAsync(cancellationToken), cancellationToken));

    /// <inheritdoc/>
    public async IAsyncEnumerable<StoredObject> ListAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var items = _container.GetBlobsAsync(BlobTraits.Metadata, BlobStates.Uncommitted, Prefix, cancellationToken)
            .GetAsyncEnumerator(cancellationToken);
        await using (items)
        {
            while (await BlobFaults.CallAsync(NotListed, () => items.MoveNextAsync().AsTask(), cancellationToken))
            {
                if (await DescribeAsync(items.Current, cancellationToken) is { } found)
                {
                    yield return found;
                }
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask<Uri> CreateLinkAsync(ObjectId id, CancellationToken cancellationToken) =>
        _links.CreateAsync(Blob(id), cancellationToken);

    /// <inheritdoc/>
    public void Dispose()
    {
        Memory.Dispose();
        _links.Dispose();
    }

    internal BlockBlobClient Blob(ObjectId id) => _container.GetBlockBlobClient(Prefix + id.Value);

    /// <summary>
    /// Seals an object over the blocks of one writer that has written all of it. If they cannot be committed as they are, the list of the
    /// service decides.
    /// </summary>
    internal Task<bool> SealAsync(ObjectId id, Digest digest, IReadOnlyList<Block> blocks, CancellationToken cancellationToken) =>
        BlobFaults.CallAsync(
            $"Object {id} cannot be sealed",
            async () => await BlockBlobs.TryCommitAsync(Blob(id), blocks, digest, BlockBlobs.IfAbsent, cancellationToken) is not null
                || await BlockBlobs.CommitAsync(Blob(id), digest, blocks.Count == 0 ? 0 : blocks[^1].End, cancellationToken),
            cancellationToken);

    /// <summary>
    /// Stores and seals an object in one request. Returns false if the object exists already, or if blocks of it are staged and the service
    /// takes them for an object.
    /// </summary>
    internal Task<bool> TryPutAsync(ObjectId id, Digest digest, UploadBuffer? content, CancellationToken cancellationToken) =>
        BlobFaults.CallAsync(
            $"Object {id} cannot be written",
            () => BlockBlobs.PutAsync(Blob(id), digest, content, Options.BlockSize, cancellationToken),
            cancellationToken);

    private static Task<IReadOnlyList<Block>?> FindChainAsync(BlockBlobClient blob, long size, CancellationToken cancellationToken) =>
        BlobFaults.CallAsync(
            "The blocks of an object cannot be listed",
            async () => (await BlockBlobs.ListAsync(blob, cancellationToken))?.FindChain(size),
            cancellationToken);

    private async Task<bool> CreateAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await ProbeAsync(cancellationToken);
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.ContainerNotFound)
        {
            await _container.CreateIfNotExistsAsync(PublicAccessType.None, cancellationToken: cancellationToken);
            return await ProbeAsync(cancellationToken);
        }
    }

    private async Task<bool> ProbeAsync(CancellationToken cancellationToken)
    {
        await _container.GetBlobClient(Probe).UploadAsync(BinaryData.FromString("1"), overwrite: true, cancellationToken);
        return true;
    }

    private async Task<StoredObject?> DescribeAsync(BlobItem item, CancellationToken cancellationToken)
    {
        if (!ObjectId.TryParse(item.Name[Prefix.Length..], out var id))
        {
            return null;
        }

        var written = item.Properties.LastModified ?? DateTimeOffset.MinValue;
        if (BlobMetadata.FindDigest(item.Metadata) is { } digest)
        {
            return new StoredObject(id, digest, item.Properties.ContentLength ?? 0, written);
        }

        // Of staged blocks the service says only when the first one came.
        var blocks = await BlobFaults.CallAsync(NotListed, () => BlockBlobs.ListAsync(Blob(id), cancellationToken), cancellationToken);
        if (blocks is null)
        {
            return null;
        }

        var chain = blocks.LongestChain();
        var newest = blocks.LastWrite is { } staged && staged > written ? staged : written;
        return new StoredObject(id, Digest: null, chain.Count == 0 ? 0 : chain[^1].End, newest);
    }
}
