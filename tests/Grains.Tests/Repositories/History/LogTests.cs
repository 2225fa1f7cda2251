using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Tests.Cluster;
using Granary.Protocol;

namespace Granary.Grains.Tests.Repositories.History;

/// <summary>Which lines a change writes.</summary>
public sealed class LogTests : HistoryTest
{
    [Fact]
    public async Task A_push_of_a_manifest_that_the_repository_has_under_the_tag_writes_no_line()
    {
        await PushAsync("one", "v1");
        var before = await Logs.ReadAsync(Rows);

        await PushAsync("one", "v1");
        await PushAsync("one");

        Assert.Equal(before, await Logs.ReadAsync(Rows));
    }

    [Fact]
    public async Task A_push_with_two_tags_writes_two_lines_and_only_the_first_says_that_the_manifest_is_new()
    {
        var one = await PushAsync("one", "a", "b");

        var lines = await LinesAsync();
        Assert.Equal(["a", "b"], lines.Select(line => line.Tag?.Value));
        Assert.Equal([true, false], lines.Select(line => line.IsNew));
        Assert.All(lines, line => Assert.Equal((ChangeKind.Pushed, one), (line.Kind, line.Digest!.Value)));
        Assert.All(lines, line => Assert.Equal((null, null), (line.Previous, line.Before)));
        Assert.Single(lines.Select(line => line.Position.Version).Distinct());
        Assert.Single(lines.Select(line => line.Origin.RequestId).Distinct());
    }

    [Fact]
    public async Task A_push_of_which_one_tag_is_there_writes_a_line_for_the_other()
    {
        await PushAsync("one", "a");
        await PushAsync("one", "a", "b");

        var line = (await LinesAsync())[^1];
        Assert.Equal((2, "b", ChangeKind.Tagged, false), ((await LinesAsync()).Count, line.Tag?.Value, line.Kind, line.IsNew));
    }

    [Fact]
    public async Task A_push_by_digest_writes_one_line_without_a_tag()
    {
        var command = Commands.Put("signature", [], blobs: [], subject: Commands.DigestOf("subject")) with { ArtifactType = "a/signature" };
        await PutAsync(command);

        var line = Assert.Single(await LinesAsync());
        Assert.Equal((ChangeKind.Pushed, null, command.Digest, true), (line.Kind, line.Tag, line.Digest!.Value, line.IsNew));
        Assert.Equal((command.MediaType, command.Body.Length), (line.MediaType, line.Size));
        Assert.Equal((command.Subject, "a/signature"), (line.Subject, line.ArtifactType));
    }

    [Fact]
    public async Task A_push_under_another_media_type_writes_a_line_that_says_it_is_not_new()
    {
        var command = Image("one", "v1");
        await PushAsync("one", "v1");
        await PutAsync(command with { MediaType = "a/other" });

        var line = (await LinesAsync())[^1];
        Assert.Equal((ChangeKind.Pushed, null, command.Digest, false), (line.Kind, line.Tag, line.Digest!.Value, line.IsNew));
        Assert.Equal("a/other", line.MediaType);
        Assert.Equal(2, (await LinesAsync()).Count);
    }

    [Fact]
    public async Task The_deletion_of_a_manifest_writes_a_line_for_each_tag()
    {
        var one = await PushAsync("one", "a", "b");
        var pushed = await LinesAsync();
        Assert.True(await Repository.DeleteManifest(one, default));

        var lines = (await LinesAsync())[2..];
        Assert.Equal(["a", "b"], lines.Select(line => line.Tag?.Value));
        Assert.Equal(pushed.Select(line => (LogPosition?)line.Position), lines.Select(line => line.Before));
        Assert.All(lines, line => Assert.Equal((ChangeKind.Deleted, null, one), (line.Kind, line.Digest, line.Previous!.Value)));
        Assert.All(lines, line => Assert.Equal((MediaTypes.OciManifest, ChangeCause.Delete), (line.MediaType, line.Origin.Cause)));
    }

