using System.Text.Json;
using System.Text.Json.Serialization;
using Granary.Grains.Interfaces.Operations;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Grains.Repositories.History;
using Granary.Storage.Partitions;

namespace Granary.Grains.Operations;

/// <summary>
/// The keys and values of the rows of the partition <c>operations</c>:
/// <code>
/// op/&lt;id&gt;     an operation: its request and its progress; the id is the time of the request
/// </code>
/// Kinds and states are stored as numbers, so new ones get new numbers. Version 1 was JSON, version 2 had no
/// origin.
/// </summary>
internal static partial class OperationRows
{
    public const string Prefix = "op/";

    private const byte CurrentVersion = 3;

    // The number for null: no duration and no rate is negative.
    private const long None = -1;

    public static PartitionKey Partition { get; } = new("operations");

    public static string Operation(string id) => Prefix + id;

    public static string Id(DateTimeOffset created) => KeyTime.Text(created);

    public static ReadOnlyMemory<byte> Encode(OperationStatus operation)
    {
        var row = WriteRequest(new RowWriter(CurrentVersion, 512).Text(operation.Id), operation.Request)
            .Number((long)operation.State)
            .Time(operation.Created)
            .Number(operation.Ended?.UtcTicks ?? 0)
            .Text(operation.Error);
        return WriteProgress(row, operation.Progress).ToValue();
    }

    /// <exception cref="FormatException">The row is damaged, or a newer release wrote it.</exception>
    public static OperationStatus Decode(ReadOnlyMemory<byte> value)
    {
        var row = new RowReader(value, CurrentVersion);
        if (row.Version == 1)
        {
            return JsonSerializer.Deserialize(row.Text()!, Json.Default.OperationStatus)
                ?? throw new FormatException("The row of an operation is empty.");
        }

        return new OperationStatus
        {
            Id = row.Text()!,
            Request = ReadRequest(ref row),
            State = (OperationState)row.Number(),
            Created = row.Time(),
            Ended = row.TimeOrNull(),
            Error = row.Text(),
            Progress = ReadProgress(ref row),
        };
    }

    private static RowWriter WriteRequest(RowWriter row, OperationRequest request)
    {
        row = row
            .Number((long)request.Kind)
            .Flag(request.DryRun)
            .Number(request.Grace?.Ticks ?? None)
            .Number(request.UntaggedAge?.Ticks ?? None)
            .Text(request.Repository)
            .Text(request.Directory)
            .Number(request.BytesPerSecond ?? None)
            .Number(request.AtMostEvery?.Ticks ?? None)
            .Flag(request.Origin is not null);
        return request.Origin is { } origin ? row.Number((long)origin.Cause).Sender(origin) : row;
    }

    private static OperationRequest ReadRequest(ref RowReader row) => new()
    {
        Kind = (OperationKind)row.Number(),
        DryRun = row.Flag(),
        Grace = Duration(row.Number()),
        UntaggedAge = Duration(row.Number()),
        Repository = row.Text(),
        Directory = row.Text(),
        BytesPerSecond = row.Number() is >= 0 and var rate ? rate : null,
        AtMostEvery = Duration(row.Number()),
        Origin = row.Version > 2 && row.Flag() ? row.Sender((ChangeCause)row.Number()) : null,
    };

    private static RowWriter WriteProgress(RowWriter row, OperationProgress progress)
    {
        row = row.Number(progress.Done).Number(progress.Total).Number(progress.Counts.Count);
        foreach (var (name, count) in progress.Counts)
        {
            row = row.Text(name).Number(count);
        }

        row = row.Number(progress.Findings.Length);
        foreach (var finding in progress.Findings)
        {
            row = row.Text(finding);
        }

        return row;
    }

    private static OperationProgress ReadProgress(ref RowReader row) => new()
    {
        Done = row.Number(),
        Total = row.Number(),
        Counts = ReadCounts(ref row),
        Findings = ReadFindings(ref row),
    };

    private static TimeSpan? Duration(long ticks) => ticks >= 0 ? new TimeSpan(ticks) : null;

    private static Dictionary<string, long> ReadCounts(ref RowReader row)
    {
        var counts = new Dictionary<string, long>(StringComparer.Ordinal);
        for (var left = row.Number(); left > 0; left--)
        {
            counts.Add(row.Text()!, row.Number());
        }

        return counts;
    }

    private static string[] ReadFindings(ref RowReader row)
    {
        var findings = new List<string>();
        for (var left = row.Number(); left > 0; left--)
        {
            findings.Add(row.Text()!);
        }

        return [.. findings];
    }

    [JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, UseStringEnumConverter = true)]
    [JsonSerializable(typeof(OperationStatus))]
    private sealed partial class Json : JsonSerializerContext;
}
