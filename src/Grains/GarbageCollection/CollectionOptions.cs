namespace Granary.Grains.GarbageCollection;

/// <summary>Settings of the section <c>collection</c>: what the collection of garbage removes, and when.</summary>
public sealed record CollectionOptions
{
    /// <summary>
    /// How often the sweep processes what is due. A sweep reads only rows that are due, so a short interval costs little.
    /// </summary>
    public TimeSpan Interval { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// Whether the referrers (signatures, attestations) of a deleted manifest are removed too. Tagged referrers stay. All stay if the
    /// manifest is pushed again within lifetimes.linkGrace.
    /// </summary>
    public bool Referrers { get; set; } = true;

    /// <summary>Whether repositories without manifests and blobs are removed from the catalog.</summary>
    public bool RemoveEmpty { get; set; } = true;

    /// <summary>
    /// Delete untagged manifests once a day: those that no tag reaches, directly, through indexes, or through their subjects.
    /// </summary>
    public bool Untagged { get; set; }

    /// <summary>How long after the loss of its last tag an untagged manifest is deleted. Without a tag ever, its push counts.</summary>
    public TimeSpan UntaggedAge { get; set; } = TimeSpan.FromDays(7);
}
