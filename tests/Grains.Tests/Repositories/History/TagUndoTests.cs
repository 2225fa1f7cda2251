using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;

namespace Granary.Grains.Tests.Repositories.History;

/// <summary>A tag goes back to a manifest that it pointed at before.</summary>
public sealed class TagUndoTests : HistoryTest
{
    [Fact]
    public async Task An_undo_takes_the_last_move_back_and_the_next_one_takes_the_undo_back()
    {
        var (one, two) = (await PushAsync("one", "v1"), await PushAsync("two", "v1"));

        var undone = await DoneAsync(Undo());
        Assert.Equal((two, one), (undone.From!.Value, undone.To));
        Assert.Equal(one, await TaggedAsync(V1));

        undone = await DoneAsync(Undo());
        Assert.Equal((one, two), (undone.From!.Value, undone.To));
        Assert.Equal(two, await TaggedAsync(V1));

        var lines = await Logs.ReadAsync(Rows, V1);
        Assert.Equal(undone.Line, lines[^1].Position);
        Assert.Equal([ChangeCause.Push, ChangeCause.Push, ChangeCause.Undo, ChangeCause.Undo], lines.Select(line => line.Origin.Cause));
        Assert.All(lines[2..], line => Assert.Equal((ChangeKind.Tagged, false), (line.Kind, line.IsNew)));
        Assert.All(lines[2..], line => Assert.Equal((MediaTypes.OciManifest, lines[0].Size), (line.MediaType, line.Size)));
        Logs.AssertChained(lines);
    }

    [Fact]
    public async Task An_undo_goes_back_to_a_digest_or_to_a_line()
    {
        var one = await PushAsync("one", "v1");
        var two = await PushAsync("two", "v1");
        await PushAsync("three", "v1");
        var lines = await Logs.ReadAsync(Rows, V1);

        Assert.Equal(one, (await DoneAsync(Undo() with { Digest = one })).To);
        Assert.Equal(one, await TaggedAsync(V1));
        Assert.Equal(two, (await DoneAsync(Undo() with { Line = lines[1].Position })).To);
        Assert.Equal(two, await TaggedAsync(V1));
    }

    [Fact]
    public async Task An_undo_to_the_manifest_of_the_tag_changes_nothing()
    {
        await PushAsync("one", "v1");
        var two = await PushAsync("two", "v1");
        var before = await VersionAsync(Partition);

        Assert.Equal(new TagUndone(two, two, Line: null), await Repository.UndoTag(Undo() with { Digest = two }, default));
        Assert.Equal(before, await VersionAsync(Partition));
    }

    [Fact]
    public async Task An_undo_of_a_removal_brings_the_tag_back()
    {
        var one = await PushAsync("one", "v1");
        await Repository.Untag(V1, default);

        var undone = await DoneAsync(Undo());

        Assert.Equal((null, one), (undone.From, undone.To));
        Assert.Equal(one, await TaggedAsync(V1));
        Assert.Empty(await KeysAsync(Partition, "gone/"));
        Logs.AssertChained(await Logs.ReadAsync(Rows, V1));
    }

    [Fact]
    public async Task An_undo_to_a_deleted_manifest_says_since_when_it_is_gone()
    {
        // It was deleted once before, under another tag.
        await Repository.DeleteManifest(await PushAsync("one", "v2"), default);
        var one = await PushAsync("one", "v1");
        await PushAsync("two", "v1");
        Time.Advance(TimeSpan.FromHours(1));
        await Repository.DeleteManifest(one, default);
        var deletion = (await LinesAsync())[^1];

        var gone = Assert.IsType<UndoManifestGone>(await Repository.UndoTag(Undo(), default));

        Assert.Equal((one, deletion), (gone.Digest, gone.Deletion));
        Assert.Equal((ChangeKind.Deleted, one), (deletion.Kind, deletion.Previous!.Value));
    }

    [Fact]
    public async Task An_undo_of_the_deletion_of_a_manifest_says_since_when_it_is_gone()
    {
        var one = await PushAsync("one", "v1");
        await Repository.DeleteManifest(one, default);
        var deletion = (await LinesAsync())[^1];

        Assert.Equal(new UndoManifestGone(one, deletion), await Repository.UndoTag(Undo(), default));
        Assert.Equal(new UndoManifestGone(one, deletion), await Repository.UndoTag(Undo() with { Digest = one }, default));

        // A client can push the manifest again. Then the undo works.
        await PushAsync("one");
        Assert.Equal(one, (await DoneAsync(Undo())).To);
    }

