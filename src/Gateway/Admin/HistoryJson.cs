using System.Text.Json;
using Granary.Gateway.Http;
using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;

namespace Granary.Gateway.Admin;

/// <summary>
/// The JSON of a tag's history and of an undo, for the administration's API and its clients: names in camel case, no member for null. It is
/// written member by member for the reason that <see cref="OperationJson"/> names.
/// </summary>
public static class HistoryJson
{
    /// <summary>Returns a page of the history as a document.</summary>
    public static ReadOnlyMemory<byte> Of(RepositoryName repository, Tag tag, TagHistory history) => JsonResponse.Document(json =>
    {
        json.WriteStartObject();
        json.WriteString("repository", repository.Value);
        json.WriteString("tag", tag.Value);
        AdminJson.WriteText(json, "current", history.Current?.Value);
        json.WriteStartArray("lines");
        foreach (var entry in history.Entries)
        {
            Write(json, entry);
        }

        json.WriteEndArray();
        AdminJson.WriteText(json, "next", history.Next?.ToString());
        json.WriteBoolean("isCut", history.IsCut);
        json.WriteEndObject();
    });

    /// <summary>Returns the result of an undo as a document.</summary>
    public static ReadOnlyMemory<byte> Of(RepositoryName repository, Tag tag, TagUndone undone) => JsonResponse.Document(json =>
    {
        json.WriteStartObject();
        json.WriteString("repository", repository.Value);
        json.WriteString("tag", tag.Value);
        AdminJson.WriteText(json, "from", undone.From?.Value);
        json.WriteString("to", undone.To.Value);
        AdminJson.WriteText(json, "position", undone.Line?.ToString());
        json.WriteEndObject();
    });

    /// <summary>Returns the page of a history that a document holds.</summary>
    /// <exception cref="JsonException">The document is not such a page.</exception>
    public static TagHistory ReadHistory(ReadOnlyMemory<byte> document) => AdminJson.Read(document, json => new TagHistory(
        Digest(json, "current"),
        [.. json.GetProperty("lines").EnumerateArray().Select(line => Entry(line, Tag.Parse(json.GetProperty("tag").GetString()!)))],
        Position(json, "next"),
        json.GetProperty("isCut").GetBoolean()));

    /// <summary>Returns the result of an undo that a document holds.</summary>
    /// <exception cref="JsonException">The document is not such a result.</exception>
    public static TagUndone ReadUndone(ReadOnlyMemory<byte> document) => AdminJson.Read(document, json => new TagUndone(
        Digest(json, "from"),
        Digest(json, "to") ?? throw new JsonException("It has no member to."),
        Position(json, "position")));

    /// <summary>Returns the body of an undo as a document.</summary>
    public static ReadOnlyMemory<byte> Of(UndoTarget target) => JsonResponse.Document(json =>
    {
        json.WriteStartObject();
        AdminJson.WriteText(json, "to", target == default ? null : target.ToString());
        json.WriteEndObject();
    });

    /// <summary>Returns where the body of an undo says that the tag goes.</summary>
    /// <exception cref="JsonException">The document is not such a body; the message says what is wrong.</exception>
    public static UndoTarget ReadTarget(ReadOnlyMemory<byte> document)
    {
        using var json = JsonDocument.Parse(document);
        if (json.RootElement.ValueKind != JsonValueKind.Object)
        {
            throw new JsonException("It has to be an object, such as {\"to\":\"418.0\"}.");
        }

        var target = default(UndoTarget);
        foreach (var member in json.RootElement.EnumerateObject())
        {
            target = (member.Name, member.Value.ValueKind) switch
            {
                ("to", JsonValueKind.Null) => default,
                ("to", JsonValueKind.String) when UndoTarget.TryParse(member.Value.GetString(), out var parsed) => parsed,
                ("to", _) => throw new JsonException(
                    "to has to be the position of a line, such as \"418.0\", or a digest (sha256: or sha512: and its hexadecimal digits)."),
                var (unknown, _) => throw new JsonException($"'{unknown}' is not a part of it; it has the member to."),
            };
        }

        return target;
    }

