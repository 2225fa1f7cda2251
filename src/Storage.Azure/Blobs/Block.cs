using System.Globalization;
using System.Text;

namespace Granary.Storage.Azure.Blobs;

/// <summary>A block of an object, staged or committed. Its id says everything but its length.</summary>
/// <param name="Epoch">The epoch of the writer that staged it.</param>
/// <param name="Offset">The position of its first byte in the object.</param>
/// <param name="StagedAt">
/// When it was staged, in whole seconds. The service does not say when an object without a commit was last written.
/// </param>
/// <param name="Length">Its bytes.</param>
internal readonly record struct Block(long Epoch, long Offset, DateTimeOffset StagedAt, long Length)
{
    private const int EpochDigits = 8;
    private const int OffsetDigits = 12;
    private const int TimeDigits = 10;
    private const int TextLength = EpochDigits + OffsetDigits + TimeDigits + 2;

    /// <summary>The position after its last byte.</summary>
    public long End => Offset + Length;

    /// <summary>The id as the service has it. All ids of an object have one length, as the service demands.</summary>
    public string Id => Convert.ToBase64String(Encoding.ASCII.GetBytes(string.Create(
        CultureInfo.InvariantCulture,
        $"{Epoch:x8}-{Offset:x12}-{StagedAt.ToUnixTimeSeconds():x10}")));

    /// <summary>Returns the block that an id names; null if the store has not made the id.</summary>
    public static Block? Parse(string id, long length)
    {
        var bytes = new byte[TextLength];
        if (!Convert.TryFromBase64String(id, bytes, out var count) || count != TextLength)
        {
            return null;
        }

        var parts = Encoding.ASCII.GetString(bytes).Split('-');
        return parts is [{ Length: EpochDigits }, { Length: OffsetDigits }, { Length: TimeDigits }]
            && TryParse(parts[0], out var epoch)
            && TryParse(parts[1], out var offset)
            && TryParse(parts[2], out var seconds)
            ? new Block(epoch, offset, DateTimeOffset.FromUnixTimeSeconds(Math.Min(seconds, MaxSeconds)), length)
            : null;
    }

    private static readonly long MaxSeconds = DateTimeOffset.MaxValue.ToUnixTimeSeconds();

    private static bool TryParse(string digits, out long value) =>
        long.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
}
