namespace Granary.Storage.Space;

/// <summary>
/// The free space of the data directory's file system, of which a reserve is kept from pushes.
/// <list type="number">
/// <item>A push is allotted room before it writes. There is what is free, less the reserve, less the bytes that other pushes were
/// allotted and have not written: two pushes at once cannot use up the reserve together.</item>
/// <item>Another program can use up the reserve. A commit, or the start, that then finds no free byte releases the ballast and tries
/// again.</item>
/// <item>When there is room again, the ballast is made again. Until then its size counts as a part of the reserve.</item>
/// </list>
/// </summary>
public sealed class DiskSpace : IFreeSpace, IDisposable
{
    // What the rows of a push take besides its bytes: some pages of the database's log.
    private const long RowsOfAPush = 64 * 1024;

    // A long push asks again after so many bytes: a thousand times for a gigabyte, at about a microsecond.
    private const long Step = 1024 * 1024;

    // With less room than this many reserves, the database gives back the pages of deleted rows, but for these: the next rows need them.
    private const long RoomyReserves = 4;
    private const long UnusedPages = 256;

    // Small pushes share a look at the file system: at thousands a second, a look at each would be a hundredth of their cost.
    private static readonly TimeSpan MaxAge = TimeSpan.FromMilliseconds(100);

    // While pushes are refused or the ballast is gone, this is how often the timer looks whether that is over. It also bounds how often
    // the log says so.
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly ByteSize _setting;
    private readonly Func<(long Total, long Free)> _measure;
    private readonly Ballast _ballast;
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private readonly List<SpaceChange> _untold = [];
    private Action<SpaceChange, SpaceReport>? _tell;
    private long? _lookedAt;
    private long _free;
    private long _reserve;
    private long _available;
    private long _allotted;
    private long _refused;
    private bool _isReleased;
    private bool _isWatching;
    private bool _isDisposed;

    /// <summary>Looks at the file system of a directory.</summary>
    /// <param name="directory">The data directory.</param>
    /// <param name="reserve">How much is kept free; <c>auto</c> depends on the file system, and 0 turns everything off.</param>
    /// <param name="time">The time.</param>
    /// <param name="measure">Returns the size of the file system and what is free on it; null asks the operating system.</param>
    public DiskSpace(string directory, ByteSize reserve, TimeProvider time, Func<(long Total, long Free)>? measure = null)
    {
        (_setting, _time) = (reserve, time);
        _ballast = new Ballast(Path.Combine(directory, Data.DataDirectory.BallastDirectory));
        _measure = measure ?? MeasureDisk(directory);
        _timer = time.CreateTimer(_ => LookAgain(), state: null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        lock (_lock)
        {
            Measure();
        }
    }

    private bool IsOff => _setting.Bytes == 0;

    private bool AcceptsPushes => IsOff || _available >= Math.Max(_refused, 1);

    private long MissingBallast => Math.Max(0, FreeReserve.Ballast(_reserve) - _ballast.Length);

    /// <inheritdoc/>
    public SpaceAllowance Allow(long bytes)
    {
        if (IsOff)
        {
            return UnlimitedSpace.Allowance;
        }

        var allowance = new Allowance(this);
        try
        {
            lock (_lock)
            {
                allowance.Granted = Allot(Math.Min(bytes, long.MaxValue - RowsOfAPush) + RowsOfAPush, bytes);
            }
        }
        finally
        {
            TellChanges();
        }

        return allowance;
    }

    /// <inheritdoc/>
    public SpaceReport Look()
    {
        lock (_lock)
        {
            Measure();
            return Report();
        }
    }

    /// <summary>Has changes told from now on. A disk that is full already is one.</summary>
    public void Watch(Action<SpaceChange, SpaceReport> tell)
    {
        lock (_lock)
        {
            _tell = tell;
            Measure();
            if (!AcceptsPushes)
            {
                Refuse(1);
            }
        }

        TellChanges();
    }

    /// <summary>Frees the ballast for something that has to have room, and found none; false if there is none to be freed.</summary>
    public bool ReleaseBallast()
    {
        bool isReleased;
        lock (_lock)
        {
            isReleased = _ballast.Release();
            if (isReleased)
            {
                _isReleased = true;
                _untold.Add(SpaceChange.BallastReleased);
                Measure();
                LookLater();
            }
        }

        TellChanges();
        return isReleased;
    }

    /// <summary>Makes the ballast if there is room for it twice. It is a part of the reserve.</summary>
    public void MakeBallast()
    {
        lock (_lock)
        {
            MakeBallastIfThereIsRoom();
        }

        TellChanges();
    }

    /// <summary>Stops looking. A ballast that is gone is made of whatever is free: the next start needs it.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_isDisposed)
            {
                return;
            }

            _isDisposed = true;
            Measure();
            if (!IsOff && MissingBallast > 0 && _free > 0)
            {
                _ballast.Make(Math.Min(FreeReserve.Ballast(_reserve), _ballast.Length + _free));
            }
        }

