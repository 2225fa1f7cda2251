using Granary.Gateway.Transfer;

namespace Granary.Gateway.Tests.Transfer;

public sealed class BlockPoolTests
{
    [Fact]
    public void A_block_is_lent_to_one_at_a_time_however_often_it_is_given_back()
    {
        using var pool = new BlockPool();
        var first = pool.Rent();
        first.Dispose();
        first.Dispose();

        using var second = pool.Rent();
        using var third = pool.Rent();

        Assert.NotSame(second, third);
        Assert.Equal(68 * 1024, second.Memory.Length);
    }

    [Fact]
    public void What_does_not_fit_into_a_small_block_gets_a_large_one()
    {
        using var pool = new BlockPool();
        using (var large = pool.Rent(68 * 1024 + 1))
        {
            Assert.Equal(512 * 1024, large.Memory.Length);
        }

        using var small = pool.Rent(4096);
        Assert.Equal(68 * 1024, small.Memory.Length);
    }

    [Fact]
    public void More_than_a_block_is_not_to_be_had()
    {
        using var pool = new BlockPool();

        Assert.Throws<ArgumentOutOfRangeException>(() => pool.Rent(pool.MaxBufferSize + 1));
    }
}
