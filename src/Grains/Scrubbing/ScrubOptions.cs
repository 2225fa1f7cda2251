namespace Granary.Grains.Scrubbing;

/// <summary>Settings of the section <c>scrub</c>.</summary>
public sealed record ScrubOptions
{
    /// <summary>How many megabytes a scrub reads in a second at most, so that clients keep their share of the disk.</summary>
    public int MegabytesPerSecond { get; set; } = 100;
}
