using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;

namespace Granary.Gateway.Admin;

/// <summary>Why content is kept, or when it is deleted.</summary>
/// <param name="Repository">The repository.</param>
/// <param name="Digest">The digest of the content.</param>
/// <param name="IsKnown">Whether the repository has the content, as a manifest or as a blob.</param>
/// <param name="Here">The repository's rows about the content.</param>
/// <param name="Blob">The shard's rows about the blob; null if no blob has this digest.</param>
/// <param name="Text">The same in sentences.</param>
public sealed record Explanation(
    RepositoryName Repository,
    Digest Digest,
    bool IsKnown,
    RepositoryExplanation Here,
    ShardBlob? Blob,
    string[] Text);
