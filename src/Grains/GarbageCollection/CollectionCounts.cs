namespace Granary.Grains.GarbageCollection;

/// <summary>What a collection has done so far, or in a dry run would do.</summary>
public sealed record CollectionCounts
{
    // One for all: what it guards is a few additions.
    private static readonly Lock Adding = new();

    /// <summary>Manifests that went with their subjects, or because no tag led to them.</summary>
    public long ManifestsRemoved { get; set; }

    /// <summary>Blobs that left a repository because no manifest had used them for the grace.</summary>
    public long BlobsUnlinked { get; set; }

    /// <summary>Blobs that left the registry because no repository referred to them any more.</summary>
    public long BlobsCollected { get; set; }

    /// <summary>Their bytes.</summary>
    public long BytesCollected { get; set; }

    /// <summary>Objects that were deleted from the storage.</summary>
    public long ObjectsDeleted { get; set; }

    /// <summary>Uploads that were given up.</summary>
    public long UploadsExpired { get; set; }

    /// <summary>References whose repositories were asked.</summary>
    public long ReferencesAsked { get; set; }

    /// <summary>References whose repositories said no.</summary>
    public long ReferencesDropped { get; set; }

    /// <summary>Adds what another step has done; steps that run at once may.</summary>
    public void Add(CollectionCounts more)
    {
        lock (Adding)
        {
            ManifestsRemoved += more.ManifestsRemoved;
            BlobsUnlinked += more.BlobsUnlinked;
            BlobsCollected += more.BlobsCollected;
            BytesCollected += more.BytesCollected;
            ObjectsDeleted += more.ObjectsDeleted;
            UploadsExpired += more.UploadsExpired;
            ReferencesAsked += more.ReferencesAsked;
            ReferencesDropped += more.ReferencesDropped;
        }
    }

    /// <summary>What an operation publishes of them, under the names that <c>OperationResults</c> knows.</summary>
    internal IReadOnlyDictionary<string, long> ByName => new Dictionary<string, long>(StringComparer.Ordinal)
    {
        ["manifests"] = ManifestsRemoved,
        ["unlinked"] = BlobsUnlinked,
        ["blobs"] = BlobsCollected,
        ["bytes"] = BytesCollected,
        ["objects"] = ObjectsDeleted,
        ["uploads"] = UploadsExpired,
    };

    internal bool IsWorthTelling => ManifestsRemoved + BlobsUnlinked + BlobsCollected + ObjectsDeleted + UploadsExpired > 0;
}
