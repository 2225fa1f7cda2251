using System.Diagnostics.CodeAnalysis;

namespace Granary.Protocol;

/// <summary>
/// The name of one object in the blob store: 128 random bits, as 32 lower-case hexadecimal characters. The upload session chooses it when
/// it is first stored. Two uploads of the same content are two objects, and one upload never writes to the object of another.
/// </summary>
public readonly record struct ObjectId
{
    private const int Length = 32;

    private readonly string? _value;

    private ObjectId(string value) => _value = value;

    /// <summary>The name as text.</summary>
    public string Value => _value ?? throw new InvalidOperationException("A default ObjectId is not an object's identity.");

    /// <summary>Makes a name from 16 random bytes.</summary>
    public static ObjectId FromRandom(ReadOnlySpan<byte> random)
    {
        if (random.Length != Length / 2)
        {
            throw new ArgumentException("An object's identity is made of 16 bytes.", nameof(random));
        }

        return new ObjectId(Convert.ToHexStringLower(random));
    }

    /// <summary>Parses a name, for example that of a file.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out ObjectId id)
    {
        var valid = text is { Length: Length } && !text.AsSpan().ContainsAnyExcept(System.Buffers.SearchValues.Create("0123456789abcdef"));
        id = valid ? new ObjectId(text!) : default;
        return valid;
    }

    /// <summary>Parses a name that this program wrote.</summary>
    /// <exception cref="FormatException">The text is not the name of an object: the row is damaged.</exception>
    public static ObjectId Parse(string text) =>
        TryParse(text, out var id) ? id : throw new FormatException($"'{text}' is not the name of an object.");

    /// <inheritdoc/>
    public override string ToString() => _value ?? "";
}
