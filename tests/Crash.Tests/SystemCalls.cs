using System.Text.RegularExpressions;

namespace Granary.Crash.Tests;

/// <summary>
/// Reads the output of strace, and finds writes that a power cut would have undone. When an answer acknowledges a write, every byte
/// written to the data directory and every name made in it has to be synced. A write counts from its beginning, a sync from its end.
/// </summary>
internal sealed partial class SystemCalls(string data)
{
    // SQLite writes to the database itself only pages that its log still has. A start makes the shared memory again.
    private static readonly string[] Restorable = ["metadata.db", "metadata.db-shm", "lock"];

    private readonly Dictionary<string, int> _unsynced = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _unsyncedNames = new(StringComparer.Ordinal);
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (int Line, string Text)> _unfinished = new(StringComparer.Ordinal);
    private bool _hasCommitted;

    /// <summary>The number of answers that acknowledged a write.</summary>
    public int Answers { get; private set; }

    /// <summary>The writes and names that were not synced when such an answer left.</summary>
    public List<string> Violations { get; } = [];

    public static SystemCalls Read(string data, IEnumerable<string> lines)
    {
        var calls = new SystemCalls(data);
        foreach (var (text, line) in lines.Select((text, line) => (text, line)))
        {
            calls.Add(text, line);
        }

        return calls;
    }

    private void Add(string text, int line)
    {
        if (Resumed().Match(text) is { Success: true } resumed)
        {
            if (_unfinished.Remove(resumed.Groups[1].Value, out var begun))
            {
                End(begun.Text + resumed.Groups[3].Value, begun.Line);
            }
        }
        else if (Call().Match(text) is { Success: true } call)
        {
            Begin(call.Groups[2].Value, line);
            if (text.EndsWith("<unfinished ...>", StringComparison.Ordinal))
            {
                _unfinished[call.Groups[1].Value] = (line, call.Groups[2].Value.Replace("<unfinished ...>", "", StringComparison.Ordinal));
            }
            else
            {
                End(call.Groups[2].Value, line);
            }
        }
    }

    private void Begin(string call, int line)
    {
        if (Write().Match(call) is { Success: true } write && IsOurs(write.Groups[1].Value))
        {
            _unsynced[write.Groups[1].Value] = line;
        }
        else if (Acknowledgement().IsMatch(call))
        {
            Answers++;

            // One log has all commits. If one was synced since the request, the commit that is being written belongs to work that the
            // request caused, such as the release of references.
            Violations.AddRange(_unsynced.Keys
                .Where(file => !(_hasCommitted && IsLog(file)))
                .Select(file => $"line {line}: {file} was written and not synced"));
            Violations.AddRange(_unsyncedNames.Keys.Select(directory => $"line {line}: {directory} got a name and was not synced"));
        }
    }

    private void End(string call, int line)
    {
        if (Sync().Match(call) is { Success: true } sync)
        {
            // A sync may miss writes that began while it ran.
            _hasCommitted |= IsLog(sync.Groups[1].Value);
            RemoveOlder(_unsynced, sync.Groups[1].Value, line);
            RemoveOlder(_unsyncedNames, sync.Groups[1].Value, line);
        }
        else if (Request().IsMatch(call))
        {
            _hasCommitted = false;
        }
        else if (Create().Match(call) is { Success: true } create && IsOurs(create.Groups[1].Value) && _known.Add(create.Groups[1].Value))
        {
            _unsyncedNames[Path.GetDirectoryName(create.Groups[1].Value)!] = line;
        }
        else if (Rename().Match(call) is { Success: true } rename)
        {
            var (from, to) = (rename.Groups[1].Value, rename.Groups[2].Value);
            if (_unsynced.Remove(from, out var written))
            {
                _unsynced[to] = written;
            }

            _known.Add(to);
            _unsyncedNames[Path.GetDirectoryName(to)!] = line;
        }
    }

    private bool IsOurs(string path) =>
        path.StartsWith(data + "/", StringComparison.Ordinal) && !Restorable.Contains(Path.GetFileName(path), StringComparer.Ordinal);

    private static bool IsLog(string path) => path.EndsWith("/metadata.db-wal", StringComparison.Ordinal);

    private static void RemoveOlder(Dictionary<string, int> unsynced, string path, int line)
    {
        if (unsynced.TryGetValue(path, out var since) && since < line)
        {
            unsynced.Remove(path);
        }
    }

    [GeneratedRegex(@"^(\d+) +([a-z0-9]+\(.*)$")]
    private static partial Regex Call();

    [GeneratedRegex(@"^(\d+) +<\.\.\. ([a-z0-9]+) resumed>(.*)$")]
    private static partial Regex Resumed();

    [GeneratedRegex(@"^(?:write|pwrite64|writev|pwritev|pwritev2|ftruncate)\(\d+<([^>]*)>")]
    private static partial Regex Write();

    [GeneratedRegex(@"^(?:fsync|fdatasync)\(\d+<([^>]*)>.*\) += 0")]
    private static partial Regex Sync();

    [GeneratedRegex(@"^openat\([^,]*, ""([^""]*)"", [A-Z_|]*O_CREAT.*\) += \d")]
    private static partial Regex Create();

    [GeneratedRegex(@"^rename(?:at2?)?\((?:[^""]*)""([^""]*)"", (?:[^""]*)""([^""]*)"".*\) += 0")]
    private static partial Regex Rename();

    [GeneratedRegex(@"^(?:recvfrom|recvmsg)\(\d+<(?:socket|TCP)[^""]*""(?:POST|PUT|PATCH|DELETE|GET|HEAD) ")]
    private static partial Regex Request();

    [GeneratedRegex(@"^(?:sendto|sendmsg|write|writev)\(\d+<(?:socket|TCP)[^""]*""HTTP/1\.1 20[12] ")]
    private static partial Regex Acknowledgement();
}
