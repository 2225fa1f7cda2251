using System.Text.Json;
using System.Text.Json.Serialization;
using Granary.Gateway.Http;
using Granary.Grains.Interfaces.Operations;

namespace Granary.Gateway.Admin;

/// <summary>The serializer of the administration's API. It is generated at build time; reflection would delay each command.</summary>
[JsonSourceGenerationOptions(
    GenerationMode = JsonSourceGenerationMode.Metadata,
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(OperationStatus))]
[JsonSerializable(typeof(OperationList))]
[JsonSerializable(typeof(StartRequest))]
internal sealed partial class AdminJsonContext : JsonSerializerContext
{
    /// <summary>Returns a context with the options that an attribute cannot hold.</summary>
    public static AdminJsonContext Create() => new(new JsonSerializerOptions(Default.Options)
    {
        Encoder = JsonResponse.Encoder,
        Converters =
        {
            new DurationConverter(),
            new JsonStringEnumConverter<OperationState>(JsonNamingPolicy.CamelCase, allowIntegerValues: false),
            new JsonStringEnumConverter<OperationKind>(JsonNamingPolicy.CamelCase, allowIntegerValues: false),
        },
    });
}
