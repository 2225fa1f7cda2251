using Granary.Grains.Interfaces.Repositories;

namespace Granary.Grains.Repositories.History;

/// <summary>What a rule needs to know of a command beside its content, in order to write lines of the log.</summary>
/// <param name="Origin">Who sent the command, and why.</param>
/// <param name="Time">When the repository received it.</param>
/// <param name="Clock">The times of lines.</param>
/// <param name="Retention">How long lines are kept.</param>
internal sealed record Change(CommandOrigin Origin, DateTimeOffset Time, LogClock Clock, TimeSpan Retention)
{
    /// <summary>The order of the command; 0 for a change that the registry makes on its own.</summary>
    public long Order { get; init; }

    /// <summary>When the attempt ends; null for a change that the registry makes on its own.</summary>
    public DateTimeOffset? ValidUntil { get; init; }

    /// <summary>Whether other processes may write to the store. Then every answer is a commit (<see cref="OrderRules"/>).</summary>
    public bool IsShared { get; init; }

    /// <summary>The clock by which the attempt ends.</summary>
    public TimeProvider Now { get; init; } = TimeProvider.System;

    /// <summary>
    /// Returns the order above which attempts have not ended, if this one has; null if it has not. A sender whose clock is behind raises
    /// its orders to it, and its next attempt is valid.
    /// </summary>
    public long? FindEnd() => ValidUntil is { } end && Now.GetUtcNow() is var now && now > end ? now.UtcTicks : null;
}
