using Granary.Grains.Interfaces;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Grains.Repositories;
using Granary.Grains.Repositories.History;
using Granary.Grains.Tests.Cluster;
using Granary.Grains.Tests.Repositories.History;
using Granary.Protocol;
using Granary.Storage.Partitions;

namespace Granary.Grains.Tests.Repositories;

/// <summary>The rule of order, where other processes may write to the store: a late copy of a command has no effect.</summary>
public sealed class OrderTests : GrainTest
{
    private const string Partition = "repository/app";

    private static readonly Tag V1 = Tag.Parse("v1");
    private static readonly Digest Blob = Commands.DigestOf("blob");

    public OrderTests() => Store.ProofLifetime = TimeSpan.FromHours(1);

    private IRepositoryGrain Repository => Cluster.Repository("app");

    [Fact]
    public async Task A_late_copy_of_a_push_does_not_move_the_tag_back()
    {
        var first = Attempt(Commands.Put("one", ["v1"]));
        await PutAsync(Attempt(first));
        var two = await PutAsync(Commands.Put("two", ["v1"]));

        await AssertIsLateAsync(() => Repository.PutManifest(first, default));

        Assert.Equal(two, await TaggedAsync());
    }

    [Theory]
    [InlineData("untag")]
    [InlineData("delete")]
    [InlineData("clear")]
    public async Task A_late_copy_of_a_push_does_not_bring_back_what_was_removed(string removal)
    {
        var first = Attempt(Commands.Put("one", ["v1"]));
        var one = await PutAsync(Attempt(first));
        await RemoveAsync(removal, one);

        await AssertIsLateAsync(() => Repository.PutManifest(first, default));

        Assert.Null(await TaggedAsync());
    }

    [Theory]
    [InlineData("untag")]
    [InlineData("delete")]
    public async Task A_late_copy_of_a_removal_does_not_remove_what_was_pushed_again(string removal)
    {
        var one = await PutAsync(Commands.Put("one", ["v1"]));
        var (untag, delete) = (Attempt(Untag()), Attempt(Delete(one)));
        var removed = removal == "untag"
            ? await Repository.Untag(Attempt(untag), default)
            : await Repository.DeleteManifest(Attempt(delete), default);
        Assert.True(removed);
        await PutAsync(Commands.Put("one", ["v1"]));

        await AssertIsLateAsync(async () => _ = removal == "untag"
            ? await Repository.Untag(untag, default)
            : await Repository.DeleteManifest(delete, default));

        Assert.Equal(one, await TaggedAsync());
    }

    [Fact]
    public async Task A_late_step_of_the_removal_of_a_repository_removes_nothing_of_the_next_one()
    {
        await PutAsync(Commands.Put("one", ["v1"]));
        var late = Attempt(new ClearRepository(10) { Origin = Commands.Origin(ChangeCause.Delete) });
        await RemoveAsync("clear", default);
        var two = await PutAsync(Commands.Put("two", ["v1"]));

        await AssertIsLateAsync(() => Cluster.Maintenance("app").Clear(late, default));

        Assert.Equal(two, await TaggedAsync());
    }

    [Fact]
    public async Task Late_copies_of_a_link_and_of_the_removal_of_a_blob_have_no_effect()
    {
        var link = Attempt(Link());
        Assert.Equal(LinkAnswer.Linked, await Repository.LinkBlob(Attempt(link), default));
        var remove = Attempt(Remove());
        Assert.IsType<BlobDeleted>(await Repository.DeleteBlob(Attempt(remove), default));

        await AssertIsLateAsync(() => Repository.LinkBlob(link, default));
        Assert.Null(await Repository.FindBlobSize(Blob, default));

        // The floor knows the request of a removal that was done.
        await Repository.LinkBlob(Link(), default);
        Assert.IsType<BlobDeleted>(await Repository.DeleteBlob(remove, default));
        Assert.NotNull(await Repository.FindBlobSize(Blob, default));
    }

