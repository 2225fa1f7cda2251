namespace Granary.Grains.Interfaces.Schedules;

/// <summary>An entry of a schedule.</summary>
/// <param name="Subject">The id of an upload session, or the name of a repository.</param>
/// <param name="Due">When the sweep looks at it.</param>
[GenerateSerializer, Immutable, Alias("granary.scheduled-item")]
public sealed record ScheduledItem([property: Id(0)] string Subject, [property: Id(1)] DateTimeOffset Due);
