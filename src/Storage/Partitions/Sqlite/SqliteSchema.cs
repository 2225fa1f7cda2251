namespace Granary.Storage.Partitions.Sqlite;

/// <summary>The database file: partitions with a number of their own, and all rows in one ordered tree.</summary>
internal static class SqliteSchema
{
    /// <summary>
    /// Makes what is not there. <c>auto_vacuum</c> counts only before the first table is made; <c>WAL</c> with <c>synchronous=FULL</c> syncs once for each
    /// commit, before it returns. Text is compared byte by byte, which for ASCII keys is their ordinal order. Partition numbers are never used again.
    /// </summary>
    public const string Create =
        """
        PRAGMA auto_vacuum = INCREMENTAL;
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = FULL;
        PRAGMA wal_autocheckpoint = 4000;
        PRAGMA journal_size_limit = 67108864;
        PRAGMA cache_size = -4096;
        CREATE TABLE IF NOT EXISTS heads (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, version INTEGER NOT NULL) STRICT;
        CREATE TABLE IF NOT EXISTS rows (
            partition INTEGER NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (partition, key)) STRICT, WITHOUT ROWID;
        """;
}
