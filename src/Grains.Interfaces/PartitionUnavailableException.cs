namespace Granary.Grains.Interfaces;

/// <summary>Why a grain could not answer.</summary>
[GenerateSerializer, Alias("granary.partition-fault")]
public enum PartitionFault
{
    /// <summary>The storage does not answer, or this activation is stale. The call may have taken effect; every command may be repeated, once at once.</summary>
    Unavailable,

    /// <summary>The storage is full. Nothing was stored.</summary>
    Full,

    /// <summary>The storage refuses writes. Nothing was stored.</summary>
    ReadOnly,

    /// <summary>A row is damaged; the log names it.</summary>
    Damaged,
}

/// <summary>A grain could not read or commit its rows.</summary>
[GenerateSerializer, Alias("granary.partition-unavailable")]
public sealed class PartitionUnavailableException(PartitionFault fault, string message) : Exception(message)
{
    /// <summary>What kind of failure.</summary>
    [Id(0)]
    public PartitionFault Fault { get; } = fault;
}
