using System.Text.Json;
using Granary.Protocol;
using Microsoft.AspNetCore.Http;

namespace Granary.Gateway.Http;

/// <summary>A request that the router has parsed: the repository and item that it names, and its HTTP exchange.</summary>
/// <param name="Http">The exchange.</param>
/// <param name="Repository">The repository; default if the path names none.</param>
/// <param name="Item">The last segment of the path, not yet checked: reference, digest or upload id.</param>
/// <param name="Locations">Makes the URLs of the answer.</param>
public sealed record RegistryRequest(HttpContext Http, RepositoryName Repository, string Item, Locations Locations)
{
    /// <summary>Is cancelled when the client closes the connection or the server gives it up.</summary>
    public CancellationToken Aborted => Http.RequestAborted;

    /// <summary>The query, decoded.</summary>
    public RegistryQuery Query => new(Http);

    /// <summary>Whether the method is HEAD: an answer has headers only. Methods are case-sensitive (RFC 9110, section 9.1).</summary>
    public bool IsHead => Http.Request.Method == "HEAD";

    /// <summary>Answers an error.</summary>
    public Task RefuseAsync(RegistryError error, string? message = null, Action<Utf8JsonWriter>? detail = null) =>
        ErrorResponse.WriteAsync(Http, error, message, detail);

    /// <summary>Answers that the content has another digest than the client says, and names the computed one.</summary>
    public Task RefuseDigestAsync(Digest expected, Digest actual) => RefuseAsync(
        RegistryError.DigestMismatch,
        $"The digest of the content is {actual}, not {expected}; nothing was stored. Push the content that has this digest.",
        json =>
        {
            json.WriteString("expected", expected.Value);
            json.WriteString("actual", actual.Value);
        });
}

/// <summary>One operation of the protocol: parses the request, calls grains, and turns each answer into a status.</summary>
public interface IRegistryEndpoint
{
    /// <summary>Handles a request. Writes all expected errors through <see cref="ErrorResponse"/>.</summary>
    Task HandleAsync(RegistryRequest request);
}
