namespace Granary.Storage.Partitions.Sqlite;

/// <summary>The database file: partitions with a number of their own, and all rows in one ordered tree; large values beside it.</summary>
internal static class SqliteSchema
{
    /// <summary>
    /// Values longer than this, in bytes, are kept outside of the tree of rows. In the tree, a value that does not fit into a quarter of a page takes a page of its own, which every search
    /// that comes by its key reads, too.
    /// </summary>
    public const int MaxValueInTree = 512;

    /// <summary>
    /// Makes what is not there. <c>auto_vacuum</c> counts only before the first table is made; <c>WAL</c> with <c>synchronous=FULL</c> syncs once for each
    /// commit, before it returns.
    /// Temporary data stays in memory: a full disk must not keep rows from being deleted. Text is compared byte by byte, which for ASCII keys is their ordinal order. Partition numbers are never used again.
    /// </summary>
    private const string Create =
        """
        PRAGMA auto_vacuum = INCREMENTAL;
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = FULL;
        PRAGMA wal_autocheckpoint = 4000;
        PRAGMA journal_size_limit = 67108864;
        PRAGMA cache_size = -4096;
        PRAGMA temp_store = MEMORY;
        CREATE TABLE IF NOT EXISTS heads (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, version INTEGER NOT NULL) STRICT;
        CREATE TABLE IF NOT EXISTS rows (
            partition INTEGER NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, large INTEGER, PRIMARY KEY (partition, key)) STRICT, WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS large_values (id INTEGER PRIMARY KEY, value BLOB NOT NULL) STRICT;
        """;

    /// <summary>Format 1 had no large values outside of the tree; those that are there stay until their rows are written again.</summary>
    private const string Upgrade = "ALTER TABLE rows ADD COLUMN large INTEGER";

    /// <summary>
    /// Deletes a large value with its row. There is none for updates: with one, SQLite keeps what it needs to undo each statement that sets a row, and that is a copy of every page which it changes. So a
    /// row with a large value is never updated, but deleted and made again.
    /// </summary>
    private const string Trigger =
        "CREATE TRIGGER IF NOT EXISTS row_deleted AFTER DELETE ON rows WHEN old.large IS NOT NULL BEGIN DELETE FROM large_values WHERE id = old.large; END";

    /// <summary>Makes a database what this program reads and writes, if it is not.</summary>
    /// <exception cref="StorageException">It cannot be written, or is damaged.</exception>
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