    [Fact]
    public async Task A_repeat_finds_what_an_earlier_attempt_has_done_after_another_push()
    {
        var push = Commands.Put("one", ["v1"], new TagIsNoneOf(null));
        await PutAsync(Attempt(push));
        var two = await PutAsync(Commands.Put("two", ["v1"]));

        await PutAsync(Attempt(push));

        Assert.Equal(two, await TaggedAsync());
        Assert.Equal(2, (await Logs.ReadAsync(Rows, V1)).Count);
    }

    [Fact]
    public async Task A_repeat_finds_what_an_earlier_attempt_has_removed_after_another_push()
    {
        var one = await PutAsync(Commands.Put("one", ["v1"]));
        var (untag, delete, remove) = (Untag(), Delete(one), Remove());
        await Repository.LinkBlob(Link(), default);
        Assert.IsType<BlobDeleted>(await Repository.DeleteBlob(Attempt(remove), default));
        Assert.True(await Repository.Untag(Attempt(untag), default));
        Assert.True(await Repository.DeleteManifest(Attempt(delete), default));

        // Repeats say yes without the manifest, and with the next one leave it alone.
        Assert.True(await Repository.Untag(Attempt(untag), default));
        Assert.True(await Repository.DeleteManifest(Attempt(delete), default));
        await PutAsync(Commands.Put("one", ["v1"]));
        await Repository.LinkBlob(Link(), default);
        Assert.True(await Repository.Untag(Attempt(untag), default));
        Assert.True(await Repository.DeleteManifest(Attempt(delete), default));
        Assert.IsType<BlobDeleted>(await Repository.DeleteBlob(Attempt(remove), default));

        Assert.Equal(one, await TaggedAsync());
        Assert.NotNull(await Repository.FindBlobSize(Blob, default));
    }

    [Fact]
    public async Task A_repeated_undo_is_done_once_after_another_push()
    {
        var one = await PutAsync(Commands.Put("one", ["v1"]));
        await PutAsync(Commands.Put("two", ["v1"]));
        var undo = new UndoTag { Tag = V1, Sparse = true, Origin = Commands.Origin(ChangeCause.Undo) };
        var undone = Assert.IsType<TagUndone>(await Repository.UndoTag(Attempt(undo), default));
        var three = await PutAsync(Commands.Put("three", ["v1"]));

        Assert.Equal(undone, await Repository.UndoTag(Attempt(undo), default));

        Assert.Equal((one, three), (undone.To, await TaggedAsync()));
    }

    [Fact]
    public async Task A_sender_whose_clock_is_behind_raises_its_orders()
    {
        var ahead = Attempt(Commands.Put("one", ["v1"])) with { Order = Time.GetUtcNow().AddMinutes(10).UtcTicks };
        await PutAsync(ahead);
        var orders = new CommandOrders(TimeProvider.System);

        var late = await Assert.ThrowsAsync<ReorderException>(
            () => Repository.PutManifest(orders.Next(Commands.Put("two", ["v1"])), default));
        Assert.Equal(ahead.Order, late.Highest);
        orders.Raise(late.Highest);

        await PutAsync(orders.Next(Commands.Put("two", ["v1"])));
    }

    [Fact]
    public async Task An_attempt_that_comes_after_its_end_is_refused_and_the_next_one_of_its_sender_is_not()
    {
        var orders = new CommandOrders(TimeProvider.System);
        Time.Advance(TimeSpan.FromMinutes(10));

        var late = await Assert.ThrowsAsync<ReorderException>(
            () => Repository.PutManifest(orders.Next(Commands.Put("one", ["v1"])), default));
        orders.Raise(late.Highest);

        await PutAsync(orders.Next(Commands.Put("one", ["v1"])));
    }

