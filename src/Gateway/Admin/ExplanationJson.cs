using System.Text.Json;
using System.Text.Json.Serialization;
using Granary.Gateway.Http;
using Granary.Protocol;
using Granary.Protocol.Units;

namespace Granary.Gateway.Admin;

/// <summary>The JSON format of explanations: names in camel case, digests and names as strings.</summary>
internal static class ExplanationJson
{
    public static JsonSerializerOptions Options { get; } = new(JsonSerializerDefaults.Web)
    {
        Encoder = JsonResponse.Encoder,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters =
        {
            new TextConverter<TimeSpan>(Durations.Text),
            new TextConverter<Digest>(digest => digest.Value),
            new TextConverter<Tag>(tag => tag.Value),
            new TextConverter<RepositoryName>(name => name.Value),
            new TextConverter<ObjectId>(id => id.Value),
        },
    };

    private sealed class TextConverter<T>(Func<T, string> text) : JsonConverter<T>
    {
        public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            throw new NotSupportedException();

        public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WriteStringValue(text(value));
    }
}
