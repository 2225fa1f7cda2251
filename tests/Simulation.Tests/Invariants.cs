using Granary.Grains.Blobs;
using Granary.Grains.Catalog;
using Granary.Grains.Repositories;
using Granary.Protocol;

namespace Granary.Simulation.Tests;

/// <summary>What is always true of the committed rows and the stored objects.</summary>
internal sealed class Invariants(World world)
{
    private const string Peace = "after all";

    private static readonly string[] Shards = ["blobs/00", "blobs/01"];

    private readonly Dictionary<string, string[]> _names = new(StringComparer.Ordinal);

    /// <exception cref="ViolationException">Something is not true.</exception>
    public void Check(string where)
    {
        Require(world.Store.DeletedInVain is null, where, $"a row was deleted that is not there: {world.Store.DeletedInVain}");
        foreach (var name in World.Repositories)
        {
            CheckRepository(where, name);
        }

        foreach (var shard in Shards)
        {
            CheckShard(where, shard);
        }
    }

    /// <summary>When nobody works any more and time has passed: only what manifests need is there, and nothing that says what once was.</summary>
    public void CheckNothingIsLeft()
    {
        var used = new HashSet<ObjectId>();
        foreach (var name in World.Repositories)
        {
            var partition = "repository/" + name;
            foreach (var (key, value) in world.Store.Find(partition, RepositoryRows.LinkPrefix))
            {
                var link = LinkRow.Decode(value);
                Require(link.Uses > 0, Peace, $"{name} still links {key}, which no manifest uses");
                if (link.Object is { } id)
                {
                    used.Add(id);
                }
            }

            Require(!world.Store.Find(partition, RepositoryRows.OutPrefix).Any(), Peace, $"{name} still has references to release");
            Require(!world.Store.Find(partition, RepositoryRows.DuePrefix).Any(), Peace, $"{name} still has due rows");
            var exists = world.Store.Get(partition, RepositoryRows.Meta) is not null;
            Require(exists == world.Store.Find(partition, RepositoryRows.ManifestPrefix).Any(), Peace, $"{name} is empty and still visible");
            Require(exists == (world.Store.Get("catalog", CatalogRows.Repository(RepositoryName.Parse(name))) is not null), Peace, $"{name} and the catalog disagree");
        }

        // An object that a client made after its session had gone is the scrub's business.
        var left = world.Blobs.Objects.Where(stored => !used.Contains(stored.Key) && stored.Value is not null).ToList();
        Require(left.Count == 0, Peace, $"{left.Count} objects are nobody's");
        foreach (var shard in Shards)
        {
            foreach (var prefix in new[] { "tomb/", "doom/" })
            {
                Require(!world.Store.Find(shard, prefix).Any(), Peace, $"{shard} remembers something for ever");
            }

            foreach (var (key, value) in world.Store.Find(shard, BlobRow.Prefix))
            {
                Require(BlobRow.Decode(value).References > 0, Peace, $"{key} has no references");
            }
        }

        var leftovers = world.Store.Rows.Where(partition => partition.Value.Count > 0
            && (partition.Key.StartsWith("upload/", StringComparison.Ordinal) || partition.Key.StartsWith("schedule/", StringComparison.Ordinal))).ToList();
        Require(leftovers.Count == 0, Peace, $"{leftovers.FirstOrDefault().Key} is still there");
    }

