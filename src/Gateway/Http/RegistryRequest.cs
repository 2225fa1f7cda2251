using System.Text.Json;
using Granary.Protocol;
using Microsoft.AspNetCore.Http;

namespace Granary.Gateway.Http;

/// <summary>A request that the router has understood: what it is about, and the connection it came over.</summary>
/// <param name="Http">The connection.</param>
/// <param name="Repository">The repository; default where the path names none.</param>
/// <param name="Item">The last segment of the path, not yet checked: reference, digest or upload id.</param>
/// <param name="Locations">Makes the URLs of the answer.</param>
public sealed record RegistryRequest(HttpContext Http, RepositoryName Repository, string Item, Locations Locations)
{
    /// <summary>Ends when the client goes away or the server stops waiting for it.</summary>
    public CancellationToken Aborted => Http.RequestAborted;

    /// <summary>The query, decoded.</summary>
    public RegistryQuery Query => new(Http);

    /// <summary>Whether the method is HEAD: an answer has headers only. Methods are case-sensitive (RFC 9110, section 9.1).</summary>
    public bool IsHead => Http.Request.Method == "HEAD";

    /// <summary>Answers an error.</summary>
    public Task RefuseAsync(RegistryError error, string? message = null, Action<Utf8JsonWriter>? detail = null) => ErrorResponse.WriteAsync(Http, error, message, detail);

    /// <summary>Answers that content has another digest than the client says; null for one that nobody computed.</summary>
    public Task RefuseDigestAsync(Digest expected, Digest? actual) => RefuseAsync(RegistryError.DigestMismatch, detail: json =>
    {
        json.WriteString("expected", expected.Value);
        json.WriteString("actual", actual?.Value);
    });
}

/// <summary>One operation of the protocol: parses what it needs, makes its grain calls, and turns each answer into a status.</summary>
public interface IRegistryEndpoint
{
    /// <summary>Handles a request; all expected errors are written by <see cref="ErrorResponse"/>.</summary>
    Task HandleAsync(RegistryRequest request);
}
