namespace Granary.Protocol;

/// <summary>
/// Every error that the registry answers: the specification's code, the HTTP status and a default message
/// (OCI distribution specification, "Error Codes"). This is the only table of them; a message may be replaced by one that knows more.
/// </summary>
/// <param name="Code">The code in the body.</param>
/// <param name="Status">The HTTP status.</param>
/// <param name="Message">What happened and what the reader can do about it.</param>
public sealed record RegistryError(string Code, int Status, string Message)
{
    /// <summary>The repository's name is not one.</summary>
    public static readonly RegistryError NameInvalid = new("NAME_INVALID", 400,
        "The repository name is not valid: lower-case letters and digits, separated by '.', '_', '__' or dashes, in components separated by '/', 255 bytes at most.");

    /// <summary>The repository does not exist.</summary>
    public static readonly RegistryError NameUnknown = new("NAME_UNKNOWN", 404, "The repository is not known to this registry.");

    /// <summary>No such manifest or tag here.</summary>
    public static readonly RegistryError ManifestUnknown = new("MANIFEST_UNKNOWN", 404, "The manifest or tag is not known to this repository.");

    /// <summary>No such blob here.</summary>
    public static readonly RegistryError BlobUnknown = new("BLOB_UNKNOWN", 404, "The blob is not known to this repository.");

    /// <summary>No such upload session here.</summary>
    public static readonly RegistryError BlobUploadUnknown = new("BLOB_UPLOAD_UNKNOWN", 404,
        "The upload session is not known: it was finished, cancelled or has expired. Start the upload again.");

    /// <summary>A chunk does not start where the session ends, or another request is writing to the session.</summary>
    public static readonly RegistryError UploadOutOfOrder = new("BLOB_UPLOAD_INVALID", 416,
        "The chunk does not start at the end of what was received; continue from the Range of this answer.");

    /// <summary>A Content-Range that cannot be read.</summary>
    public static readonly RegistryError UploadRangeMalformed = new("BLOB_UPLOAD_INVALID", 400, "Content-Range must be <start>-<end>, both inclusive.");

    /// <summary>The length of a body is not what its headers said.</summary>
    public static readonly RegistryError SizeInvalid = new("SIZE_INVALID", 400, "The length of the content is not the length that was announced.");

    /// <summary>A digest that is malformed, missing, of an unknown algorithm, or not that of the content.</summary>
    public static readonly RegistryError DigestInvalid = new("DIGEST_INVALID", 400,
        "The digest must be sha256: or sha512: and lower-case hexadecimal of exactly that algorithm's length.");

    /// <summary>A digest that is not that of the content that came with it.</summary>
    public static readonly RegistryError DigestMismatch = new("DIGEST_INVALID", 400, "The content does not have this digest; nothing was stored.");

    /// <summary>The manifest is malformed, ambiguous, of a refused kind, or its types disagree.</summary>
    public static readonly RegistryError ManifestInvalid = new("MANIFEST_INVALID", 400, "The manifest is not valid.");

    /// <summary>A manifest names content that this repository does not have.</summary>
    public static readonly RegistryError ManifestBlobUnknown = new("MANIFEST_BLOB_UNKNOWN", 400,
        "The manifest names content that is not in this repository; push it first.");

    /// <summary>Content larger than is accepted.</summary>
    public static readonly RegistryError TooLarge = new("SIZE_INVALID", 413, "The content is larger than this registry accepts.");

    /// <summary>A range of a blob that cannot be served.</summary>
    public static readonly RegistryError RangeNotSatisfiable = new("SIZE_INVALID", 416, "No byte of the requested range is in the blob.");

    /// <summary>A blob that a manifest uses was to be deleted.</summary>
    public static readonly RegistryError BlobInUse = new("UNSUPPORTED", 405, "Manifests of this repository use the blob; delete them first.");

