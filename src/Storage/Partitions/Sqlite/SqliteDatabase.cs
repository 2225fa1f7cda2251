using System.Text;
using SQLitePCL;

namespace Granary.Storage.Partitions.Sqlite;

/// <summary>
/// One connection to the database file, used by one thread at a time. It calls SQLite's own functions: they return a row as spans, where
/// the ADO.NET provider copies and boxes each value, and they return the result codes by which faults are told apart.
/// </summary>
internal sealed class SqliteDatabase : IDisposable
{
    private readonly sqlite3 _handle;

    static SqliteDatabase() => Batteries_V2.Init();

    private SqliteDatabase(sqlite3 handle) => _handle = handle;

    /// <summary>Whether no transaction is open.</summary>
    public bool IsIdle => raw.sqlite3_get_autocommit(_handle) != 0;

    /// <summary>The number of rows that the last statement inserted, updated or deleted.</summary>
    public int Changes => raw.sqlite3_changes(_handle);

    /// <summary>The row id of the last insert.</summary>
    public long LastId => raw.sqlite3_last_insert_rowid(_handle);

    /// <summary>Opens a database file; one that is not writable is not created.</summary>
    /// <exception cref="StorageException">The file cannot be opened.</exception>
    public static SqliteDatabase Open(string path, bool writable)
    {
        // NOMUTEX: two threads never use one connection at once.
        var flags = raw.SQLITE_OPEN_NOMUTEX | raw.SQLITE_OPEN_READWRITE | (writable ? raw.SQLITE_OPEN_CREATE : 0);
        var result = raw.sqlite3_open_v2(path, out var handle, flags, vfs: null);
        var database = new SqliteDatabase(handle);
        if (result != raw.SQLITE_OK)
        {
            var fault = database.Fault(result, $"The database '{path}' cannot be opened");
            database.Dispose();
            throw fault;
        }

        raw.sqlite3_extended_result_codes(handle, 1);
        raw.sqlite3_busy_timeout(handle, 10_000);
        return database;
    }

    /// <summary>Runs statements, and ignores the rows that they return.</summary>
    public void Execute(string sql)
    {
        var result = raw.sqlite3_exec(_handle, sql);
        if (result != raw.SQLITE_OK)
        {
            throw Fault(result, "The database failed");
        }
    }

    public Statement Prepare(string sql)
    {
        var result = raw.sqlite3_prepare_v3(_handle, sql, raw.SQLITE_PREPARE_PERSISTENT, out var statement);
        return result == raw.SQLITE_OK ? new Statement(this, statement) : throw Fault(result, "The database failed");
    }

    public void Dispose() => _handle.Dispose();

    private StorageException Fault(int result, string what) =>
        StorageErrors.Translate(result, raw.sqlite3_errmsg(_handle).utf8_to_string(), what);

    /// <summary>A prepared statement: bind, step, read, reset.</summary>
    internal sealed class Statement : IDisposable
    {
        // SQLITE_TRANSIENT: SQLite copies a bound value before the call returns.
        private const nint Transient = -1;

        private readonly SqliteDatabase _database;
        private readonly sqlite3_stmt _owner;
        private readonly nint _handle;

        public Statement(SqliteDatabase database, sqlite3_stmt statement)
        {
            (_database, _owner) = (database, statement);
            _handle = statement.DangerousGetHandle();
        }

        public Statement Bind(int index, string text)
        {
            // Keys are ASCII and short, so that most calls allocate nothing.
            Span<byte> utf8 = stackalloc byte[1024];
            if (!Encoding.UTF8.TryGetBytes(text, utf8, out var length))
            {
                utf8 = Encoding.UTF8.GetBytes(text);
                length = utf8.Length;
            }

            Check(SqliteCalls.BindText(_handle, index, utf8, length, Transient));
            return this;
        }

        public Statement Bind(int index, long number)
        {
            Check(SqliteCalls.BindNumber(_handle, index, number));
            return this;
        }

        public Statement Bind(int index, ReadOnlySpan<byte> bytes)
        {
            Check(bytes.IsEmpty
                ? raw.sqlite3_bind_zeroblob(_owner, index, 0)
                : SqliteCalls.BindBytes(_handle, index, bytes, bytes.Length, Transient));
            return this;
        }

        /// <summary>Moves to the next row. Returns false if there is none.</summary>
        public bool Step()
        {
            var result = SqliteCalls.Step(_handle);
            return result switch
            {
                raw.SQLITE_ROW => true,
                raw.SQLITE_DONE => false,
                _ => throw Failed(result),
            };
        }

        /// <summary>Runs the statement to its end, and resets it.</summary>
        public void Run()
        {
            try
            {
                while (Step())
                {
                }
            }
            finally
            {
                Reset();
            }
        }

        public long Number(int column) => SqliteCalls.Number(_handle, column);

        public string Text(int column) => Encoding.UTF8.GetString(SqliteCalls.Bytes(_handle, column));

        public byte[] Bytes(int column) => SqliteCalls.Bytes(_handle, column).ToArray();

        // Returns the failure of the last step, which Step has already thrown.
        public void Reset() => _ = SqliteCalls.Reset(_handle);

        public void Dispose() => _owner.Dispose();

        private void Check(int result)
        {
            if (result != raw.SQLITE_OK)
            {
                throw Failed(result);
            }
        }

        private StorageException Failed(int result)
        {
            var fault = _database.Fault(result, "The database failed");
            Reset();
            return fault;
        }
    }
}
