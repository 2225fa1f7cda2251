namespace Granary.Storage.Space;

/// <summary>The free space above the reserve is too small for a push. The message is for the client and the operator.</summary>
public sealed class OutOfSpaceException(string message) : StorageException(StorageFault.Full, message);
