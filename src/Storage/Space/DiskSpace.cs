using Granary.Protocol.Units;

namespace Granary.Storage.Space;

/// <summary>
/// Measures the free space of the data directory's file system, and keeps a reserve from pushes.
/// <list type="number">
/// <item>A push is allotted room before it writes. Available is the free space, less the reserve, less the bytes that other pushes were
/// allotted and have not written. So two pushes at once cannot use up the reserve together.</item>
/// <item>Another program can use up the reserve. A commit or a start that then finds no free byte releases the ballast and tries again.
/// </item>
/// <item>When there is room again, the ballast is made again. Until then its size counts as a part of the reserve.</item>
/// </list>
/// </summary>
public sealed class DiskSpace : IFreeSpace, IDisposable
{
    // The rows of a push need some pages of the database's log, besides its bytes.
    private const long RowsOfAPush = 64 * 1024;

    // A push of unknown length is allotted room in steps: a thousand for a gigabyte, at about a microsecond each.
    private const long Step = 1024 * 1024;

    // With less room than this many reserves, the database gives the pages of deleted rows back, except for so many that the next rows use.
    private const long RoomyReserves = 4;
    private const long UnusedPages = 256;

    // Small pushes share a measurement: at thousands of pushes a second, one for each would be a hundredth of their cost.
    private static readonly TimeSpan MaxAge = TimeSpan.FromMilliseconds(100);

    // While pushes are refused or the ballast is missing, the timer measures this often. It also bounds how often the log repeats a change.
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly ByteSize _setting;
    private readonly Func<(long Total, long Free)> _measure;
    private readonly Ballast _ballast;
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private readonly SpaceChanges _changes = new();
    private long? _measuredAt;
    private long _free;
    private long _reserve;
    private long _available;
    private long _allotted;
    private long _refused;
    private bool _isReleased;
    private bool _isScheduled;
    private bool _isDisposed;

    /// <summary>Measures the file system of a directory.</summary>
    /// <param name="directory">The data directory.</param>
    /// <param name="reserve">The reserve. <c>auto</c> depends on the file system; 0 turns reserve and ballast off.</param>
    /// <param name="time">The time.</param>
    /// <param name="measure">Returns the size of the file system and its free bytes; null asks the operating system.</param>
    public DiskSpace(string directory, ByteSize reserve, TimeProvider time, Func<(long Total, long Free)>? measure = null)
    {
        (_setting, _time) = (reserve, time);
        _ballast = new Ballast(Path.Combine(directory, Data.DataDirectory.BallastDirectory));
        _measure = measure ?? MeasureDisk(directory);
        _timer = time.CreateTimer(_ => Check(), state: null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
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
            ReportChanges();
        }

        return allowance;
    }

    /// <inheritdoc/>
    public SpaceReport GetReport()
    {
        lock (_lock)
        {
            Measure();
            return Report();
        }
    }

    /// <summary>Reports each change from now on. A disk that is full already is reported at once.</summary>
    public void Watch(Action<SpaceChange, SpaceReport> onChange)
    {
        _changes.Watch(onChange);
        lock (_lock)
        {
            Measure();
            if (!AcceptsPushes)
            {
                Refuse(1);
            }
        }

        ReportChanges();
    }

    /// <summary>Releases the ballast for a write that found no free byte. Returns false if there is no ballast.</summary>
    public bool ReleaseBallast()
    {
        bool isReleased;
        lock (_lock)
        {
            isReleased = _ballast.Release();
            if (isReleased)
            {
                _isReleased = true;
                _changes.Add(SpaceChange.BallastReleased);
                Measure();
                ScheduleCheck();
            }
        }

        ReportChanges();
        return isReleased;
    }

    /// <summary>Makes the ballast, a part of the reserve, if twice its size is free.</summary>
    public void MakeBallast()
    {
        lock (_lock)
        {
            MakeBallastIfThereIsRoom();
        }

        ReportChanges();
    }

    /// <summary>Stops the timer. Makes a missing ballast of all free space, because the next start needs it.</summary>
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

    /// <summary>Returns what the free space allows the database to use. The measurement may be 100 ms old.</summary>
    internal SpaceLimits GetLimits()
    {
        lock (_lock)
        {
            if (_measuredAt is not { } measuredAt || _time.GetElapsedTime(measuredAt) > MaxAge)
            {
                Measure();
            }

            // Before pushes are refused, so that the log is small by then.
            var isShort = !IsOff && _available < _reserve / 4;
            var unused = isShort ? 0 : IsOff || _available >= RoomyReserves * _reserve ? long.MaxValue : UnusedPages;
            return new SpaceLimits(FreeReserve.LogPages(IsOff ? 0 : _reserve, isShort), unused);
        }
    }

