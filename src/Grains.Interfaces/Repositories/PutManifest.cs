using Granary.Protocol;

namespace Granary.Grains.Interfaces.Repositories;

/// <summary>
/// A push of a manifest. The gateway has parsed and checked the manifest; the repository checks that it has the content that it names.
/// </summary>
[GenerateSerializer, Immutable, Alias("granary.put-manifest")]
public sealed record PutManifest : RepositoryCommand
{
    /// <summary>The digest of <see cref="Body"/>.</summary>
    [Id(0)]
    public required Digest Digest { get; init; }

    /// <summary>The media type, without parameters.</summary>
    [Id(1)]
    public required string MediaType { get; init; }

    /// <summary>The bytes as pushed, at most <see cref="Manifest.MaxSize"/>. No caller may write to them.</summary>
    [Id(2)]
    public required byte[] Body { get; init; }

    /// <summary>The tags to point at it, all in one commit. May be empty.</summary>
    [Id(3)]
    public required Tag[] Tags { get; init; }

    /// <summary>The condition on the only tag of <see cref="Tags"/>.</summary>
    [Id(4)]
    public TagCondition? Condition { get; init; }

    /// <summary>Whether content that the manifest names may be absent (<c>manifests.sparse</c>).</summary>
    [Id(6)]
    public required bool Sparse { get; init; }

    /// <summary>The blobs that the repository must have: configuration and layers, each once.</summary>
    [Id(7)]
    public required Digest[] Blobs { get; init; }

    /// <summary>The blobs that the repository need not have: foreign layers, each once.</summary>
    [Id(8)]
    public required Digest[] ForeignBlobs { get; init; }

    /// <summary>The children of an index, each once: manifests, or blobs of older build caches.</summary>
    [Id(9)]
    public required Digest[] Children { get; init; }

    /// <summary>The subject. The repository need not have it.</summary>
    [Id(10)]
    public Digest? Subject { get; init; }

    /// <summary>The artifact type in the list of referrers of <see cref="Subject"/>.</summary>
    [Id(11)]
    public string? ArtifactType { get; init; }

    /// <summary>The annotations in the same list.</summary>
    [Id(12)]
    public required IReadOnlyDictionary<string, string> Annotations { get; init; }
}

/// <summary>The condition of a conditional push on its tag (RFC 9110, section 13, with digests as entity tags).</summary>
[GenerateSerializer, Immutable, Alias("granary.tag-condition")]
public abstract record TagCondition
{
    private protected TagCondition()
    {
    }
}

/// <summary><c>If-None-Match</c>: the tag does not exist, or points at none of these digests.</summary>
/// <param name="Digests">The digests; null for <c>*</c>: the tag must not exist.</param>
[GenerateSerializer, Immutable, Alias("granary.tag-is-none-of")]
public sealed record TagIsNoneOf([property: Id(0)] Digest[]? Digests) : TagCondition;

/// <summary><c>If-Match</c>: the tag points at one of these digests.</summary>
/// <param name="Digests">The digests; null for <c>*</c>: the tag must exist.</param>
[GenerateSerializer, Immutable, Alias("granary.tag-is-one-of")]
public sealed record TagIsOneOf([property: Id(0)] Digest[]? Digests) : TagCondition;

/// <summary>The answer to a <see cref="PutManifest"/>.</summary>
[GenerateSerializer, Immutable, Alias("granary.put-manifest-answer")]
public abstract record PutManifestAnswer
{
    private protected PutManifestAnswer()
    {
    }
}

/// <summary>The repository has the manifest, and all tags point at it.</summary>
[GenerateSerializer, Immutable, Alias("granary.manifest-stored")]
public sealed record ManifestStored : PutManifestAnswer;

/// <summary>The manifest names content that this repository does not have. Nothing was stored.</summary>
/// <param name="Digests">The digests of all missing content, in the manifest's order.</param>
[GenerateSerializer, Immutable, Alias("granary.references-missing")]
public sealed record ReferencesMissing([property: Id(0)] Digest[] Digests) : PutManifestAnswer;

/// <summary>The tag does not meet the condition. Nothing was stored.</summary>
/// <param name="Current">The manifest that the tag points at; null if there is no such tag.</param>
[GenerateSerializer, Immutable, Alias("granary.condition-failed")]
public sealed record ConditionFailed([property: Id(0)] Digest? Current) : PutManifestAnswer;
