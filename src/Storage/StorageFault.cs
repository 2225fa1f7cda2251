namespace Granary.Storage;

/// <summary>The kinds of failure of a storage.</summary>
public enum StorageFault
{
    /// <summary>The storage does not answer, or its failure has no better name. A retry may help.</summary>
    Unavailable,

    /// <summary>The storage has no free space.</summary>
    Full,

    /// <summary>The storage refuses writes.</summary>
    ReadOnly,

    /// <summary>The stored bytes are not the bytes that were written.</summary>
    Damaged,
}
