using System.Diagnostics.CodeAnalysis;
using Azure;
using Azure.Core;

namespace Granary.Storage.Tests.Azure;

/// <summary>The answer of a service that has too many requests.</summary>
internal sealed class BusyResponse(string clientRequestId) : Response
{
    public override int Status => 503;

    public override bool IsError => true;

    public override string ReasonPhrase => "Server Busy";

    public override Stream? ContentStream { get; set; } = new MemoryStream();

    public override string ClientRequestId { get; set; } = clientRequestId;

    public override void Dispose() => ContentStream?.Dispose();

    protected override bool ContainsHeader(string name) => TryGetHeader(name, out _);

    protected override IEnumerable<HttpHeader> EnumerateHeaders() => [new HttpHeader("x-ms-error-code", "ServerBusy")];

    protected override bool TryGetHeader(string name, [NotNullWhen(true)] out string? value)
    {
        value = name.Equals("x-ms-error-code", StringComparison.OrdinalIgnoreCase) ? "ServerBusy" : null;
        return value is not null;
    }

    protected override bool TryGetHeaderValues(string name, [NotNullWhen(true)] out IEnumerable<string>? values)
    {
        values = TryGetHeader(name, out var value) ? [value] : null;
        return values is not null;
    }
}
