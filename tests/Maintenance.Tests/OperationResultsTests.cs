using Granary.Grains.Interfaces.Operations;

namespace Granary.Maintenance.Tests;

/// <summary>How the results of operations are printed.</summary>
public sealed class OperationResultsTests
{
    [Fact]
    public void A_count_of_one_is_singular_and_bytes_follow_what_they_belong_to()
    {
        Assert.Equal(
            "1 manifest, 1 blob from its repository, 1 blob (314.6 KB) from the registry, 1 object from the storage, 1 abandoned upload",
            Text(
                OperationKind.Collection,
                ("manifests", 1), ("unlinked", 1), ("blobs", 1), ("bytes", 314_572), ("objects", 1), ("uploads", 1)));
        Assert.Equal(
            "24 blobs (314.6 KB) from the registry, 2 objects from the storage",
            Text(OperationKind.Collection, ("blobs", 24), ("bytes", 314_572), ("objects", 2), ("uploads", 0)));
        Assert.Equal("at least 2 manifests", Text(OperationKind.Collection, ("manifests", 2), ("atLeast", 1)));
        Assert.Equal("", Text(OperationKind.Collection, ("manifests", 0), ("bytes", 0)));
    }

    [Fact]
    public void Each_kind_of_operation_has_its_own_texts()
    {
        Assert.Equal(
            "1 repository checked, 2 manifests, 3 blobs (5 KB), 1 object, 1 blob is DAMAGED, 1 orphaned object (7 bytes) deleted",
            Text(
                OperationKind.Scrub,
                ("repositories", 1), ("manifests", 2), ("blobs", 3), ("bytes", 5000), ("objects", 1), ("damaged", 1), ("reclaimed", 1),
                ("reclaimedBytes", 7)));
        Assert.Equal("9 objects (2 MB), 3 copied", Text(OperationKind.Backup, ("objects", 9), ("bytes", 2_000_000), ("copied", 3)));
        Assert.Equal("12 manifests and blobs", Text(OperationKind.Deletion, ("removed", 12)));
    }

    private static string Text(OperationKind kind, params (string Name, long Value)[] counts) =>
        OperationResults.Text(kind, counts.ToDictionary(count => count.Name, count => count.Value));
}
