using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Repositories;
using Granary.Grains.Repositories.History;
using Granary.Protocol;
using Granary.Storage.Partitions;

namespace Granary.Simulation.Tests;

/// <summary>
/// The invariants of the rule of order, where other processes may write to the store: some moment between a request and its answer
/// explains the answer, and a command changes nothing after its newest attempt was answered. So no older push undoes an acknowledged one.
/// </summary>
internal sealed class OrderInvariants(World world)
{
    private readonly Dictionary<int, SentCommand> _sent = [];
    // Two gateways may give one order to different commands.
    private readonly Dictionary<long, List<SentCommand>> _attempts = [];
    private readonly Dictionary<(string Partition, string Key), (bool Exists, long Since)> _rows = [];
    private readonly Dictionary<(string Partition, string Key), long> _orders = [];
    private readonly Dictionary<string, long> _created = new(StringComparer.Ordinal);
    private string? _violation;
    private long _commits;

    /// <summary>
    /// Returns the id under which a client sent a request. An ablation gives copies other ones, which differ in another part.
    /// </summary>
    public static Guid Original(Guid request) => new(Number(request), 0, 0, new byte[8]);

    public SentCommand Begin(string repository, RepositoryCommand command)
    {
        var sent = new SentCommand(this, repository, command, _commits);
        _sent[Number(command.Origin.RequestId)] = sent;
        return sent;
    }

    /// <summary>Notes the answer to the newest attempt, and checks that some moment since the request explains it.</summary>
    public void End(SentCommand sent, object? answer)
    {
        if (!world.OthersMayWrite)
        {
            return;
        }

        var isYes = answer is ManifestStored or BlobDeleted or TagUndone or LinkAnswer.Linked or LinkAnswer.LinkedToOther or true;
        var link = sent.Command switch
        {
            LinkBlob { Digest: var digest } => RepositoryRows.Link(digest),
            MountBlob { Digest: var digest } => RepositoryRows.Link(digest),
            RemoveBlob { Digest: var digest } => RepositoryRows.Link(digest),
            _ => "",
        };
        var isExplained = (sent.Command, answer) switch
        {
            (PutManifest, ReferencesMissing { Digests: var missing }) =>
                missing.All(digest => WasAbsent(sent, RepositoryRows.Link(digest)) && WasAbsent(sent, RepositoryRows.Manifest(digest))),
            (PutManifest { Condition: { } condition }, ConditionFailed) => sent.Tag!.WasAny(digest => !Meets(digest, condition)),
            (RemoveTag, false) => sent.Tag!.WasAny(digest => digest is null),
            (RemoveManifest { Digest: var digest }, _) => WasAbsent(sent, RepositoryRows.Manifest(digest)),
            (RemoveBlob, BlobDeleted or BlobNotFound) => WasAbsent(sent, link),
            (LinkBlob or MountBlob, LinkAnswer.Linked or LinkAnswer.LinkedToOther) => WasPresent(sent, link),
            _ => true,
        };
        Require(isExplained, $"{sent} was answered {answer}, and no moment since explains it");
        Require(
            isYes || sent.Lines == 0 || sent.Command is LinkBlob or MountBlob,
            $"{sent} was answered {answer}, and it has changed the repository");

        // A refusal by a repository that did not exist is no commit, so a late copy may still have an effect until the end of its validity.
        sent.IsOver = isYes || (_created.TryGetValue(Partition(sent), out var created) && created <= sent.Began);
    }

    /// <summary>Checks a commit after its rows were noted.</summary>
    public void NoteCommit(string partition, IReadOnlyList<Mutation> batch)
    {
        if (!partition.StartsWith(RepositoryRows.PartitionPrefix, StringComparison.Ordinal))
        {
            return;
        }

        _commits++;
        _created.TryAdd(partition, _commits);
        foreach (var (key, value) in batch)
        {
            var exists = value is not null;
            if (!_rows.TryGetValue((partition, key), out var row) || row.Exists != exists)
            {
                _rows[(partition, key)] = (exists, _commits);
            }

            NoteOrder(partition, key, value);
            if (exists && key.StartsWith(RepositoryRows.OutPrefix, StringComparison.Ordinal))
            {
                // One batch may link a blob and unlink it. Then the link is not among its changes.
                var link = RepositoryRows.LinkPrefix + RepositoryRows.ParseOut(key).What;
                _rows[(partition, link)] = (_rows.GetValueOrDefault((partition, link)).Exists, _commits);
            }

            if (value is { } line && key.StartsWith(LogRows.Prefix, StringComparison.Ordinal))
            {
                NoteLine(key, LogRows.Decode(LogRows.ParseLine(key), line));
            }
        }
    }

