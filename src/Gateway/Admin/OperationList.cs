using Granary.Grains.Interfaces.Operations;

namespace Granary.Gateway.Admin;

/// <summary>The answer to a request for operations.</summary>
internal sealed record OperationList
{
    /// <summary>The operations, the newest first.</summary>
    public required IReadOnlyList<OperationStatus> Operations { get; init; }
}
