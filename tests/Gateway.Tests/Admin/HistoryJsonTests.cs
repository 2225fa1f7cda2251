using System.Text;
using System.Text.Json;
using Granary.Gateway.Admin;
using Granary.Grains.Interfaces.Repositories;

namespace Granary.Gateway.Tests.Admin;

/// <summary>The JSON of a tag's history and of an undo, for clients of the administration's API.</summary>
public sealed class HistoryJsonTests
{
    private static readonly DateTimeOffset Time = new(2026, 11, 26, 17, 31, 28, TimeSpan.Zero);
    private static readonly RepositoryName Repository = RepositoryName.Parse("library/app");
    private static readonly Tag V1 = Tag.Parse("v1");
    private static readonly Digest One = Digest.Compute(DigestAlgorithm.Sha256, [1]);
    private static readonly Digest Two = Digest.Compute(DigestAlgorithm.Sha256, [2]);
    private static readonly Guid Request = Guid.Parse("5f6c0a54-5d3e-4a0e-9b7d-2f1a7b1c9d10");

    private static readonly TagHistoryEntry Full = new(
        new LogLine
        {
            Position = new LogPosition(418, 1),
            Kind = ChangeKind.Tagged,
            Origin = new CommandOrigin
            {
                RequestId = Request,
                Cause = ChangeCause.Undo,
                Actor = "ann",
                Peer = "10.0.0.1",
                Address = "192.0.2.7",
                Host = "registry.example.com",
                UserAgent = "granary/0.1.0 \"é\"",
            },
            Time = Time,
            Tag = V1,
            Previous = One,
            Digest = Two,
            MediaType = "application/vnd.oci.image.manifest.v1+json",
            Size = 512,
        },
        IsHere: true,
        Time.AddDays(7));

    private static readonly TagHistoryEntry Bare = new(
        new LogLine
        {
            Position = new LogPosition(7, 0),
            Kind = ChangeKind.RepositoryDeleted,
            Origin = CommandOrigin.OfRegistry(ChangeCause.Unknown),
            Time = Time,
            Tag = V1,
        },
        IsHere: false,
        KeptUntil: null);

    [Fact]
    public void A_history_is_written_as_documented()
    {
        Assert.Equal(
            $$"""
            {"repository":"library/app","tag":"v1","current":"{{Two}}","lines":[
            {"position":"418.1","time":"2026-11-26T17:31:28+00:00","kind":"tagged","cause":"undo","from":"{{One}}","to":"{{Two}}",
            "mediaType":"application/vnd.oci.image.manifest.v1+json","size":512,"isHere":true,"keptUntil":"2026-12-03T17:31:28+00:00",
            "request":"5f6c0a54-5d3e-4a0e-9b7d-2f1a7b1c9d10","actor":"ann","peer":"10.0.0.1","address":"192.0.2.7",
            "host":"registry.example.com","userAgent":"granary/0.1.0 \"é\""}
            ],"next":"6.0","isCut":false}
            """.ReplaceLineEndings(""),
            Text(HistoryJson.Of(Repository, V1, new TagHistory(Two, [Full], new LogPosition(6, 0), IsCut: false))));
        Assert.Equal(
            """
            {"repository":"library/app","tag":"v1","lines":[
            {"position":"7.0","time":"2026-11-26T17:31:28+00:00","kind":"repositoryDeleted","cause":"unknown","isHere":false}
            ],"isCut":true}
            """.ReplaceLineEndings(""),
            Text(HistoryJson.Of(Repository, V1, new TagHistory(Current: null, [Bare], Next: null, IsCut: true))));
    }

    [Fact]
    public void An_undo_is_written_as_documented()
    {
        Assert.Equal(
            $$"""{"repository":"library/app","tag":"v1","from":"{{One}}","to":"{{Two}}","position":"419.0"}""",
            Text(HistoryJson.Of(Repository, V1, new TagUndone(One, Two, new LogPosition(419, 0)))));
        Assert.Equal(
            $$"""{"repository":"library/app","tag":"v1","to":"{{Two}}"}""",
            Text(HistoryJson.Of(Repository, V1, new TagUndone(From: null, Two, Line: null))));
    }

    [Fact]
    public void What_was_written_is_read_back()
    {
        var history = new TagHistory(Two, [Full, Bare], new LogPosition(6, 0), IsCut: true);
        var read = HistoryJson.ReadHistory(HistoryJson.Of(Repository, V1, history));
        Assert.Equal(history.Entries, read.Entries);
        Assert.Equal(history with { Entries = read.Entries }, read);
        Assert.All(Enum.GetValues<ChangeKind>(), kind => Same(Bare with { Line = Bare.Line with { Kind = kind } }));
        Assert.All(
            Enum.GetValues<ChangeCause>(),
            cause => Same(Bare with { Line = Bare.Line with { Origin = CommandOrigin.OfRegistry(cause) } }));

        var undone = new TagUndone(One, Two, new LogPosition(419, 0));
        Assert.Equal(undone, HistoryJson.ReadUndone(HistoryJson.Of(Repository, V1, undone)));
        var nothing = new TagUndone(From: null, Two, Line: null);
        Assert.Equal(nothing, HistoryJson.ReadUndone(HistoryJson.Of(Repository, V1, nothing)));

        UndoTarget[] targets = [default, new UndoTarget(One, Line: null), new UndoTarget(Digest: null, new LogPosition(418, 1))];
        Assert.All(targets, target => Assert.Equal(target, HistoryJson.ReadTarget(HistoryJson.Of(target))));
        Assert.Equal(default, HistoryJson.ReadTarget("""{"to":null}"""u8.ToArray()));
    }

    [Theory]
    [InlineData("[]", "It has to be an object")]
    [InlineData("""{"to":5}""", "to has to be the position of a line, such as \"418.0\"")]
    [InlineData("""{"to":""}""", "to has to be the position of a line")]
    [InlineData("""{"to":"418"}""", "to has to be the position of a line")]
    [InlineData("""{"to":"sha256:12"}""", "to has to be the position of a line")]
    [InlineData("""{"tag":"v1"}""", "'tag' is not a part of it")]
    public void An_invalid_target_is_refused_with_a_reason(string document, string reason) => Assert.StartsWith(
        reason,
        Assert.Throws<JsonException>(() => HistoryJson.ReadTarget(Encoding.UTF8.GetBytes(document))).Message,
        StringComparison.Ordinal);

    [Theory]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("<html>")]
    [InlineData("""{"tag":"v1","lines":[{}],"isCut":false}""")]
    [InlineData("""{"tag":"v","lines":[{"position":"1.0","time":"2026-11-26","kind":"lost","cause":"push"}],"isCut":false}""")]
    [InlineData("""{"tag":"v","lines":[{"position":"x","time":"2026-11-26","kind":"pushed","cause":"push"}],"isCut":false}""")]
    public void A_document_that_is_not_a_history_is_refused(string document)
    {
        Assert.ThrowsAny<JsonException>(() => HistoryJson.ReadHistory(Encoding.UTF8.GetBytes(document)));
        Assert.ThrowsAny<JsonException>(() => HistoryJson.ReadUndone(Encoding.UTF8.GetBytes(document)));
    }

    private static void Same(TagHistoryEntry entry)
    {
        var history = new TagHistory(Current: null, [entry], Next: null, IsCut: false);
        Assert.Equal([entry], HistoryJson.ReadHistory(HistoryJson.Of(Repository, V1, history)).Entries);
    }

    private static string Text(ReadOnlyMemory<byte> document) => Encoding.UTF8.GetString(document.Span);
}
