using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Granary.Grains.Interfaces.Operations;

namespace Granary.Gateway.Admin;

/// <summary>
/// The JSON of operations, for the administration's API and its clients: names in camel case, durations as a number and a unit, no member
/// for null.
/// </summary>
public static class OperationJson
{
    private const string NotAnObject = "It has to be an object.";

    private static readonly AdminJsonContext Context = AdminJsonContext.Create();

    /// <summary>Returns an operation as a document.</summary>
    public static ReadOnlyMemory<byte> Of(OperationStatus operation) =>
        JsonSerializer.SerializeToUtf8Bytes(operation, Context.OperationStatus);

    /// <summary>Returns operations as a document: an object with the list <c>operations</c>.</summary>
    public static ReadOnlyMemory<byte> Of(IEnumerable<OperationStatus> operations) =>
        JsonSerializer.SerializeToUtf8Bytes(new OperationList { Operations = [.. operations] }, Context.OperationList);

    /// <summary>Returns the request that starts an operation, as a document.</summary>
    public static ReadOnlyMemory<byte> Of(StartRequest request) => JsonSerializer.SerializeToUtf8Bytes(request, Context.StartRequest);

    /// <summary>Returns the request that a document holds.</summary>
    /// <exception cref="JsonException">The document is not such a request; the message says what is wrong.</exception>
    public static StartRequest ReadStart(ReadOnlyMemory<byte> document)
    {
        try
        {
            var request = Read(document, Context.StartRequest);
            return request.Unknown is { Count: > 0 } unknown
                ? throw new JsonException($"'{unknown.Keys.First()}' is not a part of it.")
                : request;
        }
        catch (JsonException e) when (e is { InnerException: not JsonException, Path: { } path })
        {
            throw new JsonException(Explain(path), e);
        }
    }

    /// <summary>Returns the operation that a document holds.</summary>
    /// <exception cref="JsonException">The document is not an operation.</exception>
    public static OperationStatus ReadOperation(ReadOnlyMemory<byte> document) =>
        Read(document, Context.OperationStatus);

    /// <summary>Returns the operations that a document holds.</summary>
    /// <exception cref="JsonException">The document is not a list of operations.</exception>
    public static IReadOnlyList<OperationStatus> ReadOperations(ReadOnlyMemory<byte> document) =>
        Read(document, Context.OperationList).Operations;

    private static T Read<T>(ReadOnlyMemory<byte> document, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(document.Span, type) ?? throw new JsonException(NotAnObject);
        }
        catch (FormatException e)
        {
            throw new JsonException(e.Message, e);
        }
    }

    /// <summary>Returns what the member at a path has to be; the serializer's own message names .NET types.</summary>
    private static string Explain(string path) => path switch
    {
        "$.dryRun" => "dryRun has to be true or false.",
        "$.bytesPerSecond" => "bytesPerSecond has to be a whole number.",
        ['$', '.', .. var member] => $"{member} has to be a text.",
        _ => NotAnObject,
    };
}
