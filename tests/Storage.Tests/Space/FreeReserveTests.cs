using Granary.Storage.Space;

namespace Granary.Storage.Tests.Space;

public sealed class FreeReserveTests
{
    [Theory]
    [InlineData(0, 0)]
    [InlineData(6_000_000, 1_500_000)]
    [InlineData(48_000_000, 8_000_000)]
    [InlineData(160_000_000, 8_000_000)]
    [InlineData(10_000_000_000, 500_000_000)]
    [InlineData(20_000_000_000, 1_000_000_000)]
    [InlineData(8_000_000_000_000, 1_000_000_000)]
    public void The_reserve_is_five_percent_within_bounds_and_at_most_a_quarter(long total, long reserve) =>
        Assert.Equal(reserve, FreeReserve.OfFileSystem(total));

    [Theory]
    [InlineData(0, 0)]
    [InlineData(8_000_000, 2_000_000)]
    [InlineData(1_000_000_000, 16_000_000)]
    public void The_ballast_is_a_part_of_the_reserve(long reserve, long ballast) => Assert.Equal(ballast, FreeReserve.Ballast(reserve));

    [Theory]
    [InlineData(0)]
    [InlineData(70_000_000)]
    [InlineData(1_000_000_000)]
    public void A_usual_reserve_does_not_shorten_the_log_of_the_database(long reserve) =>
        Assert.Equal(4000, FreeReserve.LogPages(reserve, isShort: false));

    [Theory]
    [InlineData(1_500_000)]
    [InlineData(8_000_000)]
    [InlineData(50_000_000)]
    [InlineData(1_000_000_000)]
    public void The_log_fits_into_the_reserve_and_on_a_short_disk_into_the_ballast(long reserve)
    {
        Assert.InRange(FreeReserve.LogPages(reserve, isShort: false) * 4096L, 1, reserve / 4);
        Assert.InRange(FreeReserve.LogPages(reserve, isShort: true) * 4096L, 1, FreeReserve.Ballast(reserve) / 4);
    }
}
