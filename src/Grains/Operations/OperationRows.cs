using System.Text.Json;
using System.Text.Json.Serialization;
using Granary.Grains.Interfaces.Operations;
using Granary.Grains.Partitions;
using Granary.Storage.Partitions;

namespace Granary.Grains.Operations;

/// <summary>
/// Every row of the partition <c>operations</c>:
/// <code>
/// op/&lt;id&gt;     an operation: what was asked and how far it is, as JSON; ids are the times when they were asked for
/// </code>
/// </summary>
internal static partial class OperationRows
{
    public const string Prefix = "op/";

    public static PartitionKey Partition { get; } = new("operations");

    public static string Operation(string id) => Prefix + id;

    public static string Id(DateTimeOffset created) => KeyTime.Text(created);

    public static ReadOnlyMemory<byte> Encode(OperationStatus operation) => new RowWriter(1, 1024).Text(JsonSerializer.Serialize(operation, Json.Default.OperationStatus)).ToValue();

    public static OperationStatus Decode(ReadOnlyMemory<byte> value) =>
        JsonSerializer.Deserialize<OperationStatus>(new RowReader(value, 1).Text()!, Json.Default.OperationStatus) ?? throw new FormatException("The row of an operation is empty.");

    // Made by the compiler: at run time the first operation would wait for it.
    [JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Metadata, UseStringEnumConverter = true)]
    [JsonSerializable(typeof(OperationStatus))]
    private sealed partial class Json : JsonSerializerContext;
}
