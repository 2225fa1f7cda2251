using Granary.Grains.Interfaces;

namespace Granary.Grains.Repositories;

/// <summary>That a repository has told another grain of itself, ahead of what will be in it.</summary>
/// <param name="Sequence">The version of the repository from which on that counts.</param>
/// <param name="DependsOn">What is to be true with what the repository commits then; null: it is.</param>
internal readonly record struct PendingRegistration(long Sequence, CommitTicket? DependsOn);
