using Granary.Grains.Interfaces.Operations;

namespace Granary.Grains.Operations;

/// <summary>An operation at work: what was asked, and where it says how far it is.</summary>
public sealed class OperationRun(OperationStatus status, Func<OperationProgress, Task> report, TimeProvider time)
{
    private const int MaxFindings = 100;

    // A commit each, and a worker has to be heard of now and then.
    private static readonly TimeSpan ReportInterval = TimeSpan.FromMilliseconds(250);

    private readonly Dictionary<string, long> _counts = new(status.Progress.Counts, StringComparer.Ordinal);
    private readonly List<string> _findings = [.. status.Progress.Findings];
    private long _reported;

    /// <summary>What is to be done.</summary>
    public OperationRequest Request => status.Request;

    /// <summary>How many steps are done, by this worker or one that died before.</summary>
    public long Done { get; private set; } = status.Progress.Done;

    /// <summary>How many there are.</summary>
    public long Total { get; set; } = status.Progress.Total;

    /// <summary>How far it was after its last step; any thread may look.</summary>
    public OperationProgress Latest { get; private set; } = status.Progress;

    /// <summary>How far it is.</summary>
    public OperationProgress Progress => new() { Done = Done, Total = Total, Counts = new Dictionary<string, long>(_counts, StringComparer.Ordinal), Findings = [.. _findings] };

    /// <summary>Sets a number of what came of it.</summary>
    public void Count(string name, long value) => _counts[name] = value;

    /// <summary>Adds to a number of what came of it.</summary>
    public void Add(string name, long value) => _counts[name] = _counts.GetValueOrDefault(name) + value;

    /// <summary>Notes something that somebody should look at.</summary>
    public void Find(string text)
    {
        if (_findings.Count < MaxFindings)
        {
            _findings.Add(text);
        }
    }

    /// <summary>Forgets what was done by a worker that died before.</summary>
    public void Restart()
    {
        (Done, Total) = (0, 0);
        _counts.Clear();
        _findings.Clear();
    }

    /// <summary>A step is done.</summary>
    /// <exception cref="OperationCanceledException">There shall be no further one.</exception>
    public async Task StepAsync()
    {
        Done++;
        Latest = Progress;
        await ReportAsync();
    }

    /// <summary>Says how far it is, if that was not just said.</summary>
    /// <exception cref="OperationCanceledException">There shall be no further step.</exception>
    public async Task ReportAsync()
    {
        if (_reported == 0 || time.GetElapsedTime(_reported) >= ReportInterval)
        {
            await report(Latest);
            _reported = time.GetTimestamp();
        }
    }
}
