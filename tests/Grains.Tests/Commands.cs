using System.Text;
using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;

namespace Granary.Grains.Tests;

/// <summary>Commands for tests.</summary>
internal static class Commands
{
    /// <summary>A manifest that needs nothing, with content of its own.</summary>
    public static PutManifest Put(string content, string[] tags, TagCondition? condition = null, Digest[]? blobs = null, Digest? subject = null)
    {
        var body = Encoding.UTF8.GetBytes(
            $$"""{"schemaVersion":2,"mediaType":"{{MediaTypes.OciManifest}}","config":{"mediaType":"a/b","digest":"{{(blobs is [var first, ..] ? first : DigestOf("none"))}}","size":1},"layers":[{{string.Join(',', (blobs ?? []).Skip(1).Select(blob => $$"""{"mediaType":"a/b","digest":"{{blob}}","size":1}"""))}}],"content":"{{content}}"}""");
        return new PutManifest
        {
            Digest = Digest.Compute(DigestAlgorithm.Sha256, body),
            MediaType = MediaTypes.OciManifest,
            Body = body,
            Tags = [.. tags.Select(Tag.Parse)],
            Condition = condition,
            RequestId = Guid.NewGuid(),
            Sparse = false,
            Blobs = blobs ?? [],
            ForeignBlobs = [],
            Children = [],
            Subject = subject,
            Annotations = new Dictionary<string, string>(),
        };
    }

    /// <summary>An index of other manifests.</summary>
    public static PutManifest Index(string content, string[] tags, params Digest[] children)
    {
        var body = Encoding.UTF8.GetBytes(
            $$"""{"schemaVersion":2,"mediaType":"{{MediaTypes.OciIndex}}","manifests":[{{string.Join(',', children.Select(child => $$"""{"mediaType":"{{MediaTypes.OciManifest}}","digest":"{{child}}","size":1}"""))}}],"content":"{{content}}"}""");
        return Put(content, tags) with
        {
            Digest = Digest.Compute(DigestAlgorithm.Sha256, body),
            MediaType = MediaTypes.OciIndex,
            Body = body,
            Children = children,
        };
    }

    public static Digest DigestOf(string content) => Digest.Compute(DigestAlgorithm.Sha256, Encoding.UTF8.GetBytes(content));
}
