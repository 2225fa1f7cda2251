using Granary.Gateway.Uploads;

namespace Granary.Gateway.Tests.Uploads;

public sealed class UploadIdTests
{
    private static readonly byte[] Key = new byte[32];
    private static readonly RepositoryName App = RepositoryName.Parse("app");
    private static readonly DateTimeOffset Now = new(2026, 8, 1, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void An_id_carries_its_time_of_issue_and_its_algorithm()
    {
        var id = UploadId.Issue(Key, App, DigestAlgorithm.Sha512, Now);

        var known = UploadId.Verify(Key, App, id.Text);

        Assert.Equal(Now, known!.IssuedAt);
        Assert.Equal(DigestAlgorithm.Sha512, known.Algorithm);
        Assert.Equal(id.Text, known.Text);
    }

    [Fact]
    public void Each_issued_id_is_different() => Assert.NotEqual(Issue().Text, Issue().Text);

    [Fact]
    public void An_id_of_another_repository_or_cluster_is_refused()
    {
        Assert.Null(UploadId.Verify(Key, RepositoryName.Parse("other"), Issue().Text));
        Assert.Null(UploadId.Verify([.. Enumerable.Repeat((byte)1, 32)], App, Issue().Text));
    }

    [Fact]
    public void A_changed_id_is_refused()
    {
        var text = Issue().Text;
        for (var i = 0; i < text.Length; i++)
        {
            foreach (var other in "AZaz09-_=+/ é")
            {
                if (other != text[i])
                {
                    Assert.Null(UploadId.Verify(Key, App, text[..i] + other + text[(i + 1)..]));
                }
            }
        }

        Assert.Null(UploadId.Verify(Key, App, text + "="));
        Assert.Null(UploadId.Verify(Key, App, text + "A"));
        Assert.Null(UploadId.Verify(Key, App, text[..^1]));
        Assert.Null(UploadId.Verify(Key, App, ""));
    }

    private static UploadId Issue() => UploadId.Issue(Key, App, DigestAlgorithm.Sha256, Now);
}
