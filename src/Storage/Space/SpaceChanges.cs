namespace Granary.Storage.Space;

/// <summary>Keeps changes of the free space until the log watches them. Thread-safe.</summary>
internal sealed class SpaceChanges
{
    private readonly Lock _lock = new();
    private readonly List<SpaceChange> _unreported = [];
    private Action<SpaceChange, SpaceReport>? _onChange;

    /// <summary>Whether there is nothing to report. May be asked without waiting for others.</summary>
    public bool IsEmpty => _unreported.Count == 0;

    /// <summary>Adds a change, which the next <see cref="Report"/> reports.</summary>
    public void Add(SpaceChange change)
    {
        lock (_lock)
        {
            _unreported.Add(change);
        }
    }

    /// <summary>Reports each change to <paramref name="onChange"/> from now on.</summary>
    public void Watch(Action<SpaceChange, SpaceReport> onChange)
    {
        lock (_lock)
        {
            _onChange = onChange;
        }
    }

    /// <summary>
    /// Reports the changes since the last call, each with <paramref name="report"/>. Keeps them until <see cref="Watch"/> is called.
    /// </summary>
    public void Report(SpaceReport report)
    {
        SpaceChange[] changes;
        Action<SpaceChange, SpaceReport> onChange;
        lock (_lock)
        {
            if (_onChange is null)
            {
                return;
            }

            onChange = _onChange;
            changes = [.. _unreported];
            _unreported.Clear();
        }

        foreach (var change in changes)
        {
            onChange(change, report);
        }
    }
}
