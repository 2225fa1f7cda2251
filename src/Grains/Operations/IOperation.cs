using Granary.Grains.Interfaces.Operations;

namespace Granary.Grains.Operations;

/// <summary>How a kind of operation is done: in steps that can be repeated, from the one after <see cref="OperationRun.Done"/>.</summary>
public interface IOperation
{
    /// <summary>Which kind.</summary>
    OperationKind Kind { get; }

    /// <summary>Does it.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    Task RunAsync(OperationRun run, CancellationToken cancellationToken);
}

/// <summary>An operation cannot be done; the message is for who asked for it.</summary>
public sealed class OperationFailedException(string message) : Exception(message);
