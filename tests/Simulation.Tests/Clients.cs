using System.Text;
using Granary.Grains.GarbageCollection;
using Granary.Grains.Interfaces;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Interfaces.Uploads;
using Granary.Protocol;
using Granary.Storage;
using Granary.Storage.Blobs;

namespace Granary.Simulation.Tests;

/// <summary>The callers of the grains: the gateway on behalf of clients, collections, and administrators.</summary>
internal sealed class Clients(World world)
{
    /// <summary>A tag that many manifests share. Clients move it, remove it, and undo that.</summary>
    private static readonly Tag Shared = Tag.Parse("moving");

    private readonly Dictionary<(string Repository, Digest Manifest), Stored> _stored = [];
    private int _uploads;
    private int _manifests;
    private int _requests;

    /// <summary>Acknowledged manifests that no client has begun to delete.</summary>
    public IEnumerable<(string Repository, Digest Manifest, string Tag)> Promised =>
        _stored.Where(pair => !pair.Value.MayBeGone).Select(pair => (pair.Key.Repository, pair.Key.Manifest, pair.Value.Tag));

    public long Acknowledged { get; private set; }

    /// <summary>Whether a caller may see this exception. It then retries or gives up.</summary>
    public static bool IsExpected(Exception exception) => exception
        is PartitionUnavailableException or SiloUnavailableException or TimeoutException or StorageException or EpochFencedException
        or ReorderException
        or Storage.Partitions.HeadMovedException;

    public Actor SpawnAny()
    {
        var random = world.Random;
        var number = random.Next(2);
        var (repository, other) = (World.Repositories[number], World.Repositories[1 - number]);
        var content = World.Contents[random.Next(world.Ablation?.NeedsLateCalls == true ? 1 : World.Contents.Count)];
        return random.Next(118) switch
        {
            < 30 => world.Spawn("push", () => PushAsync(repository, content)),
            < 42 => world.Spawn("mount", () => MountAsync(other, repository, content.Digest)),
            < 58 => world.Spawn("manifest", () => PutManifestAsync(repository)),
            < 68 => world.Spawn("delete", () => DeleteManifestAsync(repository)),
            < 72 => world.Spawn("delete blob", () => DeleteBlobAsync(repository, content.Digest)),
            < 78 => world.Spawn("links", () => CollectRepositoriesAsync(AnyGrace())),
            < 92 => world.Spawn("shards", () => CollectShardAsync(random.Next(2), AnyGrace())),
            < 95 => world.Spawn("catalog", () => world.Collector.CollectCatalogAsync(default)),
            < 100 => world.Spawn("uploads", CollectUploadsAsync),
            < 103 => world.Spawn("untag", () => UntagAsync(repository)),
            < 106 => world.Spawn("undo", () => UndoAsync(repository)),
            _ => world.Spawn("move", () => MoveTagAsync(repository)),
        };
    }

    /// <summary>
    /// Returns the grace period of the settings, or zero. Always zero where pushed content has to be collected before a late call comes.
    /// </summary>
    private TimeSpan? AnyGrace() => world.Ablation?.NeedsLateCalls == true || world.Random.Next(4) == 0 ? TimeSpan.Zero : null;

    /// <summary>Collects everything, one kind after the other.</summary>
    public async Task CollectEverythingAsync()
    {
        await CollectUploadsAsync();
        await CollectRepositoriesAsync(grace: null);
        foreach (var name in World.Repositories)
        {
            // The call activates the repository, which then releases what an earlier activation left in its out/ rows.
            await world.Cluster.GetGrain<IRepositoryMaintenanceGrain>(name).Exists(default);
        }

        await world.Collector.CollectCatalogAsync(default);
        await CollectShardAsync(0, grace: null);
        await CollectShardAsync(1, grace: null);
    }

    /// <summary>Pushes a blob as the gateway does: HEAD, upload session, object, seal, link.</summary>
    private async Task PushAsync(string name, (byte[] Bytes, Digest Digest, bool IsSmall) content)
    {
        var repository = world.Cluster.GetGrain<IRepositoryGrain>(name);
        if (world.Random.Next(3) > 0 && await repository.FindBlobSize(content.Digest, default) is not null)
        {
            return;
        }

        if (content.IsSmall)
        {
            var command = new LinkBlob(content.Digest, new InlineContent(content.Bytes), default) { Origin = Origin() };
            await SendAsync(name, command, (grain, attempt) => grain.LinkBlob(attempt, default));
            return;
        }

        var id = $"upload-{++_uploads}";
        var session = world.Cluster.GetGrain<IUploadSessionGrain>(id);
        var issued = world.Now;
        if (await session.Begin(new BeginUpload(issued, 0, DigestAlgorithm.Sha256), default) is not UploadBegun begun)
        {
            return;
        }

        // In one request or in two, each with a claim of its own.
        var half = world.Random.Next(3) == 0 ? 1 : content.Bytes.Length;
        if (!await AppendAsync(begun, content.Bytes.AsMemory(0, half)))
        {
            return;
        }

        if (half < content.Bytes.Length)
        {
            if (!await session.Advance(begun.Epoch, half, hash: null, endClaim: true, default)
                || await session.Begin(new BeginUpload(issued, half, DigestAlgorithm.Sha256), default) is not UploadBegun again
                || !await AppendAsync(again, content.Bytes.AsMemory(half)))
            {
                return;
            }

            begun = again;
        }

        var deadline = world.Now + TimeSpan.FromHours(1);
        if (world.Ablation?.SkipsSeal != true)
        {
            if (await session.Seal(begun.Epoch, content.Digest, content.Bytes.Length, default) is not { } upload)
            {
                return;
            }

            deadline = upload.Deadline;
        }

        await ConcludeAsync(name, session, content.Digest, new ObjectContent(begun.Object, content.Bytes.Length), deadline);
        if (world.Ablation?.SkipsSeal != true && world.Random.Next(4) == 0)
        {
            // The client did not get the answer, and repeats the request after a while. The object may have been renounced meanwhile.
            for (var pauses = world.Random.Next(40); pauses > 0; pauses--)
            {
                await world.Scheduler.PauseAsync();
            }

            if (await session.Seal(begun.Epoch, content.Digest, content.Bytes.Length, default) is { } again)
            {
                await ConcludeAsync(name, session, again.Digest, again.Content, again.Deadline);
            }
        }
    }

