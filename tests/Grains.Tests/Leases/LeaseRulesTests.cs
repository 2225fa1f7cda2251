using Granary.Grains.Blobs;
using Granary.Grains.Catalog;
using Granary.Grains.Leases;
using Granary.Protocol;

namespace Granary.Grains.Tests.Leases;

/// <summary>The rules that references and entries of the catalog share, for both.</summary>
public sealed class LeaseRulesTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset End = Start + TimeSpan.FromHours(1);
    private static readonly LifetimeOptions Lifetimes = new();

    private readonly RuleRows _rows = new();

    [Fact]
    public async Task A_granted_lease_has_a_row_and_one_due_row()
    {
        await CheckAsync(new CatalogLease(RepositoryName.Parse("app")));
        await CheckAsync(new ReferenceLease(Commands.DigestOf("blob"), RepositoryName.Parse("app")));

        async Task CheckAsync<TLease>(TLease lease)
            where TLease : struct, ILease
        {
            Assert.True(await GrantAsync(lease, sequence: 1, Start));
            Assert.True(await GrantAsync(lease, sequence: 2, End));

            var keys = await _rows.KeysAsync();
            Assert.Contains(lease.Key, keys);
            Assert.Contains(lease.DueKey(End), keys);
            Assert.DoesNotContain(lease.DueKey(Start), keys);
            Assert.Equal(new LeaseRow(2, End, Renewals: 0), await FindAsync(lease));
        }
    }

    [Theory]
    [InlineData(5)]
    [InlineData(4)]
    public async Task A_lease_is_not_granted_again_for_a_sequence_that_is_not_newer(long sequence)
    {
        var lease = new CatalogLease(RepositoryName.Parse("app"));
        await GrantAsync(lease, sequence: 5, Start);

        Assert.False(await GrantAsync(lease, sequence, End));

        Assert.Equal(new LeaseRow(5, Start, Renewals: 0), await FindAsync(lease));
    }

    [Fact]
    public async Task An_extended_lease_moves_its_due_row_and_counts_the_renewal()
    {
        var lease = new CatalogLease(RepositoryName.Parse("app"));
        await GrantAsync(lease, sequence: 5, Start);

        await _rows.DecideAsync(rows =>
        {
            LeaseRules.Extend(rows, lease, LeaseRow.Find(rows, lease)!, Start, Lifetimes);
            return true;
        });

        var until = Start + LeaseRules.Length(1, lease.Salt, Lifetimes);
        Assert.Equal(new LeaseRow(5, until, Renewals: 1), await FindAsync(lease));
        Assert.Equal([lease.DueKey(until), lease.Key], await _rows.KeysAsync());
    }

    [Fact]
    public async Task A_dropped_lease_leaves_no_row()
    {
        var lease = new ReferenceLease(Commands.DigestOf("blob"), RepositoryName.Parse("app"));
        await GrantAsync(lease, sequence: 5, Start);

        await _rows.DecideAsync(rows =>
        {
            LeaseRules.Drop(rows, lease, LeaseRow.Find(rows, lease)!);
            return true;
        });

        Assert.Empty(await _rows.KeysAsync());
    }

    [Fact]
    public async Task A_lease_that_was_granted_again_or_extended_is_not_the_one_that_was_due()
    {
        var lease = new CatalogLease(RepositoryName.Parse("app"));
        await GrantAsync(lease, sequence: 5, Start);

        Assert.NotNull(await FindUnchangedAsync(sequence: 5, Start));
        Assert.Null(await FindUnchangedAsync(sequence: 4, Start));
        Assert.Null(await FindUnchangedAsync(sequence: 5, End));

        Task<LeaseRow?> FindUnchangedAsync(long sequence, DateTimeOffset until) =>
            _rows.DecideAsync(rows => LeaseRules.FindUnchanged(rows, lease, sequence, until));
    }

    [Fact]
    public void Each_renewal_makes_a_lease_eight_times_longer_up_to_the_longest_one()
    {
        var lengths = Enumerable.Range(0, 40).Select(renewals => LeaseRules.Length(renewals, 'a', Lifetimes)).ToList();

        Assert.Equal(8, lengths[1] / lengths[0], precision: 3);
        Assert.Equal(64, lengths[2] / lengths[0], precision: 3);
        Assert.All(lengths, length => Assert.InRange(length, Lifetimes.FirstLease * 0.9, LifetimeOptions.MaxLease * 1.1));
        Assert.Equal(lengths[^1], lengths[10]);
    }

    private Task<bool> GrantAsync<TLease>(TLease lease, long sequence, DateTimeOffset until)
        where TLease : struct, ILease =>
        _rows.DecideAsync(rows => LeaseRules.Grant(rows, lease, LeaseRow.Find(rows, lease), sequence, until));

    private Task<LeaseRow?> FindAsync<TLease>(TLease lease)
        where TLease : struct, ILease => _rows.DecideAsync(rows => LeaseRow.Find(rows, lease));
}
