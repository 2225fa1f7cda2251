using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Tests.Cluster;
using Granary.Protocol;

namespace Granary.Grains.Tests.Blobs;

/// <summary>The rules of docs/architecture.md, "Blob references", one by one, through the grain.</summary>
public sealed class BlobShardGrainTests : GrainTest
{
    private static readonly Digest Blob = Commands.DigestOf("blob");
    private static readonly RepositoryName One = RepositoryName.Parse("one");
    private static readonly RepositoryName Two = RepositoryName.Parse("two");
    private static readonly ObjectId First = ObjectId.FromRandom(new byte[16]);
    private static readonly ObjectId Second = ObjectId.FromRandom([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);

    private IBlobShardGrain Shard => Cluster.Grains.GetGrain<IBlobShardGrain>(Blob.FirstByte);

    private static string Partition => $"blobs/{Blob.FirstByte:x2}";

    [Fact]
    public async Task The_object_of_the_first_upload_is_the_blob_of_all_repositories()
    {
        var first = await AcquireAsync(One, 1, new ObjectContent(First, 10));
        var second = await AcquireAsync(Two, 1, new ObjectContent(Second, 10));
        var mount = await AcquireAsync(RepositoryName.Parse("three"), 1, content: null);

        foreach (var answer in new[] { first, second, mount })
        {
            Assert.Equal(new ObjectContent(First, 10), Assert.IsType<Acquired>(answer).Content);
        }

        var repositories = await Shard.FindRepositories(Blob, null, 10, default);
        Assert.Equal([One, RepositoryName.Parse("three"), Two], repositories.OrderBy(name => name.Value));
    }

    [Fact]
    public async Task A_mount_of_a_small_blob_returns_its_bytes()
    {
        await AcquireAsync(One, 1, new InlineContent([1, 2, 3]));

        var mount = await AcquireAsync(Two, 1, content: null);

        Assert.Equal([1, 2, 3], Assert.IsType<InlineContent>(Assert.IsType<Acquired>(mount).Content).Bytes);
    }

    [Fact]
    public async Task A_blob_that_no_repository_has_cannot_be_mounted() =>
        Assert.IsType<AcquireUnknown>(await AcquireAsync(One, 1, content: null));

    [Fact]
    public async Task A_release_that_is_older_than_the_reference_removes_nothing()
    {
        await AcquireAsync(One, 5, new ObjectContent(First, 10));

        await Shard.Release([new ReleasedReference(Blob, One, 4)], default);
        Assert.Single(await KeysAsync(Partition, "ref/"));

        await Shard.Release([new ReleasedReference(Blob, One, 5)], default);
        Assert.Empty(await KeysAsync(Partition, "ref/"));
    }

    [Fact]
    public async Task An_acquire_that_is_older_than_the_reference_keeps_its_newer_sequence()
    {
        await AcquireAsync(One, 5, new ObjectContent(First, 10));
        await AcquireAsync(One, 3, new ObjectContent(First, 10));

        await Shard.Release([new ReleasedReference(Blob, One, 4)], default);

        Assert.Single(await KeysAsync(Partition, "ref/"));
    }

    [Fact]
    public async Task A_blob_without_references_is_due_until_a_repository_acquires_it_again()
    {
        await AcquireAsync(One, 1, new ObjectContent(First, 10));
        await AcquireAsync(Two, 1, content: null);
        await Shard.Release([new ReleasedReference(Blob, One, 1)], default);
        Assert.DoesNotContain(await KeysAsync(Partition, "due/"), key => key.Contains("/orphan/", StringComparison.Ordinal));

        await Shard.Release([new ReleasedReference(Blob, Two, 1)], default);
        Assert.Contains(await KeysAsync(Partition, "due/"), key => key.Contains("/orphan/", StringComparison.Ordinal));

        await AcquireAsync(One, 2, content: null);
        Assert.DoesNotContain(await KeysAsync(Partition, "due/"), key => key.Contains("/orphan/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Every_reference_has_exactly_one_due_row()
    {
        for (var sequence = 1; sequence <= 5; sequence++)
        {
            await AcquireAsync(One, sequence, new ObjectContent(First, 10));
            Time.Advance(TimeSpan.FromMinutes(1));
        }

        Assert.Single(await KeysAsync(Partition, "due/"));
    }

    [Fact]
    public async Task Renounce_keeps_the_object_of_the_blob_and_writes_a_tombstone_for_any_other()
    {
        await AcquireAsync(One, 1, new ObjectContent(First, 10));
        var deadline = Time.GetUtcNow() + TimeSpan.FromHours(1);

        Assert.Equal(RenounceAnswer.Adopted, await Shard.Renounce(Blob, First, deadline, default));
        Assert.Equal(RenounceAnswer.Renounced, await Shard.Renounce(Blob, Second, deadline, default));
        Assert.Equal(RenounceAnswer.Renounced, await Shard.Renounce(Blob, Second, deadline, default));
        Assert.IsType<AcquireExpired>(await AcquireAsync(Two, 1, new ObjectContent(Second, 10)));
        Assert.Single(await KeysAsync(Partition, "tomb/"));
    }

    [Fact]
    public async Task An_acquire_that_comes_after_its_deadline_is_refused()
    {
        var command = new AcquireBlob(Blob, new ObjectContent(First, 10), One, 1, Time.GetUtcNow() + TimeSpan.FromHours(1));
        Time.Advance(TimeSpan.FromHours(2));

        Assert.IsType<AcquireExpired>(await Shard.Acquire(command, default));
        Assert.Empty(await KeysAsync(Partition, "blob/"));
    }

    private Task<AcquireAnswer> AcquireAsync(RepositoryName repository, long sequence, BlobContent? content) =>
        Shard.Acquire(new AcquireBlob(Blob, content, repository, sequence, Time.GetUtcNow() + TimeSpan.FromHours(1)), default);
}
