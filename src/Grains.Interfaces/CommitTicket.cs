namespace Granary.Grains.Interfaces;

/// <summary>
/// Names a commit that a grain has queued. The store makes it durable, or fails it, before every commit that is queued later. The receiver
/// of a ticket makes its own commit in the same store depend on it: then both are durable, or the second one fails (docs/architecture.md,
/// "Commits that depend on others").
/// </summary>
/// <param name="Number">The number that the store gave to the commit.</param>
[GenerateSerializer, Immutable, Alias("granary.commit-ticket")]
public readonly record struct CommitTicket([property: Id(0)] long Number);
