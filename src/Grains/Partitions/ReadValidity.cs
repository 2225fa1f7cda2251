namespace Granary.Grains.Partitions;

/// <summary>
/// The time between two commits of a partition. Rows that an activation has read stay true until the validity ends that was current when
/// the read began. Any thread may read it.
/// </summary>
internal sealed class ReadValidity
{
    private volatile bool _isOver;

    /// <summary>Whether a commit was published since, or the activation may no longer speak for the partition.</summary>
    public bool IsOver => _isOver;

    /// <summary>Ends the validity. Called before any caller learns of the commit or of its failure.</summary>
    public void End() => _isOver = true;
}
