namespace Granary.Grains.Operations;

/// <summary>An operation is not possible. The message is for the administrator who started it.</summary>
public sealed class OperationFailedException(string message) : Exception(message);
