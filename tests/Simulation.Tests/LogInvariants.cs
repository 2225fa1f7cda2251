using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Interfaces.Schedules;
using Granary.Grains.Partitions;
using Granary.Grains.Repositories;
using Granary.Grains.Repositories.History;
using Granary.Grains.Schedules;
using Granary.Protocol;
using Granary.Storage.Partitions;

namespace Granary.Simulation.Tests;

/// <summary>
/// The invariants of the logs of repositories, checked in each commit. A commit changes only the rows that it names, so the lines, tags and
/// rows that it does not name still obey the invariants. The cost of a check depends on the commit, not on the length of the log.
/// </summary>
internal sealed class LogInvariants(World world)
{
    // Of the clocks of a run, with some time for steps between two readings.
    private static readonly TimeSpan LargestSkew = TimeSpan.FromHours(1);

    private readonly Dictionary<string, RepositoryHistory> _histories = new(StringComparer.Ordinal);
    private string? _violation;

    /// <summary>Acknowledged moves of tags.</summary>
    public long Acknowledged { get; private set; }

    /// <summary>
    /// Checks a commit after its rows were noted. <see cref="Check"/> reports a violation, since the store must not fail.
    /// </summary>
    public void NoteCommit(string partition, IReadOnlyList<Mutation> batch, SortedDictionary<string, ReadOnlyMemory<byte>> rows)
    {
        if (_violation is not null || !partition.StartsWith(RepositoryRows.PartitionPrefix, StringComparison.Ordinal))
        {
            return;
        }

        try
        {
            HistoryOf(partition).Commit(batch, rows, world.Now);
        }
        catch (ViolationException e)
        {
            _violation = $"{partition}: {e.Message}";
        }
    }

    /// <exception cref="ViolationException">A commit has violated an invariant.</exception>
    public void Check(string where)
    {
        if (_violation is not null)
        {
            throw new ViolationException($"{where}: {_violation}", isLoss: true);
        }
    }

    /// <summary>Begins to observe a tag, before a client sends the command that moves it.</summary>
    public ObservedTag Observe(string repository, Tag tag) => new(HistoryOf(RepositoryRows.PartitionPrefix + repository).Chain(tag));

    /// <summary>An acknowledged push has a line about the tag, unless the tag pointed at the manifest already.</summary>
    public void AcknowledgePush(ObservedTag tag, Guid request, Digest digest)
    {
        Acknowledged++;
        var isDone = tag.Chain.LinesOf(request).Any(line => line.Digest == digest) || tag.WasAt(digest);
        Require(isDone, $"a push of {tag.Chain.Tag} was acknowledged, has no line, and the tag was not at {digest}");
    }

    /// <summary>An acknowledged removal of a tag has a line.</summary>
    public void AcknowledgeUntag(ObservedTag tag, Guid request)
    {
        Acknowledged++;
        var isDone = tag.Chain.LinesOf(request).Any(line => line.Kind == ChangeKind.Untagged && line.Digest is null);
        Require(isDone, $"a removal of {tag.Chain.Tag} was acknowledged, and has no line");
    }

    /// <summary>An acknowledged undo has the line that its answer names. Without one, the tag pointed at the manifest already.</summary>
    public void AcknowledgeUndo(ObservedTag tag, Guid request, TagUndone answer)
    {
        Acknowledged++;
        var isDone = answer.Line is null
            ? tag.WasAt(answer.To)
            : tag.Chain.LinesOf(request).Any(line => line.Position == answer.Line && IsOf(line, answer));
        Require(isDone, $"an undo of {tag.Chain.Tag} was acknowledged, and the log does not say so");
    }

    /// <summary>
    /// Checks, after a collection, that what is due has an entry in a schedule in time: a sweep of then finds it. The log must not delay
    /// what is due before it.
    /// </summary>
    public void CheckIsScheduled(string where)
    {
        foreach (var name in World.Repositories)
        {
            var rows = world.Store.Find(RepositoryRows.PartitionPrefix + name, RepositoryRows.DuePrefix);
            var due = rows.Select(row => row.Key).FirstOrDefault();
            if (due is not null)
            {
                var latest = RepositoryRows.ParseDue(due).Time + LargestSkew;
                Require(FirstEntry(name) <= latest, $"{where}: {name} has {due}, and a schedule has it at {FirstEntry(name):u}");
            }
        }
    }

    /// <summary>Checks, after the retention, that nothing of a log is left.</summary>
    public void CheckNothingIsLeft(string where, string name)
    {
        foreach (var prefix in new[] { LogRows.Prefix, "gone/", LogRows.History })
        {
            var left = world.Store.Find(RepositoryRows.PartitionPrefix + name, prefix).Select(row => row.Key).FirstOrDefault();
            Require(left is null, $"{where}: {name} still has {left} after the retention", isLoss: false);
        }
    }

