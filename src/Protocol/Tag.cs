using System.Buffers;
using System.Diagnostics.CodeAnalysis;

namespace Granary.Protocol;

/// <summary>
/// A tag: a letter, digit or underscore and then up to 127 of those, dots and dashes
/// (OCI distribution specification, "Pulling manifests", <c>&lt;reference&gt;</c> as a tag).
/// </summary>
public readonly record struct Tag : IComparable<Tag>
{
    /// <summary>The length of the longest tag, in characters.</summary>
    public const int MaxLength = 128;

    private static readonly SearchValues<char> Allowed =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

    private readonly string? _value;

    private Tag(string value) => _value = value;

    /// <summary>The tag, as in URLs and rows.</summary>
    public string Value => _value ?? throw new InvalidOperationException("A default Tag is not a tag.");

    /// <summary>Parses <paramref name="text"/>. Returns false if the grammar of the specification does not accept it.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out Tag tag)
    {
        tag = default;
        if (text is null || text.Length is 0 or > MaxLength || text[0] is '.' or '-' || text.AsSpan().ContainsAnyExcept(Allowed))
        {
            return false;
        }

        tag = new Tag(text);
        return true;
    }

    /// <summary>Parses a tag that this program wrote, such as one in the key of a row.</summary>
    /// <exception cref="FormatException">The text is not a tag.</exception>
    public static Tag Parse(string text) => TryParse(text, out var tag) ? tag : throw new FormatException($"'{text}' is not a tag.");

    /// <inheritdoc/>
    public int CompareTo(Tag other) => string.CompareOrdinal(_value, other._value);

    /// <inheritdoc/>
    public override string ToString() => _value ?? "";

    /// <summary>Compares in ordinal order, the order of tag lists.</summary>
    public static bool operator <(Tag left, Tag right) => left.CompareTo(right) < 0;

    /// <summary>Compares in ordinal order, the order of tag lists.</summary>
    public static bool operator >(Tag left, Tag right) => left.CompareTo(right) > 0;

    /// <summary>Compares in ordinal order, the order of tag lists.</summary>
    public static bool operator <=(Tag left, Tag right) => left.CompareTo(right) <= 0;

    /// <summary>Compares in ordinal order, the order of tag lists.</summary>
    public static bool operator >=(Tag left, Tag right) => left.CompareTo(right) >= 0;
}
