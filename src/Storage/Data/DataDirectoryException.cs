namespace Granary.Storage.Data;

/// <summary>A data directory cannot be used. The message tells the operator why, and what to do.</summary>
public sealed class DataDirectoryException(string message, Exception? innerException = null) : Exception(message, innerException);