    private static Func<(long Total, long Free)> MeasureDisk(string directory)
    {
        var drive = new DriveInfo(OperatingSystem.IsWindows() ? Path.GetPathRoot(directory)! : directory);
        return () => (drive.TotalSize, drive.AvailableFreeSpace);
    }

    /// <summary>Allots bytes to a push that needs <paramref name="needed"/> in all.</summary>
    private long Allot(long bytes, long needed)
    {
        if (_available < bytes || bytes >= Step || _measuredAt is not { } measuredAt || _time.GetElapsedTime(measuredAt) > MaxAge)
        {
            Measure();
        }

        if (_available < bytes)
        {
            // With more room than the reserve, the push is refused for its own size, and others are still accepted.
            if (_available < _reserve)
            {
                Refuse(Math.Min(Math.Max(needed, 1), _reserve));
            }

            throw new OutOfSpaceException(
                $"The registry's disk is too full for this push, which needs {ByteText.Of(needed > 0 ? needed : bytes)}: " +
                $"{ByteText.Of(_free)} are free, and {ByteText.Of(_reserve + MissingBallast)} are kept for deletions " +
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
            _changes.Add(SpaceChange.PushesRefused);
            ScheduleCheck();
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
            // The directory or its disk is gone. The next operation on it reports the fault.
            (_free, _available) = (0, long.MaxValue / 2);
        }

        _measuredAt = _time.GetTimestamp();
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
            // The released room is still in use.
            ScheduleCheck();
            return;
        }

        _ballast.Make(wanted);
        Measure();
        if (_isReleased && MissingBallast == 0)
        {
            _isReleased = false;
            _changes.Add(SpaceChange.BallastMade);
        }
    }

    private void ScheduleCheck()
    {
        if (!_isScheduled && !_isDisposed)
        {
            _isScheduled = true;
            _timer.Change(Interval, Timeout.InfiniteTimeSpan);
        }
    }

    private void Check()
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
                _changes.Add(SpaceChange.PushesAccepted);
            }

            _isScheduled = false;
            if (_refused > 0 || (MissingBallast > 0 && !IsOff))
            {
                ScheduleCheck();
            }
        }

        ReportChanges();
    }

    /// <summary>Reports the changes, outside of the lock because a log may be slow.</summary>
    private void ReportChanges()
    {
        if (_changes.IsEmpty)
        {
            return;
        }

        SpaceReport report;
        lock (_lock)
        {
            report = Report();
        }

        _changes.Report(report);
    }

    /// <summary>Stops counting written bytes as allotted, because they are no longer free.</summary>
    private void CountWritten(Allowance allowance)
    {
        var written = Math.Min(allowance.Written, allowance.Granted) - allowance.Counted;
        _allotted -= written;
        allowance.Counted += written;
    }

    /// <summary>Allots room to a push, so that it may write <paramref name="bytes"/> in all.</summary>
    private void Cover(Allowance allowance, long bytes)
    {
        try
        {
            lock (_lock)
            {
                CountWritten(allowance);
                if (bytes > allowance.Granted)
                {
                    var missing = bytes - allowance.Granted;
                    if (_available < Math.Max(missing, Step))
                    {
                        Measure();
                    }

                    allowance.Granted += Allot(_available >= Step ? Math.Max(missing, Step) : missing, bytes);
                }

                allowance.CoveredUntil = Math.Min(allowance.Granted, bytes + Step);
            }
        }
        finally
        {
            ReportChanges();
        }
    }

    /// <summary>Takes the room back that a push has not used.</summary>
    private void End(Allowance allowance)
    {
        lock (_lock)
        {
            CountWritten(allowance);
            var unused = allowance.Granted - allowance.Counted;
            _allotted -= unused;
            _available += unused;
            allowance.Granted = allowance.Counted;
        }
    }

    private sealed class Allowance(DiskSpace space) : SpaceAllowance
    {
        /// <summary>The bytes that the push may write in all.</summary>
        public long Granted { get; set; }

        /// <summary>The written bytes that no longer count as allotted.</summary>
        public long Counted { get; set; }

        /// <summary>The written bytes.</summary>
        public long Written { get; private set; }

        /// <summary>Up to this, the push may write without another call to the disk space.</summary>
        public long CoveredUntil { get; set; }

        public override void Cover(long bytes)
        {
            if (bytes > CoveredUntil)
            {
                space.Cover(this, bytes);
            }

            // The push writes these bytes before its next call.
            Written = bytes;
        }

        public override void Dispose() => space.End(this);
    }
}