    /// <summary>
    /// Finishes a sealed session as the gateway does: seals the object, links the blob, and records a duplicate as an orphan.
    /// </summary>
    private async Task ConcludeAsync(
        string name,
        IUploadSessionGrain session,
        Digest digest,
        ObjectContent content,
        DateTimeOffset deadline)
    {
        if (!await world.Blobs.SealAsync(content.Object, digest, content.Size, default))
        {
            await world.Cluster.GetGrain<IRepositoryGrain>(name).FindBlobSize(digest, default);
            return;
        }

        var command = new LinkBlob(digest, content, deadline) { Origin = Origin() };
        if (await SendAsync(name, command, (grain, attempt) => grain.LinkBlob(attempt, default)) != LinkAnswer.LinkedToOther)
        {
            return;
        }

        if (world.Ablation?.DeletesOwnDuplicate == true)
        {
            await world.Blobs.DeleteAsync(content.Object, digest, default);
            return;
        }

        await session.Orphan(default);
    }

    private async Task<bool> AppendAsync(UploadBegun begun, ReadOnlyMemory<byte> bytes)
    {
        await using var writer = await world.Blobs.OpenWriterAsync(begun.Object, begun.Epoch, begun.Offset, default);
        if (writer is null)
        {
            return false;
        }

        await writer.WriteAsync(bytes, default);
        await writer.FlushAsync(default);
        return true;
    }

    private Task<DeleteBlobAnswer> DeleteBlobAsync(string name, Digest digest) => SendAsync(
        name,
        new RemoveBlob(digest, EvenIfUsed: false) { Origin = Origin() },
        (grain, attempt) => grain.DeleteBlob(attempt, default));

    private async Task MountAsync(string source, string target, Digest digest)
    {
        if (await world.Cluster.GetGrain<IRepositoryGrain>(source).FindBlobSize(digest, default) is not null)
        {
            var command = new MountBlob(digest) { Origin = Origin() };
            await SendAsync(target, command, (grain, attempt) => grain.MountBlob(attempt, default));
        }
    }

    private async Task PutManifestAsync(string name)
    {
        var random = world.Random;
        Digest[] blobs = [.. World.Contents.Select(content => content.Digest).OrderBy(_ => random.Next()).Take(random.Next(1, 3))];
        var content = random.Next(3) == 0 ? $"same{random.Next(2)}" : $"new{++_manifests}";
        var tag = "t-" + content;
        var command = Manifest(content, random.Next(3) == 0 ? [Tag.Parse(tag), Shared] : [Tag.Parse(tag)], blobs);
        var key = (name, command.Digest);

        // If another client deletes it at the same time, either may win.
        var deletions = _stored.GetValueOrDefault(key)?.Deletions ?? 0;
        ObservedTag[] tags = [.. command.Tags.Select(moved => world.Log.Observe(name, moved))];
        if (await SendAsync(name, command, (grain, attempt) => grain.PutManifest(attempt, default)) is ManifestStored)
        {
            Acknowledged++;
            var known = _stored.GetValueOrDefault(key) ?? new Stored(tag);
            _stored[key] = known;
            known.MayBeGone = content.StartsWith("same", StringComparison.Ordinal) || known.Deletions != deletions;
            Array.ForEach(tags, moved => world.Log.AcknowledgePush(moved, command.Origin.RequestId, command.Digest));
        }
    }

    /// <summary>Points the shared tag at one of few manifests, or at a new one, mostly under a condition.</summary>
    private async Task MoveTagAsync(string name)
    {
        var random = world.Random;
        var content = random.Next(3) == 0 ? $"new{++_manifests}" : $"moved{random.Next(2)}";
        if (random.Next(4) == 0)
        {
            // The client gave up, and sends the push again: another request, maybe through the other gateway.
            world.Spawn("move again", () => MoveTagAsync(name, content));
        }

        await MoveTagAsync(name, content);
    }