    [Fact]
    public async Task Every_answer_of_a_command_is_a_commit()
    {
        var one = await PutAsync(Commands.Put("one", ["v1"]));
        await Repository.LinkBlob(Link(), default);
        await AssertCommitsAsync(() => Repository.PutManifest(Commands.Put("one", ["v1"]), default));
        await AssertCommitsAsync(() => Repository.PutManifest(Commands.Put("one", []), default));
        await AssertCommitsAsync(() => Repository.PutManifest(Commands.Put("two", ["v1"], new TagIsNoneOf(null)), default));
        await AssertCommitsAsync(() => Repository.PutManifest(Commands.Put("two", [], blobs: [Commands.DigestOf("absent")]), default));
        await AssertCommitsAsync(() => Repository.Untag(Tag.Parse("none"), default));
        await AssertCommitsAsync(() => Repository.DeleteManifest(Commands.DigestOf("none"), default));
        await AssertCommitsAsync(() => Repository.DeleteBlob(Commands.DigestOf("none"), evenIfUsed: false, default));
        await AssertCommitsAsync(() => Repository.MountBlob(Commands.DigestOf("none"), default));
        await AssertCommitsAsync(() => Repository.LinkBlob(Link(), default));
        await AssertCommitsAsync(() => Repository.UndoTag(new UndoTag { Tag = Tag.Parse("none"), Origin = Commands.Origin() }, default));
        var already = new UndoTag { Tag = V1, Digest = one, Sparse = true, Origin = Commands.Origin() };
        await AssertCommitsAsync(() => Repository.UndoTag(already, default));
    }

    [Fact]
    public async Task A_refusal_makes_no_partition_of_an_unknown_name()
    {
        Assert.False(await Repository.Untag(V1, default));
        Assert.IsType<ReferencesMissing>(await Repository.PutManifest(Commands.Put("one", [], blobs: [Blob]), default));

        Assert.Equal(0, await VersionAsync(Partition));
    }

    [Fact]
    public async Task A_stale_activation_does_not_refuse_what_another_one_would_accept()
    {
        await PutAsync(Commands.Put("one", ["v1"]));
        var image = Commands.Put("image", ["v2"], blobs: [Blob]);
        Assert.IsType<ReferencesMissing>(await Repository.PutManifest(image, default));
        await using var other = await StartAsync();
        await other.Repository("app").LinkBlob(Link(), default);

        await Assert.ThrowsAsync<PartitionUnavailableException>(() => Repository.PutManifest(image, default));

        Assert.IsType<ManifestStored>(await GrainCluster.PersistAsync(() => Repository.PutManifest(image, default)));
    }

    [Fact]
    public async Task A_late_copy_of_a_refused_push_has_no_effect()
    {
        await PutAsync(Commands.Put("one", ["v1"]));
        var first = Attempt(Commands.Put("image", ["v1"], blobs: [Blob]));
        Assert.IsType<ReferencesMissing>(await Repository.PutManifest(Attempt(first), default));
        await Repository.LinkBlob(Link(), default);

        await AssertIsLateAsync(() => Repository.PutManifest(first, default));
    }

    [Fact]
    public async Task Rows_of_the_release_before_have_order_0_and_are_changed_as_others()
    {
        var one = await PutAsync(Commands.Put("one", ["v1"], blobs: []));
        await Repository.LinkBlob(Link(), default);
        await Repository.Untag(Tag.Parse("none"), default);
        await WriteOldRowsAsync();
        await using var later = await StartAsync();
        var repository = later.Repository("app");

        Assert.Equal(one, (await repository.FindTagged(V1, withBody: true, default))!.Digest);
        Assert.Equal([0L, 0L, 0L], await OrdersAsync(one));
        Assert.IsType<ManifestStored>(await repository.PutManifest(Commands.Put("two", ["v1"], blobs: [Blob]), default));
        Assert.IsType<TagUndone>(await repository.UndoTag(new UndoTag { Tag = V1, Sparse = true, Origin = Commands.Origin() }, default));
        Assert.IsType<BlobInUse>(await repository.DeleteBlob(Blob, evenIfUsed: false, default));
        Assert.True(await repository.DeleteManifest(one, default));
        Logs.AssertChained(await Logs.ReadAsync(Rows, V1));
    }

