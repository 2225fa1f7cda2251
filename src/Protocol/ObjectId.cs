using System.Diagnostics.CodeAnalysis;

namespace Granary.Protocol;

/// <summary>
/// The identity of one stored run of bytes: 128 random bits, chosen when an upload is first stored, 32 lower-case hexadecimal characters. Two uploads of the
/// same content are two objects; an object is never written by two uploads (docs/architecture.md, "Blob references", rule 1).
/// </summary>
public readonly record struct ObjectId
{
    private const int Length = 32;

    private readonly string? _value;

    private ObjectId(string value) => _value = value;

    /// <summary>The identity as text.</summary>
    public string Value => _value ?? throw new InvalidOperationException("A default ObjectId is not an object's identity.");

    /// <summary>Makes the identity from 16 bytes of a source of random numbers.</summary>
    public static ObjectId FromRandom(ReadOnlySpan<byte> random)
    {
        if (random.Length != Length / 2)
        {
            throw new ArgumentException("An object's identity is made of 16 bytes.", nameof(random));
        }

        return new ObjectId(Convert.ToHexStringLower(random));
    }

    /// <summary>Parses an identity found in a file's name.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out ObjectId id)
    {
        var valid = text is { Length: Length } && !text.AsSpan().ContainsAnyExcept(System.Buffers.SearchValues.Create("0123456789abcdef"));
        id = valid ? new ObjectId(text!) : default;
        return valid;
    }

    /// <summary>Parses an identity that this program wrote itself.</summary>
    /// <exception cref="FormatException">The text is not an object's identity.</exception>
    public static ObjectId Parse(string text) => TryParse(text, out var id) ? id : throw new FormatException($"'{text}' is not an object's identity.");

    /// <inheritdoc/>
    public override string ToString() => _value ?? "";
}
