namespace Granary.Gateway;

/// <summary>Settings of the section <c>server</c>.</summary>
public sealed record LocationOptions
{
    /// <summary>The address under which clients reach the registry, for example https://registry.example.com.</summary>
    public string PublicUrl { get; set; } = "";

    /// <summary>Whether the URLs in answers are absolute, below server.publicUrl. Some clients cannot resolve relative ones.</summary>
    public bool AbsoluteLocations { get; set; }
}

/// <summary>Settings of the section <c>manifests</c>.</summary>
public sealed record ManifestOptions
{
    /// <summary>Whether manifests may name content that is not in the repository: sparse indexes and sparse images.</summary>
    public bool Sparse { get; set; }
}

/// <summary>Settings of the section <c>blobs</c>.</summary>
public sealed record BlobOptions
{
    /// <summary>
    /// Whether a blob can be deleted although manifests use it, as the reference registry allows. Pulls of those manifests fail then.
    /// </summary>
    public bool DeleteInUse { get; set; }
}

/// <summary>Settings of the section <c>uploads</c>.</summary>
public sealed record UploadOptions
{
    /// <summary>
    /// How long a client may send nothing of an upload before its connection is closed. The received bytes stay, and the upload can be
    /// resumed.
    /// </summary>
    public TimeSpan IdleTimeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>How long an upload session stays valid after it was issued, and after its last bytes.</summary>
    public TimeSpan Expiry { get; set; } = TimeSpan.FromHours(24);
}

/// <summary>Settings of the section <c>downloads</c>.</summary>
public sealed record DownloadOptions
{
    /// <summary>
    /// How long a client may take nothing of an answer before its connection is reset. A client that takes some, however slowly, gets the
    /// whole answer.
    /// </summary>
    public TimeSpan IdleTimeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Who sends layers of more than 1 MiB to clients: the registry (proxy), or the object store, to which the registry redirects them
    /// (redirect). Only a storage account can be redirected to, and clients have to reach it.
    /// </summary>
    public DownloadMode Mode { get; set; } = DownloadMode.Proxy;
}

/// <summary>Settings of the section <c>limits</c>.</summary>
public sealed record LimitOptions
{
    /// <summary>
    /// How many requests are handled at once. Others get 429 with Retry-After. A tenth more, at least 4, is for deletions and
    /// cancellations.
    /// </summary>
    public int Requests { get; set; } = 2000;
}

/// <summary>Settings of the section <c>history</c> about the requests that change a repository.</summary>
public sealed record OriginOptions
{
    /// <summary>
    /// Whether the history of a repository keeps the address and the user agent of the client that made a change. If false, both are
    /// left out of what is recorded from then on.
    /// </summary>
    public bool Address { get; set; } = true;
}

/// <summary>Settings of the section <c>admin</c>.</summary>
public sealed record AdminOptions
{
    /// <summary>
    /// Whether the administration API (/granary/v1, for granary gc, scrub, backup and tag) answers requests that come from the server's own
    /// machine and carry the token from the data directory.
    /// </summary>
    public bool Enabled { get; set; } = true;
}
