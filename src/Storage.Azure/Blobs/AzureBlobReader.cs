using System.Globalization;
using Azure;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;
using Granary.Protocol;
using Granary.Storage.Blobs;

namespace Granary.Storage.Azure.Blobs;

/// <summary>
/// Reads a committed object. The range that the caller expects to read is one request, whose answer is read as it comes; the client
/// library goes on with a request for the rest if the connection breaks. Other reads are a request each. All requests name the entity tag,
/// so that the bytes are those of one object.
/// </summary>
internal sealed class AzureBlobReader : IBlobReader
{
    private readonly BlockBlobClient _blob;
    private readonly ETag _tag;
    private ByteRange? _expected;
    private Stream? _stream;
    private long _position;
    private long _end;
    private int _isReading;

    private AzureBlobReader(BlockBlobClient blob, ETag tag, long length) => (_blob, _tag, Length) = (blob, tag, length);

    /// <inheritdoc/>
    public long Length { get; }

    /// <summary>Opens an object. Returns null if it does not exist or is not sealed under the digest.</summary>
    /// <param name="blob">The object.</param>
    /// <param name="digest">The digest; null for an object that is not sealed.</param>
    /// <param name="expected">The bytes that are read first; null if they are not known.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public static async ValueTask<IBlobReader?> OpenAsync(
        BlockBlobClient blob,
        Digest? digest,
        ByteRange? expected,
        CancellationToken cancellationToken) =>
        await BlobFaults.CallAsync(
            $"Object {blob.Name} cannot be read",
            () => FindAsync(blob, digest, expected, cancellationToken),
            cancellationToken);

    /// <inheritdoc/>
    public void Expect(ByteRange range)
    {
        if (_stream is not null && _position == range.Offset && _end >= range.Offset + range.Length)
        {
            return;
        }

        CloseStream();
        _expected = range;
    }

    /// <inheritdoc/>
    public async ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (offset >= Length || buffer.IsEmpty)
        {
            return 0;
        }

        if (Interlocked.CompareExchange(ref _isReading, 1, 0) != 0)
        {
            return await ReadApartAsync(offset, buffer, cancellationToken);
        }

        try
        {
            return await TryPositionAsync(offset, cancellationToken)
                ? await ReadStreamAsync(buffer, cancellationToken)
                : await ReadApartAsync(offset, buffer, cancellationToken);
        }
        finally
        {
            Volatile.Write(ref _isReading, 0);
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        CloseStream();
        return ValueTask.CompletedTask;
    }

    private static async Task<AzureBlobReader?> FindAsync(
        BlockBlobClient blob,
        Digest? digest,
        ByteRange? expected,
        CancellationToken cancellationToken)
    {
        try
        {
            return (expected is { } range ? await DownloadAsync(blob, digest, range, cancellationToken) : null)
                ?? await DescribeAsync(blob, digest, cancellationToken);
        }
        catch (RequestFailedException e) when (BlobFaults.IsMissing(e))
        {
            return null;
        }
    }

    /// <summary>Opens an object with the first bytes of it. Returns null if it does not have the range.</summary>
    private static async Task<AzureBlobReader?> DownloadAsync(
        BlockBlobClient blob,
        Digest? digest,
        ByteRange range,
        CancellationToken cancellationToken)
    {
        BlobDownloadStreamingResult answer;
        try
        {
            answer = await blob.DownloadStreamingAsync(
                new BlobDownloadOptions { Range = new HttpRange(range.Offset, range.Length) },
                cancellationToken);
        }
        catch (RequestFailedException e) when (e.Status == 416)
        {
            return null;
        }

        if (BlobMetadata.FindDigest(answer.Details.Metadata) != digest)
        {
            answer.Dispose();
            return null;
        }

        return new AzureBlobReader(blob, answer.Details.ETag, TotalLength(answer.Details))
        {
            _stream = answer.Content,
            _position = range.Offset,
            _end = range.Offset + answer.Details.ContentLength,
        };
    }

    private static async Task<AzureBlobReader?> DescribeAsync(BlockBlobClient blob, Digest? digest, CancellationToken cancellationToken)
    {
        BlobProperties properties = await blob.GetPropertiesAsync(cancellationToken: cancellationToken);
        return BlobMetadata.FindDigest(properties.Metadata) == digest
            ? new AzureBlobReader(blob, properties.ETag, properties.ContentLength)
            : null;
    }

    /// <summary>Returns the length of the object, which the answer to a range names after the range.</summary>
    private static long TotalLength(BlobDownloadDetails details) =>
        details.ContentRange is { } range && range.LastIndexOf('/') is >= 0 and var slash
            ? long.Parse(range.AsSpan(slash + 1), CultureInfo.InvariantCulture)
            : details.ContentLength;

    /// <summary>Returns whether the stream is at an offset. Opens the stream of the expected range if it begins there.</summary>
    private async ValueTask<bool> TryPositionAsync(long offset, CancellationToken cancellationToken)
    {
        if (_stream is not null && _position == offset && _position < _end)
        {
            return true;
        }

        if (_expected is not { } range || range.Offset != offset)
        {
            return false;
        }

        _expected = null;
        CloseStream();
        var end = Math.Min(Length, range.Offset + range.Length);
        (_stream, _position, _end) = (await StreamAsync(offset, end - offset, cancellationToken), offset, end);
        return true;
    }

    private async ValueTask<int> ReadStreamAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var wanted = (int)Math.Min(buffer.Length, _end - _position);
        var count = await FillAsync(_stream!, buffer[..wanted], cancellationToken);
        _position += count;
        return count;
    }

    private async ValueTask<int> ReadApartAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var wanted = (int)Math.Min(buffer.Length, Length - offset);
        await using var stream = await StreamAsync(offset, wanted, cancellationToken);
        var done = 0;
        while (done < wanted)
        {
            done += await FillAsync(stream, buffer[done..wanted], cancellationToken);
        }

        return done;
    }

    private async Task<Stream> StreamAsync(long offset, long length, CancellationToken cancellationToken)
    {
        var options = new BlobDownloadOptions
        {
            Range = new HttpRange(offset, length),
            Conditions = new BlobRequestConditions { IfMatch = _tag },
        };
        var answer = await BlobFaults.CallAsync(
            $"Object {_blob.Name} cannot be read",
            () => _blob.DownloadStreamingAsync(options, cancellationToken),
            cancellationToken);
        return answer.Value.Content;
    }

    private async ValueTask<int> FillAsync(Stream stream, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            return await stream.ReadAsync(buffer, cancellationToken) is > 0 and var count
                ? count
                : throw new StorageException(StorageFault.Unavailable, $"The answer for object {_blob.Name} ends too early.");
        }
        catch (Exception e) when (BlobFaults.IsFault(e, cancellationToken))
        {
            throw BlobFaults.Translate(e, $"Object {_blob.Name} cannot be read");
        }
    }

    private void CloseStream()
    {
        _stream?.Dispose();
        _stream = null;
    }
}
