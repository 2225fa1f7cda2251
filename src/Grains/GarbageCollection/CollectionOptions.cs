namespace Granary.Grains.GarbageCollection;

/// <summary>Settings of the section <c>collection</c>: what counts as garbage.</summary>
public sealed record CollectionOptions
{
    /// <summary>How often the server looks for what is due to be collected. Looking costs little; what is not due is not read.</summary>
    public TimeSpan Interval { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Whether referrers (signatures, attestations) of a manifest that was deleted go too, unless they are tagged or the manifest is pushed again within lifetimes.linkGrace.</summary>
    public bool Referrers { get; set; } = true;

    /// <summary>Whether repositories that have nothing left leave the catalog.</summary>
    public bool RemoveEmpty { get; set; } = true;

    /// <summary>Whether manifests go, once a day, to which no tag leads, directly or through indexes and subjects.</summary>
    public bool Untagged { get; set; }

    /// <summary>How old such a manifest has to be, counted from its push.</summary>
    public TimeSpan UntaggedAge { get; set; } = TimeSpan.FromDays(7);
}