    /// <summary>Returns a kind or a cause as it is in documents: in camel case.</summary>
    internal static string Name<T>(T value)
        where T : struct, Enum => JsonNamingPolicy.CamelCase.ConvertName(value.ToString());

    private static void Write(Utf8JsonWriter json, TagHistoryEntry entry)
    {
        var line = entry.Line;
        json.WriteStartObject();
        json.WriteString("position", line.Position.ToString());
        json.WriteString("time", line.Time);
        json.WriteString("kind", Name(line.Kind));
        json.WriteString("cause", Name(line.Origin.Cause));
        AdminJson.WriteText(json, "from", line.Previous?.Value);
        AdminJson.WriteText(json, "to", line.Digest?.Value);
        if (line.MediaType is { } mediaType)
        {
            json.WriteString("mediaType", mediaType);
            json.WriteNumber("size", line.Size);
        }

        json.WriteBoolean("isHere", entry.IsHere);
        if (entry.KeptUntil is { } keptUntil)
        {
            json.WriteString("keptUntil", keptUntil);
        }

        Write(json, line.Origin);
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, CommandOrigin origin)
    {
        // The registry's own changes come with no request.
        if (origin.RequestId != Guid.Empty)
        {
            json.WriteString("request", origin.RequestId);
        }

        AdminJson.WriteText(json, "actor", origin.Actor);
        AdminJson.WriteText(json, "peer", origin.Peer);
        AdminJson.WriteText(json, "address", origin.Address);
        AdminJson.WriteText(json, "host", origin.Host);
        AdminJson.WriteText(json, "userAgent", origin.UserAgent);
    }

    private static TagHistoryEntry Entry(JsonElement json, Tag tag)
    {
        var line = new LogLine
        {
            Position = Position(json, "position") ?? throw new JsonException("A line has no position."),
            Kind = Value<ChangeKind>(json, "kind"),
            Origin = Origin(json),
            Time = json.GetProperty("time").GetDateTimeOffset(),
            Tag = tag,
            Previous = Digest(json, "from"),
            Digest = Digest(json, "to"),
            MediaType = AdminJson.Text(json, "mediaType"),
            Size = json.TryGetProperty("size", out var size) ? size.GetInt64() : 0,
        };
        DateTimeOffset? keptUntil = json.TryGetProperty("keptUntil", out var time) ? time.GetDateTimeOffset() : null;
        return new TagHistoryEntry(line, json.GetProperty("isHere").GetBoolean(), keptUntil);
    }

    private static CommandOrigin Origin(JsonElement json) => new()
    {
        RequestId = json.TryGetProperty("request", out var request) ? request.GetGuid() : Guid.Empty,
        Cause = Value<ChangeCause>(json, "cause"),
        Actor = AdminJson.Text(json, "actor"),
        Peer = AdminJson.Text(json, "peer"),
        Address = AdminJson.Text(json, "address"),
        Host = AdminJson.Text(json, "host"),
        UserAgent = AdminJson.Text(json, "userAgent"),
    };

    private static Digest? Digest(JsonElement json, string name) =>
        AdminJson.Text(json, name) is { } text ? Protocol.Digest.Parse(text) : null;

    private static LogPosition? Position(JsonElement json, string name) => AdminJson.Text(json, name) switch
    {
        null => null,
        var text when LogPosition.TryParse(text, out var position) => position,
        var text => throw new JsonException($"'{text}' is not the position of a line."),
    };

    private static T Value<T>(JsonElement json, string name)
        where T : struct, Enum
    {
        var text = json.GetProperty(name).GetString();
        return Array.Find(Enum.GetValues<T>(), value => Name(value) == text) is var found && Name(found) == text
            ? found
            : throw new JsonException($"'{text}' is not a {name}.");
    }
}
