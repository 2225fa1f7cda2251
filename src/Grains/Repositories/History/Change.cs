using Granary.Grains.Interfaces.Repositories;

namespace Granary.Grains.Repositories.History;

/// <summary>What a rule needs to know of a command beside its content, in order to write lines of the log.</summary>
/// <param name="Origin">Who sent the command, and why.</param>
/// <param name="Time">When the repository received it.</param>
/// <param name="Clock">The times of lines.</param>
/// <param name="Retention">How long lines are kept.</param>
internal sealed record Change(CommandOrigin Origin, DateTimeOffset Time, LogClock Clock, TimeSpan Retention);