    /// <exception cref="ViolationException">A commit or an answer has violated an invariant.</exception>
    public void Check(string where)
    {
        if (_violation is not null)
        {
            throw new ViolationException($"{where}: {_violation}", isLoss: true);
        }
    }

    private void NoteLine(string key, LogLine line)
    {
        if (_sent.TryGetValue(Number(line.Origin.RequestId), out var sent))
        {
            sent.Lines++;
            Require(!sent.IsOver, $"{sent} has changed the repository after its answer: {key} {line.Kind} {line.Tag}");
        }
    }

    /// <summary>Checks that a row has no new order of a command that was answered: of a link, too, which writes no line.</summary>
    private void NoteOrder(string partition, string key, ReadOnlyMemory<byte>? value)
    {
        long? order = (key[..(key.IndexOf('/', StringComparison.Ordinal) + 1)], value) switch
        {
            (RepositoryRows.TagPrefix, { } tag) => TagRow.Decode(tag).Order,
            (RepositoryRows.ManifestPrefix, { } manifest) => ManifestRow.Decode(manifest).Order,
            (RepositoryRows.LinkPrefix, { } link) => LinkRow.Decode(link).Order,
            _ => null,
        };
        if (order is { } now && now != _orders.GetValueOrDefault((partition, key)))
        {
            _orders[(partition, key)] = now;
            if (_attempts.TryGetValue(now, out var sent))
            {
                Require(sent.Exists(one => !one.IsOver), $"{sent[0]} has changed {key} after its answer");
            }
        }
    }

    private bool WasAbsent(SentCommand sent, string key) =>
        !_rows.TryGetValue((Partition(sent), key), out var row) || !row.Exists || row.Since > sent.Began;

    private bool WasPresent(SentCommand sent, string key) =>
        _rows.TryGetValue((Partition(sent), key), out var row) && (row.Exists || row.Since > sent.Began);

    private static bool Meets(Digest? digest, TagCondition condition) =>
        TagRules.Meets(digest is { } at ? new TagRow(at, default, default, Line: null, Order: 0) : null, condition);

    private static string Partition(SentCommand sent) => RepositoryRows.PartitionPrefix + sent.Repository;

    private static int Number(Guid request) => BitConverter.ToInt32(request.ToByteArray());

    private void Require(bool condition, string message)
    {
        if (!condition)
        {
            _violation ??= message;
        }
    }

    /// <summary>A command that a client has sent.</summary>
    internal sealed class SentCommand(OrderInvariants invariants, string repository, RepositoryCommand command, long began)
    {
        public string Repository => repository;

        public RepositoryCommand Command => command;

        /// <summary>How many commits there were before it.</summary>
        public long Began => began;

        /// <summary>The tag of a conditional push or a removal, as it was since the command was sent.</summary>
        public ObservedTag? Tag { get; } = command switch
        {
            PutManifest { Condition: not null, Tags: [var tag] } => invariants.Observe(repository, tag),
            RemoveTag { Tag: var tag } => invariants.Observe(repository, tag),
            _ => null,
        };

        /// <summary>How many lines of the log it has written.</summary>
        public int Lines { get; set; }

        /// <summary>Whether the newest attempt was answered.</summary>
        public bool IsOver { get; set; }

        public void NoteAttempt(long order)
        {
            if (!invariants._attempts.TryGetValue(order, out var sent))
            {
                invariants._attempts[order] = sent = [];
            }

            sent.Add(this);
        }

        public override string ToString() => $"{command.GetType().Name} {Number(command.Origin.RequestId)} on {repository}";
    }

    private ObservedTag Observe(string repository, Tag tag) => world.Log.Observe(repository, tag);
}
