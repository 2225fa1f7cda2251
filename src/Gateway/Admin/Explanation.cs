using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;

namespace Granary.Gateway.Admin;

/// <summary>Why content is kept, or when it goes.</summary>
/// <param name="Repository">Whose content.</param>
/// <param name="Digest">Which.</param>
/// <param name="IsKnown">Whether the repository has it, as a manifest or as a blob.</param>
/// <param name="Here">What the repository knows of it.</param>
/// <param name="Blob">What the registry knows of it as a blob; null if it is none.</param>
/// <param name="Text">All of it in sentences.</param>
public sealed record Explanation(
    RepositoryName Repository,
    Digest Digest,
    bool IsKnown,
    RepositoryExplanation Here,
    ShardBlob? Blob,
    string[] Text);
