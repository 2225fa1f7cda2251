using Orleans.Concurrency;

namespace Granary.Grains.Interfaces.Cluster;

/// <summary>The state that the whole cluster shares. There is one such grain, with the key 0.</summary>
[Alias("granary.cluster")]
public interface IClusterGrain : IGrainWithIntegerKey
{
    /// <summary>Returns the key of 32 bytes that gateways sign the ids of upload sessions with. The first call creates it.</summary>
    [AlwaysInterleave, Alias("upload-key")]
    Task<byte[]> GetUploadKey(CancellationToken cancellationToken);

    /// <summary>Returns if grains and their storage answer.</summary>
    [AlwaysInterleave, Alias("ping")]
    Task Ping(CancellationToken cancellationToken);
}
