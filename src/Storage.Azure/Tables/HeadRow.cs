using Azure;
using Azure.Data.Tables;
using Granary.Storage.Partitions;

namespace Granary.Storage.Azure.Tables;

/// <summary>The head of a partition as the table holds it.</summary>
/// <param name="Version">The version.</param>
/// <param name="Commit">A random name of the commit, or of the drop, that wrote the head.</param>
/// <param name="ETag">What a write of the head requires.</param>
internal sealed record HeadRow(long Version, string Commit, ETag ETag = default)
{
    private const string VersionProperty = "Version";
    private const string CommitProperty = "Commit";
    private const string LastDeleteProperty = "LastDelete";
    private const string LastSplitProperty = "LastSplit";
    private const string RedoRowsProperty = "RedoRows";
    private const string NextProperty = "Next";
    private const string IsDroppedProperty = "IsDropped";

    /// <summary>The version of the last commit that deleted rows.</summary>
    public long LastDelete { get; init; }

    /// <summary>The version of the last commit that took more than one transaction.</summary>
    public long LastSplit { get; init; }

    /// <summary>How many redo rows hold the rest of the batch; 0 if the batch is applied.</summary>
    public int RedoRows { get; init; }

    /// <summary>The place in the rest of the batch of the next change that is not applied.</summary>
    public int Next { get; init; }

    /// <summary>Whether the partition is being dropped. It does not exist any more, and its rows go.</summary>
    public bool IsDropped { get; init; }

    /// <summary>Whether the rows are those of the version.</summary>
    public bool IsSettled => RedoRows == 0 && !IsDropped;

    /// <summary>The properties that say whether a partition exists.</summary>
    public static string[] ExistenceProperties { get; } = ["PartitionKey", IsDroppedProperty];

    /// <summary>Returns what the caller knows this head by.</summary>
    public Head ToHead() => new(Version, ETag.ToString("H"));

    /// <summary>Whether the caller means this head.</summary>
    public bool Is(Head head) => head == ToHead();

    /// <summary>Returns the ETag of a head that <see cref="ToHead"/> made.</summary>
    public static ETag ETagOf(Head head) => new(head.Token!);

    /// <summary>Makes the change that writes this head, in place of the head with an ETag; null where there is none.</summary>
    /// <remarks>It changes only what differs from a settled head, or ends it, so that <see cref="LastDelete"/> and
    /// <see cref="LastSplit"/> stay.</remarks>
    public TableTransactionAction ToAction(string partition, ETag? replaces)
    {
        var entity = new TableEntity(partition, TableKeys.Head)
        {
            [VersionProperty] = Version,
            [CommitProperty] = Commit,
            [RedoRowsProperty] = RedoRows,
            [NextProperty] = Next,
        };
        if (LastDelete > 0)
        {
            entity[LastDeleteProperty] = LastDelete;
        }

        if (LastSplit > 0)
        {
            entity[LastSplitProperty] = LastSplit;
        }

        if (IsDropped)
        {
            entity[IsDroppedProperty] = true;
        }

        return replaces is { } etag
            ? new TableTransactionAction(TableTransactionActionType.UpdateMerge, entity, etag)
            : new TableTransactionAction(TableTransactionActionType.Add, entity);
    }

    /// <summary>Makes the change that removes the head with an ETag.</summary>
    public static TableTransactionAction DeleteAction(string partition, ETag etag) =>
        new(TableTransactionActionType.Delete, new TableEntity(partition, TableKeys.Head), etag);

    /// <summary>Reads a head.</summary>
    /// <exception cref="StorageException">The entity is no head.</exception>
    public static HeadRow From(TableEntity entity) =>
        entity.TryGetValue(VersionProperty, out var version) && version is long number
        && entity.TryGetValue(CommitProperty, out var commit) && commit is string name
            ? new HeadRow(number, name, entity.ETag)
            {
                LastDelete = entity.GetInt64(LastDeleteProperty) ?? 0,
                LastSplit = entity.GetInt64(LastSplitProperty) ?? 0,
                RedoRows = entity.GetInt32(RedoRowsProperty) ?? 0,
                Next = entity.GetInt32(NextProperty) ?? 0,
                IsDropped = IsDroppedIn(entity),
            }
            : throw new StorageException(
                StorageFault.Damaged,
                $"The head of partition '{TableKeys.Decode(entity.PartitionKey)}' has no version or no commit. "
                + "Another program has written to the table; restore the partition from a backup.");

    /// <summary>Returns whether an entity with <see cref="ExistenceProperties"/> says that the partition is being dropped.</summary>
    public static bool IsDroppedIn(TableEntity entity) => entity.GetBoolean(IsDroppedProperty) ?? false;
}
