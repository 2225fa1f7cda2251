using Granary.Grains.Blobs;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Catalog;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Repositories;
using Granary.Grains.Uploads;
using Granary.Protocol;
using Granary.Storage.Partitions;

namespace Granary.Simulation.Tests;

/// <summary>
/// A rule of the protocol (docs/garbage-collection.md), switched off from outside: what its messages say is changed on the way, or the store no longer does its part. So the code under test is
/// the code that runs, and yet one can see what each rule is good for.
/// </summary>
internal sealed class Ablation(World world, string rule)
{
    public static IReadOnlyList<string> Rules { get; } = ["cas", "fence", "guard", "seq", "settle", "seal", "tomb", "own", "late", "ren", "hint", "rest", "catalog-seq", "catalog-guard"];

    /// <summary><c>cas</c>: a stale activation's commit is done all the same.</summary>
    public bool IgnoresHeads => rule == "cas";

    /// <summary><c>rest</c>: a commit is done though one that it rests on has failed.</summary>
    public bool IgnoresWhatItRestsOn => rule == "rest";

    /// <summary><c>seal</c>: the object becomes a blob although its session is open, and will give it up.</summary>
    public bool SkipsSeal => rule == "seal";

    /// <summary>Whether it is hardly ever seen, unless calls of Acquire come late, speak of the same content, and find it collected.</summary>
    public bool NeedsLateCalls => rule is "own" or "tomb" or "hint";

    /// <summary>
    /// <c>seal</c> is seen by what is left: a sealed object bears its digest, so that whoever gives up an open session does not find it to delete it, and nobody else ever does.
    /// </summary>
    public bool IsSeenByLoss => rule != "seal";

    /// <summary><c>own</c>: whoever pushed what was there already deletes what it has pushed.</summary>
    public bool DeletesOwnDuplicate => rule == "own";

    public async Task<object?> DeliverAsync(Call call, SimulatedCluster cluster)
    {
        switch (rule, call.Method.Name)
        {
            // Release removes whatever reference there is, however new.
            case ("seq", "Release"):
                var references = (ReleasedReference[])call.Arguments[0]!;
                return await cluster.DeliverPlainAsync(call with { Arguments = [Array.ConvertAll(references, reference => reference with { Sequence = long.MaxValue }), call.Arguments[1]] });

            // The same for the entry in the catalog.
            case ("catalog-seq", "Remove") when call.Interface == typeof(ICatalogGrain):
                return await cluster.DeliverPlainAsync(call with { Arguments = [call.Arguments[0], long.MaxValue, call.Arguments[2]] });

            // Acquire takes an object however late it comes.
            case ("late", "Acquire"):
                var acquire = (AcquireBlob)call.Arguments[0]!;
                return await cluster.DeliverPlainAsync(call with { Arguments = [acquire with { Deadline = DateTimeOffset.MaxValue }, call.Arguments[1]] });

            // What was due is settled whatever has happened to it since.
            case ("settle", "Settle") when call.Interface == typeof(IBlobShardGrain):
                var settlement = (ShardSettlement)call.Arguments[0]!;
                return await cluster.DeliverPlainAsync(call with { Arguments = [settlement with { Dropped = [.. settlement.Dropped.Select(Refresh)] }, call.Arguments[1]] });

            // A no is what some activation believes, and commits nothing.
            case ("fence", "Holds"):
                var answers = new List<bool>();
                foreach (var digest in (Digest[])call.Arguments[0]!)
                {
                    var find = typeof(IRepositoryGrain).GetMethod(nameof(IRepositoryGrain.FindBlobSize))!;
                    answers.Add(await cluster.DeliverPlainAsync(new Call(typeof(IRepositoryGrain), call.Key, call.Id, find, [digest, CancellationToken.None])) is not null);
                }

                return answers.ToArray();

            // Whether an object is a blob's is looked up, and nothing remembers the answer.
            case ("ren", "Renounce"):
                var (renounced, id) = ((Digest)call.Arguments[0]!, (ObjectId)call.Arguments[1]!);
                var row = world.Store.Get($"blobs/{renounced.FirstByte:x2}", BlobRows.Blob(renounced));
                await world.Scheduler.PauseAsync();
                return row is { } value && BlobRow.Decode(value).Object == id ? RenounceAnswer.Adopted : RenounceAnswer.Renounced;

            // That a session's object is an orphan is believed as the session noted it, and the shard is not asked.
            case ("hint", "Renounce") when IsOrphaned((ObjectId)call.Arguments[1]!):
                return RenounceAnswer.Renounced;

            case ("tomb", "Acquire"):
                return await AcquireDespiteTombAsync(call, cluster);

            default:
                return await cluster.DeliverPlainAsync(call);
        }
    }

    /// <summary><c>guard</c>: forgets, between any two steps, what was unlinked or denied.</summary>
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

    /// <summary><c>tomb</c>: the rows that an Acquire would be refused for are wiped out before it.</summary>
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

    private bool IsOrphaned(ObjectId id) => world.Store.Rows.Any(partition => partition.Key.StartsWith("upload/", StringComparison.Ordinal)
        && partition.Value.TryGetValue(UploadRows.Session, out var row)
        && SessionRow.Decode(row) is { State: SessionState.Orphaned } session
        && session.Object == id);

    private DueReference Refresh(DueReference due)
    {
        var row = world.Store.Get($"blobs/{due.Digest.FirstByte:x2}", BlobRows.Reference(due.Digest, due.Repository));
        return row is { } value && ReferenceRow.Decode(value) is var reference ? due with { Sequence = reference.Sequence, LeaseUntil = reference.LeaseUntil } : due;
    }
}
