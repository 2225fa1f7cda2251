using Granary.Storage.Space;

namespace Granary.Storage.Partitions.Sqlite;

/// <summary>
/// The writer's connection to the database, which it replaces if it fails. When free space is short, it keeps the log small and gives the
/// pages of deleted rows back to the file system.
/// </summary>
internal sealed class WriterConnection : IDisposable
{
    // The pages that one step gives back to the file system. A step takes some milliseconds; then commits have their turn.
    private const int ShrinkPages = 64;

    private readonly string _path;
    private readonly DiskSpace? _space;
    private SqliteDatabase _database;
    private int _logPages = SqliteSchema.LogPages;
    private bool _hasShrunk;

    public WriterConnection(string path, DiskSpace? space)
    {
        (_path, _space) = (path, space);
        (_database, Statements) = Connect();
    }

    /// <summary>The statements of the current connection.</summary>
    public WriterStatements Statements { get; private set; }

    /// <summary>Bounds the length of the log by the free space.</summary>
    public void BoundLog()
    {
        if (_space is not null && _space.GetLimits().LogPages is var pages && pages != _logPages)
        {
            _database.Execute($"PRAGMA wal_autocheckpoint = {pages}");
            _logPages = pages;
        }
    }

    /// <summary>
    /// Gives some pages of deleted rows back to the file system if free space is short. Returns whether more pages may follow. After a
    /// fault it returns false, and the writer tries again after the next commit.
    /// </summary>
    public bool TryShrink()
    {
        if (_space is null || _space.GetLimits().UnusedPages is var unused && unused == long.MaxValue)
        {
            return false;
        }

        try
        {
            return Shrink(unused);
        }
        catch (StorageException)
        {
            Recover();
            return false;
        }
    }

    /// <summary>Rolls an open transaction back. If that fails, replaces the connection.</summary>
    public void Recover()
    {
        try
        {
            if (!_database.IsIdle)
            {
                _database.Execute("ROLLBACK");
            }
        }
        catch (StorageException)
        {
            Reconnect();
        }
    }

    public void Dispose()
    {
        Statements.Dispose();
        _database.Dispose();
    }

    private bool Shrink(long unused)
    {
        if (Statements.CountUnusedPages() > unused)
        {
            BoundLog();
            _database.Execute($"PRAGMA incremental_vacuum({ShrinkPages})");
            _hasShrunk = true;
            return true;
        }

        if (_hasShrunk)
        {
            // The file becomes shorter with the checkpoint.
            _hasShrunk = false;
            _database.Execute("PRAGMA wal_checkpoint(PASSIVE)");
        }

        return false;
    }

    private void Reconnect()
    {
        try
        {
            var (database, statements) = Connect();
            Dispose();
            (_database, Statements, _logPages) = (database, statements, SqliteSchema.LogPages);
        }
        catch (StorageException)
        {
            // The next transaction fails with this fault, and comes here again.
        }
    }

    private (SqliteDatabase Database, WriterStatements Statements) Connect()
    {
        var database = SqliteDatabase.Open(_path, writable: true);
        try
        {
            SqliteSchema.Prepare(database);
            return (database, new WriterStatements(database));
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }
}
