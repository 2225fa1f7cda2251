using System.Globalization;
using Granary.Protocol;

namespace Granary.Gateway.Http;

/// <summary>The paging of lists (OCI distribution specification, "Listing Tags").</summary>
/// <param name="Limit">The most entries of the page.</param>
/// <param name="After">The last entry that the client has already; null for the first page.</param>
public readonly record struct Paging(int Limit, string? After)
{
    /// <summary>The most entries of one page: an answer of about a megabyte. The Link header leads to more.</summary>
    public const int MaxLimit = 10_000;

    /// <summary>Reads <c>n</c> and <c>last</c>. Returns false if <c>n</c> is not a number of entries.</summary>
    public static bool TryParse(RegistryQuery query, out Paging paging)
    {
        paging = new Paging(MaxLimit, query["last"]);
        if (query["n"] is not { } n)
        {
            return true;
        }

        if (n.Length == 0 || !n.All(char.IsAsciiDigit))
        {
            return false;
        }

        var isSmall = int.TryParse(n, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number < MaxLimit;
        paging = paging with { Limit = isSmall ? number : MaxLimit };
        return true;
    }

    /// <summary>Returns the value of the Link header that leads to the next page (RFC 8288).</summary>
    /// <param name="path">The URL of the list.</param>
    /// <param name="last">The last entry of this page.</param>
    public string NextLink(string path, string last) => $"<{path}?n={Limit}&last={Uri.EscapeDataString(last)}>; rel=\"next\"";

    /// <summary>Refuses an <c>n</c> that is not a number of entries.</summary>
    public static Task RefuseAsync(RegistryRequest request) =>
        request.RefuseAsync(RegistryError.PageInvalid, detail: json => json.WriteString("n", request.Query["n"]));
}
