using System.Security.Cryptography;
using Granary.Grains.Interfaces.Cluster;
using Granary.Grains.Partitions;
using Granary.Storage.Partitions;
using Microsoft.Extensions.Logging;

namespace Granary.Grains.Cluster;

/// <summary>
/// The grain of the partition <c>cluster</c>:
/// <code>
/// key/upload     the key that gateways sign the ids of upload sessions with
/// </code>
/// </summary>
internal sealed class ClusterGrain(IPartitionStore store, TimeProvider time, ILogger<ClusterGrain> logger)
    : PartitionGrain(store, time, logger), IClusterGrain
{
    private const string UploadKey = "key/upload";
    private const int UploadKeyBytes = 32;

    private readonly IPartitionStore _store = store;

    /// <inheritdoc/>
    protected override PartitionKey PartitionKey => new("cluster");

    /// <inheritdoc/>
    public async Task<byte[]> GetUploadKey(CancellationToken cancellationToken)
    {
        var newKey = RandomNumberGenerator.GetBytes(UploadKeyBytes);
        return await Partition.DecideAsync(
            [UploadKey],
            rows =>
            {
                if (rows.Get(UploadKey) is { } value)
                {
                    return new RowReader(value, 1).Rest.ToArray();
                }

                rows.Put(UploadKey, new RowWriter(1).Bytes(newKey).ToValue());
                return newKey;
            },
            cancellationToken);
    }

    /// <inheritdoc/>
    public async Task Ping(CancellationToken cancellationToken) => await _store.OpenAsync(PartitionKey, cancellationToken);
}
