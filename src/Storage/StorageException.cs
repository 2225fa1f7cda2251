namespace Granary.Storage;

/// <summary>The storage failed. The operation may or may not have taken effect, unless its documentation says which.</summary>
public class StorageException(StorageFault fault, string message, Exception? innerException = null) : Exception(message, innerException)
{
    /// <summary>The kind of failure.</summary>
    public StorageFault Fault { get; } = fault;
}
