using Granary.Gateway.Endpoints;
using Granary.Gateway.Http;

namespace Granary.Gateway;

/// <summary>The right that a caller needs.</summary>
public enum Right
{
    /// <summary>No right.</summary>
    None,

    /// <summary>To read the repository.</summary>
    Pull,

    /// <summary>To write to the repository.</summary>
    Push,

    /// <summary>To remove from the repository.</summary>
    Delete,
}

/// <summary>One operation of the API.</summary>
/// <param name="Resource">The resource that the path names.</param>
/// <param name="Method">The HTTP method.</param>
/// <param name="Endpoint">The type in <c>Endpoints/</c> that handles it.</param>
/// <param name="Right">The right that it needs.</param>
public sealed record Route(Resource Resource, string Method, Type Endpoint, Right Right);

/// <summary>The table of all operations of the API (OCI distribution specification, "Endpoints").</summary>
public static class Routes
{
    /// <summary>All operations.</summary>
    public static IReadOnlyList<Route> All { get; } =
    [
        new(Resource.Root, "GET", typeof(CheckApi), Right.None),
        new(Resource.Root, "HEAD", typeof(CheckApi), Right.None),
        new(Resource.Catalog, "GET", typeof(ListCatalog), Right.None),
        new(Resource.Extensions, "GET", typeof(DiscoverExtensions), Right.None),

        new(Resource.Manifest, "GET", typeof(PullManifest), Right.Pull),
        new(Resource.Manifest, "HEAD", typeof(PullManifest), Right.Pull),
        new(Resource.Manifest, "PUT", typeof(PushManifest), Right.Push),
        new(Resource.Manifest, "DELETE", typeof(DeleteManifest), Right.Delete),
        new(Resource.Tags, "GET", typeof(ListTags), Right.Pull),
        new(Resource.Referrers, "GET", typeof(ListReferrers), Right.Pull),

        new(Resource.Blob, "GET", typeof(PullBlob), Right.Pull),
        new(Resource.Blob, "HEAD", typeof(PullBlob), Right.Pull),
        new(Resource.Blob, "DELETE", typeof(DeleteBlob), Right.Delete),

        new(Resource.Uploads, "POST", typeof(StartUpload), Right.Push),
        new(Resource.Upload, "GET", typeof(GetUpload), Right.Push),
        new(Resource.Upload, "PATCH", typeof(AppendUpload), Right.Push),
        new(Resource.Upload, "PUT", typeof(FinishUpload), Right.Push),
        new(Resource.Upload, "DELETE", typeof(CancelUpload), Right.Push),
    ];
}
