namespace Granary.Grains.Interfaces;

/// <summary>
/// A commit that a grain has begun, and that will become durable, or fail, before everything that its store is given from now on. Whoever gets one and relies on what it stands for
/// must commit in the same store, resting on it; then both are true or the second is not (docs/architecture.md, "Commits that rest on others").
/// </summary>
/// <param name="Number">The number that the store gave it.</param>
[GenerateSerializer, Immutable, Alias("granary.commit-ticket")]
public readonly record struct CommitTicket([property: Id(0)] long Number);
