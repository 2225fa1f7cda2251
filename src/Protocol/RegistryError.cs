namespace Granary.Protocol;

/// <summary>
/// An error that the registry answers: the specification's code, the HTTP status and a default message (OCI distribution specification,
/// "Error Codes"). This is the only table of errors. A caller may replace the message with a more precise one.
/// </summary>
/// <param name="Code">The code in the body.</param>
/// <param name="Status">The HTTP status.</param>
/// <param name="Message">What happened and what the reader can do about it.</param>
public sealed record RegistryError(string Code, int Status, string Message)
{
    /// <summary>The name in the path is not a valid repository name.</summary>
    public static readonly RegistryError NameInvalid = new("NAME_INVALID", 400,
        "The repository name is not valid. It has components of lower-case letters and digits, separated by '.', '_', '__' or dashes. " +
        "'/' separates components. The whole name has 255 bytes at most.");

    /// <summary>The repository does not exist.</summary>
    public static readonly RegistryError NameUnknown = new("NAME_UNKNOWN", 404,
        "The repository is not known to this registry.");

    /// <summary>The repository does not have the manifest or tag.</summary>
    public static readonly RegistryError ManifestUnknown = new("MANIFEST_UNKNOWN", 404,
        "The manifest or tag is not known to this repository.");

    /// <summary>The repository does not have the blob.</summary>
    public static readonly RegistryError BlobUnknown = new("BLOB_UNKNOWN", 404, "The blob is not known to this repository.");

    /// <summary>The repository does not have the upload session.</summary>
    public static readonly RegistryError BlobUploadUnknown = new("BLOB_UPLOAD_UNKNOWN", 404,
        "The upload session is not known: it was finished or cancelled, or it has expired. Start the upload again.");

    /// <summary>A chunk does not start at the session's offset, or another request has claimed the session.</summary>
    public static readonly RegistryError UploadOutOfOrder = new("BLOB_UPLOAD_INVALID", 416,
        "The chunk does not start at the end of the received bytes, or another request is writing to the upload. " +
        "Continue after the Range of this answer.");

    /// <summary>The Content-Range is malformed.</summary>
    public static readonly RegistryError UploadRangeMalformed = new("BLOB_UPLOAD_INVALID", 400,
        "Content-Range must be <start>-<end>, both inclusive.");

    /// <summary>The length of a body differs from the one in its headers.</summary>
    public static readonly RegistryError SizeInvalid = new("SIZE_INVALID", 400,
        "The length of the content is not the length that the headers announced; the content was not kept. Send it again.");

    /// <summary>An upload came in more pieces than the storage can make an object of.</summary>
    public static readonly RegistryError TooManyPieces = new("BLOB_UPLOAD_INVALID", 400,
        "The upload came in more chunks than the registry's storage allows. Start it again, and send larger chunks.");

    /// <summary>A digest is missing, malformed, or of an unknown algorithm.</summary>
    public static readonly RegistryError DigestInvalid = new("DIGEST_INVALID", 400,
        "The digest must be 'sha256:' with 64 or 'sha512:' with 128 lower-case hexadecimal digits.");

    /// <summary>The content has another digest than the client says.</summary>
    public static readonly RegistryError DigestMismatch = new("DIGEST_INVALID", 400,
        "The content does not have this digest; nothing was stored. Push the content that has it.");

    /// <summary>The manifest is malformed, ambiguous, of a refused kind, or its types disagree.</summary>
    public static readonly RegistryError ManifestInvalid = new("MANIFEST_INVALID", 400, "The manifest is not valid.");

    /// <summary>A manifest names content that this repository does not have.</summary>
    public static readonly RegistryError ManifestBlobUnknown = new("MANIFEST_BLOB_UNKNOWN", 400,
        "The manifest names content that is not in this repository; push it first.");

    /// <summary>The content is larger than the registry accepts.</summary>
    public static readonly RegistryError TooLarge = new("SIZE_INVALID", 413, "The content is larger than this registry accepts.");

    /// <summary>The blob has no byte of the requested range.</summary>
    public static readonly RegistryError RangeNotSatisfiable = new("SIZE_INVALID", 416,
        "No byte of the requested range is in the blob.");

    /// <summary>The blob cannot be deleted, because manifests use it.</summary>
    public static readonly RegistryError BlobInUse = new("UNSUPPORTED", 405,
        "Manifests of this repository use the blob; delete them first.");

    /// <summary>The path does not support the method.</summary>
    public static readonly RegistryError MethodNotAllowed = new("UNSUPPORTED", 405,
        "The path does not support the method; the header Allow lists the methods that it does.");

