namespace Granary.Storage.Tests;

/// <summary>The databases of earlier releases.</summary>
internal static class OldFormats
{
    /// <summary>The tables of format 1, which kept all values in the tree of rows.</summary>
    public const string Tables1 =
        """
        PRAGMA auto_vacuum = INCREMENTAL;
        PRAGMA journal_mode = WAL;
        CREATE TABLE heads (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, version INTEGER NOT NULL) STRICT;
        CREATE TABLE rows (
            partition INTEGER NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (partition, key)) STRICT, WITHOUT ROWID;
        """;
}
