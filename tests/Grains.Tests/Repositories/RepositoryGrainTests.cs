using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Tests.Cluster;
using Granary.Grains.Tests.Repositories.History;
using Granary.Protocol;
using Granary.Storage.Partitions;
using Granary.Testing;

namespace Granary.Grains.Tests.Repositories;

public sealed class RepositoryGrainTests : GrainTest
{
    private const string Partition = "repository/app";

    private static readonly Digest Blob = Commands.DigestOf("blob");

    private IRepositoryGrain Repository => Cluster.Repository("app");

    private static string Shard => $"blobs/{Blob.FirstByte:x2}";

    [Fact]
    public async Task Pushing_a_manifest_is_one_commit()
    {
        await LinkAsync("blob");
        var before = await VersionAsync(Partition);

        await Repository.PutManifest(Commands.Put("x", ["a", "b", "c"], blobs: [Blob]), default);

        Assert.Equal(before + 1, await VersionAsync(Partition));
    }

    [Fact]
    public async Task Pushing_the_same_manifest_again_commits_nothing()
    {
        await LinkAsync("blob");
        var command = Commands.Put("x", ["a"], blobs: [Blob]);
        await Repository.PutManifest(command, default);
        var before = await VersionAsync(Partition);

        await Repository.PutManifest(command with { Origin = Commands.Origin() }, default);
        await LinkAsync("blob");

        Assert.Equal(before, await VersionAsync(Partition));
    }

