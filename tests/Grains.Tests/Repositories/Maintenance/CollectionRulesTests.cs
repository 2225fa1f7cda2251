using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Grains.Repositories;
using Granary.Grains.Repositories.History;
using Granary.Grains.Repositories.Maintenance;
using Granary.Grains.Tests.Partitions;
using Granary.Protocol;
using Granary.Storage.Partitions;

namespace Granary.Grains.Tests.Repositories.Maintenance;

public sealed class CollectionRulesTests
{
    private static readonly LifetimeOptions Lifetimes = new();
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly Digest Blob = Commands.DigestOf("blob");

    private readonly ScriptedStore _store = new();

    [Fact]
    public async Task A_blob_is_unlinked_when_it_was_unused_for_the_grace_period()
    {
        var repository = await OpenAsync();
        await LinkAsync(repository);

        Assert.Empty(await UnlinkAsync(repository, Start + Lifetimes.LinkGrace - TimeSpan.FromTicks(1)));
        var unlinked = await UnlinkAsync(repository, Start + Lifetimes.LinkGrace);

        Assert.Equal([new UnlinkedBlob(Blob, 4)], unlinked);
        Assert.Equal([RepositoryRows.Out(2, Blob.Value)], await KeysAsync(repository));
    }

    [Fact]
    public async Task The_grace_period_of_a_collection_counts_from_the_last_renewal()
    {
        var repository = await OpenAsync();
        await LinkAsync(repository);
        var renewed = Start + TimeSpan.FromHours(1);
        await DecideAsync(repository, batch => LinkRules.Renew(batch, Blob, renewed, Lifetimes));

        Assert.Empty(await UnlinkAsync(repository, renewed, grace: TimeSpan.FromMinutes(10)));
        Assert.Single(await UnlinkAsync(repository, renewed + TimeSpan.FromMinutes(10), grace: TimeSpan.FromMinutes(10)));
    }

    [Fact]
    public async Task A_blob_that_a_manifest_names_since_the_collection_found_it_stays()
    {
        var repository = await OpenAsync();
        await LinkAsync(repository);
        await PutAsync(repository, Commands.Put("x", [], blobs: [Blob]));

        Assert.Empty(await UnlinkAsync(repository, DateTimeOffset.MaxValue, grace: TimeSpan.Zero));
    }

    [Fact]
    public async Task Of_the_referrers_of_a_deleted_subject_those_stay_that_are_named()
    {
        var repository = await OpenAsync();
        var subject = Commands.Put("subject", []);
        var free = Commands.Put("free", [], subject: subject.Digest);
        var tagged = Commands.Put("tagged", ["signature"], subject: subject.Digest);
        var named = Commands.Put("named", [], subject: subject.Digest);
        foreach (var command in (PutManifest[])[free, tagged, named, Commands.Index("index", ["index"], named.Digest)])
        {
            await PutAsync(repository, command);
        }

        Assert.Equal(1, await RemoveReferrersAsync(repository, subject.Digest, more: false, free.Digest, tagged.Digest, named.Digest));

        var prefix = RepositoryRows.SubPrefix(subject.Digest);
        Assert.Equal(
            Ordered(RepositoryRows.Sub(subject.Digest, tagged.Digest), RepositoryRows.Sub(subject.Digest, named.Digest)),
            (await KeysAsync(repository)).Where(key => key.StartsWith(prefix, StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, true)]
    public async Task The_due_row_of_a_subject_stays_until_its_last_referrer_is_removed(bool more, bool stays)
    {
        var repository = await OpenAsync();
        var subject = Commands.DigestOf("subject");
        var referrer = Commands.Put("referrer", [], subject: subject);
        await PutAsync(repository, referrer);
        await DecideAsync(repository, batch => PutMark(batch, RepositoryRows.DueSubject(Start, subject)));

        Assert.Equal(1, await RemoveReferrersAsync(repository, subject, more, referrer.Digest));

        Assert.Equal(stays, (await KeysAsync(repository)).Contains(RepositoryRows.DueSubject(Start, subject)));
    }

    [Fact]
    public async Task The_referrers_of_a_subject_that_was_pushed_again_stay_and_its_due_row_does_not()
    {
        var repository = await OpenAsync();
        var subject = Commands.Put("subject", []);
        var referrer = Commands.Put("referrer", [], subject: subject.Digest);
        await PutAsync(repository, referrer);
        await PutAsync(repository, subject);
        await DecideAsync(repository, batch => PutMark(batch, RepositoryRows.DueSubject(Start, subject.Digest)));

        Assert.Equal(0, await RemoveReferrersAsync(repository, subject.Digest, more: true, referrer.Digest));

        var keys = await KeysAsync(repository);
        Assert.Contains(RepositoryRows.Manifest(referrer.Digest), keys);
        Assert.DoesNotContain(RepositoryRows.DueSubject(Start, subject.Digest), keys);
    }

    private static Task<List<UnlinkedBlob>> UnlinkAsync(Partition repository, DateTimeOffset now, TimeSpan? grace = null) =>
        DecideAsync(repository, batch => CollectionRules.UnlinkUnused(batch, [Blob], now, grace));

    private static Task<int> RemoveReferrersAsync(Partition repository, Digest subject, bool more, params Digest[] referrers)
    {
        var due = new DeletedSubject(RepositoryRows.DueSubject(Start, subject), subject, referrers, more);
        return DecideAsync(repository, batch => CollectionRules.RemoveReferrers(batch, due, Change(), Lifetimes));
    }

    private static Task<bool> LinkAsync(Partition repository) => DecideAsync(
        repository,
        batch =>
        {
            LinkRules.Link(batch, Blob, new InlineContent("blob"u8.ToArray()), Change(), Lifetimes);
            return true;
        });

    private static Task<bool> PutAsync(Partition repository, PutManifest command) => DecideAsync(
        repository,
        batch =>
        {
            ManifestRules.Store(batch, command, Change());
            return true;
        });

    private static Change Change() => new(Commands.Origin(), Start, new LogClock(), TimeSpan.FromDays(180));

    private static bool PutMark(RowBatch batch, string key)
    {
        batch.Put(key, RepositoryRows.Mark);
        return true;
    }

    private static Task<T> DecideAsync<T>(Partition repository, Func<RowBatch, T> decide) =>
        repository.DecideAsync([], decide, CancellationToken.None);

    private static IEnumerable<string> Ordered(params string[] keys) => keys.Order(StringComparer.Ordinal);

    private static async Task<string[]> KeysAsync(Partition repository) =>
        (await repository.ListAsync("", after: null, int.MaxValue, key => key, CancellationToken.None)).Items;

    private async Task<Partition> OpenAsync()
    {
        var partition = new Partition(_store, new PartitionKey("repository/app"), _ => { });
        await partition.OpenAsync(CancellationToken.None);
        return partition;
    }
}
