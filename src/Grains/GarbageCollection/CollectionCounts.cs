namespace Granary.Grains.GarbageCollection;

/// <summary>What a collection has removed so far, or what it would remove.</summary>
public sealed record CollectionCounts
{
    // One lock for all instances: it guards a few additions.
    private static readonly Lock Adding = new();

    /// <summary>Manifests that were removed with their subjects, or because they were untagged.</summary>
    public long ManifestsRemoved { get; set; }

    /// <summary>Blobs that left a repository because they were unused for the grace period.</summary>
    public long BlobsUnlinked { get; set; }

    /// <summary>Orphaned blobs that left the registry.</summary>
    public long BlobsCollected { get; set; }

    /// <summary>The bytes of these blobs.</summary>
    public long BytesCollected { get; set; }

    /// <summary>Objects that were deleted from the storage.</summary>
    public long ObjectsDeleted { get; set; }

    /// <summary>Open uploads that were removed.</summary>
    public long UploadsExpired { get; set; }

    /// <summary>References about which the repositories were asked.</summary>
    public long ReferencesAsked { get; set; }

    /// <summary>References that were removed because their repositories do not have the blob.</summary>
    public long ReferencesDropped { get; set; }

    /// <summary>The counts that an operation publishes, under the names that <c>OperationResults</c> knows.</summary>
    internal IReadOnlyDictionary<string, long> ByName => new Dictionary<string, long>(StringComparer.Ordinal)
    {
        ["manifests"] = ManifestsRemoved,
        ["unlinked"] = BlobsUnlinked,
        ["blobs"] = BlobsCollected,
        ["bytes"] = BytesCollected,
        ["objects"] = ObjectsDeleted,
        ["uploads"] = UploadsExpired,
    };

    internal bool HasRemovals => ManifestsRemoved + BlobsUnlinked + BlobsCollected + ObjectsDeleted + UploadsExpired > 0;

    /// <summary>Adds the counts of a step. Steps that run at the same time may call it.</summary>
    public void Add(CollectionCounts step)
    {
        lock (Adding)
        {
            ManifestsRemoved += step.ManifestsRemoved;
            BlobsUnlinked += step.BlobsUnlinked;
            BlobsCollected += step.BlobsCollected;
            BytesCollected += step.BytesCollected;
            ObjectsDeleted += step.ObjectsDeleted;
            UploadsExpired += step.UploadsExpired;
            ReferencesAsked += step.ReferencesAsked;
            ReferencesDropped += step.ReferencesDropped;
        }
    }
}
