using System.Buffers.Binary;
using System.Text;

namespace Granary.Grains.Partitions;

/// <summary>
/// Writes a row's value: a version first, then fields in a fixed order. This is the registry's own format, not that of the Orleans wire: rows
/// outlive every release.
/// </summary>
internal struct RowWriter
{
    private byte[] _buffer;
    private int _length;

    /// <summary>Begins a value of the given version of its kind of row.</summary>
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

    /// <summary>A text, or null.</summary>
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

    /// <summary>The rest of the value.</summary>
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

/// <summary>Reads what <see cref="RowWriter"/> wrote.</summary>
internal ref struct RowReader
{
    private const long MaxTicks = 3155378975999999999;

    private ReadOnlySpan<byte> _rest;

    /// <exception cref="FormatException">The row is of a newer version: it was written by a newer release, or is damaged.</exception>
    public RowReader(ReadOnlyMemory<byte> value, byte newest)
    {
        if (value.Length == 0 || value.Span[0] == 0 || value.Span[0] > newest)
        {
            throw new FormatException($"A row of version {newest} or older was expected, not {(value.Length == 0 ? "an empty one" : value.Span[0])}.");
        }

        Version = value.Span[0];
        _rest = value.Span[1..];
    }

    /// <summary>The version in which the row was written.</summary>
    public byte Version { get; }

    public long Number() => BinaryPrimitives.ReadInt64LittleEndian(Take(sizeof(long)));

    public DateTimeOffset Time() => Number() is >= 0 and <= MaxTicks and var ticks ? new DateTimeOffset(ticks, TimeSpan.Zero) : throw new FormatException("A row has a time that is none.");

    /// <summary>A time, or null where there is none (0).</summary>
    public DateTimeOffset? TimeOrNull() => Time() is { Ticks: > 0 } time ? time : null;

    public bool Flag() => Take(1)[0] != 0;

    public string? Text()
    {
        var length = BinaryPrimitives.ReadInt32LittleEndian(Take(sizeof(int)));
        return length < 0 ? null : Encoding.UTF8.GetString(Take(length));
    }

    /// <summary>The same, for a text that many rows share: if it says the same, the string of the row before is taken again instead of making another.</summary>
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

    public readonly ReadOnlySpan<byte> Rest => _rest;

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _rest.Length)
        {
            throw new FormatException("A row ends early.");
        }

        var taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }
}
