using Granary.Gateway.Uploads;
using Granary.Protocol;
using Microsoft.Extensions.Options;

namespace Granary.Gateway.Http;

/// <summary>
/// Makes the URLs in the registry's answers. They are relative to the host, so that they are right behind any proxy (RFC 9110, section
/// 10.2.2). With <c>server.absoluteLocations</c> they are absolute, below <c>server.publicUrl</c>, for clients that cannot resolve relative
/// ones.
/// </summary>
public sealed class Locations
{
    private readonly string _base;

    /// <summary>Reads the settings.</summary>
    public Locations(IOptions<LocationOptions> options)
    {
        IsAbsolute = options.Value.AbsoluteLocations;
        _base = IsAbsolute ? options.Value.PublicUrl.TrimEnd('/') : "";
    }

    /// <summary>Whether the URLs are absolute.</summary>
    public bool IsAbsolute { get; }

    /// <summary>Returns the URL of the list of repositories.</summary>
    public string Catalog => _base + "/v2/_catalog";

    /// <summary>Returns the URL of a blob.</summary>
    public string Blob(RepositoryName repository, Digest digest) => $"{_base}/v2/{repository}/blobs/{digest}";

    /// <summary>Returns the URL of an upload session.</summary>
    public string Upload(RepositoryName repository, UploadId id) => $"{_base}/v2/{repository}/blobs/uploads/{id}";

    /// <summary>Returns the URL of a manifest.</summary>
    public string Manifest(RepositoryName repository, Reference reference) => $"{_base}/v2/{repository}/manifests/{reference}";

    /// <summary>Returns the URL of the list of a repository's tags.</summary>
    public string Tags(RepositoryName repository) => $"{_base}/v2/{repository}/tags/list";

    /// <summary>Returns the URL of the list of a manifest's referrers.</summary>
    public string Referrers(RepositoryName repository, Digest subject) => $"{_base}/v2/{repository}/referrers/{subject}";
}
