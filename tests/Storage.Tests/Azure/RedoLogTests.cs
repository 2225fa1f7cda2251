using CsCheck;
using Granary.Storage.Azure.Tables;
using Granary.Storage.Partitions;

namespace Granary.Storage.Tests.Azure;

public sealed class RedoLogTests
{
    private static readonly Gen<Mutation> AnyMutation = Gen.Select(
        Gen.String[Gen.Char[' ', '~'], 1, 20],
        Gen.Int[-1, 64 * 1024],
        (key, size) => size < 0 ? Mutation.Delete(key) : Mutation.Put(key, RegistryClient.RandomBytes(size)));

    [Fact]
    public void Changes_are_read_as_they_were_written() =>
        Gen.Select(AnyMutation.Array[1, 40], Gen.Int[0, 39]).Sample(
            (batch, start) =>
            {
                start %= batch.Length;

                // The service gives bytes back as arrays.
                var entities = RedoLog.ToEntities("partition", "commit", batch, start);
                foreach (var entity in entities)
                {
                    foreach (var name in entity.Keys.Where(name => entity[name] is BinaryData).ToArray())
                    {
                        entity[name] = ((BinaryData)entity[name]).ToArray();
                    }
                }

                return RedoLog.Read(entities).Select(Text).SequenceEqual(batch.Skip(start).Select(Text));
            },
            iter: 50);

    [Fact]
    public void An_entity_holds_at_most_ten_pieces_of_60_KiB()
    {
        var batch = Enumerable.Range(0, 30).Select(i => Mutation.Put($"{i}", new byte[64 * 1024])).ToArray();

        var entities = RedoLog.ToEntities("partition", "commit", batch, 0);

        Assert.Equal(["!!redo-commit-00000", "!!redo-commit-00001", "!!redo-commit-00002", "!!redo-commit-00003"],
            entities.Select(entity => entity.RowKey));
        foreach (var entity in entities)
        {
            var pieces = entity.Keys.Select(name => entity[name]).OfType<BinaryData>().ToArray();
            Assert.True(pieces.Length <= 10);
            Assert.All(pieces, piece => Assert.True(piece.Length <= 60 * 1024));
        }
    }

    private static string Text(Mutation mutation) =>
        mutation.Value is { } value ? $"{mutation.Key}={Convert.ToHexString(value.Span)}" : mutation.Key;
}