    [Fact]
    public async Task The_deletion_of_a_manifest_without_tags_writes_one_line()
    {
        // A tag that the manifest has lost gets no line.
        var one = await PushAsync("one", "v1");
        await PushAsync("two", "v1");
        Assert.True(await Repository.DeleteManifest(one, default));

        var lines = await LinesAsync();
        Assert.Equal((3, ChangeKind.Deleted, null, null), (lines.Count, lines[^1].Kind, lines[^1].Tag, lines[^1].Digest));
        Assert.Equal(one, lines[^1].Previous);
    }

    [Fact]
    public async Task A_refused_push_and_a_deletion_of_nothing_write_no_line()
    {
        await PushAsync("one", "v1");
        var before = await Logs.ReadAsync(Rows);

        var conditional = Image("two", "v1") with { Condition = new TagIsNoneOf(null) };
        Assert.IsType<ConditionFailed>(await Repository.PutManifest(conditional, default));
        var broken = Commands.Put("x", ["v1"], blobs: [Commands.DigestOf("x")]);
        Assert.IsType<ReferencesMissing>(await Repository.PutManifest(broken, default));
        Assert.False(await Repository.DeleteManifest(Commands.DigestOf("none"), default));
        Assert.False(await Repository.Untag(Tag.Parse("none"), default));

        Assert.Equal(before, await Logs.ReadAsync(Rows));
    }

    [Fact]
    public async Task A_repository_that_enters_and_leaves_the_catalog_says_so_and_why()
    {
        await GrainCluster.LinkAsync(Repository, Bytes("config"));
        var created = Assert.Single(await Logs.ReadAsync(Rows));
        Assert.Equal((ChangeKind.RepositoryCreated, ChangeCause.Push), (created.Kind, created.Origin.Cause));

        await SweepAfterAsync(TimeSpan.FromDays(2));
        await GrainCluster.LinkAsync(Repository, Bytes("config"));
        while (await Cluster.Maintenance("app").Clear(10, default) > 0)
        {
        }

        var lines = await Logs.ReadAsync(Rows);
        Assert.Equal(
            [ChangeKind.RepositoryCreated, ChangeKind.RepositoryDeleted, ChangeKind.RepositoryCreated, ChangeKind.RepositoryDeleted],
            lines.Select(line => line.Kind));
        Assert.Equal([ChangeCause.Collection, ChangeCause.Delete], [lines[1].Origin.Cause, lines[3].Origin.Cause]);
    }

    [Fact]
    public async Task A_line_keeps_everything_that_the_command_says_about_its_origin()
    {
        var origin = new CommandOrigin
        {
            RequestId = Guid.NewGuid(),
            Cause = ChangeCause.Import,
            Actor = "actor",
            Credential = "credential",
            Peer = "10.0.0.1",
            Address = "192.0.2.1",
            Host = "registry.example",
            UserAgent = "ünicode/1.0",
            Rule = "rule",
            PolicyVersion = 12,
        };
        await PutAsync(Commands.Put("one", ["v1"]) with { Origin = origin });

        Assert.All(await Logs.ReadAsync(Rows), line => Assert.Equal(origin, line.Origin));
    }

    [Fact]
    public async Task The_chain_of_a_tag_goes_on_after_its_removal()
    {
        var one = await PushAsync("one", "v1");
        Assert.True(await Repository.Untag(V1, default));
        Assert.Equal(["gone/v1"], await KeysAsync(Partition, "gone/"));
        Assert.Equal([ChangeKind.Untagged, ChangeKind.Pushed], (await HistoryAsync(V1)).Entries.Select(entry => entry.Line.Kind));

        var two = await PushAsync("two", "v1");
        Assert.Empty(await KeysAsync(Partition, "gone/"));
        await Repository.DeleteManifest(two, default);
        Assert.Equal(["gone/v1"], await KeysAsync(Partition, "gone/"));
        await PushAsync("one", "v1");

        var lines = await Logs.ReadAsync(Rows, V1);
        Assert.Equal([one, null, two, null, one], lines.Select(line => line.Digest));
        Logs.AssertChained(lines);
        Assert.Equal(lines.AsEnumerable().Reverse(), (await HistoryAsync(V1)).Entries.Select(entry => entry.Line));
    }
}
