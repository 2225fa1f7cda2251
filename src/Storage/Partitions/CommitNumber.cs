namespace Granary.Storage.Partitions;

/// <summary>The number of a queued commit in a store that commits in order. It is valid for the lifetime of the process.</summary>
/// <param name="Value">Greater than the number of each commit that was queued before.</param>
public readonly record struct CommitNumber(long Value);
