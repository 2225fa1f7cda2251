using System.Text.Json;

namespace Granary.Gateway.Admin;

/// <summary>What the JSON of all parts of the administration's API shares.</summary>
internal static class AdminJson
{
    /// <summary>Reads a document.</summary>
    /// <exception cref="JsonException">The document is malformed, or has not what <paramref name="read"/> asks for.</exception>
    public static T Read<T>(ReadOnlyMemory<byte> document, Func<JsonElement, T> read)
    {
        using var json = JsonDocument.Parse(document);
        try
        {
            return read(json.RootElement);
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new JsonException(e.Message, e);
        }
    }

    /// <summary>Returns a text; null if there is no such member.</summary>
    public static string? Text(JsonElement json, string name) => json.TryGetProperty(name, out var value) ? value.GetString() : null;

    /// <summary>Writes a text. Writes no member for null.</summary>
    public static void WriteText(Utf8JsonWriter json, string name, string? text)
    {
        if (text is not null)
        {
            json.WriteString(name, text);
        }
    }
}
