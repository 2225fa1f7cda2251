using System.Text.Json;
using System.Text.Json.Serialization;
using Granary.Gateway.Units;
using Granary.Grains.Interfaces.Operations;
using Granary.Protocol;

namespace Granary.Gateway.Admin;

/// <summary>Writes a duration as a number and a unit, and reads it.</summary>
internal sealed class DurationConverter : JsonConverter<TimeSpan>
{
    /// <inheritdoc/>
    /// <exception cref="FormatException">The text is not a duration.</exception>
    public override TimeSpan Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var text = JsonText.Read(ref reader);
        return Durations.TryParse(text, out var duration)
            ? duration
            : throw new FormatException($"'{text}' is not a duration, such as 90m, 12h or 0s.");
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, TimeSpan value, JsonSerializerOptions options) =>
        writer.WriteStringValue(Durations.Text(value));
}

/// <summary>Writes the name of a repository, and reads it.</summary>
internal sealed class RepositoryConverter : JsonConverter<RepositoryName?>
{
    /// <inheritdoc/>
    /// <exception cref="FormatException">The text is not a repository's name.</exception>
    public override RepositoryName? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var text = JsonText.Read(ref reader);
        return RepositoryName.TryParse(text, out var name) ? name : throw new FormatException($"'{text}' is not a repository's name.");
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, RepositoryName? value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value?.Value);
}

/// <summary>Writes the kind of an operation, and reads it. A request may leave it out, but null is an error.</summary>
internal sealed class RequestedKindConverter : JsonConverter<OperationKind?>
{
    /// <inheritdoc/>
    public override bool HandleNull => true;

    /// <inheritdoc/>
    /// <exception cref="FormatException">The text is not a kind.</exception>
    public override OperationKind? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var text = JsonText.Read(ref reader);
        return text switch
        {
            "collection" => OperationKind.Collection,
            "scrub" => OperationKind.Scrub,
            "deletion" => OperationKind.Deletion,
            "backup" => OperationKind.Backup,
            _ => throw new FormatException($"'{text}' is not a kind; it has to be collection, scrub, deletion or backup."),
        };
    }

    /// <inheritdoc/>
    public override void Write(Utf8JsonWriter writer, OperationKind? value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value?.ToString().ToLowerInvariant());
}

/// <summary>Reads strings for the converters.</summary>
internal static class JsonText
{
    /// <summary>Returns the string at the reader.</summary>
    /// <exception cref="JsonException">The token is not a string. The serializer adds the path.</exception>
    public static string Read(ref Utf8JsonReader reader) =>
        reader.TokenType == JsonTokenType.String ? reader.GetString()! : throw new JsonException();
}
