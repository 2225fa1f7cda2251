using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Granary.Protocol;

namespace Granary.Grains.Partitions;

/// <summary>
/// Writes the value of a row: a version, then fields in a fixed order. The format is the registry's own and not that of the Orleans wire:
/// later releases read rows of earlier ones.
/// </summary>
internal struct RowWriter
{
    /// <summary>How a field names the algorithm of a digest. The numbers are stored.</summary>
    public const byte Sha256 = 1;

    /// <inheritdoc cref="Sha256"/>
    public const byte Sha512 = 2;

    private byte[] _buffer;
    private int _length;

    /// <summary>Begins a value. Each kind of row counts its own versions.</summary>
    public RowWriter(byte version, int capacity = 160)
    {
        _buffer = new byte[capacity];
        _buffer[0] = version;
        _length = 1;
    }

    public RowWriter Number(long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(Reserve(sizeof(long)), value);
        return this;
    }

    public RowWriter Time(DateTimeOffset value) => Number(value.UtcTicks);

    public RowWriter Flag(bool value)
    {
        Reserve(1)[0] = value ? (byte)1 : (byte)0;
        return this;
    }

    /// <summary>Writes a text, or null.</summary>
    public RowWriter Text(string? value)
    {
        if (value is null)
        {
            BinaryPrimitives.WriteInt32LittleEndian(Reserve(sizeof(int)), -1);
            return this;
        }

        var bytes = Encoding.UTF8.GetByteCount(value);
        BinaryPrimitives.WriteInt32LittleEndian(Reserve(sizeof(int)), bytes);
        Encoding.UTF8.GetBytes(value, Reserve(bytes));
        return this;
    }

    public RowWriter Id(Guid value)
    {
        value.TryWriteBytes(Reserve(16));
        return this;
    }

    /// <summary>Writes the hash of a digest, or null: half as long as its text.</summary>
    public RowWriter Digest(Digest? value)
    {
        if (value is not { } digest)
        {
            Reserve(1)[0] = 0;
            return this;
        }

        Reserve(1)[0] = digest.Algorithm == DigestAlgorithm.Sha256 ? Sha256 : Sha512;
        Convert.FromHexString(digest.Encoded, Reserve(digest.Encoded.Length / 2), out _, out _);
        return this;
    }

    /// <summary>Writes the last field: bytes up to the end of the value.</summary>
    public RowWriter Bytes(ReadOnlySpan<byte> value)
    {
        value.CopyTo(Reserve(value.Length));
        return this;
    }

    public readonly ReadOnlyMemory<byte> ToValue() => _buffer.AsMemory(0, _length);

    private Span<byte> Reserve(int count)
    {
        if (_length + count > _buffer.Length)
        {
            Array.Resize(ref _buffer, Math.Max(_length + count, _buffer.Length * 2));
        }

        var span = _buffer.AsSpan(_length, count);
        _length += count;
        return span;
    }
}

/// <summary>Reads a value that <see cref="RowWriter"/> has written.</summary>
internal ref struct RowReader
{
    private const long MaxTicks = 3155378975999999999;

    private ReadOnlySpan<byte> _rest;

    /// <exception cref="FormatException">The version is newer: a newer release has written the row, or the row is damaged.</exception>
    public RowReader(ReadOnlyMemory<byte> value, byte newest)
    {
        if (value.Length == 0 || value.Span[0] == 0 || value.Span[0] > newest)
        {
            var found = value.Length == 0 ? "is empty" : $"has version {value.Span[0]}";
            throw new FormatException(
                $"The value of a row {found}, but this release reads versions 1 to {newest}: a newer release wrote it, or it is damaged.");
        }

        Version = value.Span[0];
        _rest = value.Span[1..];
    }

    /// <summary>The version in which the row was written.</summary>
    public byte Version { get; }

    public long Number() => BinaryPrimitives.ReadInt64LittleEndian(Take(sizeof(long)));

    public DateTimeOffset Time() => Number() is >= 0 and <= MaxTicks and var ticks
        ? new DateTimeOffset(ticks, TimeSpan.Zero)
        : throw new FormatException("The value of a row has an invalid time; the row is damaged.");

    /// <summary>Reads a time; null if it is 0.</summary>
    public DateTimeOffset? TimeOrNull() => Time() is { Ticks: > 0 } time ? time : null;

    public bool Flag() => Take(1)[0] != 0;

    public string? Text()
    {
        var length = BinaryPrimitives.ReadInt32LittleEndian(Take(sizeof(int)));
        return length < 0 ? null : Encoding.UTF8.GetString(Take(length));
    }

    /// <summary>
    /// Reads a text that many rows share. Returns <paramref name="before"/>, the string of the row before, if the text is equal, and
    /// allocates nothing then.
    /// </summary>
    public string? Text(string? before)
    {
        var length = BinaryPrimitives.ReadInt32LittleEndian(Take(sizeof(int)));
        if (length < 0)
        {
            return null;
        }

        var bytes = Take(length);
        return before is not null && Ascii.Equals(bytes, before) ? before : Encoding.UTF8.GetString(bytes);
    }

    public Guid Id() => new(Take(16));

    /// <summary>Reads a digest, or null.</summary>
    public Digest? Digest() => Take(1)[0] switch
    {
        0 => null,
        RowWriter.Sha256 => Protocol.Digest.FromHash(DigestAlgorithm.Sha256, Take(SHA256.HashSizeInBytes)),
        RowWriter.Sha512 => Protocol.Digest.FromHash(DigestAlgorithm.Sha512, Take(SHA512.HashSizeInBytes)),
        _ => throw new FormatException("The value of a row has an unknown algorithm of a digest; the row is damaged."),
    };

    public readonly ReadOnlySpan<byte> Rest => _rest;

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _rest.Length)
        {
            throw new FormatException("The value of a row is too short; the row is damaged.");
        }

        var taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }
}
