using Granary.Grains.Blobs;
using Granary.Grains.Catalog;
using Granary.Grains.Repositories;
using Granary.Protocol;

namespace Granary.Simulation.Tests;

/// <summary>The invariants of the committed rows and the stored objects.</summary>
internal sealed class Invariants(World world)
{
    private const string Peace = "at the end";

    private static readonly string[] Shards = ["blobs/00", "blobs/01"];

    private readonly Dictionary<string, string[]> _names = new(StringComparer.Ordinal);

    /// <exception cref="ViolationException">An invariant is violated.</exception>
    public void Check(string where)
    {
        world.Log.Check(where);
        world.Orders.Check(where);
        var missing = world.Store.DeletedMissingRow;
        Require(missing is null, where, $"a commit deleted a row that does not exist: {missing}");
        foreach (var name in World.Repositories)
        {
            CheckRepository(where, name);
        }

        foreach (var shard in Shards)
        {
            CheckShard(where, shard);
        }
    }

    /// <summary>
    /// Checks, after the last collection and the retention of the logs, that only the content of manifests is left, and no row of anything
    /// else.
    /// </summary>
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
            world.Log.CheckNothingIsLeft(Peace, name);
            var exists = world.Store.Get(partition, RepositoryRows.Meta) is not null;
            var isListed = world.Store.Get("catalog", CatalogRows.Repository(RepositoryName.Parse(name))) is not null;
            var hasManifests = world.Store.Find(partition, RepositoryRows.ManifestPrefix).Any();
            Require(exists == hasManifests, Peace, $"{name} is empty and still visible");
            Require(exists == isListed, Peace, $"{name} and the catalog disagree");
        }

        // An unsealed object that a client created after its session was removed is left for the scrub.
        var left = world.Blobs.Objects.Where(stored => !used.Contains(stored.Key) && stored.Value is not null).ToList();
        Require(left.Count == 0, Peace, $"{left.Count} orphaned objects are left");
        foreach (var shard in Shards)
        {
            foreach (var prefix in new[] { "tomb/", "doom/" })
            {
                Require(!world.Store.Find(shard, prefix).Any(), Peace, $"{shard} still has a row {prefix}");
            }

            foreach (var (key, value) in world.Store.Find(shard, BlobRow.Prefix))
            {
                Require(BlobRow.Decode(value).References > 0, Peace, $"{key} has no references");
            }
        }

        var leftovers = world.Store.Rows.Where(partition => partition.Value.Count > 0 && IsTemporary(partition.Key)).ToList();
        Require(leftovers.Count == 0, Peace, $"{leftovers.FirstOrDefault().Key} still has rows");
    }

    private static bool IsTemporary(string partition) =>
        partition.StartsWith("upload/", StringComparison.Ordinal) || partition.StartsWith("schedule/", StringComparison.Ordinal);

    private void CheckRepository(string where, string name)
    {
        var partition = "repository/" + name;
        if (!world.Store.Rows.TryGetValue(partition, out var rows))
        {
            var hasPromised = world.Clients.Promised.Any(promised => promised.Repository == name);
            Require(!hasPromised, where, $"{name} lost its acknowledged manifests");
            return;
        }

        var isVisible = rows.ContainsKey(RepositoryRows.Meta);
        var isListed = world.Store.Get("catalog", CatalogRows.Repository(RepositoryName.Parse(name))) is not null;
        Require(!isVisible || isListed, where, $"{name} is visible, but is not in the catalog");
        var uses = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var (key, value) in rows)
        {
            var parts = key.Split('/');
            switch (parts[0])
            {
                case "tag":
                    Require(rows.ContainsKey("man/" + TagRow.Decode(value).Digest), where, $"{name}: the manifest of {key} is missing");
                    break;

                case "man":
                    Require(isVisible, where, $"{name} has {key} and is not visible");
                    foreach (var named in NamesOf(parts[1], value))
                    {
                        uses[named] = uses.GetValueOrDefault(named) + 1;
                        Require(rows.ContainsKey("link/" + named), where, $"{name}: {key} needs {named}, which is not linked");
                    }

                    break;

                case "named":
                    Require(false, where, $"{name} has {key}, although its manifests name only linked blobs");
                    break;

                case "due" when RepositoryRows.ParseDue(key).Kind != DueKind.Log:
                    Require(rows.ContainsKey(RepositoryRows.Sweep), where, $"{name} has due rows, and is in no schedule");
                    break;
            }
        }

        foreach (var (key, value) in world.Store.Find(partition, RepositoryRows.LinkPrefix))
        {
            CheckLink(where, name, Digest.Parse(key[RepositoryRows.LinkPrefix.Length..]), LinkRow.Decode(value), uses);
        }

        foreach (var (_, manifest, tag) in world.Clients.Promised.Where(promised => promised.Repository == name))
        {
            var isKept = rows.ContainsKey("man/" + manifest) && rows.ContainsKey("tag/" + tag);
            Require(isKept, where, $"{name} lost {tag}, which it acknowledged");
        }
    }

    private string[] NamesOf(string manifest, ReadOnlyMemory<byte> value)
    {
        // The names of a manifest never change, and each step needs them.
        if (_names.TryGetValue(manifest, out var known))
        {
            return known;
        }

        var row = ManifestRow.Decode(value);
        var isWhole = row.HasAllNames && row.Pieces == 1 && row.First.Length == row.NamesSize + row.Size;
        Require(isWhole, "rows", "a manifest lacks some of its bytes");
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
            var bytes = world.Store.Get("repository/" + name, RepositoryRows.Bytes(digest));
            Require(bytes is not null, where, $"{name} links {digest}, whose bytes are gone");
        }

        var isKnown = world.Store.Get(shard, BlobRows.Blob(digest)) is { } row && BlobRow.Decode(row).Object == link.Object;
        var reference = world.Store.Get(shard, BlobRows.Reference(digest, RepositoryName.Parse(name)));
        Require(isKnown, where, $"{name} links {digest}, which its shard does not know");
        Require(reference is not null, where, $"{name} links {digest} without a reference");
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
                var bytes = world.Store.Get(shard, BlobRows.Bytes(digest));
                Require(bytes is not null, where, $"the shard has {digest}, whose bytes are gone");
            }

            var references = world.Store.Find(shard, BlobRows.ReferencePrefix(digest)).Count();
            Require(blob.References == references, where, $"the shard counts {blob.References} references of {digest}");
            var isDue = blob.OrphanDue is not null;
            Require((blob.References == 0) == isDue, where, $"{digest} is due although it has references, or the reverse");
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
