using Granary.Storage.Blobs;

namespace Granary.Storage.Tests.Blobs;

public sealed class MemoryBlobStoreTests : LocalBlobStoreContract
{
    protected override IBlobStore Store { get; } = new MemoryBlobStore(TimeProvider.System);
}
