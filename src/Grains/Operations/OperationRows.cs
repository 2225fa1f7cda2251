using System.Text.Json;
using System.Text.Json.Serialization;
using Granary.Grains.Interfaces.Operations;
using Granary.Grains.Partitions;
using Granary.Storage.Partitions;

namespace Granary.Grains.Operations;

/// <summary>
/// Every row of the partition <c>operations</c>:
/// <code>
/// op/&lt;id&gt;     an operation: what was asked and how far it is; ids are the times when they were asked for
/// </code>
/// Kinds and states are numbers: new ones come after those that there are. Version 1 was JSON.
/// </summary>
internal static partial class OperationRows
{
    public const string Prefix = "op/";

    private const byte Newest = 2;

    // No duration and no rate is less than nothing.
    private const long None = -1;

    public static PartitionKey Partition { get; } = new("operations");

    public static string Operation(string id) => Prefix + id;

    public static string Id(DateTimeOffset created) => KeyTime.Text(created);

    public static ReadOnlyMemory<byte> Encode(OperationStatus operation)
    {
        var (request, progress) = (operation.Request, operation.Progress);
        var row = new RowWriter(Newest, 512)
            .Text(operation.Id)
            .Number((long)request.Kind)
            .Flag(request.DryRun)
            .Number(request.Grace?.Ticks ?? None)
            .Number(request.UntaggedAge?.Ticks ?? None)
            .Text(request.Repository)
            .Text(request.Directory)
            .Number(request.BytesPerSecond ?? None)
            .Number(request.AtMostEvery?.Ticks ?? None)
            .Number((long)operation.State)
            .Time(operation.Created)
            .Number(operation.Ended?.UtcTicks ?? 0)
            .Text(operation.Error)
            .Number(progress.Done)
            .Number(progress.Total)
            .Number(progress.Counts.Count);
        foreach (var (name, count) in progress.Counts)
        {
            row = row.Text(name).Number(count);
        }

        row = row.Number(progress.Findings.Length);
        foreach (var finding in progress.Findings)
        {
            row = row.Text(finding);
        }

        return row.ToValue();
    }

    /// <exception cref="FormatException">The row cannot be read.</exception>
    public static OperationStatus Decode(ReadOnlyMemory<byte> value)
    {
        var row = new RowReader(value, Newest);
        if (row.Version == 1)
        {
            return JsonSerializer.Deserialize(row.Text()!, Json.Default.OperationStatus) ?? throw new FormatException("The row of an operation is empty.");
        }

        return new OperationStatus
        {
            Id = row.Text()!,
            Request = new OperationRequest
            {
                Kind = (OperationKind)row.Number(),
                DryRun = row.Flag(),
                Grace = Duration(row.Number()),
                UntaggedAge = Duration(row.Number()),
                Repository = row.Text(),
                Directory = row.Text(),
                BytesPerSecond = row.Number() is >= 0 and var rate ? rate : null,
                AtMostEvery = Duration(row.Number()),
            },
            State = (OperationState)row.Number(),
            Created = row.Time(),
            Ended = row.TimeOrNull(),
            Error = row.Text(),
            Progress = new OperationProgress { Done = row.Number(), Total = row.Number(), Counts = Counts(ref row), Findings = Findings(ref row) },
        };
    }

    private static TimeSpan? Duration(long ticks) => ticks >= 0 ? new TimeSpan(ticks) : null;

    private static Dictionary<string, long> Counts(ref RowReader row)
    {
        var counts = new Dictionary<string, long>(StringComparer.Ordinal);
        for (var left = row.Number(); left > 0; left--)
        {
            counts.Add(row.Text()!, row.Number());
        }

        return counts;
    }

    private static string[] Findings(ref RowReader row)
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
