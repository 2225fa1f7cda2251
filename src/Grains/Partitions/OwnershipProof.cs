namespace Granary.Grains.Partitions;

/// <summary>
/// When an activation last proved that it owns its partition. A commit proves it, and so does a read of the head that finds the head of the
/// activation. If other processes can write to the store, another activation may commit without the knowledge of this one, and answers from
/// memory count only for a time after a proof.
/// </summary>
/// <param name="lifetime">How long a proof lasts; null for as long as the activation.</param>
/// <param name="time">The clock.</param>
internal sealed class OwnershipProof(TimeSpan? lifetime, TimeProvider time)
{
    // Any thread reads it: answers outside of the grain depend on the proof too.
    private volatile ProofTime? _last;

    /// <summary>Whether the activation needs a proof at all.</summary>
    public bool IsNeeded => lifetime is not null;

    /// <summary>Whether the activation may answer from memory.</summary>
    public bool IsValid => lifetime is not { } limit || Age < limit;

    /// <summary>Whether the proof has more than half of its time left. After that a read renews it, so that no later read waits.</summary>
    public bool IsFresh => lifetime is not { } limit || Age < limit / 2;

    /// <summary>The time from which a proof counts: the moment before its request. Null if no proof is needed.</summary>
    public ProofTime? Now => lifetime is null ? null : new ProofTime(time.GetTimestamp(), time.GetUtcNow());

    /// <summary>Extends the proof.</summary>
    /// <param name="since">The moment before the request that proved the ownership; null if no proof is needed.</param>
    public void Extend(ProofTime? since)
    {
        if (since is not null && (_last is not { } last || since.Timestamp > last.Timestamp))
        {
            _last = since;
        }
    }

    /// <summary>Ends the proof: another activation may own the partition.</summary>
    public void End() => _last = null;

    // The clock of the machine counts too: the monotonic one may stand still while a virtual machine is paused.
    private TimeSpan Age => _last is not { } last ? TimeSpan.MaxValue
        : TimeSpan.FromTicks(Math.Max(time.GetElapsedTime(last.Timestamp).Ticks, (time.GetUtcNow() - last.Utc).Ticks));
}

/// <summary>A moment, by both clocks.</summary>
/// <param name="Timestamp">The timestamp of the monotonic clock.</param>
/// <param name="Utc">The time of the clock of the machine.</param>
internal sealed record ProofTime(long Timestamp, DateTimeOffset Utc);
