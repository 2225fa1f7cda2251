namespace Granary.Grains.Interfaces.Repositories;

/// <summary>
/// The order of an attempt is not above those of the rows that its command touches, or the attempt has ended. The attempt has changed
/// nothing, and will change nothing. Its sender raises its orders and sends a new attempt. A late copy has no sender that does.
/// </summary>
[GenerateSerializer, Alias("granary.reorder")]
public sealed class ReorderException(long highest)
    : Exception("The order of the command is too low: a newer command has changed the repository. Send it again with a higher order.")
{
    /// <summary>The order above which the next attempt has to be.</summary>
    [Id(0)]
    public long Highest { get; } = highest;
}