    /// <summary>A method that the path does not know.</summary>
    public static readonly RegistryError MethodNotAllowed = new("UNSUPPORTED", 405, "The method is not supported here.");

    /// <summary>A path that is not of the protocol.</summary>
    public static readonly RegistryError PathUnknown = new("UNSUPPORTED", 404, "The path is not part of the registry's API.");

    /// <summary>A request that HTTP itself does not allow.</summary>
    public static readonly RegistryError RequestMalformed = new("UNSUPPORTED", 400, "The request is not valid HTTP.");

    /// <summary>A condition on a push that does not move exactly one tag.</summary>
    public static readonly RegistryError ConditionUnsupported = new("UNSUPPORTED", 400,
        "If-Match and If-None-Match need '*' or digests in quotes, one of the two, and a push to exactly one tag.");

    /// <summary>A paging parameter that is not a number of entries.</summary>
    public static readonly RegistryError PageInvalid = new("UNSUPPORTED", 400, "n must be a number of entries, zero or more.");

    /// <summary>A request line that is too long.</summary>
    public static readonly RegistryError RequestLineTooLong = new("UNSUPPORTED", 414, "The request line is too long; use fewer tags in one request.");

    /// <summary>The condition of a conditional push does not hold.</summary>
    public static readonly RegistryError ConditionFailed = new("DENIED", 412,
        "The condition does not hold: the tag was created, moved or deleted meanwhile. Read it again and decide.");

    /// <summary>The caller may not do this.</summary>
    public static readonly RegistryError Denied = new("DENIED", 403, "Access to this resource is denied.");

    /// <summary>The administration's API was asked from elsewhere.</summary>
    public static readonly RegistryError AdminOnlyHere = new("DENIED", 403,
        "The administration's API answers only on the server's own machine: directly on its loopback address, not through a proxy and not for web pages.");

    /// <summary>A request to the administration's API without its token, or with another one.</summary>
    public static readonly RegistryError AdminTokenMissing = new("UNAUTHORIZED", 401,
        "The administration's API needs the header 'Authorization: Bearer TOKEN' with the token that the file 'admin.token' in the " +
        "server's data directory holds.");

    /// <summary>A request to the administration's API that cannot be read.</summary>
    public static readonly RegistryError AdminRequestInvalid = new("UNSUPPORTED", 400, "The request is not valid.");

    /// <summary>No such operation.</summary>
    public static readonly RegistryError OperationUnknown = new("UNSUPPORTED", 404,
        "There is no such operation: it never was, or is too old. 'granary operation list' lists the last ones.");

    /// <summary>An operation of the same kind is under way.</summary>
    public static readonly RegistryError OperationInTheWay = new("DENIED", 409, "An operation of this kind is under way; watch it, cancel it or wait for its end.");

    /// <summary>The caller did not say who they are.</summary>
    public static readonly RegistryError Unauthorized = new("UNAUTHORIZED", 401, "Sign in first.");

    /// <summary>The caller asks more often than is allowed.</summary>
    public static readonly RegistryError TooManyRequests = new("TOOMANYREQUESTS", 429, "Too many requests; try again after the time in Retry-After.");

    /// <summary>The disk is full.</summary>
    public static readonly RegistryError StorageFull = new("UNAVAILABLE", 507, "The registry's storage is full; nothing was stored. Its operator has to make room.");

    /// <summary>The storage refuses writes.</summary>
    public static readonly RegistryError StorageReadOnly = new("UNAVAILABLE", 503, "The registry's storage is read only at the moment; nothing was stored.");

    /// <summary>The registry cannot answer now: starting, stopping, or a part of it does not answer.</summary>
    public static readonly RegistryError Unavailable = new("UNAVAILABLE", 503, "The registry cannot answer at the moment; try again.");

    /// <summary>A defect of the registry. The log has the request's id and the reason.</summary>
    public static readonly RegistryError Internal = new("UNAVAILABLE", 500, "The registry failed to handle the request; its log says why.");
}
