namespace Granary.Storage.Partitions.Sqlite;

/// <summary>Remembers which recent commits failed, for the commits that depend on them. Only the writer's thread uses it.</summary>
internal sealed class CommitOutcomes
{
    // A dependent commit arrives moments after its dependency, so old failures may be dropped. From then on, all commits of that age count
    // as failed: a dependent commit is never made on an unknown outcome.
    private const int MaxFailures = 1024;

    private readonly Dictionary<long, Exception> _failures = [];
    private long _lastDecided;
    private long _lastDropped;

    /// <summary>
    /// Records the outcome of a commit; null if the transaction makes it. Outcomes arrive in the order of the numbers. A failure may be
    /// recorded later too, when the transaction has failed.
    /// </summary>
    public void Record(CommitNumber number, Exception? failure)
    {
        _lastDecided = Math.Max(_lastDecided, number.Value);
        if (failure is null)
        {
            return;
        }

        _failures[number.Value] = failure;
        if (_failures.Count == MaxFailures)
        {
            _lastDropped = _lastDecided;
            _failures.Clear();
        }
    }

    /// <summary>
    /// Returns why one of these commits failed. Returns null if all were made, or are made in the transaction of the dependent commit.
    /// </summary>
    public StorageException? FindFailure(IReadOnlyCollection<CommitNumber> numbers)
    {
        foreach (var number in numbers)
        {
            if (_failures.TryGetValue(number.Value, out var failure))
            {
                // A moved head of the other partition is not a moved head of this one: a HeadMovedException would end the wrong activation.
                return failure as StorageException
                    ?? new StorageException(
                        StorageFault.Unavailable,
                        $"A commit failed on which this one depends: {failure.Message} Try again.",
                        failure);
            }

            if (number.Value > _lastDecided || number.Value <= _lastDropped)
            {
                return new StorageException(
                    StorageFault.Unavailable,
                    "The outcome of a commit on which this one depends is not known. Try again.");
            }
        }

        return null;
    }
}
