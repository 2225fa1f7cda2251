using Granary.Gateway.Uploads;
using Granary.Protocol.Hashing;

namespace Granary.Gateway.Tests.Uploads;

public sealed class RunningHashCacheTests
{
    [Fact]
    public void A_hash_is_taken_once_and_only_for_exactly_its_bytes()
    {
        using var cache = new RunningHashCache();
        var (one, two) = (Id(), Id());
        cache.Put(one, Hash([1, 2, 3]));
        cache.Put(two, Hash([1, 2, 3]));

        using var taken = cache.Take(one, 3);

        Assert.Equal(Digest.Compute(DigestAlgorithm.Sha256, [1, 2, 3]), taken!.ToDigest());
        Assert.Null(cache.Take(one, 3));
        Assert.Null(cache.Take(two, 2));
        Assert.Null(cache.Take(two, 3));
    }

    [Fact]
    public void The_cache_drops_its_oldest_hash_when_it_is_full()
    {
        using var cache = new RunningHashCache();
        var ids = Enumerable.Range(0, 1025).Select(_ => Id()).ToArray();
        foreach (var id in ids)
        {
            cache.Put(id, Hash([]));
        }

        Assert.Null(cache.Take(ids[0], 0));
        using var newest = cache.Take(ids[^1], 0);
        Assert.NotNull(newest);
    }

    private static UploadId Id() => UploadId.Issue(new byte[32], RepositoryName.Parse("app"), DigestAlgorithm.Sha256, default);

    private static RunningHash Hash(byte[] content)
    {
        var hash = RunningHash.Create(DigestAlgorithm.Sha256);
        hash.Append(content);
        return hash;
    }
}