    private async Task MoveTagAsync(string name, string content)
    {
        var random = world.Random;
        var tag = world.Log.Observe(name, Shared);
        var command = Manifest(content, [Shared], [World.Contents[^1].Digest]) with
        {
            Condition = random.Next(4) switch
            {
                0 => null,
                1 => new TagIsNoneOf(null),
                _ => tag.Chain.State is { } state ? new TagIsOneOf([state]) : new TagIsNoneOf(null),
            },
        };
        if (await SendAsync(name, command, (grain, attempt) => grain.PutManifest(attempt, default)) is ManifestStored)
        {
            world.Log.AcknowledgePush(tag, command.Origin.RequestId, command.Digest);
        }
    }

    /// <summary>Sends a command through a gateway. A client that got no answer may come again through another one.</summary>
    private async Task<TAnswer> SendAsync<TCommand, TAnswer>(
        string name,
        TCommand command,
        Func<IRepositoryGrain, TCommand, Task<TAnswer>> send)
        where TCommand : RepositoryCommand =>
        await world.Gateways[world.Random.Next(world.Gateways.Count)].SendAsync(name, command, send);

    private async Task UntagAsync(string name)
    {
        var tag = world.Log.Observe(name, Shared);
        var command = new RemoveTag(Shared) { Origin = Origin(ChangeCause.Delete) };
        if (await SendAsync(name, command, (grain, attempt) => grain.Untag(attempt, default)))
        {
            world.Log.AcknowledgeUntag(tag, command.Origin.RequestId);
        }
    }

    /// <summary>Undoes the last move of the shared tag, or its removal.</summary>
    private async Task UndoAsync(string name)
    {
        var tag = world.Log.Observe(name, Shared);
        var command = new UndoTag { Tag = Shared, Origin = Origin(ChangeCause.Undo) };
        if (await SendAsync(name, command, (grain, attempt) => grain.UndoTag(attempt, default)) is TagUndone undone)
        {
            world.Log.AcknowledgeUndo(tag, command.Origin.RequestId, undone);
        }
    }

    private async Task DeleteManifestAsync(string name)
    {
        var known = _stored.Where(pair => pair.Key.Repository == name).ToList();
        if (known.Count == 0)
        {
            return;
        }

        var (key, stored) = known[world.Random.Next(known.Count)];
        stored.MayBeGone = true;
        stored.Deletions++;
        var command = new RemoveManifest(key.Manifest) { Origin = Origin() };
        await SendAsync(name, command, (grain, attempt) => grain.DeleteManifest(attempt, default));
    }

    private Task CollectUploadsAsync() => world.Collector.CollectUploadsAsync(Used("schedule/uploads/"), new CollectionCounts(), default);

    private Task CollectRepositoriesAsync(TimeSpan? grace) => grace is null
        ? world.Collector.CollectRepositoriesAsync(Used("schedule/repositories/"), new CollectionCounts(), default)
        : world.Collector.CollectAllRepositoriesAsync(Used("schedule/repositories/"), grace, new CollectionCounts(), default);

    private Task CollectShardAsync(int shard, TimeSpan? grace) =>
        world.Collector.CollectShardsAsync([shard], grace, new CollectionCounts(), default);

    /// <summary>Returns the schedules that have entries. To ask all 32 would take most of a run's steps.</summary>
    private List<string> Used(string prefix) =>
    [
        .. world.Store.Rows
            .Where(partition => partition.Key.StartsWith(prefix, StringComparison.Ordinal) && partition.Value.Count > 0)
            .Select(partition => partition.Key["schedule/".Length..]),
    ];

    /// <summary>Returns the origin of a new request. Its id is the same in each run of a seed.</summary>
    private CommandOrigin Origin(ChangeCause cause = ChangeCause.Push) =>
        new() { RequestId = new Guid(++_requests, 0, 0, new byte[8]), Cause = cause };

    private PutManifest Manifest(string content, Tag[] tags, Digest[] blobs)
    {
        var layers = string.Join(',', blobs.Skip(1).Select(blob => $$"""{"mediaType":"a/b","digest":"{{blob}}","size":1}"""));
        var config = $$"""{"mediaType":"a/b","digest":"{{blobs[0]}}","size":1}""";
        var body = Encoding.ASCII.GetBytes(
            $$"""{"schemaVersion":2,"mediaType":"{{MediaTypes.OciManifest}}","config":{{config}},"layers":"""
            + $$"""[{{layers}}],"content":"{{content}}"}""");
        return new PutManifest
        {
            Digest = Digest.Compute(DigestAlgorithm.Sha256, body),
            MediaType = MediaTypes.OciManifest,
            Body = body,
            Tags = tags,
            Origin = Origin(),
            Sparse = false,
            Blobs = blobs,
            ForeignBlobs = [],
            Children = [],
            Annotations = new Dictionary<string, string>(),
        };
    }

    private sealed class Stored(string tag)
    {
        public string Tag => tag;

        public bool MayBeGone { get; set; }

        public int Deletions { get; set; }
    }
}