    private static bool IsOf(LogLine line, TagUndone answer) =>
        line.Origin.Cause == ChangeCause.Undo && line.Digest == answer.To && line.Previous == answer.From;

    private DateTimeOffset FirstEntry(string name) => world.Store
        .Find(ScheduleRows.Partition(ScheduleKeys.OfRepository(RepositoryName.Parse(name))).Value, ScheduleRows.DuePrefix)
        .Select(row => ScheduleRows.ParseDue(row.Key))
        .Where(entry => entry.Subject == name)
        .Select(entry => entry.Time)
        .FirstOrDefault(DateTimeOffset.MaxValue);

    private RepositoryHistory HistoryOf(string partition)
    {
        if (!_histories.TryGetValue(partition, out var history))
        {
            _histories[partition] = history = new RepositoryHistory();
        }

        return history;
    }

    private static void Require(bool condition, string message, bool isLoss = true)
    {
        if (!condition)
        {
            throw new ViolationException(message, isLoss);
        }
    }

    /// <summary>The log of one repository, as its commits have made it.</summary>
    private sealed class RepositoryHistory
    {
        // A clock further behind than this starts a new run of times.
        private static readonly TimeSpan MaxStepBack = TimeSpan.FromHours(1);

        private readonly Queue<(string Key, DateTimeOffset Time)> _lines = new();
        private readonly Dictionary<Tag, TagChain> _chains = [];
        private readonly HashSet<string> _dueRows = new(StringComparer.Ordinal);
        private string _lastKey = "";
        private DateTimeOffset _lastTime = DateTimeOffset.MinValue;

        public bool HasLines => _lines.Count > 0;

        public TagChain Chain(Tag tag)
        {
            if (!_chains.TryGetValue(tag, out var chain))
            {
                _chains[tag] = chain = new TagChain(tag);
            }

            return chain;
        }

        public void Commit(
            IReadOnlyList<Mutation> batch,
            SortedDictionary<string, ReadOnlyMemory<byte>> rows,
            DateTimeOffset now)
        {
            // :: Step 1: the lines that the commit adds, and those that it removes.
            var (tags, removed, isLogChanged) = (new HashSet<Tag>(), new HashSet<string>(StringComparer.Ordinal), false);
            foreach (var (key, value) in batch.OrderBy(mutation => mutation.Key, StringComparer.Ordinal))
            {
                switch (key[..(key.IndexOf('/', StringComparison.Ordinal) + 1)])
                {
                    case LogRows.Prefix when value is null:
                        removed.Add(key);
                        break;

                    case LogRows.Prefix:
                        Append(key, LogRows.Decode(LogRows.ParseLine(key), value.Value), tags);
                        break;

                    case RepositoryRows.TagPrefix or "gone/":
                        tags.Add(Tag.Parse(RepositoryRows.LastPart(key)));
                        continue;

                    case RepositoryRows.DuePrefix when RepositoryRows.ParseDue(key).Kind == DueKind.Log:
                        _ = value is null ? _dueRows.Remove(key) : _dueRows.Add(key);
                        break;

                    case "" when key == LogRows.History:
                        break;

                    default:
                        continue;
                }

                isLogChanged = true;
            }

            Remove(removed, now);

            // :: Step 2: the rows that point at lines. They are in the commit of the lines.
            foreach (var tag in tags)
            {
                CheckTag(Chain(tag), rows);
            }

            if (isLogChanged)
            {
                CheckHistory(rows);
            }
        }

        private void Append(string key, LogLine line, HashSet<Tag> tags)
        {
            Require(string.CompareOrdinal(key, _lastKey) > 0, $"{key} is not after the last line {_lastKey}");
            var isInOrder = line.Time >= _lastTime || _lastTime - line.Time > MaxStepBack;
            Require(isInOrder, $"the time of {key} is {_lastTime - line.Time} before that of {_lastKey}");
            _lines.Enqueue((key, line.Time));
            (_lastKey, _lastTime) = (key, line.Time);
            if (line.Tag is { } tag)
            {
                tags.Add(tag);
                Chain(tag).Append(line);
            }
        }

        private void Remove(HashSet<string> removed, DateTimeOffset now)
        {
            // A clock that was ahead of the others may have made a line before one that is due. It goes with that one.
            var latest = now - World.History.Retention + LargestSkew;
            while (removed.Count > 0)
            {
                Require(_lines.TryDequeue(out var oldest), $"{removed.First()} was removed, and is no line");
                Require(removed.Remove(oldest.Key), $"{removed.FirstOrDefault()} was removed before the older line {oldest.Key}");
                Require(oldest.Time <= latest, $"{oldest.Key} was removed before the end of the retention");
            }
        }