    private static T Attempt<T>(T command)
        where T : RepositoryCommand => OrderedCalls.Next(command);

    private static LinkBlob Link() => new(Blob, new InlineContent(Bytes("blob")), Deadline: default) { Origin = Commands.Origin() };

    private static RemoveBlob Remove() => new(Blob, EvenIfUsed: false) { Origin = Commands.Origin(ChangeCause.Delete) };

    private static RemoveTag Untag() => new(V1) { Origin = Commands.Origin(ChangeCause.Delete) };

    private static RemoveManifest Delete(Digest digest) => new(digest) { Origin = Commands.Origin(ChangeCause.Delete) };

    private async Task<Digest> PutAsync(PutManifest command)
    {
        Assert.IsType<ManifestStored>(await Repository.PutManifest(command, default));
        return command.Digest;
    }

    private async Task RemoveAsync(string removal, Digest digest)
    {
        switch (removal)
        {
            case "untag":
                Assert.True(await Repository.Untag(V1, default));
                break;

            case "delete":
                Assert.True(await Repository.DeleteManifest(digest, default));
                break;

            default:
                while (await Cluster.Maintenance("app").Clear(10, default) > 0)
                {
                }

                break;
        }
    }

    private async Task<Digest?> TaggedAsync() => (await Repository.FindTagged(V1, withBody: false, default))?.Digest;

    private async Task AssertIsLateAsync(Func<Task> send)
    {
        var before = await VersionAsync(Partition);
        await Assert.ThrowsAsync<ReorderException>(send);
        Assert.Equal(before, await VersionAsync(Partition));
    }

    private async Task AssertCommitsAsync(Func<Task> send)
    {
        var before = await VersionAsync(Partition);
        await send();
        Assert.Equal(before + 1, await VersionAsync(Partition));
    }

    private async Task<IEnumerable<long>> OrdersAsync(Digest manifest)
    {
        string[] keys = [RepositoryRows.Tag(V1), RepositoryRows.Manifest(manifest), RepositoryRows.Link(Blob)];
        var values = await Rows.GetAsync(new PartitionKey(Partition), keys, default);
        return
        [
            TagRow.Decode(values[0]!.Value).Order,
            ManifestRow.Decode(values[1]!.Value).Order,
            LinkRow.Decode(values[2]!.Value).Order,
        ];
    }

    /// <summary>Writes the rows as the release before did: without orders.</summary>
    private async Task WriteOldRowsAsync()
    {
        var key = new PartitionKey(Partition);
        var old = new List<Mutation>();
        await foreach (var page in Rows.PagesAsync(key, prefix: "", after: null, default))
        {
            old.AddRange(page.Select(row => new Mutation(row.Key, Old(row))));
        }

        await Rows.CommitAsync(key, await Rows.OpenAsync(key, default), old, default);
    }

    private static ReadOnlyMemory<byte> Old(Row row)
    {
        switch (row.Key.Split('/')[0] + "/")
        {
            case RepositoryRows.Meta + "/":
                return RepositoryRows.Mark;

            case RepositoryRows.TagPrefix or RepositoryRows.LinkPrefix:
                return WithoutOrder(row.Value, version: 2);

            case LogRows.Prefix:
                return WithoutOrder(row.Value, version: 1);

            case RepositoryRows.ManifestPrefix:
                var manifest = ManifestRow.Decode(row.Value);
                return new RowWriter(2)
                    .Text(manifest.MediaType).Number(manifest.Size).Text(manifest.Subject?.Value).Time(manifest.Pushed)
                    .Number(manifest.NamesSize).Bytes(manifest.First.Span).ToValue();

            default:
                return row.Value;
        }
    }

    /// <summary>Returns a value whose last field is the order in the version before.</summary>
    private static ReadOnlyMemory<byte> WithoutOrder(ReadOnlyMemory<byte> value, byte version)
    {
        var old = value[..^sizeof(long)].ToArray();
        old[0] = version;
        return old;
    }
}
