namespace Granary.Storage.Space;

/// <summary>The free space of a storage.</summary>
/// <param name="Free">Bytes that are free on the file system.</param>
/// <param name="Reserve">Bytes that pushes may not use.</param>
/// <param name="Available">Bytes that pushes may use; 0 if there are none.</param>
/// <param name="AcceptsPushes">Whether the storage accepts pushes of ordinary size.</param>
public sealed record SpaceReport(long Free, long Reserve, long Available, bool AcceptsPushes);
