using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Interfaces.Schedules;
using Granary.Grains.Partitions;
using Granary.Grains.Schedules;
using Granary.Protocol;
using Granary.Storage;
using Granary.Storage.Partitions;

namespace Granary.Grains.Repositories.History;

/// <summary>
/// Upgrades the history of repositories from data format 3 to 4. In format 3 a move of a tag is a row <c>his/&lt;time&gt;/&lt;tag&gt;</c>.
/// It becomes a line of version 0, in the order of those rows. The upgrade runs before the server accepts requests. Each step removes the
/// rows that it has made lines of, in one commit, so a run after a crash goes on where the last one ended.
/// </summary>
public static class HistoryUpgrade
{
    private const string OldPrefix = "his/";

    // Moves in one commit.
    private const int StepSize = 64;

    /// <summary>Upgrades all repositories of a store.</summary>
    /// <param name="store">The store.</param>
    /// <param name="retention">How long lines are kept.</param>
    /// <param name="cancellationToken">Ends the upgrade.</param>
    /// <returns>How many moves were upgraded.</returns>
    /// <exception cref="StorageException">The store cannot be read.</exception>
    /// <exception cref="Interfaces.PartitionUnavailableException">A repository's rows cannot be read or written.</exception>
    public static async Task<long> RunAsync(IPartitionStore store, TimeSpan retention, CancellationToken cancellationToken)
    {
        var upgraded = 0L;
        await foreach (var key in store.PartitionsAsync(RepositoryRows.PartitionPrefix, cancellationToken))
        {
            var partition = new Partition(store, key, _ => { });
            await partition.OpenAsync(cancellationToken);
            var name = RepositoryName.Parse(key.Value[RepositoryRows.PartitionPrefix.Length..]);
            upgraded += await UpgradeAsync(store, partition, name, retention, cancellationToken);
        }

        return upgraded;
    }

    private static async Task<int> UpgradeAsync(
        IPartitionStore store,
        Partition partition,
        RepositoryName name,
        TimeSpan retention,
        CancellationToken cancellationToken)
    {
        var (upgraded, number) = (0, await CountLinesAsync(partition, cancellationToken));
        while (await FirstMovesAsync(partition, cancellationToken) is { Count: > 0 } moves)
        {
            // :: Step 1: the due row of the log needs an entry in a schedule, committed before it. The first step makes both.
            if (!await partition.ReadAsync([LogRows.History], rows => rows.Has(LogRows.History), cancellationToken))
            {
                await ScheduleAsync(store, name, moves[0].Time + retention, cancellationToken);
            }

            // :: Step 2: make lines of the rows.
            var first = number;
            number += await partition.DecideAsync(
                [LogRows.History, .. moves.Select(move => RepositoryRows.Tag(move.Tag))],
                batch => Upgrade(batch, moves, first, retention),
                cancellationToken);
            upgraded += moves.Count;
        }

        return upgraded;
    }

    private static async Task<List<OldMove>> FirstMovesAsync(Partition partition, CancellationToken cancellationToken)
    {
        var moves = new List<OldMove>();
        await foreach (var row in partition.ScanAsync(OldPrefix, after: null, cancellationToken))
        {
            moves.Add(OldMove.Decode(row));
            if (moves.Count == StepSize)
            {
                break;
            }
        }

        return moves;
    }

    private static async Task<int> CountLinesAsync(Partition partition, CancellationToken cancellationToken)
    {
        var prefix = LogRows.Line(default)[..^8];
        var (numbers, _) = await partition.ListAsync(prefix, after: null, int.MaxValue, key => key, cancellationToken);
        return numbers.Length == 0 ? 0 : (int)KeyTime.Number(numbers[^1]) + 1;
    }

    private static async Task ScheduleAsync(
        IPartitionStore store,
        RepositoryName name,
        DateTimeOffset due,
        CancellationToken cancellationToken)
    {
        var schedule = new Partition(store, ScheduleRows.Partition(ScheduleKeys.OfRepository(name)), _ => { });
        await schedule.OpenAsync(cancellationToken);
        await schedule.DecideAsync(
            [],
            batch =>
            {
                batch.Put(ScheduleRows.Due(due, name.Value), ScheduleRows.Mark);
                return true;
            },
            cancellationToken);
    }

    private static int Upgrade(RowBatch rows, List<OldMove> moves, int number, TimeSpan retention)
    {
        if (HistoryRow.Find(rows) is null)
        {
            HistoryRow.Store(rows, before: null, new HistoryRow(moves[0].Time + retention, HasRemovedTags: false));
        }

        foreach (var move in moves)
        {
            Upgrade(rows, move, new LogPosition(Version: 0, number++));
            rows.Delete(move.Key);
        }

        return moves.Count;
    }

    private static void Upgrade(RowBatch rows, OldMove move, LogPosition position)
    {
        // :: Step 1: the line, in the chain of its tag.
        var row = TagRow.Find(rows, move.Tag);
        var line = new LogLine
        {
            Position = position,
            Kind = move.To is null ? ChangeKind.Untagged : ChangeKind.Tagged,
            Origin = CommandOrigin.OfRegistry(ChangeCause.Unknown),
            Time = move.Time,
            Tag = move.Tag,
            Digest = move.To,
            Previous = move.From,
            Before = row is null ? LogRows.FindGone(rows, move.Tag) : row.Line,
        };
        rows.Put(LogRows.Line(position), LogRows.Encode(line));

        // :: Step 2: the end of the chain. Its place depends on whether the tag exists now, not on this move.
        if (row is null)
        {
            LogRules.PutGone(rows, move.Tag, position);
        }
        else
        {
            rows.Put(RepositoryRows.Tag(move.Tag), (row with { Line = position }).Encode());
        }

        // :: Step 3: the time from which on the age of an untagged manifest counts.
        if (move.From is { } lost && lost != row?.Digest && rows.Has(RepositoryRows.Manifest(lost)))
        {
            rows.Put(RepositoryRows.Tagged(lost, move.Tag), TaggedRow.Lost(move.Time));
        }
    }

    /// <summary>A row of format 3: a move of a tag.</summary>
    private sealed record OldMove(string Key, DateTimeOffset Time, Tag Tag, Digest? From, Digest? To)
    {
        public static OldMove Decode(Row row)
        {
            var rest = row.Key.AsSpan(OldPrefix.Length);
            var (from, to) = ReadDigests(row.Value);
            return new OldMove(
                row.Key,
                KeyTime.Time(rest[..16]),
                Tag.Parse(rest[17..].ToString()),
                from is null ? null : Digest.Parse(from),
                to is null ? null : Digest.Parse(to));
        }

        // A row that cannot be read becomes a line that names no manifest: it must not keep the server from starting.
        private static (string? From, string? To) ReadDigests(ReadOnlyMemory<byte> value)
        {
            try
            {
                var reader = new RowReader(value, 1);
                return (reader.Text(), reader.Text());
            }
            catch (FormatException)
            {
                return (null, null);
            }
        }
    }
}
