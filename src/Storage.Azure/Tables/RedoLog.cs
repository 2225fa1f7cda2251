using System.Buffers.Binary;
using System.Text;
using Azure.Data.Tables;
using Granary.Storage.Partitions;

namespace Granary.Storage.Azure.Tables;

/// <summary>Writes changes of a batch as redo rows, and reads them.</summary>
/// <remarks>
/// For each change: the length of the key, the key, the length of the value or -1 for a delete, the value. Numbers have 4 bytes, the lowest
/// first. The bytes are cut into properties of 60 KiB, <c>B0</c> to <c>B9</c>, and those into entities.
/// </remarks>
internal static class RedoLog
{
    // A property holds 64 KiB, an entity 1 MiB with its names.
    private const int PieceBytes = 60 * 1024;
    private const int PiecesPerRow = 10;
    private const int Deleted = -1;

    /// <summary>Returns the row key of a redo row.</summary>
    public static string KeyOf(string commit, int number) => $"{TableKeys.RedoPrefix}{commit}-{number:d5}";

    /// <summary>Writes the changes from <paramref name="start"/> on.</summary>
    public static List<TableEntity> ToEntities(string partition, string commit, IReadOnlyList<Mutation> batch, int start)
    {
        var bytes = Write(batch, start);
        var entities = new List<TableEntity>();
        for (var at = 0; at < bytes.Length;)
        {
            var entity = new TableEntity(partition, KeyOf(commit, entities.Count));
            for (var piece = 0; piece < PiecesPerRow && at < bytes.Length; piece++)
            {
                var size = Math.Min(PieceBytes, bytes.Length - at);
                entity[$"B{piece}"] = BinaryData.FromBytes(bytes.Slice(at, size));
                at += size;
            }

            entities.Add(entity);
        }

        return entities;
    }

    /// <summary>Reads the changes from all entities of a commit, in their order.</summary>
    /// <exception cref="StorageException">The entities do not hold what <see cref="ToEntities"/> writes.</exception>
    public static List<Mutation> Read(IReadOnlyList<TableEntity> entities)
    {
        using var all = new MemoryStream();
        foreach (var entity in entities)
        {
            for (var piece = 0; entity.TryGetValue($"B{piece}", out var value) && value is byte[] bytes; piece++)
            {
                all.Write(bytes);
            }
        }

        try
        {
            return Read(all.GetBuffer().AsMemory(0, (int)all.Length));
        }
        catch (ArgumentOutOfRangeException e)
        {
            throw new StorageException(
                StorageFault.Damaged,
                $"The redo rows of partition '{TableKeys.Decode(entities[0].PartitionKey)}' end too early. "
                + "Another program has written to the table; restore the partition from a backup.",
                e);
        }
    }

    private static ReadOnlyMemory<byte> Write(IReadOnlyList<Mutation> batch, int start)
    {
        var all = new MemoryStream();
        Span<byte> number = stackalloc byte[sizeof(int)];
        for (var i = start; i < batch.Count; i++)
        {
            var (key, value) = batch[i];
            BinaryPrimitives.WriteInt32LittleEndian(number, key.Length);
            all.Write(number);
            all.Write(Encoding.ASCII.GetBytes(key));
            BinaryPrimitives.WriteInt32LittleEndian(number, value?.Length ?? Deleted);
            all.Write(number);
            all.Write(value.GetValueOrDefault().Span);
        }

        return all.GetBuffer().AsMemory(0, (int)all.Length);
    }

    private static List<Mutation> Read(ReadOnlyMemory<byte> bytes)
    {
        var batch = new List<Mutation>();
        while (bytes.Length > 0)
        {
            var key = Encoding.ASCII.GetString(Take(ref bytes, TakeNumber(ref bytes)).Span);
            var size = TakeNumber(ref bytes);
            batch.Add(size == Deleted ? Mutation.Delete(key) : Mutation.Put(key, Take(ref bytes, size)));
        }

        return batch;
    }

    private static int TakeNumber(ref ReadOnlyMemory<byte> bytes) =>
        BinaryPrimitives.ReadInt32LittleEndian(Take(ref bytes, sizeof(int)).Span);

    private static ReadOnlyMemory<byte> Take(ref ReadOnlyMemory<byte> bytes, int count)
    {
        var taken = bytes[..count];
        bytes = bytes[count..];
        return taken;
    }
}