        _timer.Dispose();
    }

    /// <summary>
    /// Returns after how many pages the database's log is brought into the database, and how many unused pages the database may keep for
    /// later rows. The look at the file system may be 100 ms old.
    /// </summary>
    internal (int LogPages, long UnusedPages) Advise()
    {
        lock (_lock)
        {
            if (_lookedAt is not { } lookedAt || _time.GetElapsedTime(lookedAt) > MaxAge)
            {
                Measure();
            }

            // Somewhat before pushes are refused, so that the log is small by then.
            var isShort = !IsOff && _available < _reserve / 4;
            var unused = isShort ? 0 : IsOff || _available >= RoomyReserves * _reserve ? long.MaxValue : UnusedPages;
            return (FreeReserve.LogPages(IsOff ? 0 : _reserve, isShort), unused);
        }
    }

    private static Func<(long Total, long Free)> MeasureDisk(string directory)
    {
        var drive = new DriveInfo(OperatingSystem.IsWindows() ? Path.GetPathRoot(directory)! : directory);
        return () => (drive.TotalSize, drive.AvailableFreeSpace);
    }

    /// <summary>Allots bytes of a push that needs <paramref name="needed"/> in all.</summary>
    private long Allot(long bytes, long needed)
    {
        if (_available < bytes || bytes >= Step || _lookedAt is not { } lookedAt || _time.GetElapsedTime(lookedAt) > MaxAge)
        {
            Measure();
        }

        if (_available < bytes)
        {
            // A push that is larger than the reserve, on a disk that has more room than that, is refused for its size: others are accepted.
            if (_available < _reserve)
            {
                Refuse(Math.Min(Math.Max(needed, 1), _reserve));
            }

            throw new OutOfSpaceException(
                $"The registry's disk is too full for this push, which needs {ByteSize.Describe(needed > 0 ? needed : bytes)}: " +
                $"{ByteSize.Describe(_free)} are free, and {ByteSize.Describe(_reserve + MissingBallast)} are kept for deletions " +
                "(setting storage.reserve). Nothing was stored. Delete what is not needed, and ask the operator to run " +
                "'granary gc run --grace 0s' or to enlarge the disk.");
        }

        _available -= bytes;
        _allotted += bytes;
        return bytes;
    }

    private void Refuse(long needed)
    {
        if (_refused == 0)
        {
            _untold.Add(SpaceChange.PushesRefused);
            LookLater();
        }

        _refused = Math.Max(_refused, needed);
    }

    private void Measure()
    {
        try
        {
            (var total, _free) = _measure();
            _reserve = _setting.Bytes ?? FreeReserve.OfFileSystem(total);
            _available = _free - _reserve - MissingBallast - _allotted;
        }
        catch (Exception e) when (StorageErrors.IsFileSystem(e))
        {
            // The directory is gone, or its disk: whatever is tried next says so.
            (_free, _available) = (0, long.MaxValue / 2);
        }

        _lookedAt = _time.GetTimestamp();
    }

    private SpaceReport Report() => new(_free, IsOff ? 0 : _reserve + MissingBallast, Math.Max(0, _available), AcceptsPushes);

    private void MakeBallastIfThereIsRoom()
    {
        if (_isDisposed)
        {
            return;
        }

        Measure();
        var wanted = IsOff ? 0 : FreeReserve.Ballast(_reserve);
        if (_free < 2 * MissingBallast)
        {
            // What was just released is in use.
            LookLater();
            return;
        }

        _ballast.Make(wanted);
        Measure();
        if (_isReleased && MissingBallast == 0)
        {
            _isReleased = false;
            _untold.Add(SpaceChange.BallastMade);
        }
    }

    private void LookLater()
    {
        if (!_isWatching && !_isDisposed)
        {
            _isWatching = true;
            _timer.Change(Interval, Timeout.InfiniteTimeSpan);
        }
    }

    private void LookAgain()
    {
        lock (_lock)
        {
            if (_isDisposed)
            {
                return;
            }

            Measure();
            if (MissingBallast > 0 && !IsOff)
            {
                MakeBallastIfThereIsRoom();
            }

            if (_refused > 0 && AcceptsPushes)
            {
                _refused = 0;
                _untold.Add(SpaceChange.PushesAccepted);
            }

            _isWatching = false;
            if (_refused > 0 || (MissingBallast > 0 && !IsOff))
            {
                LookLater();
            }
        }

        TellChanges();
    }

    /// <summary>Tells what has changed, outside of the lock: the log may take its time.</summary>
    private void TellChanges()
    {
        if (_untold.Count == 0)
        {
            return;
        }

        SpaceChange[] changes;
        SpaceReport report;
        Action<SpaceChange, SpaceReport> tell;
        lock (_lock)
        {
            if (_tell is null)
            {
                return;
            }

            tell = _tell;
            (changes, report) = ([.. _untold], Report());
            _untold.Clear();
        }

        foreach (var change in changes)
        {
            tell(change, report);
        }
    }

    private void Cover(Allowance allowance, long bytes)
    {
        try
        {
            lock (_lock)
            {
                Settle(allowance);
                if (bytes > allowance.Granted)
                {
                    var missing = bytes - allowance.Granted;
                    if (_available < Math.Max(missing, Step))
                    {
                        Measure();
                    }

                    allowance.Granted += Allot(_available >= Step ? Math.Max(missing, Step) : missing, bytes);
                }

                allowance.NextLook = Math.Min(allowance.Granted, bytes + Step);
            }
        }
        finally
        {
            TellChanges();
        }
    }

    /// <summary>What is written is no longer free, and so no longer counts as allotted.</summary>
    private void Settle(Allowance allowance)
    {
        var settled = Math.Min(allowance.Written, allowance.Granted) - allowance.Settled;
        _allotted -= settled;
        allowance.Settled += settled;
    }

    private void End(Allowance allowance)
    {
        lock (_lock)
        {
            Settle(allowance);
            var unused = allowance.Granted - allowance.Settled;
            _allotted -= unused;
            _available += unused;
            allowance.Granted = allowance.Settled;
        }
    }

    private sealed class Allowance(DiskSpace space) : SpaceAllowance
    {
        /// <summary>What it may write in all.</summary>
        public long Granted { get; set; }

        /// <summary>What it wrote, as far as the space has taken note of it.</summary>
        public long Settled { get; set; }

        /// <summary>What it wrote.</summary>
        public long Written { get; private set; }

        /// <summary>After so many bytes the space has to be asked, or told.</summary>
        public long NextLook { get; set; }

        public override void Cover(long bytes)
        {
            if (bytes > NextLook)
            {
                space.Cover(this, bytes);
            }

            // By the next call it is written.
            Written = bytes;
        }

        public override void Dispose() => space.End(this);
    }
}
