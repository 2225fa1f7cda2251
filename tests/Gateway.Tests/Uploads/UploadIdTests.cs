using Granary.Gateway.Uploads;

namespace Granary.Gateway.Tests.Uploads;

public sealed class UploadIdTests
{
    private static readonly byte[] Key = new byte[32];
    private static readonly RepositoryName App = RepositoryName.Parse("app");
    private static readonly DateTimeOffset Now = new(2026, 8, 1, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void An_id_says_when_it_was_made_and_for_which_algorithm()
    {
        var id = UploadId.Issue(Key, App, DigestAlgorithm.Sha512, Now);

        var known = UploadId.Recognize(Key, App, id.Text);

        Assert.Equal(Now, known!.IssuedAt);
        Assert.Equal(DigestAlgorithm.Sha512, known.Algorithm);
        Assert.Equal(id.Text, known.Text);
    }

    [Fact]
    public void Each_id_is_another() => Assert.NotEqual(Issue().Text, Issue().Text);

    [Fact]
    public void An_id_of_another_repository_or_cluster_is_not_known()
    {
        Assert.Null(UploadId.Recognize(Key, RepositoryName.Parse("other"), Issue().Text));
        Assert.Null(UploadId.Recognize([.. Enumerable.Repeat((byte)1, 32)], App, Issue().Text));
    }

    [Fact]
    public void No_change_of_an_id_is_known()
    {
        var text = Issue().Text;
        for (var i = 0; i < text.Length; i++)
        {
            foreach (var other in "AZaz09-_=+/ é")
            {
                if (other != text[i])
                {
                    Assert.Null(UploadId.Recognize(Key, App, text[..i] + other + text[(i + 1)..]));
                }
            }
        }

        Assert.Null(UploadId.Recognize(Key, App, text + "="));
        Assert.Null(UploadId.Recognize(Key, App, text + "A"));
        Assert.Null(UploadId.Recognize(Key, App, text[..^1]));
        Assert.Null(UploadId.Recognize(Key, App, ""));
    }

    private static UploadId Issue() => UploadId.Issue(Key, App, DigestAlgorithm.Sha256, Now);
}
