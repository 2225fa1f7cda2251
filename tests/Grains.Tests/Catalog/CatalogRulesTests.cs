using Granary.Grains.Catalog;
using Granary.Grains.Interfaces.Catalog;
using Granary.Protocol;

namespace Granary.Grains.Tests.Catalog;

public sealed class CatalogRulesTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly LifetimeOptions Lifetimes = new();
    private static readonly RepositoryName App = RepositoryName.Parse("app");
    private static readonly RepositoryName Base = RepositoryName.Parse("base");

    private readonly RuleRows _rows = new();

    [Fact]
    public async Task A_repository_is_due_when_its_first_lease_has_ended()
    {
        await AddAsync(App, sequence: 3);

        Assert.Empty(await FindDueAsync(Now + Lifetimes.FirstLease - TimeSpan.FromTicks(1)));
        var due = Assert.Single(await FindDueAsync(Now + Lifetimes.FirstLease));
        Assert.Equal(new CatalogEntry(App, 3, Now + Lifetimes.FirstLease), due);
    }

    [Fact]
    public async Task A_removal_that_is_older_than_the_entry_removes_nothing()
    {
        await AddAsync(App, sequence: 5);

        Assert.False(await RemoveAsync(App, sequence: 4));
        Assert.NotEmpty(await _rows.KeysAsync());

        Assert.True(await RemoveAsync(App, sequence: 5));
        Assert.Empty(await _rows.KeysAsync());
        Assert.False(await RemoveAsync(App, sequence: 5));
    }

    [Fact]
    public async Task A_confirmed_entry_gets_a_longer_lease_and_a_denied_one_goes()
    {
        await AddAsync(App, sequence: 1);
        await AddAsync(Base, sequence: 1);
        var later = Now + Lifetimes.FirstLease;
        var due = await FindDueAsync(later);

        await SettleAsync([due.Single(entry => entry.Repository == App)], [due.Single(entry => entry.Repository == Base)], later);

        Assert.Empty(await FindDueAsync(later + (Lifetimes.FirstLease * 7)));
        Assert.Equal(App, Assert.Single(await FindDueAsync(later + (Lifetimes.FirstLease * 9))).Repository);
    }

    [Fact]
    public async Task An_answer_does_not_count_for_an_entry_that_was_added_after_the_question()
    {
        await AddAsync(App, sequence: 1);
        var later = Now + Lifetimes.FirstLease;
        var due = await FindDueAsync(later);
        await AddAsync(App, sequence: 2);

        await SettleAsync([], due, later);

        Assert.Equal(2, Assert.Single(await FindDueAsync(later)).Sequence);
    }

    private Task<bool> AddAsync(RepositoryName name, long sequence) =>
        _rows.DecideAsync(rows => CatalogRules.Add(rows, name, sequence, Now, Lifetimes));

    private Task<bool> RemoveAsync(RepositoryName name, long sequence) =>
        _rows.DecideAsync(rows => CatalogRules.Remove(rows, name, sequence));

    private Task<CatalogEntry[]> FindDueAsync(DateTimeOffset now) =>
        _rows.DecideAsync(rows => CatalogRules.FindDue(rows, [App, Base], now));

    private Task<bool> SettleAsync(CatalogEntry[] confirmed, CatalogEntry[] denied, DateTimeOffset now) =>
        _rows.DecideAsync(rows => CatalogRules.Settle(rows, confirmed, denied, now, Lifetimes));
}
