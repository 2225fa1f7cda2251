namespace Granary.Grains;

/// <summary>Settings of the section <c>lifetimes</c>: how long unused content is kept.</summary>
public sealed record LifetimeOptions
{
    /// <summary>
    /// How long a blob that no manifest of its repository names stays in it, counted from when a client last asked for it or pushed it.
    /// </summary>
    public TimeSpan LinkGrace { get; set; } = TimeSpan.FromHours(24);

    /// <summary>How long a blob that no repository has any more stays in the registry.</summary>
    public TimeSpan BlobGrace { get; set; } = TimeSpan.FromHours(1);

    /// <summary>After which time a new reference to a blob is first checked.</summary>
    public TimeSpan FirstLease { get; set; } = TimeSpan.FromHours(1);

    /// <summary>How long an upload session stays after its last byte; set from <c>uploads.expiry</c>.</summary>
    [System.ComponentModel.Browsable(false)]
    public TimeSpan UploadExpiry { get; set; } = TimeSpan.FromHours(24);

    /// <summary>
    /// How long a doomed object stays before the sweep deletes it, so that downloads finish. Zero where the file system keeps a deleted
    /// file for its readers.
    /// </summary>
    [System.ComponentModel.Browsable(false)]
    public TimeSpan DeletionDelay { get; set; } = TimeSpan.Zero;

    /// <summary>The longest lease.</summary>
    internal static readonly TimeSpan MaxLease = TimeSpan.FromDays(90);

    /// <summary>How long the object of a sealed upload may become a blob. Pushes end within seconds of their seal.</summary>
    internal static readonly TimeSpan SealDeadline = TimeSpan.FromHours(1);

    /// <summary>
    /// How long after the expiry of its id the sweep first looks at an upload session. Longer than a commit takes that was decided before
    /// the expiry, and than clocks differ: otherwise the sweep would find no session, remove the due row, and the session would stay.
    /// </summary>
    internal static readonly TimeSpan BeginMargin = TimeSpan.FromHours(1);

    /// <summary>
    /// How long a tombstone stays after the deadline of its object: longer than a delayed call lives (<c>tomb</c>, <c>late</c>).
    /// </summary>
    internal static readonly TimeSpan TombstoneMargin = TimeSpan.FromDays(1);

    /// <summary>A repository renews the grace period of an unused link if the last renewal is longer ago than this.</summary>
    internal TimeSpan RenewalInterval => LinkGrace / 2 < TimeSpan.FromMinutes(5) ? LinkGrace / 2 : TimeSpan.FromMinutes(5);
}
