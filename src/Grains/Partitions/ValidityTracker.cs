namespace Granary.Grains.Partitions;

/// <summary>
/// Says how long rows that an activation has read stay true: until its next commit is published, or until it may no longer speak for the
/// partition.
/// </summary>
internal sealed class ValidityTracker(OwnershipProof proof)
{
    private bool _isClosed;

    /// <summary>The validity of what is read from now on.</summary>
    public ReadValidity Current { get; private set; } = new(proof);

    /// <summary>Ends the current validity, and begins the next one: a commit is published.</summary>
    public void Renew()
    {
        Current.End();
        Current = new ReadValidity(proof);
        if (_isClosed)
        {
            Current.End();
        }
    }

    /// <summary>Ends the current validity and all later ones: others may write to the partition.</summary>
    public void Close()
    {
        _isClosed = true;
        Current.End();
    }
}
