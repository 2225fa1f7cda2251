namespace Granary.Storage.Data;

/// <summary>A backup or a restore has processed one object.</summary>
/// <param name="Total">The number of all objects.</param>
/// <param name="Length">The bytes of the object.</param>
/// <param name="WasPresent">Whether the target already had the object.</param>
/// <param name="Fault">What is wrong with the object; null if nothing is.</param>
public sealed record CopyStep(long Total, long Length, bool WasPresent, string? Fault);
