using Granary.Protocol;

namespace Granary.Grains.GarbageCollection;

/// <summary>
/// What a dry run remembers for its last stage: how many repositories would release each blob. Its memory is bounded. Digests that it
/// cannot remember make the counts too low, and <see cref="IsExact"/> false.
/// </summary>
/// <param name="isNeeded">False if blobs have a grace period: a collection then removes none of those that it releases.</param>
/// <param name="maxDigests">How many digests it may remember, including those of <see cref="TryReserve"/>.</param>
internal sealed class ReleaseForecast(bool isNeeded, int maxDigests)
{
    private readonly Dictionary<Digest, int>[] _byShard =
        [.. Enumerable.Range(0, GarbageCollector.ShardCount).Select(_ => new Dictionary<Digest, int>())];

    private int _remembered;

    /// <summary>Whether it has remembered everything.</summary>
    public bool IsExact { get; private set; } = true;

    /// <summary>Whether a collection removes blobs that it releases.</summary>
    public bool IsNeeded => isNeeded;

    /// <summary>Returns the blobs of a shard, and how many repositories would release each.</summary>
    public IReadOnlyDictionary<Digest, int> OfShard(int number) => _byShard[number];

    /// <summary>Remembers that one more repository would release a blob.</summary>
    public void Add(Digest digest)
    {
        if (!isNeeded)
        {
            return;
        }

        var counts = _byShard[digest.FirstByte];
        if (counts.ContainsKey(digest) || TryReserve())
        {
            counts[digest] = counts.GetValueOrDefault(digest) + 1;
        }
        else
        {
            IsExact = false;
        }
    }

    /// <summary>Reserves memory for a digest. Returns false if there is none left.</summary>
    public bool TryReserve()
    {
        if (_remembered >= maxDigests)
        {
            return false;
        }

        _remembered++;
        return true;
    }

    /// <summary>Returns reserved memory.</summary>
    public void Free(int digests) => _remembered -= digests;
}
