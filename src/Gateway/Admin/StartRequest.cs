using Granary.Grains.Interfaces.Operations;
using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;

namespace Granary.Gateway.Admin;

/// <summary>The body of a request that starts an operation.</summary>
/// <param name="Kind">The kind of the operation; null if the request has none, which is an error.</param>
/// <param name="DryRun">For a collection: forecast it, and delete nothing.</param>
/// <param name="Grace">For a collection: the grace period of unused blobs; null for the settings.</param>
/// <param name="UntaggedAge">For a collection: also delete untagged manifests that lost their last tag longer ago than this.</param>
/// <param name="Repository">For a deletion: the repository.</param>
/// <param name="Directory">For a backup: the directory on the server's machine, as an absolute path.</param>
/// <param name="BytesPerSecond">For a scrub: the most bytes that it reads in a second; null for the setting.</param>
public sealed record StartRequest(
    OperationKind? Kind,
    bool DryRun = false,
    TimeSpan? Grace = null,
    TimeSpan? UntaggedAge = null,
    RepositoryName? Repository = null,
    string? Directory = null,
    long? BytesPerSecond = null)
{
    /// <summary>Returns what is wrong with the request; null if it is valid.</summary>
    internal string? FindFault() => this switch
    {
        { Kind: null } => "kind has to be collection, scrub, deletion or backup.",
        { Kind: OperationKind.Deletion, Repository: null } => "repository has to be a repository's name.",
        { Kind: OperationKind.Backup } when !Path.IsPathFullyQualified(Directory ?? "") =>
            "directory has to be an absolute path on the server's machine.",
        { BytesPerSecond: <= 0 } => "bytesPerSecond has to be more than nothing.",
        _ => null,
    };

    /// <summary>Returns the request to the operations grain.</summary>
    /// <param name="origin">Who asks for it; null in a client, since the server knows.</param>
    internal OperationRequest ToRequest(CommandOrigin? origin) => new()
    {
        Kind = Kind!.Value,
        DryRun = DryRun,
        Grace = Grace,
        UntaggedAge = UntaggedAge,
        Repository = Repository?.Value,
        Directory = Directory,
        BytesPerSecond = BytesPerSecond,
        Origin = Kind == OperationKind.Deletion ? origin : null,
    };
}
