namespace Granary.Grains.Interfaces;

/// <summary>A grain could not read or commit its rows.</summary>
[GenerateSerializer, Alias("granary.partition-unavailable")]
public sealed class PartitionUnavailableException(PartitionFault fault, string message) : Exception(message)
{
    /// <summary>The kind of failure.</summary>
    [Id(0)]
    public PartitionFault Fault { get; } = fault;
}