    [Fact]
    public async Task An_undo_whose_deletion_line_was_removed_says_only_that_the_manifest_is_gone()
    {
        var one = await PushAsync("one", "v1");
        var two = await PushAsync("two", "v1");
        await Repository.DeleteManifest(one, default);
        Time.Advance(TimeSpan.FromDays(100));
        await Repository.DeleteManifest(two, default);
        await SweepAfterAsync(TimeSpan.FromDays(81));

        Assert.IsType<UndoTargetUnknown>(await Repository.UndoTag(Undo() with { Digest = one }, default));
        var gone = Assert.IsType<UndoManifestGone>(await Repository.UndoTag(Undo(), default));
        Assert.Equal(two, gone.Digest);
    }

    [Fact]
    public async Task An_undo_of_a_manifest_whose_blob_was_deleted_names_the_blob()
    {
        var one = await PushAsync("one", "v1");
        await PushAsync("two", "v1");
        await Repository.DeleteBlob(Config, evenIfUsed: true, default);

        var missing = Assert.IsType<UndoContentMissing>(await Repository.UndoTag(Undo(), default));
        Assert.Equal((one, Config), (missing.Digest, Assert.Single(missing.Missing)));
        Assert.Equal(one, (await DoneAsync(Undo() with { Sparse = true })).To);
    }

    [Fact]
    public async Task An_undo_whose_condition_fails_changes_nothing_and_names_the_manifest_of_the_tag()
    {
        var (one, two) = (await PushAsync("one", "v1"), await PushAsync("two", "v1"));
        var before = await Logs.ReadAsync(Rows);

        var undo = Undo() with { Condition = new TagIsOneOf([one]) };
        Assert.Equal(new UndoConditionFailed(two), await Repository.UndoTag(undo, default));
        Assert.Equal(before, await Logs.ReadAsync(Rows));

        Assert.Equal(one, (await DoneAsync(Undo() with { Condition = new TagIsOneOf([two]) })).To);
    }

    [Fact]
    public async Task The_first_move_of_a_tag_cannot_be_undone_nor_can_a_tag_go_back_to_its_removal()
    {
        await PushAsync("one", "v1");
        Assert.IsType<UndoToNothing>(await Repository.UndoTag(Undo(), default));

        await Repository.Untag(V1, default);
        var removal = (await LinesAsync())[^1].Position;
        await PushAsync("two", "v1");
        Assert.IsType<UndoToNothing>(await Repository.UndoTag(Undo() with { Line = removal }, default));
        Assert.IsType<UndoToNothing>(await Repository.UndoTag(Undo(), default));
    }

    [Fact]
    public async Task An_undo_of_an_unknown_tag_or_to_an_unknown_target_is_refused()
    {
        await PushAsync("one", "v1");
        var two = await PushAsync("two", "v2");
        var other = Assert.Single(await Logs.ReadAsync(Rows, Tag.Parse("v2")));

        Assert.IsType<UndoTagUnknown>(await Repository.UndoTag(Undo() with { Tag = Tag.Parse("none") }, default));
        Assert.IsType<UndoTargetUnknown>(await Repository.UndoTag(Undo() with { Digest = two }, default));
        Assert.IsType<UndoTargetUnknown>(await Repository.UndoTag(Undo() with { Line = other.Position }, default));
        Assert.IsType<UndoTargetUnknown>(await Repository.UndoTag(Undo() with { Line = new LogPosition(1_000_000, 0) }, default));
    }

    [Fact]
    public async Task An_undo_that_a_client_repeats_is_done_once()
    {
        var (one, two) = (await PushAsync("one", "v1"), await PushAsync("two", "v1"));
        var undo = Undo() with { Condition = new TagIsOneOf([two]) };
        var first = await DoneAsync(undo);

        Assert.Equal(first, await DoneAsync(undo));

        Assert.Equal((one, 3), (await TaggedAsync(V1), (await Logs.ReadAsync(Rows, V1)).Count));
    }

    [Fact]
    public async Task An_undo_of_a_tag_whose_lines_were_all_removed_is_refused()
    {
        await PushAsync("one", "v1");
        await PushAsync("two", "v1");
        await SweepAfterAsync(TimeSpan.FromDays(181));

        Assert.IsType<UndoTargetUnknown>(await Repository.UndoTag(Undo(), default));
    }

    private static UndoTag Undo() => new() { Tag = V1, Origin = Commands.Origin(ChangeCause.Undo) };

    private async Task<TagUndone> DoneAsync(UndoTag command) => Assert.IsType<TagUndone>(await Repository.UndoTag(command, default));
}
