using Microsoft.AspNetCore.Http;

namespace Granary.Gateway.Http;

/// <summary>
/// The query of a request, decoded as a URI and not as a form: a plus is a plus, since media types have one (<c>artifactType=application/spdx+json</c>).
/// </summary>
public readonly struct RegistryQuery
{
    private readonly string _query;

    /// <summary>The query of this request.</summary>
    public RegistryQuery(HttpContext http) => _query = http.Request.QueryString.Value ?? "";

    /// <summary>The first value of a parameter; null if it is not there.</summary>
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

    /// <summary>All values of a parameter, in their order.</summary>
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
