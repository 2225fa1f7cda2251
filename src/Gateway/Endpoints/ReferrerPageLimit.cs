using System.Buffers;
using Granary.Grains.Interfaces.Repositories;

namespace Granary.Gateway.Endpoints;

/// <summary>Cuts pages of referrers at the size that clients accept for one index, 4 MiB of JSON.</summary>
internal static class ReferrerPageLimit
{
    // The rest is for the members of the index itself.
    private const int MaxBytes = (4 * 1024 * 1024) - (64 * 1024);

    // The names and the punctuation of an entry, its digest, and its size.
    private const int EntryOverhead = 384;

    // The quotation marks, the colon and the comma of an annotation.
    private const int AnnotationOverhead = 8;

    // The other characters may need an escape of six bytes.
    private static readonly SearchValues<char> Plain =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./: ,@");

    /// <summary>Returns the first entries of a page that fit, at least one, and whether others follow.</summary>
    public static ReferrerPage Cut(ReferrerPage page)
    {
        var bytes = 0L;
        for (var i = 0; i < page.Referrers.Length; i++)
        {
            bytes += MaxJsonSize(page.Referrers[i]);
            if (i > 0 && bytes > MaxBytes)
            {
                return new ReferrerPage(page.Referrers[..i], More: true);
            }
        }

        return page;
    }

    /// <summary>Returns an upper bound on the bytes of an entry as JSON.</summary>
    private static long MaxJsonSize(Referrer referrer)
    {
        var size = EntryOverhead + MaxJsonSize(referrer.MediaType) + MaxJsonSize(referrer.ArtifactType);
        foreach (var (key, value) in referrer.Annotations)
        {
            size += AnnotationOverhead + MaxJsonSize(key) + MaxJsonSize(value);
        }

        return size;
    }

    private static long MaxJsonSize(string? text)
    {
        if (text is null)
        {
            return 0;
        }

        var escapes = 0;
        for (var rest = text.AsSpan(); rest.IndexOfAnyExcept(Plain) is >= 0 and var next; rest = rest[(next + 1)..])
        {
            escapes++;
        }

        return text.Length + (5L * escapes);
    }
}
