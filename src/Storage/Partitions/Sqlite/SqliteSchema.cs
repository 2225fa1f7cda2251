namespace Granary.Storage.Partitions.Sqlite;

/// <summary>
/// The tables of the database file: the heads of the partitions, one ordered tree of all rows, and the large values outside of the tree.
/// </summary>
internal static class SqliteSchema
{
    /// <summary>
    /// Values longer than this, in bytes, are stored outside of the tree of rows. In the tree, a value that does not fit into a quarter of
    /// a page takes a page of its own, and every search that passes its key reads that page too.
    /// </summary>
    public const int MaxValueInTree = 512;

    /// <summary>The pages that the log holds before SQLite copies them into the database, on a disk with enough free space.</summary>
    public const int LogPages = 4000;

    /// <summary>
    /// Creates what is missing. <c>auto_vacuum</c> takes effect only before the first table exists. <c>WAL</c> with <c>synchronous=FULL</c>
    /// syncs once for each commit, before the commit returns. Temporary data stays in memory: on a full disk, a delete that needs a
    /// temporary file would fail. SQLite compares text byte by byte, which for ASCII keys is their ordinal order. AUTOINCREMENT never uses
    /// a partition number again.
    /// </summary>
    private static readonly string Create =
        $"""
        PRAGMA auto_vacuum = INCREMENTAL;
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = FULL;
        PRAGMA wal_autocheckpoint = {LogPages};
        PRAGMA journal_size_limit = 67108864;
        PRAGMA cache_size = -4096;
        PRAGMA temp_store = MEMORY;
        CREATE TABLE IF NOT EXISTS heads (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, version INTEGER NOT NULL) STRICT;
        CREATE TABLE IF NOT EXISTS rows (
            partition INTEGER NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, large INTEGER,
            PRIMARY KEY (partition, key)) STRICT, WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS large_values (id INTEGER PRIMARY KEY, value BLOB NOT NULL) STRICT;
        """;

    /// <summary>
    /// Upgrades format 1, which kept all values in the tree. A large value stays in the tree until its row is written again.
    /// </summary>
    private const string Upgrade = "ALTER TABLE rows ADD COLUMN large INTEGER";

    /// <summary>
    /// Deletes a large value with its row. There is no trigger for updates: with one, SQLite copies every page that an update changes, so
    /// that it can undo each statement. Instead, the writer deletes a row with a large value and inserts it again.
    /// </summary>
    private const string Trigger =
        """
        CREATE TRIGGER IF NOT EXISTS row_deleted AFTER DELETE ON rows WHEN old.large IS NOT NULL
        BEGIN DELETE FROM large_values WHERE id = old.large; END
        """;

    /// <summary>Sets up a connection, creates missing tables, and upgrades the tables of an older format.</summary>
    /// <exception cref="StorageException">The database cannot be written, or is damaged.</exception>
    public static void Prepare(SqliteDatabase database)
    {
        database.Execute(Create);
        bool isOld;
        using (var column = database.Prepare("SELECT 1 FROM pragma_table_info('rows') WHERE name = 'large'"))
        {
            isOld = !column.Step();
        }

        if (isOld)
        {
            database.Execute(Upgrade);
        }

        database.Execute(Trigger);
    }
}
