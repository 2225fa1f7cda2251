using Granary.Protocol;

namespace Granary.Grains.Interfaces.Blobs;

/// <summary>A blob whose repositories need to learn which content counts.</summary>
/// <param name="Digest">The blob.</param>
/// <param name="Due">The time of its due row.</param>
/// <param name="Content">The content that counts; null if the blob is gone.</param>
/// <param name="IsDamaged">Whether that content is damaged.</param>
[GenerateSerializer, Immutable, Alias("granary.correction")]
public sealed record Correction(
    [property: Id(0)] Digest Digest,
    [property: Id(1)] DateTimeOffset Due,
    [property: Id(2)] BlobContent? Content,
    [property: Id(3)] bool IsDamaged);