    private void CheckRepository(string where, string name)
    {
        var partition = "repository/" + name;
        if (!world.Store.Rows.TryGetValue(partition, out var rows))
        {
            Require(!world.Clients.Promised.Any(promised => promised.Repository == name), where, $"{name} lost what it had acknowledged");
            return;
        }

        var isVisible = rows.ContainsKey(RepositoryRows.Meta);
        Require(!isVisible || world.Store.Get("catalog", CatalogRows.Repository(RepositoryName.Parse(name))) is not null, where, $"{name} can be seen, but is not in the catalog");
        var uses = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var (key, value) in rows)
        {
            var parts = key.Split('/');
            switch (parts[0])
            {
                case "tag":
                    Require(rows.ContainsKey("man/" + TagRow.Decode(value).Digest), where, $"{name}: {key} points nowhere");
                    break;

                case "man":
                    Require(isVisible, where, $"{name} has {key} and cannot be seen");
                    foreach (var named in NamesOf(parts[1], value))
                    {
                        uses[named] = uses.GetValueOrDefault(named) + 1;
                        Require(rows.ContainsKey("link/" + named), where, $"{name}: {key} needs {named}, which is not linked");
                    }

                    break;

                case "named":
                    Require(false, where, $"{name} has {key}, though manifests name only what is linked");
                    break;

                case "due":
                    Require(rows.ContainsKey(RepositoryRows.Sweep), where, $"{name} has due rows, and nobody will look");
                    break;
            }
        }

        foreach (var (key, value) in world.Store.Find(partition, RepositoryRows.LinkPrefix))
        {
            CheckLink(where, name, Digest.Parse(key[RepositoryRows.LinkPrefix.Length..]), LinkRow.Decode(value), uses);
        }

        foreach (var (_, manifest, tag) in world.Clients.Promised.Where(promised => promised.Repository == name))
        {
            Require(rows.ContainsKey("man/" + manifest) && rows.ContainsKey("tag/" + tag), where, $"{name} lost {tag}, which it had acknowledged");
        }
    }

    private string[] NamesOf(string manifest, ReadOnlyMemory<byte> value)
    {
        // What a manifest names never changes, and this is asked after each step.
        if (_names.TryGetValue(manifest, out var known))
        {
            return known;
        }

        var row = ManifestRow.Decode(value);
        Require(row.HasAllNames && row.Pieces == 1 && row.First.Length == row.NamesSize + row.Size, "rows", "a manifest has not all its bytes");
        return _names[manifest] = [.. ManifestNames.Decode(row.First[..row.NamesSize]).All.Select(digest => digest.Value)];
    }

    private void CheckLink(string where, string name, Digest digest, LinkRow link, Dictionary<string, int> uses)
    {
        var shard = $"blobs/{digest.FirstByte:x2}";
        Require(link.Uses == uses.GetValueOrDefault(digest.Value), where, $"{name} counts {link.Uses} uses of {digest}");
        if (link.Object is { } id)
        {
            Require(world.Blobs.Objects.GetValueOrDefault(id) == digest, where, $"{name} links {digest}, whose bytes are gone");
        }
        else
        {
            Require(world.Store.Get("repository/" + name, RepositoryRows.Bytes(digest)) is not null, where, $"{name} links {digest}, whose bytes are gone");
        }

        Require(world.Store.Get(shard, BlobRows.Blob(digest)) is { } row && BlobRow.Decode(row).Object == link.Object, where, $"{name} links {digest}, which its shard does not know");
        Require(world.Store.Get(shard, BlobRows.Reference(digest, RepositoryName.Parse(name))) is not null, where, $"{name} links {digest} without a reference");
    }

    private void CheckShard(string where, string shard)
    {
        foreach (var (key, value) in world.Store.Find(shard, BlobRow.Prefix))
        {
            var digest = Digest.Parse(key[BlobRow.Prefix.Length..]);
            var blob = BlobRow.Decode(value);
            if (blob.Object is { } id)
            {
                Require(world.Blobs.Objects.GetValueOrDefault(id) == digest, where, $"the shard has {digest}, whose bytes are gone");
            }
            else
            {
                Require(world.Store.Get(shard, BlobRows.Bytes(digest)) is not null, where, $"the shard has {digest}, whose bytes are gone");
            }

            Require(blob.References == world.Store.Find(shard, BlobRows.ReferencePrefix(digest)).Count(), where, $"the shard counts {blob.References} references of {digest}");
            Require((blob.References == 0) == (blob.OrphanDue is not null), where, $"{digest} would never go, or although it is referred to");
        }
    }

    private static void Require(bool condition, string where, string message)
    {
        if (!condition)
        {
            throw new ViolationException($"{where}: {message}", isLoss: where != Peace);
        }
    }
}
