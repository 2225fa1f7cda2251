namespace Granary.Storage.Partitions.Sqlite;

/// <summary>The prepared statements of the writer's connection: how a batch becomes rows.</summary>
internal sealed class WriterStatements(SqliteDatabase database) : IDisposable
{
    private readonly SqliteDatabase.Statement _find = database.Prepare("SELECT id, version FROM heads WHERE name = ?1");
    private readonly SqliteDatabase.Statement _create = database.Prepare("INSERT INTO heads (name, version) VALUES (?1, 1)");
    private readonly SqliteDatabase.Statement _move = database.Prepare("UPDATE heads SET version = ?2 WHERE id = ?1");
    private readonly SqliteDatabase.Statement _dropHead = database.Prepare("DELETE FROM heads WHERE id = ?1");
    private readonly SqliteDatabase.Statement _dropRows = database.Prepare("DELETE FROM rows WHERE partition = ?1");
    private readonly SqliteDatabase.Statement _put = database.Prepare(
        """
        INSERT INTO rows (partition, key, value) VALUES (?1, ?2, ?3)
        ON CONFLICT DO UPDATE SET value = excluded.value WHERE large IS NULL
        """);

    private readonly SqliteDatabase.Statement _putLarge = database.Prepare(
        """
        INSERT INTO rows (partition, key, value, large) VALUES (?1, ?2, x'', ?3)
        ON CONFLICT DO UPDATE SET value = excluded.value, large = excluded.large WHERE large IS NULL
        """);

    private readonly SqliteDatabase.Statement _large = database.Prepare("INSERT INTO large_values (value) VALUES (?1)");
    private readonly SqliteDatabase.Statement _countUnusedPages = database.Prepare("PRAGMA freelist_count");
    private readonly SqliteDatabase.Statement _delete = database.Prepare("DELETE FROM rows WHERE partition = ?1 AND key = ?2");

    public SqliteDatabase.Statement Begin { get; } = database.Prepare("BEGIN IMMEDIATE");

    public SqliteDatabase.Statement Commit { get; } = database.Prepare("COMMIT");

    /// <summary>Returns the number and the version of a partition; zeros if it does not exist.</summary>
    public (long Id, long Version) FindHead(PartitionKey partition)
    {
        try
        {
            return _find.Bind(1, partition.Value).Step() ? (_find.Number(0), _find.Number(1)) : default;
        }
        finally
        {
            _find.Reset();
        }
    }

    /// <summary>Counts the pages of the file that no row uses.</summary>
    public long CountUnusedPages()
    {
        try
        {
            return _countUnusedPages.Step() ? _countUnusedPages.Number(0) : 0;
        }
        finally
        {
            _countUnusedPages.Reset();
        }
    }

    /// <summary>Applies a write whose head is the expected one.</summary>
    /// <param name="write">The write.</param>
    /// <param name="id">The partition's number; 0 if the partition does not exist, before or after this.</param>
    public void Apply(QueuedWrite write, ref long id)
    {
        if (write.Batch is null)
        {
            Drop(id);
            id = 0;
            return;
        }

        if (id == 0)
        {
            _create.Bind(1, write.Partition.Value).Run();
            id = database.LastId;
        }
        else
        {
            _move.Bind(1, id).Bind(2, write.Expected.NextVersion).Run();
        }

        for (var i = 0; i < write.Batch.Count; i++)
        {
            Apply(write.Batch[i], id);
        }
    }

    public void Dispose()
    {
        SqliteDatabase.Statement[] all =
            [_find, _create, _move, _dropHead, _dropRows, _put, _putLarge, _large, _countUnusedPages, _delete, Begin, Commit];
        foreach (var statement in all)
        {
            statement.Dispose();
        }
    }

    private void Drop(long id)
    {
        _dropRows.Bind(1, id).Run();
        _dropHead.Bind(1, id).Run();
    }

    private void Apply(Mutation change, long id)
    {
        var (key, value) = change;
        if (value is not { } bytes)
        {
            _delete.Bind(1, id).Bind(2, key).Run();
        }
        else if (bytes.Length <= SqliteSchema.MaxValueInTree)
        {
            Put(_put.Bind(1, id).Bind(2, key).Bind(3, bytes.Span), id, key);
        }
        else
        {
            _large.Bind(1, bytes.Span).Run();
            Put(_putLarge.Bind(1, id).Bind(2, key).Bind(3, database.LastId), id, key);
        }
    }

    private void Put(SqliteDatabase.Statement put, long id, string key)
    {
        put.Run();
        if (database.Changes == 0)
        {
            // The row has a large value, which only a delete of the row removes (SqliteSchema). An update would leave it behind.
            _delete.Bind(1, id).Bind(2, key).Run();
            put.Run();
        }
    }
}
