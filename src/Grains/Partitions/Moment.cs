namespace Granary.Grains.Partitions;

/// <summary>
/// The time between two commits of a partition. What an activation read stays true while the moment lasts in which it began to read, and so may be kept for as long. Any thread may look.
/// </summary>
internal sealed class Moment
{
    private volatile bool _isOver;

    /// <summary>Whether something was committed, or the activation may no longer speak for the partition.</summary>
    public bool IsOver => _isOver;

    /// <summary>Ends it: before anybody hears why.</summary>
    public void End() => _isOver = true;
}
