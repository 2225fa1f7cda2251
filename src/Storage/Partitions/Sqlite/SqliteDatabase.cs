using System.Text;
using SQLitePCL;

namespace Granary.Storage.Partitions.Sqlite;

/// <summary>
/// One connection to the database file, used by one thread at a time. It speaks to SQLite's own functions: rows are spans there, where the ADO.NET provider would
/// copy and box each value, and result codes are what decides about faults.
/// </summary>
internal sealed class SqliteDatabase : IDisposable
{
    private readonly sqlite3 _handle;

    static SqliteDatabase() => Batteries_V2.Init();

    private SqliteDatabase(sqlite3 handle) => _handle = handle;

    /// <summary>Whether no transaction is open.</summary>
    public bool IsIdle => raw.sqlite3_get_autocommit(_handle) != 0;

    /// <summary>How many rows the last statement inserted, updated or deleted.</summary>
    public int Changes => raw.sqlite3_changes(_handle);

    /// <summary>The number of the row that was inserted last.</summary>
    public long LastId => raw.sqlite3_last_insert_rowid(_handle);

    /// <exception cref="StorageException">The file cannot be opened.</exception>
    public static SqliteDatabase Open(string path, bool writable)
    {
        // NOMUTEX: a connection is never used by two threads at once.
        var flags = raw.SQLITE_OPEN_NOMUTEX | (writable ? raw.SQLITE_OPEN_READWRITE | raw.SQLITE_OPEN_CREATE : raw.SQLITE_OPEN_READWRITE);
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

    /// <summary>Runs statements that answer nothing of interest.</summary>
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

    private StorageException Fault(int result, string what) => StorageErrors.Translate(result, raw.sqlite3_errmsg(_handle).utf8_to_string(), what);

    /// <summary>A prepared statement: bind, step, read, reset.</summary>
    internal sealed class Statement : IDisposable
    {
        // SQLite copies what is bound before it returns.
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
            // Keys are ASCII and short; this way nothing is allocated.
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
            Check(bytes.IsEmpty ? raw.sqlite3_bind_zeroblob(_owner, index, 0) : SqliteCalls.BindBytes(_handle, index, bytes, bytes.Length, Transient));
            return this;
        }

        /// <summary>Whether there is a (further) row.</summary>
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

        /// <summary>Runs to the end and makes ready for the next time.</summary>
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

        // What it answers is the failure of the last step, which was thrown already.
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
