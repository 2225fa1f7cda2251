namespace Granary.Storage.Partitions.Sqlite;

/// <summary>Which commits have failed, of those that others may still rest on. Lives on the writer's thread.</summary>
internal sealed class CommitOutcomes
{
    // Whoever rests on a commit comes within moments of it, so that the oldest failures may be forgotten; then everything that old counts as failed.
    private const int MaxFailures = 1024;

    private readonly Dictionary<long, Exception> _failures = [];
    private long _settled;
    private long _forgotten;

    /// <summary>Notes what becomes of a commit, null if it is made. They come in the order of their numbers; that one has failed may also be noted later.</summary>
    public void Note(CommitNumber number, Exception? failure)
    {
        _settled = Math.Max(_settled, number.Value);
        if (failure is null)
        {
            return;
        }

        _failures[number.Value] = failure;
        if (_failures.Count == MaxFailures)
        {
            _forgotten = _settled;
            _failures.Clear();
        }
    }

    /// <summary>Why one of these commits was not made; null if all were, or are made in the same transaction as the one that asks.</summary>
    public StorageException? FindFailure(IReadOnlyCollection<CommitNumber> numbers)
    {
        foreach (var number in numbers)
        {
            if (_failures.TryGetValue(number.Value, out var failure))
            {
                // That another activation has its place is nothing that whoever rests on it has to give way to.
                return failure as StorageException ?? new StorageException(StorageFault.Unavailable, $"A commit failed on which this one rests: {failure.Message} Try again.", failure);
            }

            if (number.Value > _settled || number.Value <= _forgotten)
            {
                return new StorageException(StorageFault.Unavailable, "What became of a commit on which this one rests is not known; try again.");
            }
        }

        return null;
    }
}
