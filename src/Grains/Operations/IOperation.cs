using Granary.Grains.Interfaces.Operations;

namespace Granary.Grains.Operations;

/// <summary>The work of one kind of operation: steps that can be repeated, from the one after <see cref="OperationRun.Done"/>.</summary>
public interface IOperation
{
    /// <summary>The kind.</summary>
    OperationKind Kind { get; }

    /// <summary>Runs the operation to its end.</summary>
    /// <exception cref="OperationCanceledException">The operation was cancelled.</exception>
    /// <exception cref="OperationFailedException">The operation is not possible.</exception>
    Task RunAsync(OperationRun run, CancellationToken cancellationToken);
}
