namespace Granary.Grains.Interfaces;

/// <summary>Learns when clients use the registry, so that background work gives way to them.</summary>
public interface IClientActivity
{
    /// <summary>Records that a client's request has arrived. Costs one reading of the clock.</summary>
    void NoteRequest();
}
