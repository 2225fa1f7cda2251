namespace Granary.Grains.Interfaces.Blobs;

/// <summary>The decision about the object of an upload.</summary>
[GenerateSerializer, Alias("granary.renounce-answer")]
public enum RenounceAnswer
{
    /// <summary>The object is the blob's. It stays.</summary>
    Adopted,

    /// <summary>No blob uses the object, now or later. The caller deletes it.</summary>
    Renounced,
}
