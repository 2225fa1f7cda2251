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
    public void Five_percent_within_bounds_and_a_quarter_at_most_is_kept_free(long total, long reserve) =>
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
    public void On_a_usual_disk_the_log_of_the_database_is_as_long_as_without_a_reserve(long reserve) =>
        Assert.Equal(4000, FreeReserve.LogPages(reserve, isShort: false));

    [Theory]
    [InlineData(1_500_000)]
    [InlineData(8_000_000)]
    [InlineData(50_000_000)]
    [InlineData(1_000_000_000)]
    public void The_log_fits_into_the_reserve_and_when_space_is_short_into_the_ballast(long reserve)
    {
        Assert.InRange(FreeReserve.LogPages(reserve, isShort: false) * 4096L, 1, reserve / 4);
        Assert.InRange(FreeReserve.LogPages(reserve, isShort: true) * 4096L, 1, FreeReserve.Ballast(reserve) / 4);
    }
}
