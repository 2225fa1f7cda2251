using Granary.Protocol;

namespace Granary.Grains.Interfaces.Repositories;

/// <summary>A manifest that was read and checked by itself; what is left to check is what it needs of the repository.</summary>
[GenerateSerializer, Immutable, Alias("granary.put-manifest")]
public sealed record PutManifest
{
    /// <summary>The digest of <see cref="Body"/>, by which the manifest will be known.</summary>
    [Id(0)]
    public required Digest Digest { get; init; }

    /// <summary>The media type, without parameters.</summary>
    [Id(1)]
    public required string MediaType { get; init; }

    /// <summary>The bytes exactly as pushed, at most <see cref="Manifest.MaxSize"/>. Nobody writes to them.</summary>
    [Id(2)]
    public required byte[] Body { get; init; }

    /// <summary>The tags that shall point at it: all or none. May be empty.</summary>
    [Id(3)]
    public required Tag[] Tags { get; init; }

    /// <summary>What has to be true of the one tag of <see cref="Tags"/>.</summary>
    [Id(4)]
    public TagCondition? Condition { get; init; }

    /// <summary>Made for each request of a client, kept by the tags it moves: a repeat of a conditional push answers as the first did.</summary>
    [Id(5)]
    public required Guid RequestId { get; init; }

    /// <summary>Whether content that the manifest names may be absent (<c>manifests.sparse</c>).</summary>
    [Id(6)]
    public required bool Sparse { get; init; }

    /// <summary>The blobs it names that have to be here: configuration and layers, each once.</summary>
    [Id(7)]
    public required Digest[] Blobs { get; init; }

    /// <summary>The blobs it names that may be elsewhere: foreign layers, each once.</summary>
    [Id(8)]
    public required Digest[] ForeignBlobs { get; init; }

    /// <summary>The children of an index, each once: manifests, or blobs of older build caches.</summary>
    [Id(9)]
    public required Digest[] Children { get; init; }

    /// <summary>The manifest that it refers to, which need not exist.</summary>
    [Id(10)]
    public Digest? Subject { get; init; }

    /// <summary>The type under which it is listed as a referrer of <see cref="Subject"/>.</summary>
    [Id(11)]
    public string? ArtifactType { get; init; }

    /// <summary>Its annotations, for the same list.</summary>
    [Id(12)]
    public required IReadOnlyDictionary<string, string> Annotations { get; init; }
}

/// <summary>What has to be true of a tag for a conditional push (RFC 9110, section 13, with digests as entity tags).</summary>
[GenerateSerializer, Immutable, Alias("granary.tag-condition")]
public abstract record TagCondition
{
    private protected TagCondition()
    {
    }
}

/// <summary><c>If-None-Match: *</c>, or with digests: the tag does not exist, or points at none of them.</summary>
/// <param name="Digests">Null for <c>*</c>.</param>
[GenerateSerializer, Immutable, Alias("granary.tag-is-none-of")]
public sealed record TagIsNoneOf([property: Id(0)] Digest[]? Digests) : TagCondition;

/// <summary><c>If-Match</c>: the tag points at one of these digests, or for <c>*</c> just exists.</summary>
/// <param name="Digests">Null for <c>*</c>.</param>
[GenerateSerializer, Immutable, Alias("granary.tag-is-one-of")]
public sealed record TagIsOneOf([property: Id(0)] Digest[]? Digests) : TagCondition;

/// <summary>What became of a <see cref="PutManifest"/>.</summary>
[GenerateSerializer, Immutable, Alias("granary.put-manifest-answer")]
public abstract record PutManifestAnswer
{
    private protected PutManifestAnswer()
    {
    }
}

/// <summary>The manifest is here, and all tags point at it.</summary>
[GenerateSerializer, Immutable, Alias("granary.manifest-stored")]
public sealed record ManifestStored : PutManifestAnswer;

/// <summary>The manifest names content that this repository does not have. Nothing was stored.</summary>
/// <param name="Digests">All that is missing, in the manifest's order.</param>
[GenerateSerializer, Immutable, Alias("granary.references-missing")]
public sealed record ReferencesMissing([property: Id(0)] Digest[] Digests) : PutManifestAnswer;

/// <summary>The condition does not hold. Nothing was stored.</summary>
/// <param name="Current">What the tag points at; null if it does not exist.</param>
[GenerateSerializer, Immutable, Alias("granary.condition-failed")]
public sealed record ConditionFailed([property: Id(0)] Digest? Current) : PutManifestAnswer;