        private void CheckTag(TagChain chain, SortedDictionary<string, ReadOnlyMemory<byte>> rows)
        {
            var row = rows.TryGetValue(RepositoryRows.Tag(chain.Tag), out var value) ? TagRow.Decode(value) : null;
            Require(row?.Digest == chain.State, $"{chain.Tag} is at {row?.Digest}, and its last line {chain.Last} says {chain.State}");
            Require(row is null || row.Line == chain.Last, $"the row of {chain.Tag} names {row?.Line}, and its last line is {chain.Last}");

            // A removed tag is forgotten with its last line.
            if (chain is { State: null, Last: { } last } && !IsKept(last))
            {
                chain.Forget();
            }

            var gone = rows.TryGetValue(LogRows.Gone(chain.Tag), out var position) ? DecodeGone(position) : null;
            var expected = chain.State is null ? chain.Last : null;
            Require(gone == expected, $"the removed tag {chain.Tag} has its last line at {gone}, not at {expected}");
        }

        private void CheckHistory(SortedDictionary<string, ReadOnlyMemory<byte>> rows)
        {
            var hasHistory = rows.TryGetValue(LogRows.History, out var value);
            Require(hasHistory == HasLines, $"there are {_lines.Count} lines, and the row {LogRows.History} does not say so");
            Require(_dueRows.Count == (HasLines ? 1 : 0), $"there are {_lines.Count} lines, and {_dueRows.Count} due rows of the log");
            if (!hasHistory)
            {
                return;
            }

            var due = new RowReader(value, 1).Time();
            Require(_dueRows.Contains(RepositoryRows.DueLog(due)), $"the row {LogRows.History} names another due row than there is");
            var isInTime = due <= _lines.Peek().Time + World.History.Retention;
            Require(isInTime, "the oldest line is due after the end of its retention");
        }

        private bool IsKept(LogPosition position) =>
            _lines.TryPeek(out var oldest) && string.CompareOrdinal(LogRows.Line(position), oldest.Key) >= 0;

        private static LogPosition? DecodeGone(ReadOnlyMemory<byte> value)
        {
            var reader = new RowReader(value, 1);
            return reader.Position();
        }
    }
}

/// <summary>The lines about one tag.</summary>
internal sealed class TagChain(Tag tag)
{
    private readonly Dictionary<Guid, List<LogLine>> _requests = [];
    private readonly List<Digest?> _states = [null];

    public Tag Tag => tag;

    /// <summary>The manifest that the tag points at; null if there is no such tag.</summary>
    public Digest? State => _states[^1];

    /// <summary>All manifests that the tag has pointed at, in order; null where there was no such tag.</summary>
    public IReadOnlyList<Digest?> States => _states;

    /// <summary>The last line.</summary>
    public LogPosition? Last { get; private set; }

    public IReadOnlyList<LogLine> LinesOf(Guid request) => _requests.GetValueOrDefault(request) ?? [];

    /// <summary>
    /// Adds a line. A command moves a tag once, however often and however late its copies come. Two neighbours never leave the tag at the
    /// same manifest.
    /// </summary>
    public void Append(LogLine line)
    {
        var position = line.Position;
        Require(line.Before == Last, $"{position} about {tag} names {line.Before} as the line before it, which is {Last}");
        Require(line.Previous == State, $"{position} says that {tag} was at {line.Previous}, and it was at {State}");
        Require(line.Digest != State, $"{position} says that {tag} moved, and it stays at {State}");
        var request = OrderInvariants.Original(line.Origin.RequestId);
        if (request != Guid.Empty)
        {
            if (!_requests.TryGetValue(request, out var lines))
            {
                _requests[request] = lines = [];
            }

            lines.Add(line);
            Require(lines.Count == 1, $"the request {request} has {lines.Count} lines about {tag}");
        }

        Last = position;
        _states.Add(line.Digest);
    }

    /// <summary>The last line was removed after the retention, and the tag does not exist.</summary>
    public void Forget() => Last = null;

    private static void Require(bool condition, string message)
    {
        if (!condition)
        {
            throw new ViolationException(message, isLoss: true);
        }
    }
}

/// <summary>A tag, and where it has been since a client sent a command.</summary>
internal sealed class ObservedTag(TagChain chain)
{
    private readonly int _begin = chain.States.Count - 1;

    public TagChain Chain => chain;

    public bool WasAt(Digest digest) => chain.States.Skip(_begin).Contains(digest);

    public bool WasAny(Func<Digest?, bool> state) => chain.States.Skip(_begin).Any(state);
}
