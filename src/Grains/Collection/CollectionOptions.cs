namespace Granary.Grains.Collection;

/// <summary>Settings of the section <c>collection</c>.</summary>
public sealed record CollectionOptions
{
    /// <summary>How often the server looks for what is due to be collected. Looking costs little; what is not due is not read.</summary>
    public TimeSpan Interval { get; set; } = TimeSpan.FromMinutes(5);
}
