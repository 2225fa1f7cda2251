using System.Diagnostics.CodeAnalysis;
using Granary.Gateway.Http;
using Granary.Gateway.Transfer;
using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;
using Granary.Storage.Space;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace Granary.Gateway.Endpoints;

/// <summary>
/// <c>PUT /v2/&lt;name&gt;/manifests/&lt;reference&gt;</c>: stores a manifest and sets its tags, several of them with <c>?tag=</c> (end-7a,
/// end-7b), under conditions on the tag (RFC 9110, section 13).
/// </summary>
internal sealed class PushManifest(
    IGrainFactory grains,
    GrainCalls calls,
    IFreeSpace freeSpace,
    RequestOrigin origins,
    IOptions<ManifestOptions> manifestOptions,
    IOptions<UploadOptions> uploadOptions,
    TimeProvider time) : IRegistryEndpoint
{
    // OCI image specification, "Non-Distributable Layers".
    private const string ForeignLayersWarning =
        "299 - \"Non-distributable layers are deprecated; the registry does not keep their content.\"";

    public async Task HandleAsync(RegistryRequest request)
    {
        // :: Step 1: parse the request line and the headers.
        if (!TryParseTarget(request, out var reference, out var tags, out var error)
            || !TryParseCondition(request.Http, tags, out var condition, out error))
        {
            await request.RefuseAsync(error);
            return;
        }

        // :: Step 2: read the bytes, and compare their digest with the reference.
        using var space = freeSpace.Allow(Math.Min(request.Http.Request.ContentLength ?? 0, Manifest.MaxSize));
        if (await ReadAsync(request, reference, space) is not (var digest, var bytes))
        {
            return;
        }

        if (!Manifest.TryParse(bytes, request.Http.Request.ContentType, out var manifest, out error))
        {
            await request.RefuseAsync(error);
            return;
        }

        // :: Step 3: the repository grain checks the references and conditions in the decision that stores the manifest.
        var command = Command(digest, bytes, manifest, tags, condition, origins.Of(request.Http, ChangeCause.Push));
        var repository = grains.GetGrain<IRepositoryGrain>(request.Repository.Value);
        var answer = await calls.SendAsync(command, attempt => repository.PutManifest(attempt, CancellationToken.None), request.Aborted);
        await AnswerAsync(request, reference, command, answer);
    }

    /// <summary>Reads the body. Returns null, and has refused the request, if it is too large or has another digest.</summary>
    private async Task<(Digest Digest, byte[] Bytes)?> ReadAsync(RegistryRequest request, Reference reference, SpaceAllowance space)
    {
        using var body = new RequestBody(request.Http, uploadOptions.Value.IdleTimeout, time);
        if (await body.ReadWholeAsync(Manifest.MaxSize) is not { } bytes)
        {
            await request.RefuseAsync(RegistryError.TooLarge, $"The manifest is larger than {Manifest.MaxSize} bytes.");
            return null;
        }

        space.Cover(bytes.Length);
        var named = (reference as Reference.ByDigest)?.Digest;
        var digest = Digest.Compute(named?.Algorithm ?? DigestAlgorithm.Sha256, bytes);
        if (named is { } expected && expected != digest)
        {
            await request.RefuseDigestAsync(expected, digest);
            return null;
        }

        return (digest, bytes);
    }

    private PutManifest Command(
        Digest digest,
        byte[] bytes,
        Manifest manifest,
        Tag[] tags,
        TagCondition? condition,
        CommandOrigin origin)
    {
        return new PutManifest
        {
            Origin = origin,
            Digest = digest,
            MediaType = manifest.MediaType,
            Body = bytes,
            Tags = tags,
            Condition = condition,
            Sparse = manifestOptions.Value.Sparse,
            Blobs = [.. manifest.Blobs],
            ForeignBlobs = [.. manifest.ForeignBlobs],
            Children = [.. manifest.Children],
            Subject = manifest.Subject?.Digest,
            ArtifactType = manifest.ReferrerArtifactType,
            Annotations = manifest.Annotations,
        };
    }

    private static async Task AnswerAsync(RegistryRequest request, Reference reference, PutManifest command, PutManifestAnswer answer)
    {
        switch (answer)
        {
            case ManifestStored:
                AnswerCreated(request, reference, command);
                break;

            case ReferencesMissing { Digests: var missing }:
                await RefuseMissingAsync(request, missing);
                break;

            case ConditionFailed { Current: var current }:
                await ErrorResponse.RefuseConditionAsync(request.Http, current);
                break;

            default:
                throw new InvalidOperationException($"{answer} is not an answer to a push.");
        }
    }

    private static Task RefuseMissingAsync(RegistryRequest request, IEnumerable<Digest> missing) => ErrorResponse.WriteAsync(
        request.Http,
        RegistryError.ManifestBlobUnknown,
        missing.Select(absent => new ErrorEntry(
            $"{absent} is not in this repository; push it first.",
            json => json.WriteString("digest", absent.Value))));

    private static void AnswerCreated(RegistryRequest request, Reference reference, PutManifest command)
    {
        var response = request.Http.Response;
        response.StatusCode = StatusCodes.Status201Created;
        response.ContentLength = 0;
        response.Headers.Location = request.Locations.Manifest(request.Repository, reference);
        response.Headers[ContentHeaders.DockerContentDigest] = command.Digest.Value;
        if (command.Subject is { } subject)
        {
            response.Headers["OCI-Subject"] = subject.Value;
        }

        if (reference is Reference.ByDigest && command.Tags.Length > 0)
        {
            // One header with a list (RFC 9110, section 5.3): a header for each tag would exceed the number that clients and proxies take.
            response.Headers["OCI-Tag"] = string.Join(", ", command.Tags.Select(tag => tag.Value));
        }

        if (command.ForeignBlobs.Length > 0)
        {
            response.Headers.Warning = ForeignLayersWarning;
        }
    }

    private static bool TryParseTarget(
        RegistryRequest request,
        [NotNullWhen(true)] out Reference? reference,
        out Tag[] tags,
        [NotNullWhen(false)] out RegistryError? error)
    {
        tags = [];
        error = null;
        if (!Reference.TryParse(request.Item, out reference))
        {
            error = request.Item.Contains(':', StringComparison.Ordinal) ? RegistryError.DigestInvalid : BadTag(request.Item);
            return false;
        }

        if (reference is Reference.ByTag { Tag: var only })
        {
            tags = [only];
            return true;
        }

        var wanted = new List<Tag>();
        foreach (var text in request.Query.All("tag"))
        {
            if (!Tag.TryParse(text, out var tag))
            {
                error = BadTag(text);
                return false;
            }

            if (!wanted.Contains(tag))
            {
                wanted.Add(tag);
            }
        }

        tags = [.. wanted];
        return true;
    }

    private static RegistryError BadTag(string text) => RegistryError.ManifestInvalid with
    {
        Message = $"'{(text.Length <= 200 ? text : text[..200] + "…")}' is not a tag. " +
            "A tag has a letter, digit or underscore first, and then up to 127 of those, dots and dashes.",
    };

    private static bool TryParseCondition(
        HttpContext http,
        Tag[] tags,
        out TagCondition? condition,
        [NotNullWhen(false)] out RegistryError? error)
    {
        var (match, noneMatch) = (http.Request.Headers.IfMatch, http.Request.Headers.IfNoneMatch);
        (condition, error) = (null, null);
        if (match.Count == 0 && noneMatch.Count == 0)
        {
            return true;
        }

        error = RegistryError.ConditionUnsupported;
        if (tags.Length != 1 || (match.Count > 0 && noneMatch.Count > 0))
        {
            return false;
        }

        if (!EntityTags.TryParse((match.Count > 0 ? match : noneMatch).ToString(), out var entities))
        {
            return false;
        }

        Digest[]? digests = entities.IsAny ? null : [.. entities.Digests];
        condition = match.Count > 0 ? new TagIsOneOf(digests) : new TagIsNoneOf(digests);
        error = null;
        return true;
    }
}
