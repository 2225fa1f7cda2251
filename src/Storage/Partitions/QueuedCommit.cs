namespace Granary.Storage.Partitions;

/// <summary>A batch on its way into a store.</summary>
/// <param name="Number">
/// What others name who rest on it (<see cref="IPartitionStore.Queue"/>); null from a store that does not commit in the order of arrival: there, whoever needs it waits until it is done.
/// </param>
/// <param name="Done">The new head, once the batch is durable; throws as <see cref="IPartitionStore.CommitAsync"/> does.</param>
public readonly record struct QueuedCommit(CommitNumber? Number, Task<Head> Done);
