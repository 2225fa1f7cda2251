using System.Text;
using CsCheck;

namespace Granary.Protocol.Tests;

public sealed class ManifestTests
{
    private const string Empty = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    private const string Other = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    [Fact]
    public void An_image_names_its_blobs_and_its_subject()
    {
        var manifest = Parse(
            $$"""
            {"schemaVersion":2,"config":{"mediaType":"c/c","digest":"{{Empty}}","size":2},
             "layers":[{"mediaType":"l/l","digest":"{{Other}}","size":0},{"mediaType":"l/l","digest":"{{Empty}}","size":2}],
             "subject":{"digest":"{{Other}}","size":0},"annotations":{"a":"b"},"unknown":[{"x":1}] }
            """,
            MediaTypes.OciManifest);

        Assert.Equal(ManifestKind.Image, manifest.Kind);
        Assert.Equal([Empty, Other], manifest.Blobs.Select(digest => digest.Value));
        Assert.Equal(Other, manifest.Subject!.Digest.Value);
        Assert.Equal("c/c", manifest.ReferrerArtifactType);
        Assert.Equal("b", manifest.Annotations["a"]);
    }

    [Fact]
    public void Foreign_layers_are_kept_apart()
    {
        var manifest = Parse(
            $$"""
            {"schemaVersion":2,"config":{"digest":"{{Empty}}","size":2},
             "layers":[{"mediaType":"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip","digest":"{{Other}}","size":0}]}
            """,
            MediaTypes.OciManifest);

        Assert.Equal([Empty], manifest.Blobs.Select(digest => digest.Value));
        Assert.Equal([Other], manifest.ForeignBlobs.Select(digest => digest.Value));
    }

    [Fact]
    public void The_media_type_comes_from_the_manifest_then_from_the_header_then_from_the_members()
    {
        const string Own = "application/vnd.own+json";

        Assert.Equal(Own, Parse("""{"mediaType":"application/vnd.own+json","layers":[]}""", contentType: null).MediaType);
        Assert.Equal(Own, Parse("""{"layers":[]}""", "application/vnd.own+json; charset=utf-8").MediaType);
        Assert.Equal(MediaTypes.OciIndex, Parse("""{"schemaVersion":2,"manifests":[]}""", contentType: null).MediaType);
    }

    [Fact]
    public void The_message_names_the_member()
    {
        var error = Refuse(
            $$"""{"schemaVersion":2,"manifests":[{"digest":"{{Empty}}","size":2},{"digest":"{{Empty}}","size":"2"}]}""",
            MediaTypes.OciIndex);

        Assert.Contains("manifests[1].size", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Deep_nesting_is_refused() =>
        Assert.Equal("MANIFEST_INVALID", Refuse("{\"schemaVersion\":2,\"layers\":" + new string('[', 5000), MediaTypes.OciManifest).Code);

    [Fact]
    public void Invalid_UTF_8_is_refused()
    {
        byte[] body = [(byte)'{', (byte)'"', 0xff, (byte)'"', (byte)':', (byte)'1', (byte)'}'];

        Assert.False(Manifest.TryParse(body, null, out _, out _));
    }

    [Fact]
    public void The_parser_never_throws()
    {
        var value = OneOf(
            "null", "1", "-1", "1e999", "\"\"", "\"x\"", "\"\\ud800\"", "[]", "{}", $"\"{Empty}\"", "[{}]",
            $$"""[{"digest":"{{Empty}}","size":2}]""", $$"""{"digest":"{{Other}}","size":2}""", "true", "", "[[");
        var name = OneOf(
            "schemaVersion", "mediaType", "config", "layers", "manifests", "subject", "annotations", "artifactType", "x", "\\ud800");
        var type = OneOf<string?>(null, "", MediaTypes.OciManifest, MediaTypes.OciIndex, "application/vnd.x+json", ";;", "é+json");
        Gen.Select(Gen.Select(name, value).Array[0, 6], type).Sample(
            (fields, contentType) =>
            {
                var body = "{" + string.Join(',', fields.Select(field => $"\"{field.Item1}\":{field.Item2}")) + "}";
                var isManifest = Manifest.TryParse(Encoding.UTF8.GetBytes(body), contentType, out var manifest, out var error);
                return isManifest == manifest is not null && isManifest == error is null;
            },
            iter: 100_000);
    }

    [Fact]
    public void Every_error_has_a_code_of_the_specification()
    {
        string[] codes =
        [
            "BLOB_UNKNOWN", "BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN", "MANIFEST_INVALID",
            "MANIFEST_UNKNOWN", "NAME_INVALID", "NAME_UNKNOWN", "SIZE_INVALID", "UNAUTHORIZED", "DENIED", "UNSUPPORTED", "TOOMANYREQUESTS",
        ];
        var errors = typeof(RegistryError).GetFields().Select(field => field.GetValue(null)).OfType<RegistryError>().ToArray();

        Assert.NotEmpty(errors);
        Assert.All(
            errors,
            error => Assert.True(error.Status >= 500 ? error.Code == "UNAVAILABLE" : codes.Contains(error.Code), error.Code));
        Assert.All(errors, error => Assert.NotEmpty(error.Message));
    }

    private static Gen<T> OneOf<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    private static Manifest Parse(string body, string? contentType)
    {
        Assert.True(Manifest.TryParse(Encoding.UTF8.GetBytes(body), contentType, out var manifest, out var error), error?.Message);
        return manifest;
    }

    private static RegistryError Refuse(string body, string? contentType)
    {
        Assert.False(Manifest.TryParse(Encoding.UTF8.GetBytes(body), contentType, out _, out var error));
        return error;
    }
}
