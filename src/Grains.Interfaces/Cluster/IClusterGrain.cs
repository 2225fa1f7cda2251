using Orleans.Concurrency;

namespace Granary.Grains.Interfaces.Cluster;

/// <summary>What the whole cluster shares. There is one, with the key 0.</summary>
[Alias("granary.cluster")]
public interface IClusterGrain : IGrainWithIntegerKey
{
    /// <summary>The key under which gateways prove to each other that an upload session's id is theirs: 32 bytes, made once.</summary>
    [AlwaysInterleave, Alias("upload-key")]
    Task<byte[]> GetUploadKey(CancellationToken cancellationToken);

    /// <summary>Answers if grains and their storage do.</summary>
    [AlwaysInterleave, Alias("ping")]
    Task Ping(CancellationToken cancellationToken);
}
