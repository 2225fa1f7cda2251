using System.Buffers;

namespace Granary.Storage.Azure.Blobs;

/// <summary>
/// Bounds the memory of all uploads of a process. An upload without a buffer reads no more of its body: its client waits.
/// </summary>
internal sealed class UploadMemory(int units, int unitSize) : IDisposable
{
    private readonly SemaphoreSlim _free = new(units);

    // One rental at a time takes units. Two that each hold some and wait for those of the other would never end.
    private readonly SemaphoreSlim _turn = new(1);

    /// <summary>Rents a buffer, and waits until there is room for it.</summary>
    public async ValueTask<UploadBuffer> RentAsync(int size, CancellationToken cancellationToken)
    {
        var wanted = Math.Min(units, (size + unitSize - 1) / unitSize);
        var taken = 0;
        await _turn.WaitAsync(cancellationToken);
        try
        {
            for (; taken < wanted; taken++)
            {
                await _free.WaitAsync(cancellationToken);
            }

            return new UploadBuffer(this, ArrayPool<byte>.Shared.Rent(size), size, taken);
        }
        catch (OperationCanceledException) when (taken > 0)
        {
            _free.Release(taken);
            throw;
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Return(byte[] buffer, int taken)
    {
        ArrayPool<byte>.Shared.Return(buffer);
        _free.Release(taken);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _free.Dispose();
        _turn.Dispose();
    }
}
