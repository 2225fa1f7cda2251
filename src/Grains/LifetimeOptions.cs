namespace Granary.Grains;

/// <summary>Settings of the section <c>lifetimes</c>: how long what nobody uses is kept.</summary>
public sealed record LifetimeOptions
{
    /// <summary>How long a blob that no manifest of the repository uses stays in it, counted from when a client last asked for it or pushed it.</summary>
    public TimeSpan LinkGrace { get; set; } = TimeSpan.FromHours(24);

    /// <summary>How long a blob that no repository has any more stays in the registry.</summary>
    public TimeSpan BlobGrace { get; set; } = TimeSpan.FromHours(1);

    /// <summary>After which time a new reference to a blob is first checked.</summary>
    public TimeSpan FirstLease { get; set; } = TimeSpan.FromHours(1);

    /// <summary>How long an upload session stays after its last byte; set from <c>uploads.expiry</c>.</summary>
    [System.ComponentModel.Browsable(false)]
    public TimeSpan UploadExpiry { get; set; } = TimeSpan.FromHours(24);

    /// <summary>How long an object stays after its blob was collected, so that downloads finish; none where open files outlive their names.</summary>
    [System.ComponentModel.Browsable(false)]
    public TimeSpan ObjectHold { get; set; } = TimeSpan.Zero;

    /// <summary>The longest time after which a repository is asked again.</summary>
    internal static readonly TimeSpan MaxLease = TimeSpan.FromDays(90);

    /// <summary>How long the object of a sealed upload may become a blob. Pushes end within seconds of their seal.</summary>
    internal static readonly TimeSpan SealDeadline = TimeSpan.FromHours(1);

    /// <summary>
    /// How much later than its id ceases to be good an upload session is looked for: longer than a commit that was decided before takes, and than clocks differ.
    /// </summary>
    internal static readonly TimeSpan BeginMargin = TimeSpan.FromHours(1);

    /// <summary>How long after its deadline an object's tombstone is kept: longer than any delayed call lives.</summary>
    internal static readonly TimeSpan TombstoneMargin = TimeSpan.FromDays(1);

    /// <summary>A link is renewed when it was last renewed longer ago than this (rule 5).</summary>
    internal TimeSpan RenewalInterval => LinkGrace / 2 < TimeSpan.FromMinutes(5) ? LinkGrace / 2 : TimeSpan.FromMinutes(5);
}
