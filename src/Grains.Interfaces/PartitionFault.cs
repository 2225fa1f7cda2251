namespace Granary.Grains.Interfaces;

/// <summary>The reason why a grain could not answer.</summary>
[GenerateSerializer, Alias("granary.partition-fault")]
public enum PartitionFault
{
    /// <summary>
    /// The storage does not answer, or the activation is stale. The call may have taken effect. Every command may be repeated, once without
    /// a pause.
    /// </summary>
    Unavailable,

    /// <summary>The storage is full. Nothing was stored.</summary>
    Full,

    /// <summary>The storage refuses writes. Nothing was stored.</summary>
    ReadOnly,

    /// <summary>A row is damaged. The log names it.</summary>
    Damaged,

    /// <summary>The grain has more to do than it can do in time. Nothing was done. Repeats at once would make it worse.</summary>
    Overloaded,
}
