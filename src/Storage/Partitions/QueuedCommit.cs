namespace Granary.Storage.Partitions;

/// <summary>A batch that is queued in a store.</summary>
/// <param name="Number">
/// The number that dependent commits name (<see cref="IPartitionStore.Queue"/>). Null from a store that does not commit in the order of
/// arrival: a caller that needs this commit waits until it is done.
/// </param>
/// <param name="Done">
/// Completes with the new head when the batch is durable. Fails as <see cref="IPartitionStore.CommitAsync"/> does.
/// </param>
public readonly record struct QueuedCommit(CommitNumber? Number, Task<Head> Done);
