using Granary.Gateway.Uploads;

namespace Granary.Gateway.Tests.Uploads;

public sealed class ParkedHashesTests
{
    [Fact]
    public void A_hash_is_taken_once_and_only_for_the_bytes_it_has_seen()
    {
        using var parked = new RunningHashCache();
        var (one, two) = (Id(), Id());
        parked.Park(one, Hash([1, 2, 3]));
        parked.Park(two, Hash([1, 2, 3]));

        using var taken = parked.Take(one, 3);

        Assert.Equal(Digest.Compute(DigestAlgorithm.Sha256, [1, 2, 3]), taken!.ToDigest());
        Assert.Null(parked.Take(one, 3));
        Assert.Null(parked.Take(two, 2));
        Assert.Null(parked.Take(two, 3));
    }

    [Fact]
    public void The_oldest_is_forgotten_when_there_are_too_many()
    {
        using var parked = new RunningHashCache();
        var ids = Enumerable.Range(0, 1025).Select(_ => Id()).ToArray();
        foreach (var id in ids)
        {
            parked.Park(id, Hash([]));
        }

        Assert.Null(parked.Take(ids[0], 0));
        using var newest = parked.Take(ids[^1], 0);
        Assert.NotNull(newest);
    }

    private static UploadId Id() => UploadId.Issue(new byte[32], RepositoryName.Parse("app"), DigestAlgorithm.Sha256, default);

    private static RunningHash Hash(byte[] content)
    {
        var hash = new RunningHash(DigestAlgorithm.Sha256);
        hash.Append(content);
        return hash;
    }
}
