using Granary.Grains.Interfaces;
using Granary.Storage;
using Granary.Storage.Partitions;

namespace Granary.Grains.Partitions;

/// <summary>Proves by reads of the head that an activation owns its partition, and notices that another one has committed.</summary>
internal sealed class Ownership(IPartitionStore store, PartitionKey key, CommitLoop loop, OwnershipProof proof)
{
    private Task _renewal = Task.CompletedTask;

    /// <summary>Whether answers depend on a proof.</summary>
    public bool IsNeeded => proof.IsNeeded;

    /// <summary>The head of the activation now, and the time from which a read that begins now proves the ownership.</summary>
    public OwnershipMark Mark => new(loop.Head, proof.Now);

    /// <summary>Waits until the ownership is proved, if the last proof is too old.</summary>
    /// <exception cref="PartitionUnavailableException">
    /// Another activation has committed, so this one has lost the partition; or the head cannot be read.
    /// </exception>
    public ValueTask EnsureAsync(CancellationToken cancellationToken) =>
        proof.IsValid ? ValueTask.CompletedTask : new ValueTask(RenewAsync().WaitAsync(cancellationToken));

    /// <summary>Renews a proof that has used up half of its time, without a wait.</summary>
    public void Refresh()
    {
        if (!proof.IsFresh)
        {
            // If it fails, a later read waits for the next attempt, and fails as this one did.
            _ = RenewAsync().ContinueWith(
                renewal => renewal.Exception,
                CancellationToken.None,
                TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default);
        }
    }

    /// <summary>Proves that no other activation has committed to the partition until now.</summary>
    /// <exception cref="PartitionUnavailableException">As above.</exception>
    public async Task ProveAsync(CancellationToken cancellationToken)
    {
        OwnershipMark mark;
        do
        {
            loop.ThrowIfClosed();
            mark = Mark;
        }
        while (!await ConfirmAsync(mark, await ReadHeadAsync(cancellationToken), cancellationToken));
    }

    /// <summary>Says whether rows that were read belong to the head of the activation. If they do, that is a proof.</summary>
    /// <param name="mark">The mark from before the read.</param>
    /// <param name="found">The head under which the rows were read; null if the store did not say.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False if a commit of this activation came between: it is durable now, and the caller reads again.</returns>
    /// <exception cref="PartitionUnavailableException">As above.</exception>
    public async ValueTask<bool> ConfirmAsync(OwnershipMark mark, Head? found, CancellationToken cancellationToken)
    {
        var head = found ?? await ReadHeadAsync(cancellationToken);
        if (head == loop.Head)
        {
            proof.Extend(mark.Since);
            return true;
        }

        if (loop.IsCommitting || loop.Head != mark.Head)
        {
            await loop.DrainAsync(cancellationToken);
            return false;
        }

        var stale = new HeadMovedException(key, loop.Head);
        loop.Lose(stale);
        throw PartitionFaults.Translate(stale, key);
    }

    /// <summary>Reads the head of the partition.</summary>
    public async ValueTask<Head> ReadHeadAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await store.OpenAsync(key, cancellationToken);
        }
        catch (StorageException e)
        {
            throw PartitionFaults.Translate(e, key);
        }
    }

    /// <summary>Reads the head once for all callers that need a proof now.</summary>
    private Task RenewAsync()
    {
        if (_renewal.IsCompleted)
        {
            _renewal = ProveAsync(CancellationToken.None);
        }

        return _renewal;
    }
}

/// <summary>What a read needs to remember from before it began.</summary>
/// <param name="Head">The head of the activation.</param>
/// <param name="Since">The time from which the read proves the ownership; null if no proof is needed.</param>
internal readonly record struct OwnershipMark(Head Head, ProofTime? Since);
