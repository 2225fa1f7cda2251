namespace Granary.Storage;

/// <summary>Why the storage did not do what it was asked.</summary>
public enum StorageFault
{
    /// <summary>It does not answer, or failed in a way that has no better name. Trying again may help.</summary>
    Unavailable,

    /// <summary>There is no room left.</summary>
    Full,

    /// <summary>It refuses writes.</summary>
    ReadOnly,

    /// <summary>What it holds is not what was written.</summary>
    Damaged,
}

/// <summary>The storage failed. Whether the operation took effect is not known, unless its documentation says so.</summary>
public class StorageException(StorageFault fault, string message, Exception? innerException = null) : Exception(message, innerException)
{
    /// <summary>What kind of failure.</summary>
    public StorageFault Fault { get; } = fault;
}
