using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace Granary.Protocol;

/// <summary>Parses manifests of all kinds. It says what is wrong, where, and how to mend it, and throws for no input.</summary>
internal static class ManifestParser
{
    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = 64 };

    public static bool TryParse(
        ReadOnlyMemory<byte> body,
        string? contentType,
        [NotNullWhen(true)] out Manifest? manifest,
        [NotNullWhen(false)] out RegistryError? error)
    {
        try
        {
            using var document = JsonDocument.Parse(body, Strict);
            manifest = Read(document.RootElement, contentType);
            error = null;
            return true;
        }
        catch (RefusedException e)
        {
            error = e.Error;
        }
        catch (JsonException e)
        {
            error = Invalid($"The manifest is not well-formed JSON: {e.Message}");
        }
        catch (InvalidOperationException)
        {
            // JsonElement throws this for a string that is not valid Unicode, such as half of a surrogate pair.
            error = Invalid("The manifest holds a string that is not valid Unicode.");
        }

        manifest = null;
        return false;
    }

    private static Manifest Read(JsonElement root, string? contentType)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw Refuse("The manifest is not a JSON object.");
        }

        // :: Step 1: no member twice: two readers could see two different manifests in the same bytes.
        var fields = Fields(root);
        var mediaType = ReadMediaType(fields, contentType);
        CheckSchemaVersion(fields, mediaType);

        // :: Step 2: one shape, the one that the type promises (CVE-2021-41190). A member that is null still counts as present.
        var isIndex = fields.ContainsKey("manifests");
        if (isIndex && (fields.ContainsKey("layers") || fields.ContainsKey("config")))
        {
            throw Refuse("The manifest has 'manifests' and also 'layers' or 'config': it is an index or an image, not both.");
        }

        // Caches of empty images have null layers, and published images from scratch lack the member: a config makes an image.
        if (!isIndex && Find(fields, "layers") is null && Find(fields, "config") is null)
        {
            throw Refuse("The manifest has neither 'config' or 'layers' (an image) nor 'manifests' (an index).");
        }

        mediaType ??= isIndex ? MediaTypes.OciIndex : MediaTypes.OciManifest;
        CheckKind(mediaType, isIndex, fields);

        // :: Step 3: the content that it names.
        return new Manifest
        {
            MediaType = mediaType,
            Kind = isIndex ? ManifestKind.Index : ManifestKind.Image,
            Config = Find(fields, "config") is { } config ? ReadDescriptor(config, "config") : null,
            Layers = Find(fields, "layers") is { } layers ? ReadDescriptors(layers, "layers") : [],
            Manifests = Find(fields, "manifests") is { } manifests ? ReadDescriptors(manifests, "manifests") : [],
            Subject = Find(fields, "subject") is { } subject ? ReadDescriptor(subject, "subject") : null,
            ArtifactType = Find(fields, "artifactType") is { } artifactType ? ReadText(artifactType, "artifactType") : null,
            Annotations = Find(fields, "annotations") is { } annotations
                ? ReadAnnotations(annotations, "annotations")
                : new Dictionary<string, string>(),
        };
    }

    private static Dictionary<string, JsonElement> Fields(JsonElement root)
    {
        var fields = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (var property in root.EnumerateObject())
        {
            if (!fields.TryAdd(property.Name, property.Value))
            {
                throw Refuse($"The manifest has the field '{property.Name}' twice.");
            }
        }

        return fields;
    }

    /// <summary>Returns a member of the manifest; null if it is absent or null, which mean the same to every client.</summary>
    private static JsonElement? Find(Dictionary<string, JsonElement> fields, string name) =>
        fields.TryGetValue(name, out var element) && element.ValueKind != JsonValueKind.Null ? element : null;

    private static string? ReadMediaType(Dictionary<string, JsonElement> fields, string? contentType)
    {
        var header = contentType is null ? "" : MediaTypes.WithoutParameters(contentType);
        var own = fields.TryGetValue("mediaType", out var element) ? ReadText(element, "mediaType") ?? "" : "";
        var named = MediaTypes.WithoutParameters(own);
        if (header.Length > 0 && named.Length > 0 && header != named)
        {
            throw Refuse($"The manifest's mediaType '{own}' is not the Content-Type '{header}' that it was pushed with.");
        }

        return named.Length > 0 ? named : header.Length > 0 ? header : null;
    }

    private static void CheckSchemaVersion(Dictionary<string, JsonElement> fields, string? mediaType)
    {
        var isPresent = fields.TryGetValue("schemaVersion", out var element);
        var version = isPresent && element.ValueKind == JsonValueKind.Number && element.TryGetInt32(out var number) ? number : 0;
        if (mediaType is MediaTypes.DockerSchema1 or MediaTypes.DockerSchema1Signed || version == 1)
        {
            throw Refuse(
                "Docker image manifests of schema 1 are not accepted: " +
                "push the image with a client of 2017 or later, which writes schema 2.");
        }

        if (isPresent && version != 2)
        {
            throw Refuse("The manifest's schemaVersion has to be the number 2.");
        }

        if (!isPresent
            && mediaType is null or MediaTypes.OciManifest or MediaTypes.OciIndex
                or MediaTypes.DockerManifest or MediaTypes.DockerManifestList)
        {
            throw Refuse("The manifest has no schemaVersion; it has to be the number 2.");
        }
    }

    private static void CheckKind(string mediaType, bool isIndex, Dictionary<string, JsonElement> fields)
    {
        switch (mediaType)
        {
            case MediaTypes.OciIndex or MediaTypes.DockerManifestList when !isIndex:
                throw Refuse($"A manifest of type '{mediaType}' has to have 'manifests'.");

            case MediaTypes.OciManifest or MediaTypes.DockerManifest when isIndex:
                throw Refuse($"A manifest of type '{mediaType}' has to have 'config' and 'layers', not 'manifests'.");

            case MediaTypes.OciManifest or MediaTypes.DockerManifest when Find(fields, "config") is null:
                throw Refuse($"A manifest of type '{mediaType}' has to have 'config'.");
        }

        if (!mediaType.EndsWith("+json", StringComparison.Ordinal))
        {
            throw Refuse($"'{mediaType}' is not the type of a manifest: push it with the Content-Type that its mediaType field names.");
        }

        if (mediaType.Length > 255 || mediaType.AsSpan().ContainsAnyExceptInRange('!', '~'))
        {
            throw Refuse("The manifest's media type is not one.");
        }
    }

    private static List<Descriptor> ReadDescriptors(JsonElement element, string where)
    {
        if (element.ValueKind != JsonValueKind.Array)
        {
            throw Refuse($"'{where}' has to be a list of descriptors.");
        }

        var descriptors = new List<Descriptor>(element.GetArrayLength());
        foreach (var item in element.EnumerateArray())
        {
            descriptors.Add(ReadDescriptor(item, $"{where}[{descriptors.Count}]"));
        }

        return descriptors;
    }

    private static Descriptor ReadDescriptor(JsonElement element, string where)
    {
        if (element.ValueKind != JsonValueKind.Object)
        {
            throw Refuse($"'{where}' has to be a descriptor: an object with mediaType, digest and size.");
        }

        if (!element.TryGetProperty("digest", out var digestElement) || ReadText(digestElement, $"{where}.digest") is not { } digestText)
        {
            throw Refuse($"'{where}.digest' is missing.");
        }

        if (!Digest.TryParse(digestText, out var digest))
        {
            var shown = digestText.Length <= 200 ? digestText : digestText[..200] + "…";
            var message = $"'{where}.digest' is '{shown}'. {RegistryError.DigestInvalid.Message}";
            throw new RefusedException(RegistryError.DigestInvalid with { Message = message });
        }

        if (!element.TryGetProperty("size", out var sizeElement)
            || sizeElement.ValueKind != JsonValueKind.Number
            || !sizeElement.TryGetInt64(out var size)
            || size < 0)
        {
            throw Refuse($"'{where}.size' has to be the number of bytes, zero or more.");
        }

        if (element.TryGetProperty("annotations", out var annotations) && annotations.ValueKind != JsonValueKind.Null)
        {
            // The bytes of the manifest keep them. Only their shape is checked here, by the same rule as for the manifest's own.
            ReadAnnotations(annotations, $"{where}.annotations");
        }

        var mediaType = element.TryGetProperty("mediaType", out var typeElement) ? ReadText(typeElement, $"{where}.mediaType") ?? "" : "";
        return new Descriptor(mediaType, digest, size) { Platform = ReadPlatform(element) };
    }

    private static Platform? ReadPlatform(JsonElement descriptor) =>
        descriptor.TryGetProperty("platform", out var platform) && platform.ValueKind == JsonValueKind.Object
        && platform.TryGetProperty("os", out var os) && os.ValueKind == JsonValueKind.String
        && platform.TryGetProperty("architecture", out var architecture) && architecture.ValueKind == JsonValueKind.String
            ? new Platform(os.GetString()!, architecture.GetString()!)
            : null;

    /// <summary>Reads annotations. A null value counts as an empty string: other registries and clients read it so.</summary>
    private static Dictionary<string, string> ReadAnnotations(JsonElement element, string where)
    {
        if (element.ValueKind != JsonValueKind.Object)
        {
            throw Refuse($"'{where}' has to be an object of strings.");
        }

        var annotations = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var property in element.EnumerateObject())
        {
            annotations[property.Name] = ReadText(property.Value, $"{where}.{property.Name}") ?? "";
        }

        return annotations;
    }

    /// <summary>Returns a string; null for JSON's null.</summary>
    private static string? ReadText(JsonElement element, string where) => element.ValueKind switch
    {
        JsonValueKind.String => element.GetString(),
        JsonValueKind.Null => null,
        _ => throw Refuse($"'{where}' has to be a string."),
    };

    private static RegistryError Invalid(string message) => RegistryError.ManifestInvalid with { Message = message };

    private static RefusedException Refuse(string message) => new(Invalid(message));

    // Carries the answer out of a nested reader, on a path that only bad input takes. It never leaves this file.
    private sealed class RefusedException(RegistryError error) : Exception(error.Message)
    {
        public RegistryError Error { get; } = error;
    }
}
