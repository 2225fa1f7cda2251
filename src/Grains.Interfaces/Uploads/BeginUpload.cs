using Granary.Protocol;

namespace Granary.Grains.Interfaces.Uploads;

/// <summary>A request that wants to append to a session.</summary>
/// <param name="IssuedAt">When the session's id was made.</param>
/// <param name="Offset">The offset of its first byte; null to append at the end.</param>
/// <param name="Algorithm">The algorithm of the digest that the client will send. The first claim records it.</param>
[GenerateSerializer, Immutable, Alias("granary.begin-upload")]
public sealed record BeginUpload(
    [property: Id(0)] DateTimeOffset IssuedAt,
    [property: Id(1)] long? Offset,
    [property: Id(2)] DigestAlgorithm Algorithm)
{
    /// <summary>
    /// The id of the claim, the same in each attempt: a repeat gets the claim that an earlier attempt has. Empty for none.
    /// </summary>
    [Id(3)]
    public Guid ClaimId { get; init; }
}