    [Fact]
    public async Task The_link_of_an_unused_blob_is_due_and_that_of_a_used_blob_is_not()
    {
        await LinkAsync("blob");
        Assert.Single(await DueAsync());

        var command = Commands.Put("x", ["a"], blobs: [Blob]);
        await Repository.PutManifest(command, default);
        Assert.Empty(await DueAsync());

        await Repository.DeleteManifest(command.Digest, default);
        Assert.Single(
            await DueAsync(),
            key => key.EndsWith("/" + Blob, StringComparison.Ordinal) && !key.Contains("/subject/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_link_that_a_client_asks_for_is_renewed_before_the_answer_but_not_every_time()
    {
        await LinkAsync("blob");
        var (version, due) = (await VersionAsync(Partition), Assert.Single(await DueAsync()));

        await Repository.FindBlobSize(Blob, default);
        Assert.Equal(version, await VersionAsync(Partition));

        Time.Advance(TimeSpan.FromMinutes(6));
        await Repository.FindBlob(Blob, default);
        Assert.Equal(version + 1, await VersionAsync(Partition));
        Assert.True(string.CompareOrdinal(Assert.Single(await DueAsync()), due) > 0);
    }

    [Fact]
    public async Task A_deleted_blob_is_released_in_its_shard()
    {
        await LinkAsync("blob");
        Assert.Single(await KeysAsync(Shard, "ref/"));

        Assert.IsType<BlobDeleted>(await Repository.DeleteBlob(Blob, evenIfUsed: false, default));

        await UntilAsync(async () => (await KeysAsync(Shard, "ref/")).Count == 0 && (await KeysAsync(Partition, "out/")).Count == 0);
    }

    [Fact]
    public async Task A_release_that_failed_is_repeated()
    {
        var other = Commands.DigestOf("other");
        await LinkAsync("blob");
        await LinkAsync("other");
        Store.OnCommit = partition => partition.Value == Shard ? CommitFault.Before : CommitFault.None;
        await Repository.DeleteBlob(Blob, evenIfUsed: false, default);
        await UntilAsync(async () => (await KeysAsync(Partition, "out/")).Count == 1 && (await KeysAsync(Shard, "ref/")).Count == 1);

        Store.OnCommit = _ => CommitFault.None;
        await GrainCluster.PersistAsync(() => Repository.DeleteBlob(other, evenIfUsed: false, default));

        await UntilAsync(async () => (await KeysAsync(Shard, "ref/")).Count == 0);
    }

    [Fact]
    public async Task Holds_commits_nothing_for_links_and_one_empty_batch_for_all_denials()
    {
        await LinkAsync("blob");
        var before = await VersionAsync(Partition);

        Assert.True(Assert.Single(await Cluster.Maintenance("app").Holds([Blob], default)));
        Assert.Equal(before, await VersionAsync(Partition));

        var held = await Cluster.Maintenance("app").Holds([Commands.DigestOf("a"), Blob, Commands.DigestOf("b")], default);
        Assert.Equal("False True False", string.Join(' ', held));
        Assert.Equal(before + 1, await VersionAsync(Partition));
    }

    [Fact]
    public async Task A_link_that_is_denied_during_its_command_is_acquired_again()
    {
        // The repository is registered already, so no other commit moves its version.
        await LinkAsync("first");
        var (reached, go) = (new TaskCompletionSource(), new TaskCompletionSource());
        var commits = 0;
        Store.BeforeCommit = partition =>
        {
            if (partition.Value != Shard)
            {
                return Task.CompletedTask;
            }

            commits++;
            reached.TrySetResult();
            return go.Task;
        };

        var link = LinkAsync("blob");
        await reached.Task;
        Assert.False(Assert.Single(await Cluster.Maintenance("app").Holds([Blob], default)));
        var denied = await VersionAsync(Partition);
        go.SetResult();

        // The shard that has asked may drop the first reference. The second one is newer than the denial.
        Assert.Equal(LinkAnswer.Linked, await link);
        Assert.Equal(2, commits);
        var reference = new ReleasedReference(Blob, RepositoryName.Parse("app"), denied);
        await Cluster.Grains.GetGrain<IBlobShardGrain>(Blob.FirstByte).Release([reference], default);
        Assert.Single(await KeysAsync(Shard, "ref/"));
    }

    [Fact]
    public async Task Every_move_of_a_tag_writes_a_line_of_the_log()
    {
        await LinkAsync("blob");
        await Repository.PutManifest(Commands.Put("x", ["a"], blobs: [Blob]), default);
        await Repository.PutManifest(Commands.Put("y", ["a", "b"], blobs: [Blob]), default);
        await Repository.Untag(Tag.Parse("b"), default);

        var tags = (await Logs.ReadAsync(Rows)).Select(line => line.Tag?.Value).Where(tag => tag is not null);
        Assert.Equal(["a", "a", "b", "b"], tags);
    }

    [Fact]
    public async Task A_deleted_manifest_leaves_only_rows_of_the_log_and_due_rows()
    {
        await LinkAsync("blob");
        var before = await KeysAsync(Partition, "");
        var command = Commands.Put(new string('x', 200_000), ["a", "b"], blobs: [Blob], subject: Commands.DigestOf("subject"));
        await Repository.PutManifest(command, default);

        Assert.True(await Repository.DeleteManifest(command.Digest, default));

        var after = await KeysAsync(Partition, "");
        Assert.Equal(Others(before), Others(after));
        Assert.Equal(["gone/a", "gone/b"], await KeysAsync(Partition, "gone/"));

        static IEnumerable<string> Others(List<string> keys) => keys.Where(key => key.Split('/')[0] is not ("due" or "log" or "gone"));
    }

    [Fact]
    public async Task A_used_blob_is_not_deleted_and_the_refusal_names_its_manifests()
    {
        await LinkAsync("blob");
        var (small, large) = (Commands.Put("x", [], blobs: [Blob]), Commands.Put(new string('x', 100_000), [], blobs: [Blob]));
        var layers = Enumerable.Range(0, 1000).Select(i => Commands.DigestOf($"layer {i}"));
        var many = Commands.Put("y", [], blobs: [.. layers, Blob]) with { Sparse = true };
        foreach (var command in (PutManifest[])[small, large, many, Commands.Put("another", [])])
        {
            Assert.IsType<ManifestStored>(await Repository.PutManifest(command, default));
        }

        var refused = Assert.IsType<BlobInUse>(await Repository.DeleteBlob(Blob, evenIfUsed: false, default));

        Assert.Equal(Ordered(small.Digest, large.Digest, many.Digest), Ordered(refused.Manifests));
        var explained = await Cluster.Maintenance("app").Explain(Blob, default);
        Assert.Equal(3, explained.Uses);
        Assert.Equal(Ordered(refused.Manifests), Ordered(explained.UsedBy));
    }

    [Fact]
    public async Task A_manifest_that_cannot_be_read_does_not_hide_other_manifests_that_use_a_blob()
    {
        await LinkAsync("blob");
        var command = Commands.Put("x", [], blobs: [Blob]);
        await Repository.PutManifest(command, default);
        var partition = new PartitionKey(Partition);
        Mutation[] damage =
        [
            Mutation.Put($"man/{Commands.DigestOf("damaged")}", new byte[] { 1, 2 }),
            Mutation.Put($"man/{Commands.DigestOf("cut")}", new byte[] { 2, 3 }),
        ];
        await Rows.CommitAsync(partition, await Rows.OpenAsync(partition, default), damage, default);

        var refused = await GrainCluster.PersistAsync(() => Repository.DeleteBlob(Blob, evenIfUsed: false, default));

        Assert.Equal([command.Digest], Assert.IsType<BlobInUse>(refused).Manifests);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Manifests_that_name_a_deleted_blob_count_as_uses_when_it_is_pushed_again(bool oneUserGoes)
    {
        await LinkAsync("blob");
        var (first, second) = (Commands.Put("x", [], blobs: [Blob]), Commands.Put("y", [], blobs: [Blob]));
        await Repository.PutManifest(first, default);
        await Repository.PutManifest(second, default);

        Assert.IsType<BlobDeleted>(await Repository.DeleteBlob(Blob, evenIfUsed: true, default));
        if (oneUserGoes)
        {
            Assert.True(await Repository.DeleteManifest(first.Digest, default));
        }

        await LinkAsync("blob");
        Assert.Empty(await KeysAsync(Partition, "named/"));
        Assert.Equal(oneUserGoes ? 1 : 2, (await Cluster.Maintenance("app").Explain(Blob, default)).Uses);

        foreach (var manifest in oneUserGoes ? (Digest[])[second.Digest] : [first.Digest, second.Digest])
        {
            Assert.DoesNotContain(await KeysAsync(Partition, "due/"), key => key.EndsWith($"/{Blob}", StringComparison.Ordinal));
            Assert.True(await Repository.DeleteManifest(manifest, default));
        }

        Assert.Contains(await KeysAsync(Partition, "due/"), key => key.EndsWith($"/{Blob}", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Uses_of_a_blob_that_is_not_linked_are_counted_while_a_manifest_names_it()
    {
        var image = Commands.Put("x", [], blobs: [Blob]) with { Sparse = true };
        var index = Commands.Index("i", [], Blob) with { Sparse = true };
        await Repository.PutManifest(image, default);
        await Repository.PutManifest(index, default);
        Assert.Single(await KeysAsync(Partition, "named/"));

        Assert.True(await Repository.DeleteManifest(image.Digest, default));
        Assert.Single(await KeysAsync(Partition, "named/"));
        Assert.Single(await KeysAsync(Partition, "use/"));

        Assert.True(await Repository.DeleteManifest(index.Digest, default));
        Assert.Empty(await KeysAsync(Partition, "named/"));
        Assert.Empty(await KeysAsync(Partition, "use/"));
    }

    [Fact]
    public async Task A_refused_push_does_not_register_the_repository()
    {
        Assert.IsType<ReferencesMissing>(await Repository.PutManifest(Commands.Put("x", ["a"], blobs: [Blob]), default));

        Assert.Null(await Repository.ListTags(after: null, limit: 10, default));
        Assert.Equal(0, (await Rows.OpenAsync(new PartitionKey("catalog"), default)).Version);
    }

    private static IEnumerable<string> Ordered(params Digest[] digests) =>
        digests.Select(digest => digest.Value).Order(StringComparer.Ordinal);

    /// <summary>Returns the due rows without that of the log.</summary>
    private async Task<List<string>> DueAsync()
    {
        var keys = await KeysAsync(Partition, "due/");
        Assert.Single(keys, Logs.IsDueRow);
        return [.. keys.Where(key => !Logs.IsDueRow(key))];
    }

    private Task<LinkAnswer> LinkAsync(string content) => GrainCluster.LinkAsync(Repository, Bytes(content));
}
