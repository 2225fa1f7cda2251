namespace Granary.Storage.Partitions.Sqlite;

/// <summary>A read-only connection and its prepared statements. One caller uses it at a time.</summary>
internal sealed class SqliteReader : IDisposable
{
    private readonly SqliteDatabase _database;
    private readonly SqliteDatabase.Statement _begin;
    private readonly SqliteDatabase.Statement _end;
    private readonly SqliteDatabase.Statement _head;
    private readonly SqliteDatabase.Statement _id;
    private readonly SqliteDatabase.Statement _row;
    private readonly SqliteDatabase.Statement _namedRow;
    private readonly SqliteDatabase.Statement _rows;
    private readonly SqliteDatabase.Statement _large;
    private readonly SqliteDatabase.Statement _partitions;
    private readonly PartitionIds _ids;

    public SqliteReader(string path, PartitionIds ids)
    {
        _ids = ids;
        _database = SqliteDatabase.Open(path, writable: false);
        _database.Execute("PRAGMA query_only = ON; PRAGMA cache_size = -1024;");
        _begin = _database.Prepare("BEGIN");
        _end = _database.Prepare("COMMIT");
        _head = _database.Prepare("SELECT version FROM heads WHERE name = ?1");
        _id = _database.Prepare("SELECT id FROM heads WHERE name = ?1");
        _row = _database.Prepare("SELECT value, large FROM rows WHERE partition = ?1 AND key = ?2");
        _namedRow = _database.Prepare(
            "SELECT value, large FROM rows WHERE partition = (SELECT id FROM heads WHERE name = ?1) AND key = ?2");
        _rows = _database.Prepare("SELECT value, large, key FROM rows WHERE partition = ?1 AND key > ?2 AND key < ?3 ORDER BY key");
        _large = _database.Prepare("SELECT value FROM large_values WHERE id = ?1");
        _partitions = _database.Prepare("SELECT name FROM heads WHERE name > ?1 AND name < ?2 ORDER BY name LIMIT ?3");
    }

    public Head Open(PartitionKey partition)
    {
        try
        {
            return _head.Bind(1, partition.Value).Step() ? new Head(_head.Number(0)) : Head.None;
        }
        finally
        {
            _head.Reset();
        }
    }

    public ReadOnlyMemory<byte>?[] Get(PartitionKey partition, IReadOnlyList<string> keys)
    {
        var known = _ids.Find(partition);
        if (keys.Count == 1)
        {
            // One statement reads one version of the database without a transaction.
            return [known is { } only ? Value(_row.Bind(1, only), keys[0]) : Value(_namedRow.Bind(1, partition.Value), keys[0])];
        }

        var values = new ReadOnlyMemory<byte>?[keys.Count];

        // The transaction makes all statements read one version of the database.
        _begin.Run();
        try
        {
            if ((known ?? Id(partition)) is { } id)
            {
                for (var i = 0; i < values.Length; i++)
                {
                    values[i] = Value(_row.Bind(1, id), keys[i]);
                }
            }
        }
        finally
        {
            _end.Run();
        }

        return values;
    }

    /// <summary>Reads the rows between two keys, both exclusive, until the page has enough rows or bytes.</summary>
    public RowPage Scan(PartitionKey partition, string after, string before, int maxRows, int maxBytes)
    {
        if (_ids.Find(partition) is { } known)
        {
            return Scan(known, after, before, maxRows, maxBytes);
        }

        _begin.Run();
        try
        {
            return Id(partition) is { } id ? Scan(id, after, before, maxRows, maxBytes) : new RowPage([], More: false);
        }
        finally
        {
            _end.Run();
        }
    }

    public List<PartitionKey> Partitions(string after, string before, int maxCount)
    {
        var names = new List<PartitionKey>();
        try
        {
            _partitions.Bind(1, after).Bind(2, before).Bind(3, maxCount);
            while (_partitions.Step())
            {
                names.Add(new PartitionKey(_partitions.Text(0)));
            }
        }
        finally
        {
            _partitions.Reset();
        }

        return names;
    }

    public void Dispose()
    {
        foreach (var statement in new[] { _begin, _end, _head, _id, _row, _namedRow, _rows, _large, _partitions })
        {
            statement.Dispose();
        }

        _database.Dispose();
    }

    private long? Id(PartitionKey partition)
    {
        try
        {
            return _id.Bind(1, partition.Value).Step() ? _id.Number(0) : null;
        }
        finally
        {
            _id.Reset();
        }
    }

    private RowPage Scan(long id, string after, string before, int maxRows, int maxBytes)
    {
        var rows = new List<Row>();
        var bytes = 0;
        try
        {
            _rows.Bind(1, id).Bind(2, after).Bind(3, before);
            while (_rows.Step())
            {
                var row = new Row(_rows.Text(2), Value(_rows));
                rows.Add(row);
                bytes += row.Value.Length;
                if (rows.Count == maxRows || bytes >= maxBytes)
                {
                    return new RowPage(rows, More: true);
                }
            }

            return new RowPage(rows, More: false);
        }
        finally
        {
            _rows.Reset();
        }
    }

    /// <summary>Runs a statement whose first parameter is bound. Returns the value that it finds; null if the row does not exist.</summary>
    private ReadOnlyMemory<byte>? Value(SqliteDatabase.Statement statement, string key)
    {
        try
        {
            // A plain null would become a null array, which converts to an empty value.
            return statement.Bind(2, key).Step() ? Value(statement) : default(ReadOnlyMemory<byte>?);
        }
        finally
        {
            statement.Reset();
        }
    }

    /// <summary>
    /// Returns the value of a statement's current row. Until the statement moves on, other reads see the same version of the database.
    /// </summary>
    private byte[] Value(SqliteDatabase.Statement row)
    {
        var value = row.Bytes(0);
        if (value.Length > 0 || row.Number(1) is not (> 0 and var id))
        {
            return value;
        }

        try
        {
            return _large.Bind(1, id).Step()
                ? _large.Bytes(0)
                : throw new StorageException(StorageFault.Damaged, $"The database lacks the large value {id}.");
        }
        finally
        {
            _large.Reset();
        }
    }
}
