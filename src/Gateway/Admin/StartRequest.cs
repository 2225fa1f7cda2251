using Granary.Grains.Interfaces.Operations;
using Granary.Protocol;

namespace Granary.Gateway.Admin;

/// <summary>What an administrator asks for, as JSON.</summary>
/// <param name="Kind">What is to be done.</param>
/// <param name="DryRun">A collection: only tell what would go.</param>
/// <param name="Grace">A collection: how long unused blobs stay; null for the settings.</param>
/// <param name="UntaggedAge">A collection: also manifests that no tag leads to, if they are older than this.</param>
/// <param name="Repository">A deletion: which repository.</param>
/// <param name="Directory">A backup: the directory on the server's machine, as an absolute path.</param>
/// <param name="BytesPerSecond">A scrub: how much it reads at most; null for the setting.</param>
public sealed record StartRequest(
    OperationKind? Kind,
    bool DryRun = false,
    TimeSpan? Grace = null,
    TimeSpan? UntaggedAge = null,
    RepositoryName? Repository = null,
    string? Directory = null,
    long? BytesPerSecond = null)
{
    /// <summary>What is wrong with it; null if nothing.</summary>
    internal string? FindFault() => this switch
    {
        { Kind: null } => "kind has to be collection, scrub, deletion or backup.",
        { Kind: OperationKind.Deletion, Repository: null } => "repository has to be a repository's name.",
        { Kind: OperationKind.Backup } when !Path.IsPathFullyQualified(Directory ?? "") => "directory has to be an absolute path on the server's machine.",
        { BytesPerSecond: <= 0 } => "bytesPerSecond has to be more than nothing.",
        _ => null,
    };

    internal OperationRequest ToRequest() => new()
    {
        Kind = Kind!.Value,
        DryRun = DryRun,
        Grace = Grace,
        UntaggedAge = UntaggedAge,
        Repository = Repository?.Value,
        Directory = Directory,
        BytesPerSecond = BytesPerSecond,
    };
}
