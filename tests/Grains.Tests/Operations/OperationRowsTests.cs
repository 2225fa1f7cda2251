using Granary.Grains.Interfaces.Operations;
using Granary.Grains.Operations;
using Granary.Grains.Partitions;

namespace Granary.Grains.Tests.Operations;

/// <summary>Rows of operations, of this release and of earlier ones.</summary>
public sealed class OperationRowsTests
{
    private static readonly DateTimeOffset Created = new(2026, 11, 26, 17, 31, 28, TimeSpan.Zero);

    [Fact]
    public void A_row_keeps_every_field_of_an_operation()
    {
        var operation = new OperationStatus
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
                BytesPerSecond = 0,
                AtMostEvery = TimeSpan.FromHours(1),
            },
            State = OperationState.Failed,
            Progress = new OperationProgress
            {
                Done = 3,
                Total = 4,
                Counts = new Dictionary<string, long> { ["blobs"] = 5, ["bytes"] = long.MaxValue },
                Findings = ["one", ""],
            },
            Created = Created,
            Ended = Created.AddSeconds(1),
            Error = "The disk is full.",
        };

        AssertSame(operation, OperationRows.Decode(OperationRows.Encode(operation)));
    }

    [Fact]
    public void A_row_keeps_fields_that_are_null()
    {
        var operation = new OperationStatus
        {
            Id = "08df4be31ad63b71",
            Request = new OperationRequest { Kind = OperationKind.Collection },
            State = OperationState.Waiting,
            Progress = new OperationProgress { Counts = new Dictionary<string, long>(), Findings = [] },
            Created = Created,
        };

        AssertSame(operation, OperationRows.Decode(OperationRows.Encode(operation)));
    }

    [Fact]
    public void Rows_of_earlier_releases_can_be_read()
    {
        var row = RowOfVersion1(
            """
            {"Id":"08df4be31b6b5315","Request":{"Kind":"Scrub","DryRun":false,"Grace":"00:10:00","UntaggedAge":null,"Repository":null,
            "Directory":null,"BytesPerSecond":7000000,"AtMostEvery":null},"State":"Done","Progress":{"Done":259,"Total":259,
            "Counts":{"blobs":3},"Findings":["! damaged"]},"Created":"2026-11-26T17:31:28+00:00","Ended":null,"Error":null,"IsOver":true}
            """);

        var operation = OperationRows.Decode(row);

        AssertSame(
            new OperationStatus
            {
                Id = "08df4be31b6b5315",
                Request = new OperationRequest { Kind = OperationKind.Scrub, Grace = TimeSpan.FromMinutes(10), BytesPerSecond = 7_000_000 },
                State = OperationState.Done,
                Progress = new OperationProgress
                {
                    Done = 259,
                    Total = 259,
                    Counts = new Dictionary<string, long> { ["blobs"] = 3 },
                    Findings = ["! damaged"],
                },
                Created = Created,
            },
            operation);
    }

    [Fact]
    public void A_damaged_row_and_a_row_of_a_newer_release_are_refused()
    {
        var whole = OperationRows.Encode(OperationRows.Decode(RowOfVersion1(
            """
            {"Id":"a","Request":{"Kind":"Scrub"},"State":"Done","Progress":{"Counts":{},"Findings":["x"]},
            "Created":"2026-11-26T17:31:28+00:00"}
            """)));

        Assert.Throws<FormatException>(() => OperationRows.Decode(whole[..^1]));
        Assert.Throws<FormatException>(() => OperationRows.Decode(new byte[] { 3, 0, 0 }));
    }

    private static ReadOnlyMemory<byte> RowOfVersion1(string json) => new RowWriter(1).Text(json).ToValue();

    private static void AssertSame(OperationStatus expected, OperationStatus actual)
    {
        Assert.Equal(expected.Progress.Counts, actual.Progress.Counts);
        Assert.Equal(expected.Progress.Findings, actual.Progress.Findings);
        Assert.Equal(expected with { Progress = actual.Progress }, actual);
        Assert.Equal((expected.Progress.Done, expected.Progress.Total), (actual.Progress.Done, actual.Progress.Total));
    }
}
