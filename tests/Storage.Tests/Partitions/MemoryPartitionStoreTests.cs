using Granary.Storage.Partitions;
using Granary.Storage.Partitions.Memory;

namespace Granary.Storage.Tests.Partitions;

public sealed class MemoryPartitionStoreTests : PartitionStoreContract
{
    protected override IPartitionStore Store { get; } = new MemoryPartitionStore();
}
