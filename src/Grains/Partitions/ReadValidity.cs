namespace Granary.Grains.Partitions;

/// <summary>
/// The time between two commits of a partition. Rows that an activation has read stay true until the validity ends that was current when
/// the read began. Any thread may read it.
/// </summary>
/// <param name="proof">The proof of the activation's ownership. As long as it is not fresh, the grain has to be asked.</param>
internal sealed class ReadValidity(OwnershipProof proof)
{
    private volatile bool _isOver;

    /// <summary>
    /// Whether a commit was published since, or the activation may no longer speak for the partition, or has not proved lately that it may.
    /// </summary>
    public bool IsOver => _isOver || !proof.IsFresh;

    /// <summary>Ends the validity. Called before any caller learns of the commit or of its failure.</summary>
    public void End() => _isOver = true;
}
