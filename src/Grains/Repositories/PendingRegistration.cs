using Granary.Grains.Interfaces;

namespace Granary.Grains.Repositories;

/// <summary>
/// A registration that another grain has made for a repository, before the repository has committed the row that records it.
/// </summary>
/// <param name="Sequence">The version of the repository from which on the registration counts.</param>
/// <param name="DependsOn">The commit of the other grain that the repository's commit depends on; null if it is durable.</param>
internal readonly record struct PendingRegistration(long Sequence, CommitTicket? DependsOn);
