using System.Buffers;
using Granary.Gateway.Http;

namespace Granary.Gateway.Tests.Http;

public sealed class PooledDocumentTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(5_000)]
    [InlineData(300_000)]
    public async Task A_document_written_in_pieces_of_any_size_is_copied_whole(int length)
    {
        var random = new Random(length);
        var expected = new byte[length];
        random.NextBytes(expected);
        using var document = new PooledDocument();
        for (var written = 0; written < length;)
        {
            // Writers ask for pieces of any size.
            var count = Math.Min(random.Next(1, 70_000), length - written);
            expected.AsSpan(written, count).CopyTo(document.GetSpan(count));
            document.Advance(count);
            written += count;
        }

        document.Write(ReadOnlySpan<byte>.Empty);
        using var stream = new MemoryStream();
        foreach (var piece in document.Pieces)
        {
            await stream.WriteAsync(piece);
        }

        Assert.Equal(length, document.Length);
        Assert.Equal(expected, stream.ToArray());
    }
}
