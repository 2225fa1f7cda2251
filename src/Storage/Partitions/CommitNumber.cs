namespace Granary.Storage.Partitions;

/// <summary>The place of a commit in the order of a store that has one, as long as its process runs.</summary>
/// <param name="Value">Greater than those of all commits that were queued before.</param>
public readonly record struct CommitNumber(long Value);
