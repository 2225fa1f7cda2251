namespace Granary.Grains.Repositories;

/// <summary>Settings of the section <c>history</c>: the record of who moved which tag.</summary>
public sealed record HistoryOptions
{
    /// <summary>How long the lines of the history are kept. The sweep removes older ones.</summary>
    public TimeSpan Retention { get; set; } = TimeSpan.FromDays(180);
}
