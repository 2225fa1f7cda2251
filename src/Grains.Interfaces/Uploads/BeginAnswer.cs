using Granary.Protocol;
using Granary.Protocol.Hashing;

namespace Granary.Grains.Interfaces.Uploads;

/// <summary>The answer to a <see cref="BeginUpload"/>.</summary>
[GenerateSerializer, Immutable, Alias("granary.begin-answer")]
public abstract record BeginAnswer
{
    private protected BeginAnswer()
    {
    }
}

/// <summary>The request has the claim on the session.</summary>
/// <param name="Epoch">The epoch of the claim, newer than all before.</param>
/// <param name="Object">The object of the session's bytes.</param>
/// <param name="Offset">How many bytes of the object count.</param>
/// <param name="Hash">The hash of these bytes, if the request before has recorded it.</param>
[GenerateSerializer, Immutable, Alias("granary.upload-begun")]
public sealed record UploadBegun(
    [property: Id(0)] long Epoch,
    [property: Id(1)] ObjectId Object,
    [property: Id(2)] long Offset,
    [property: Id(3)] HashState? Hash = null) : BeginAnswer;

/// <summary>The bytes do not start at the session's offset, or another request has the claim.</summary>
/// <param name="Offset">The session's offset.</param>
[GenerateSerializer, Immutable, Alias("granary.upload-elsewhere")]
public sealed record UploadOffsetMismatch([property: Id(0)] long Offset) : BeginAnswer;

/// <summary>The session is sealed, cancelled or expired.</summary>
[GenerateSerializer, Immutable, Alias("granary.upload-over")]
public sealed record UploadOver : BeginAnswer;
