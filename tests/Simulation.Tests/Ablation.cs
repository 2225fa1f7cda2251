using Granary.Grains.Blobs;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Catalog;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Leases;
using Granary.Grains.Repositories;
using Granary.Grains.Uploads;
using Granary.Protocol;
using Granary.Storage.Partitions;

namespace Granary.Simulation.Tests;

/// <summary>
/// Switches a rule of the protocol (docs/garbage-collection.md) off from outside: it changes messages on their way, or the store skips its
/// part. So the test shows what each rule prevents without a change of the code under test.
/// </summary>
internal sealed class Ablation(World world, string rule)
{
    // Between the read and the answer without the rule. With one pause, one schedule in tens of thousands shows the loss.
    private const int RenouncePauses = 20;

    public static IReadOnlyList<string> Rules { get; } =
    [
        "cas", "fence", "guard", "seq", "settle", "seal", "tomb", "own", "late", "ren", "hint", "rest", "catalog-seq", "catalog-guard",
        "log", "order", "floor", "commit", "request", "newest",
    ];

    private readonly Dictionary<Guid, List<Task<object?>>> _attempts = [];
    private int _copies;
    private long _order = DateTimeOffset.MaxValue.UtcTicks;

    /// <summary><c>cas</c>: the store accepts the commit of a stale activation.</summary>
    public bool IgnoresHeads => rule == "cas";

    /// <summary><c>rest</c>: the store accepts a commit although one that it depends on has failed.</summary>
    public bool IgnoresDependencies => rule == "rest";

    /// <summary><c>seal</c>: the object becomes a blob although its session is open, and will expire.</summary>
    public bool SkipsSeal => rule == "seal";

    /// <summary>Whether a violation is rare unless calls of Acquire come late, are for the same content, and find it collected.</summary>
    public bool NeedsLateCalls => rule is "own" or "tomb" or "hint" or "ren";

    /// <summary>Whether most calls come late.</summary>
    public bool HasManyLateCalls => NeedsLateCalls || rule == "late";

    /// <summary>
    /// Whether the violation is a loss. Without <c>seal</c> it is garbage that stays: the name of a sealed object has its digest, so the
    /// sweep that ends an open session does not find the object, and no other step deletes it.
    /// </summary>
    public bool IsSeenByLoss => rule != "seal";

    /// <summary><c>log</c>: the store commits the lines of the log apart from the change, and fails to commit some of them.</summary>
    public bool LosesLines => rule == "log";

    /// <summary><c>commit</c>: the activations believe that no other process writes, so a refusal is no commit.</summary>
    public bool HidesOthers => rule == "commit";

    /// <summary><c>own</c>: a client that pushed existing content deletes its own object.</summary>
    public bool DeletesOwnDuplicate => rule == "own";

    public async Task<object?> DeliverAsync(Call call, SimulatedCluster cluster)
    {
        switch (rule, call.Method.Name)
        {
            // Release removes any reference, however new it is.
            case ("seq", "Release"):
                var references = (ReleasedReference[])call.Arguments[0]!;
                var newest = Array.ConvertAll(references, reference => reference with { Sequence = long.MaxValue });
                return await cluster.DeliverPlainAsync(call with { Arguments = [newest, call.Arguments[1]] });

            // The same for the entry in the catalog.
            case ("catalog-seq", "Remove") when call.Interface == typeof(ICatalogGrain):
                return await cluster.DeliverPlainAsync(call with { Arguments = [call.Arguments[0], long.MaxValue, call.Arguments[2]] });

            // Acquire accepts an object after its deadline.
            case ("late", "Acquire"):
                var acquire = (AcquireBlob)call.Arguments[0]!;
                var endless = acquire with { Deadline = DateTimeOffset.MaxValue };
                return await cluster.DeliverPlainAsync(call with { Arguments = [endless, call.Arguments[1]] });

            // The shard settles a reference that has changed since it was due.
            case ("settle", "Settle") when call.Interface == typeof(IBlobShardGrain):
                var settlement = (ShardSettlement)call.Arguments[0]!;
                var refreshed = settlement with { Denied = [.. settlement.Denied.Select(Refresh)] };
                return await cluster.DeliverPlainAsync(call with { Arguments = [refreshed, call.Arguments[1]] });

            // A denial comes from the memory of any activation, and commits nothing.
            case ("fence", "Holds"):
                var answers = new List<bool>();
                foreach (var digest in (Digest[])call.Arguments[0]!)
                {
                    var find = typeof(IRepositoryGrain).GetMethod(nameof(IRepositoryGrain.FindBlobSize))!;
                    var question = new Call(typeof(IRepositoryGrain), call.Key, call.Id, find, [digest, CancellationToken.None]);
                    answers.Add(await cluster.DeliverPlainAsync(question) is not null);
                }

                return answers.ToArray();

            // Each delivery has the highest order, however late it comes.
            case ("order", _) when call.Arguments[0] is RepositoryCommand command:
                return await cluster.DeliverPlainAsync(With(call, command with { Order = ++_order, ValidUntil = DateTimeOffset.MaxValue }));

            // Each delivery is a request of its own, so that an earlier attempt is not found in the log.
            case ("request", _) when call.Arguments[0] is RepositoryCommand command:
                var copy = command.Origin.RequestId.ToByteArray();
                BitConverter.TryWriteBytes(copy.AsSpan(4), (short)++_copies);
                var origin = command.Origin with { RequestId = new Guid(copy) };
                return await cluster.DeliverPlainAsync(With(call, command with { Origin = origin }));

            // Renounce only reads whether the object is the blob's, and writes no tombstone.
            case ("ren", "Renounce"):
                var (renounced, id) = ((Digest)call.Arguments[0]!, (ObjectId)call.Arguments[1]!);
                var row = world.Store.Get($"blobs/{renounced.FirstByte:x2}", BlobRows.Blob(renounced));
                for (var pause = 0; pause < RenouncePauses; pause++)
                {
                    await world.Scheduler.PauseAsync();
                }

                return row is { } value && BlobRow.Decode(value).Object == id ? RenounceAnswer.Adopted : RenounceAnswer.Renounced;

            // The sweep takes the note in the session for the answer of the shard.
            case ("hint", "Renounce") when IsOrphaned((ObjectId)call.Arguments[1]!):
                return RenounceAnswer.Renounced;

            case ("tomb", "Acquire"):
                return await AcquireDespiteTombAsync(call, cluster);

            default:
                return await cluster.DeliverPlainAsync(call);
        }
    }

