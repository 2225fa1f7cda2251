using System.Text;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;

namespace Granary.Grains.Tests;

/// <summary>Makes commands for tests.</summary>
internal static class Commands
{
    /// <summary>Returns the push of a manifest with the given content. Without blobs it needs nothing.</summary>
    public static PutManifest Put(
        string content,
        string[] tags,
        TagCondition? condition = null,
        Digest[]? blobs = null,
        Digest? subject = null)
    {
        var config = blobs is [var first, ..] ? first : DigestOf("none");
        var layers = string.Join(',', (blobs ?? []).Skip(1).Select(blob => Descriptor("a/b", blob)));
        var body = Encoding.UTF8.GetBytes(
            $$"""{"schemaVersion":2,"mediaType":"{{MediaTypes.OciManifest}}","config":{{Descriptor("a/b", config)}},"layers":"""
            + $$"""[{{layers}}],"content":"{{content}}"}""");
        return new PutManifest
        {
            Digest = Digest.Compute(DigestAlgorithm.Sha256, body),
            MediaType = MediaTypes.OciManifest,
            Body = body,
            Tags = [.. tags.Select(Tag.Parse)],
            Condition = condition,
            Origin = Origin(),
            Sparse = false,
            Blobs = blobs ?? [],
            ForeignBlobs = [],
            Children = [],
            Subject = subject,
            Annotations = new Dictionary<string, string>(),
        };
    }

    /// <summary>Returns the push of an index of other manifests.</summary>
    public static PutManifest Index(string content, string[] tags, params Digest[] children)
    {
        var manifests = string.Join(',', children.Select(child => Descriptor(MediaTypes.OciManifest, child)));
        var body = Encoding.UTF8.GetBytes(
            $$"""{"schemaVersion":2,"mediaType":"{{MediaTypes.OciIndex}}","manifests":[{{manifests}}],"content":"{{content}}"}""");
        return Put(content, tags) with
        {
            Digest = Digest.Compute(DigestAlgorithm.Sha256, body),
            MediaType = MediaTypes.OciIndex,
            Body = body,
            Children = children,
        };
    }

    /// <summary>Returns the origin of a new request.</summary>
    public static CommandOrigin Origin(ChangeCause cause = ChangeCause.Push) => new() { RequestId = Guid.NewGuid(), Cause = cause };

    /// <summary>Removes a manifest.</summary>
    public static Task<bool> DeleteManifest(this IRepositoryGrain repository, Digest digest, CancellationToken cancellationToken) =>
        repository.DeleteManifest(new RemoveManifest(digest) { Origin = Origin(ChangeCause.Delete) }, cancellationToken);

    /// <summary>Removes a tag.</summary>
    public static Task<bool> Untag(this IRepositoryGrain repository, Tag tag, CancellationToken cancellationToken) =>
        repository.Untag(new RemoveTag(tag) { Origin = Origin(ChangeCause.Delete) }, cancellationToken);

    /// <summary>Removes a blob.</summary>
    public static Task<DeleteBlobAnswer> DeleteBlob(
        this IRepositoryGrain repository,
        Digest digest,
        bool evenIfUsed,
        CancellationToken cancellationToken) =>
        repository.DeleteBlob(new RemoveBlob(digest, evenIfUsed) { Origin = Origin(ChangeCause.Delete) }, cancellationToken);

    /// <summary>Links a blob.</summary>
    public static Task<LinkAnswer> LinkBlob(
        this IRepositoryGrain repository,
        Digest digest,
        BlobContent content,
        DateTimeOffset deadline,
        CancellationToken cancellationToken) =>
        repository.LinkBlob(new LinkBlob(digest, content, deadline) { Origin = Origin() }, cancellationToken);

    /// <summary>Mounts a blob.</summary>
    public static Task<LinkAnswer> MountBlob(this IRepositoryGrain repository, Digest digest, CancellationToken cancellationToken) =>
        repository.MountBlob(new MountBlob(digest) { Origin = Origin() }, cancellationToken);

    /// <summary>Makes a step of the removal of a repository.</summary>
    public static Task<int> Clear(this IRepositoryMaintenanceGrain repository, int limit, CancellationToken cancellationToken) =>
        repository.Clear(new ClearRepository(limit) { Origin = Origin(ChangeCause.Delete) }, cancellationToken);

    /// <summary>Returns the digest of a text.</summary>
    public static Digest DigestOf(string content) => Digest.Compute(DigestAlgorithm.Sha256, Encoding.UTF8.GetBytes(content));

    private static string Descriptor(string mediaType, Digest digest) =>
        $$"""{"mediaType":"{{mediaType}}","digest":"{{digest}}","size":1}""";
}
