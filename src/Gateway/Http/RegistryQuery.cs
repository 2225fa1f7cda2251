using Microsoft.AspNetCore.Http;

namespace Granary.Gateway.Http;

/// <summary>
/// The query of a request, decoded as part of a URI and not as a form: a plus stays a plus, because media types contain one
/// (<c>artifactType=application/spdx+json</c>).
/// </summary>
public readonly struct RegistryQuery
{
    private readonly string _query;

    /// <summary>Reads the query of a request.</summary>
    public RegistryQuery(HttpContext http) => _query = http.Request.QueryString.Value ?? "";

    /// <summary>The first value of a parameter; null if the query does not have it.</summary>
    public string? this[string name]
    {
        get
        {
            foreach (var value in All(name))
            {
                return value;
            }

            return null;
        }
    }

    /// <summary>Returns all values of a parameter in their order.</summary>
    public IEnumerable<string> All(string name)
    {
        if (_query.Length < 2)
        {
            yield break;
        }

        foreach (var part in _query[1..].Split('&'))
        {
            var equals = part.IndexOf('=', StringComparison.Ordinal);
            var key = equals < 0 ? part : part[..equals];
            if (key.Length > 0 && Uri.UnescapeDataString(key) == name)
            {
                yield return equals < 0 ? "" : Uri.UnescapeDataString(part[(equals + 1)..]);
            }
        }
    }
}
