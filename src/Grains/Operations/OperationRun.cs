using Granary.Grains.Interfaces.Operations;

namespace Granary.Grains.Operations;

/// <summary>An operation that a worker runs: the request, and the progress that the worker reports.</summary>
public sealed class OperationRun(OperationStatus status, Func<OperationProgress, Task> report, TimeProvider time)
{
    private const int MaxFindings = 100;

    // Each report is a commit.
    private static readonly TimeSpan ReportInterval = TimeSpan.FromMilliseconds(250);

    private readonly Dictionary<string, long> _counts = new(status.Progress.Counts, StringComparer.Ordinal);
    private readonly List<string> _findings = [.. status.Progress.Findings];
    private long _reported;

    /// <summary>The request.</summary>
    public OperationRequest Request => status.Request;

    /// <summary>Steps that are done, by this worker or by one that died before it.</summary>
    public long Done { get; private set; } = status.Progress.Done;

    /// <summary>All steps.</summary>
    public long Total { get; set; } = status.Progress.Total;

    /// <summary>The progress after the last step. Any thread may read it.</summary>
    public OperationProgress Latest { get; private set; } = status.Progress;

    /// <summary>The progress now. Only the operation itself reads it.</summary>
    public OperationProgress Progress => new()
    {
        Done = Done,
        Total = Total,
        Counts = new Dictionary<string, long>(_counts, StringComparer.Ordinal),
        Findings = [.. _findings],
    };

    /// <summary>Sets a count.</summary>
    public void Count(string name, long value) => _counts[name] = value;

    /// <summary>Adds to a count.</summary>
    public void Add(string name, long value) => _counts[name] = _counts.GetValueOrDefault(name) + value;

    /// <summary>Records a fault for the administrator.</summary>
    public void AddFinding(string text)
    {
        if (_findings.Count < MaxFindings)
        {
            _findings.Add(text);
        }
    }

    /// <summary>Clears the progress of a worker that died, for operations that cannot continue.</summary>
    public void Restart()
    {
        (Done, Total) = (0, 0);
        _counts.Clear();
        _findings.Clear();
    }

    /// <summary>Counts a step as done, and reports it.</summary>
    /// <exception cref="OperationCanceledException">The operation was cancelled, or another worker has claimed it.</exception>
    public async Task CompleteStepAsync()
    {
        Done++;
        Latest = Progress;
        await ReportAsync();
    }

    /// <summary>Reports the progress after the last step, unless the last report is younger than 250 ms.</summary>
    /// <exception cref="OperationCanceledException">The operation was cancelled, or another worker has claimed it.</exception>
    public async Task ReportAsync()
    {
        if (_reported == 0 || time.GetElapsedTime(_reported) >= ReportInterval)
        {
            await report(Latest);
            _reported = time.GetTimestamp();
        }
    }
}
