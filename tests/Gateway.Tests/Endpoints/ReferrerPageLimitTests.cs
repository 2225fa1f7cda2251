using System.Text;
using Granary.Gateway.Endpoints;
using Granary.Grains.Interfaces.Repositories;

namespace Granary.Gateway.Tests.Endpoints;

public sealed class ReferrerPageLimitTests
{
    private const int MaxBytes = 4 * 1024 * 1024;

    [Theory]
    [InlineData('x', 1)]
    [InlineData('<', 6)]
    public void A_page_is_cut_at_4_MiB_of_JSON_whatever_has_to_be_escaped(char character, int bytes)
    {
        var page = new ReferrerPage([.. Enumerable.Range(0, 1200).Select(i => Row(i, new string(character, 10_000)))], More: false);

        var cut = ReferrerPageLimit.Cut(page);

        Assert.True(cut.More);
        Assert.Equal(page.Referrers[..cut.Referrers.Length], cut.Referrers);
        Assert.InRange(cut.Referrers.Length * 10_000L * bytes, MaxBytes * 9L / 10, MaxBytes);
    }

    [Fact]
    public void A_page_that_fits_stays_as_it_is()
    {
        var page = new ReferrerPage([.. Enumerable.Range(0, 1000).Select(i => Row(i, "value"))], More: true);

        Assert.Same(page, ReferrerPageLimit.Cut(page));
    }

    [Fact]
    public void The_first_referrer_stays_even_if_it_is_too_large()
    {
        var page = new ReferrerPage([Row(1, new string('x', MaxBytes)), Row(2, "value")], More: false);

        var cut = ReferrerPageLimit.Cut(page);

        Assert.Equal([page.Referrers[0]], cut.Referrers);
        Assert.True(cut.More);
    }

    private static Referrer Row(int number, string annotation) => new(
        Digest.Compute(DigestAlgorithm.Sha256, Encoding.UTF8.GetBytes($"{number}")),
        MediaTypes.OciManifest,
        Size: 100,
        ArtifactType: "example/type",
        new Dictionary<string, string> { ["name"] = annotation });
}
