using System.Text;
using System.Text.Json;
using Granary.Gateway.Admin;
using Granary.Grains.Interfaces.Operations;

namespace Granary.Gateway.Tests.Admin;

/// <summary>The JSON of operations, for clients of the administration's API.</summary>
public sealed class OperationJsonTests
{
    private static readonly DateTimeOffset Created = new(2026, 11, 26, 17, 31, 28, TimeSpan.Zero);

    private static readonly OperationStatus Full = new()
    {
        Id = "08df4be31ad63b71",
        Request = new OperationRequest
        {
            Kind = OperationKind.Backup,
            DryRun = true,
            Grace = TimeSpan.Zero,
            UntaggedAge = TimeSpan.FromDays(7),
            Repository = "library/app",
            Directory = "/backup/é",
            BytesPerSecond = 5,
            AtMostEvery = TimeSpan.FromMinutes(90),
        },
        State = OperationState.Failed,
        Progress = new OperationProgress
        {
            Done = 3,
            Total = 4,
            Counts = new Dictionary<string, long> { ["blobs"] = 5 },
            Findings = ["A <row>"],
        },
        Created = Created,
        Ended = Created.AddSeconds(1),
        Error = "The disk is \"full\".",
    };

    private static readonly OperationStatus Bare = new()
    {
        Id = "08df4be31ad63b72",
        Request = new OperationRequest { Kind = OperationKind.Collection },
        State = OperationState.Waiting,
        Progress = new OperationProgress { Counts = new Dictionary<string, long>(), Findings = [] },
        Created = Created,
    };

    [Fact]
    public void An_operation_is_written_as_documented()
    {
        Assert.Equal(
            """
            {"id":"08df4be31ad63b71","request":{"kind":"backup","dryRun":true,"grace":"0s","untaggedAge":"7d",
            "repository":"library/app","directory":"/backup/é","bytesPerSecond":5,"atMostEvery":"90m"},
            "state":"failed","progress":{"done":3,"total":4,"counts":{"blobs":5},"findings":["A <row>"]},
            "created":"2026-11-26T17:31:28+00:00","ended":"2026-11-26T17:31:29+00:00",
            "error":"The disk is \"full\".","isOver":true}
            """.ReplaceLineEndings(""),
            Text(OperationJson.Of(Full)));
        Assert.Equal(
            """
            {"operations":[{"id":"08df4be31ad63b72","request":{"kind":"collection","dryRun":false},"state":"waiting",
            "progress":{"done":0,"total":0,"counts":{},"findings":[]},"created":"2026-11-26T17:31:28+00:00","isOver":false}]}
            """.ReplaceLineEndings(""),
            Text(OperationJson.Of([Bare])));
    }

    [Fact]
    public void A_written_operation_is_read_back()
    {
        Same(Full);
        Same(Bare);
        var list = OperationJson.ReadOperations(OperationJson.Of([Full, Bare]));
        Assert.Equal([Full.Id, Bare.Id], list.Select(operation => operation.Id));
        Assert.All(
            Enum.GetValues<OperationKind>(),
            kind => Same(Bare with { Request = new OperationRequest { Kind = kind } }));
        Assert.All(Enum.GetValues<OperationState>(), state => Same(Bare with { State = state }));
    }

    [Fact]
    public void A_written_start_is_read_back()
    {
        var bare = new StartRequest(OperationKind.Scrub);
        var all = new StartRequest(
            OperationKind.Deletion,
            DryRun: true,
            TimeSpan.FromHours(3),
            TimeSpan.FromDays(2),
            RepositoryName.Parse("library/app"),
            "/b",
            7);
        var nulls =
            """{"kind":"scrub","grace":null,"untaggedAge":null,"repository":null,"directory":null,"bytesPerSecond":null}"""u8;

        Assert.Equal(all, OperationJson.ReadStart(OperationJson.Of(all)));
        Assert.Equal(bare, OperationJson.ReadStart(OperationJson.Of(bare)));
        Assert.Equal(bare, OperationJson.ReadStart(nulls.ToArray()));
    }

    [Theory]
    [InlineData("""{"kind":5}""", "kind has to be a text.")]
    [InlineData("""{"kind":null}""", "kind has to be a text.")]
    [InlineData("""{"dryRun":"yes"}""", "dryRun has to be true or false.")]
    [InlineData("""{"bytesPerSecond":"5"}""", "bytesPerSecond has to be a whole number.")]
    [InlineData("""{"bytesPerSecond":1.5}""", "bytesPerSecond has to be a whole number.")]
    [InlineData("""{"bytesPerSecond":99999999999999999999}""", "bytesPerSecond has to be a whole number.")]
    [InlineData("""{"grace":[]}""", "grace has to be a text.")]
    [InlineData("""{"grace":"soon"}""", "'soon' is not a duration, such as 90m, 12h or 0s.")]
    [InlineData("""{"repository":"A"}""", "'A' is not a repository's name.")]
    [InlineData("""{"holiday":true}""", "'holiday' is not a part of it.")]
    [InlineData("[]", "It has to be an object.")]
    public void An_invalid_start_is_refused_with_a_reason(string document, string reason) =>
        Assert.Equal(reason, Assert.Throws<JsonException>(() => OperationJson.ReadStart(Encoding.UTF8.GetBytes(document))).Message);

    [Theory]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("<html>")]
    [InlineData("""{"operations":5}""")]
    [InlineData("""{"id":"a","request":{},"state":"done","progress":{"done":"x"}}""")]
    public void A_document_that_is_not_an_operation_is_refused(string document)
    {
        Assert.ThrowsAny<JsonException>(() => OperationJson.ReadOperation(Encoding.UTF8.GetBytes(document)));
        Assert.ThrowsAny<JsonException>(() => OperationJson.ReadOperations(Encoding.UTF8.GetBytes(document)));
    }

    private static string Text(ReadOnlyMemory<byte> document) => Encoding.UTF8.GetString(document.Span);

    private static void Same(OperationStatus expected)
    {
        var actual = OperationJson.ReadOperation(OperationJson.Of(expected));
        Assert.Equal(expected.Progress.Counts, actual.Progress.Counts);
        Assert.Equal(expected.Progress.Findings, actual.Progress.Findings);
        Assert.Equal((expected.Progress.Done, expected.Progress.Total), (actual.Progress.Done, actual.Progress.Total));
        Assert.Equal(expected with { Progress = actual.Progress }, actual);
    }
}