    /// <summary>The path is not part of the protocol.</summary>
    public static readonly RegistryError PathUnknown = new("UNSUPPORTED", 404, "The path is not part of the registry's API.");

    /// <summary>The request violates HTTP itself.</summary>
    public static readonly RegistryError RequestMalformed = new("UNSUPPORTED", 400, "The request is not valid HTTP.");

    /// <summary>The condition is malformed, or the push does not set exactly one tag.</summary>
    public static readonly RegistryError ConditionUnsupported = new("UNSUPPORTED", 400,
        "A conditional push sets exactly one tag, and has If-Match or If-None-Match, not both, with '*' or digests in quotes.");

    /// <summary>A paging parameter is not a number of entries.</summary>
    public static readonly RegistryError PageInvalid = new("UNSUPPORTED", 400, "n must be a number of entries, zero or more.");

    /// <summary>The condition of a conditional push does not hold.</summary>
    public static readonly RegistryError ConditionFailed = new("DENIED", 412,
        "The condition does not hold, because the tag was created, moved or deleted meanwhile. Read the tag again and decide.");

    /// <summary>The caller may not do this.</summary>
    public static readonly RegistryError Denied = new("DENIED", 403, "Access to this resource is denied.");

    /// <summary>A request to the administration API came from another machine, through a proxy, or from a web page.</summary>
    public static readonly RegistryError AdminOnlyHere = new("DENIED", 403,
        "The administration's API answers only on the server's own machine: directly on its loopback address, not through " +
        "a proxy and not for web pages.");

    /// <summary>A request to the administration API has no token or a wrong one.</summary>
    public static readonly RegistryError AdminTokenMissing = new("UNAUTHORIZED", 401,
        "The administration's API needs the header 'Authorization: Bearer TOKEN' with the token that the file 'admin.token' in the " +
        "server's data directory holds.");

    /// <summary>A request to the administration API is malformed.</summary>
    public static readonly RegistryError AdminRequestInvalid = new("UNSUPPORTED", 400, "The request is not valid.");

    /// <summary>The operation does not exist.</summary>
    public static readonly RegistryError OperationUnknown = new("UNSUPPORTED", 404,
        "There is no such operation: it never existed, or is too old. 'granary operation list' lists the last ones.");

    /// <summary>Another operation of the same kind is running.</summary>
    public static readonly RegistryError OperationInTheWay = new("DENIED", 409,
        "An operation of this kind is running; watch it, cancel it or wait for its end.");

    /// <summary>The history of a tag does not have the line or manifest that an undo names.</summary>
    public static readonly RegistryError UndoTargetUnknown = new("MANIFEST_UNKNOWN", 404,
        "The history of the tag has no such line or manifest.");

    /// <summary>An undo would point the tag at no manifest.</summary>
    public static readonly RegistryError UndoToNothing = new("DENIED", 409,
        "The tag did not exist before that move, so there is no manifest to go back to. To delete the tag, use DELETE.");

    /// <summary>The repository no longer has the manifest to which an undo would point the tag.</summary>
    public static readonly RegistryError UndoManifestGone = new("MANIFEST_UNKNOWN", 409,
        "The manifest is gone; push it again.");

    /// <summary>The manifest to which an undo would point the tag names content that is damaged or was deleted.</summary>
    public static readonly RegistryError UndoContentMissing = new("MANIFEST_BLOB_UNKNOWN", 409,
        "The manifest names content that the registry no longer has; push it again.");

    /// <summary>The caller is not authenticated.</summary>
    public static readonly RegistryError Unauthorized = new("UNAUTHORIZED", 401, "Sign in first.");

    /// <summary>The registry handles as many requests as limits.requests allows.</summary>
    public static readonly RegistryError TooManyRequests = new("TOOMANYREQUESTS", 429,
        "Too many requests; try again after the time in Retry-After.");

    /// <summary>The disk is full.</summary>
    public static readonly RegistryError StorageFull = new("UNAVAILABLE", 507,
        "The registry's storage is full; nothing was stored. Its operator has to make room.");

    /// <summary>The storage refuses writes.</summary>
    public static readonly RegistryError StorageReadOnly = new("UNAVAILABLE", 503,
        "The registry's storage is read only at the moment; nothing was stored. Try again later, or tell its operator.");

    /// <summary>The registry cannot answer now, because it is starting or stopping, or a part of it does not answer.</summary>
    public static readonly RegistryError Unavailable = new("UNAVAILABLE", 503, "The registry cannot answer at the moment; try again.");

    /// <summary>The registry has a bug, or its storage is damaged. The log has the request's id and the reason.</summary>
    public static readonly RegistryError Internal = new("UNAVAILABLE", 500,
        "The registry failed to handle the request; its operator finds the reason in the log.");
}
