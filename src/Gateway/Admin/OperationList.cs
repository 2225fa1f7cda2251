using Granary.Grains.Interfaces.Operations;

namespace Granary.Gateway.Admin;

/// <summary>Operations, as JSON.</summary>
/// <param name="Operations">The newest first.</param>
public sealed record OperationList(OperationStatus[] Operations);
