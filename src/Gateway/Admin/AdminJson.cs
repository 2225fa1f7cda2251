using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Granary.Gateway.Http;
using Granary.Grains.Interfaces.Operations;
using Granary.Protocol;

namespace Granary.Gateway.Admin;

/// <summary>How the administration's API writes what it says, for itself and for programs that read it.</summary>
public static partial class AdminJson
{
    /// <summary>Names in camel case, durations as a number and a unit, digests and names as the texts they are.</summary>
    public static JsonSerializerOptions Options { get; } = new(JsonSerializerDefaults.Web)
    {
        // Explanations are rare; what every command reads and writes shall not be put together when it is needed.
        TypeInfoResolver = JsonTypeInfoResolver.Combine(Context.Default, new DefaultJsonTypeInfoResolver()),
        Encoder = JsonResponse.Encoder,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        Converters =
        {
            new JsonStringEnumConverter<OperationKind>(JsonNamingPolicy.CamelCase),
            new JsonStringEnumConverter<OperationState>(JsonNamingPolicy.CamelCase),
            new TextConverter<TimeSpan>(Durations.Text, text => Durations.TryParse(text, out var duration) ? duration : throw new JsonException($"'{text}' is not a duration, such as 90m, 12h or 0s.")),
            new TextConverter<Digest>(digest => digest.Value, Digest.Parse),
            new TextConverter<Tag>(tag => tag.Value, Tag.Parse),
            new TextConverter<RepositoryName>(name => name.Value, RepositoryName.Parse),
            new TextConverter<ObjectId>(id => id.Value, ObjectId.Parse),
        },
    };

    [JsonSourceGenerationOptions(JsonSerializerDefaults.Web, GenerationMode = JsonSourceGenerationMode.Metadata)]
    [JsonSerializable(typeof(StartRequest))]
    [JsonSerializable(typeof(OperationStatus))]
    [JsonSerializable(typeof(OperationList))]
    [JsonSerializable(typeof(JsonElement))]
    private sealed partial class Context : JsonSerializerContext;

    private sealed class TextConverter<T>(Func<T, string> text, Func<string, T> parse) : JsonConverter<T>
    {
        public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            try
            {
                return parse(reader.GetString() ?? "");
            }
            catch (Exception e) when (e is FormatException or InvalidOperationException)
            {
                throw new JsonException(e.Message, e);
            }
        }

        public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WriteStringValue(text(value));
    }
}