    /// <summary><c>newest</c>: the caller takes the first answer to any attempt of its command.</summary>
    public Task<object?> AnyAttempt(Call call, Task<object?> answer)
    {
        if (rule != "newest" || call.Arguments[0] is not RepositoryCommand { Origin.RequestId: var request })
        {
            return answer;
        }

        if (!_attempts.TryGetValue(request, out var attempts))
        {
            _attempts[request] = attempts = [];
        }

        attempts.RemoveAll(attempt => attempt.IsFaulted);
        attempts.Add(answer);
        return Task.WhenAny(attempts).Unwrap();
    }

    /// <summary>Changes what the store commits.</summary>
    public IReadOnlyList<Mutation> Change(IReadOnlyList<Mutation> batch) => rule == "floor" ? [.. batch.Select(WithoutFloor)] : batch;

    /// <summary><c>guard</c>: clears the unlinks and denials of the guard after each step.</summary>
    public void AfterStep()
    {
        if (rule is not ("guard" or "catalog-guard"))
        {
            return;
        }

        foreach (var activation in world.Cluster.Activations)
        {
            if (activation.Grain is RepositoryGrain repository)
            {
                repository.Guard.RemoveDenials(what => (what == RepositoryRows.CatalogEntry) == (rule == "catalog-guard"));
            }
        }
    }

    /// <summary><c>tomb</c>: removes the rows for which Acquire would refuse the object.</summary>
    private async Task<object?> AcquireDespiteTombAsync(Call call, SimulatedCluster cluster)
    {
        var command = (AcquireBlob)call.Arguments[0]!;
        if (command.Content is ObjectContent { Object: var id })
        {
            var shard = $"blobs/{command.Digest.FirstByte:x2}";
            foreach (var key in new[] { BlobRows.Tombstone(id), BlobRows.Doom(id) })
            {
                if (world.Store.Get(shard, key) is not null)
                {
                    world.Store.Tamper(shard, new Mutation(key, null));
                    foreach (var activation in cluster.Activations.Where(activation => activation.Grain is BlobShardGrain))
                    {
                        activation.Leave();
                    }
                }
            }
        }

        return await cluster.DeliverPlainAsync(call);
    }

    /// <summary><c>floor</c>: removals and refusals leave no order.</summary>
    private static Mutation WithoutFloor(Mutation mutation) =>
        mutation is { Key: RepositoryRows.Meta or RepositoryRows.Floor, Value: { } value }
            ? mutation with { Value = (Floor.Decode(value) with { Order = 0 }).Encode() }
            : mutation;

    private static Call With(Call call, RepositoryCommand command) => call with { Arguments = [command, .. call.Arguments[1..]] };

    private bool IsOrphaned(ObjectId id) => world.Store.Rows.Any(partition => partition.Key.StartsWith("upload/", StringComparison.Ordinal)
        && partition.Value.TryGetValue(UploadRows.Session, out var row)
        && SessionRow.Decode(row) is { State: SessionState.Orphaned } session
        && session.Object == id);

    private DueReference Refresh(DueReference due)
    {
        var row = world.Store.Get($"blobs/{due.Digest.FirstByte:x2}", BlobRows.Reference(due.Digest, due.Repository));
        return row is { } value && LeaseRow.Decode(value) is var reference
            ? due with { Sequence = reference.Sequence, LeaseUntil = reference.Until }
            : due;
    }
}
