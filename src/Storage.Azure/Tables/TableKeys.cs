using System.Text;

namespace Granary.Storage.Azure.Tables;

/// <summary>Writes keys of partitions and rows as keys of a table, which may not contain <c>/ \ # ?</c>.</summary>
/// <remarks>
/// The codes of keys are ordered as the keys are, the code of a prefix is a prefix of the code, and frequent characters stay one character:
/// <c>- . /</c> become <c>+ - .</c>; a character below <c>-</c> becomes <c>!</c> and a letter; one of <c>; &lt; = &gt; ? @</c> becomes
/// <c>=</c> and a letter; <c>\</c> and <c>]</c> become <c>]a</c> and <c>]b</c>.
/// </remarks>
internal static class TableKeys
{
    /// <summary>The longest code. A table holds keys of 1 KiB in UTF-16.</summary>
    public const int MaxLength = 512;

    /// <summary>The row key of the head. It is no code, and sorts before all codes.</summary>
    public const string Head = "!!";

    /// <summary>The beginning of the row keys of redo rows. They are no codes and lie between the head and the codes.</summary>
    public const string RedoPrefix = "!!redo-";

    /// <summary>The smallest text that is above the head and all redo rows, and not above any code.</summary>
    public const string FirstCode = "!`";

    // Above every character of a code. No code contains it, only bounds do.
    private const char Above = '\u00ff';

    /// <summary>Writes a key.</summary>
    /// <exception cref="ArgumentException">The key is empty, is not printable ASCII, or its code is too long.</exception>
    public static string Encode(string key)
    {
        if (key.Length == 0 || key.AsSpan().ContainsAnyExceptInRange(' ', '~'))
        {
            throw new ArgumentException($"The key '{key}' cannot be stored: it must be printable ASCII, and not empty.", nameof(key));
        }

        var code = EncodeBound(key);
        return code.Length <= MaxLength
            ? code
            : throw new ArgumentException($"The key '{key}' cannot be stored: its code has more than {MaxLength} characters.", nameof(key));
    }

    /// <summary>
    /// Writes a text that keys are compared with. It may be empty and contain any character; where it is not printable ASCII it is not the
    /// code of a key, but has the right place among the codes.
    /// </summary>
    public static string EncodeBound(string text)
    {
        var code = new StringBuilder(text.Length + 8);
        foreach (var c in text)
        {
            _ = c switch
            {
                < ' ' => code.Append(FirstCode),
                < '-' => code.Append('!').Append((char)('a' + (c - ' '))),
                '-' => code.Append('+'),
                '.' => code.Append('-'),
                '/' => code.Append('.'),
                >= ';' and <= '@' => code.Append('=').Append((char)('a' + (c - ';'))),
                '\\' => code.Append("]a"),
                ']' => code.Append("]b"),
                > '~' => code.Append(Above),
                _ => code.Append(c),
            };
        }

        return code.ToString();
    }

    /// <summary>Reads a key from its code.</summary>
    public static string Decode(string code)
    {
        var key = new StringBuilder(code.Length);
        for (var i = 0; i < code.Length; i++)
        {
            key.Append(code[i] switch
            {
                '+' => '-',
                '-' => '.',
                '.' => '/',
                '!' => (char)(code[++i] - 'a' + ' '),
                '=' => (char)(code[++i] - 'a' + ';'),
                ']' => code[++i] == 'a' ? '\\' : ']',
                var c => c,
            });
        }

        return key.ToString();
    }

    /// <summary>Returns the smallest bound above all codes that begin with <paramref name="prefix"/>; null if that is empty.</summary>
    public static string? EndOf(string prefix) => prefix.Length == 0
        ? null
        : prefix[..^1] + (prefix[^1] == '~' ? Above : (char)(prefix[^1] + 1));
}
