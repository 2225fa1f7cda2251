namespace Granary.Grains.Interfaces.Blobs;

/// <summary>The answer to an <see cref="AcquireBlob"/>.</summary>
[GenerateSerializer, Immutable, Alias("granary.acquire-answer")]
public abstract record AcquireAnswer
{
    private protected AcquireAnswer()
    {
    }
}

/// <summary>The repository may link the blob.</summary>
/// <param name="Content">The content that counts: that of the first upload, which need not be the caller's (<c>own</c>).</param>
/// <param name="DependsOn">The commit that the link has to depend on (<c>rest</c>); null if the reference is durable.</param>
[GenerateSerializer, Immutable, Alias("granary.acquired")]
public sealed record Acquired([property: Id(0)] BlobContent Content, [property: Id(1)] CommitTicket? DependsOn = null) : AcquireAnswer;

/// <summary>There is no blob to mount: the shard does not know it, or its bytes are damaged.</summary>
[GenerateSerializer, Immutable, Alias("granary.acquire-unknown")]
public sealed record AcquireUnknown : AcquireAnswer;

/// <summary>The object has a tombstone, is doomed, or its deadline has passed. The client has to upload the content again.</summary>
[GenerateSerializer, Immutable, Alias("granary.acquire-expired")]
public sealed record AcquireExpired : AcquireAnswer;
