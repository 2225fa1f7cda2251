using Granary.Gateway.Uploads;
using Granary.Protocol;

namespace Granary.Gateway.Http;

/// <summary>
/// Every URL that the registry answers: relative to the host, so that any proxy in front works (RFC 9110, section 10.2.2).
/// </summary>
internal static class Locations
{
    public const string Catalog = "/v2/_catalog";

    public static string Blob(RepositoryName repository, Digest digest) => $"/v2/{repository}/blobs/{digest}";

    public static string Upload(RepositoryName repository, UploadId id) => $"/v2/{repository}/blobs/uploads/{id}";

    public static string Manifest(RepositoryName repository, Reference reference) => $"/v2/{repository}/manifests/{reference}";

    public static string Tags(RepositoryName repository) => $"/v2/{repository}/tags/list";

    public static string Referrers(RepositoryName repository, Digest subject) => $"/v2/{repository}/referrers/{subject}";
}
