using System.Text.Json;
using System.Text.Json.Nodes;
using Granary.Protocol;

namespace Granary.Testing;

/// <summary>Manifests for tests.</summary>
public static class Manifests
{
    public const string LayerType = "application/vnd.oci.image.layer.v1.tar+gzip";
    public const string ConfigType = "application/vnd.oci.image.config.v1+json";

    public static JsonObject Descriptor(byte[] content, string mediaType, DigestAlgorithm algorithm = DigestAlgorithm.Sha256) =>
        Descriptor(Digest.Compute(algorithm, content), content.Length, mediaType);

    public static JsonObject Descriptor(Digest digest, long size, string mediaType) => new()
    {
        ["mediaType"] = mediaType,
        ["digest"] = digest.Value,
        ["size"] = size,
    };

    public static byte[] Image(
        byte[] config,
        IEnumerable<byte[]> layers,
        JsonObject? subject = null,
        string? artifactType = null,
        JsonObject? annotations = null,
        string mediaType = MediaTypes.OciManifest)
    {
        var manifest = new JsonObject
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = mediaType,
            ["config"] = Descriptor(config, ConfigType),
            ["layers"] = new JsonArray([.. layers.Select(layer => Descriptor(layer, LayerType))]),
        };
        AddOptional(manifest, subject, artifactType, annotations);
        return Bytes(manifest);
    }

    public static byte[] Index(
        IEnumerable<JsonObject> children,
        JsonObject? subject = null,
        string? artifactType = null,
        JsonObject? annotations = null,
        string mediaType = MediaTypes.OciIndex)
    {
        var index = new JsonObject
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = mediaType,
            ["manifests"] = new JsonArray([.. children]),
        };
        AddOptional(index, subject, artifactType, annotations);
        return Bytes(index);
    }

    public static byte[] Bytes(JsonNode json) => JsonSerializer.SerializeToUtf8Bytes(json);

    private static void AddOptional(JsonObject manifest, JsonObject? subject, string? artifactType, JsonObject? annotations)
    {
        if (subject is not null)
        {
            manifest["subject"] = subject;
        }

        if (artifactType is not null)
        {
            manifest["artifactType"] = artifactType;
        }

        if (annotations is not null)
        {
            manifest["annotations"] = annotations;
        }
    }
}
