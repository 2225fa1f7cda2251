using System.Globalization;

namespace Granary.Protocol;

/// <summary>The media types that a client accepts: its <c>Accept</c> headers (RFC 9110, section 12.5.1).</summary>
public sealed class AcceptedTypes
{
    private readonly HashSet<string> _types;

    private AcceptedTypes(HashSet<string> types) => _types = types;

    /// <summary>Whether the client sent no such header. Then it accepts every type.</summary>
    public bool IsEmpty => _types.Count == 0;

    /// <summary>Whether the client accepts every type (<c>*/*</c>).</summary>
    public bool HasWildcard => _types.Contains("*/*") || _types.Contains("application/*");

    /// <summary>
    /// Whether the client is older than manifest lists: it names types, and none of them is a list or an index. Such a client gets the
    /// child for its platform.
    /// </summary>
    public bool WantsChildOfManifestList =>
        !IsEmpty && !HasWildcard && !Names(MediaTypes.DockerManifestList) && !Names(MediaTypes.OciIndex);

    /// <summary>Parses the headers. Ignores parameters except <c>q=0</c>, which excludes a type.</summary>
    public static AcceptedTypes Parse(IEnumerable<string?> headers)
    {
        var types = new HashSet<string>(StringComparer.Ordinal);
        foreach (var part in headers.SelectMany(header => (header ?? "").Split(',')))
        {
            var type = MediaTypes.WithoutParameters(part);
            if (type.Length > 0 && !IsRefused(part))
            {
                types.Add(type);
            }
        }

        return new AcceptedTypes(types);
    }

    /// <summary>Returns whether the client names this type itself.</summary>
    public bool Names(string mediaType) => _types.Contains(mediaType);

    private static bool IsRefused(string part)
    {
        foreach (var parameter in part.Split(';').Skip(1))
        {
            var text = parameter.Replace(" ", "", StringComparison.Ordinal);
            if (text.StartsWith("q=", StringComparison.OrdinalIgnoreCase)
                && double.TryParse(text.AsSpan(2), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var quality)
                && quality == 0)
            {
                return true;
            }
        }

        return false;
    }
}
