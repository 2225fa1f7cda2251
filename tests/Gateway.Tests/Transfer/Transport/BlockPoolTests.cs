using Granary.Gateway.Transfer.Transport;

namespace Granary.Gateway.Tests.Transfer.Transport;

public sealed class BlockPoolTests
{
    [Fact]
    public void A_block_that_is_returned_twice_is_lent_to_one_connection_only()
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
    public void A_rent_that_does_not_fit_into_a_small_block_gets_a_large_one()
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
    public void A_rent_larger_than_a_large_block_is_refused()
    {
        using var pool = new BlockPool();

        Assert.Throws<ArgumentOutOfRangeException>(() => pool.Rent(pool.MaxBufferSize + 1));
    }
}
