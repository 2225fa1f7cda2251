using Granary.Grains.Interfaces.Schedules;
using Granary.Grains.Interfaces.Uploads;
using Granary.Grains.Tests.Cluster;
using Granary.Protocol;
using Granary.Protocol.Hashing;
using Granary.Testing;

namespace Granary.Grains.Tests.Uploads;

public sealed class UploadSessionGrainTests : GrainTest
{
    private static readonly Digest Content = Commands.DigestOf("content");

    private IUploadSessionGrain Session => Cluster.Grains.GetGrain<IUploadSessionGrain>("session-1");

    private Task<UploadStatus> StatusAsync() => Cluster.Grains.GetGrain<IUploadStatusGrain>(0).Find("session-1", default);

    [Fact]
    public async Task A_session_is_scheduled_before_its_first_claim_stores_it()
    {
        Assert.IsType<UploadUnstored>(await StatusAsync());

        // The session's own commit fails. The due row that was committed before it stays.
        Store.OnCommit = partition =>
            partition.Value.StartsWith("upload/", StringComparison.Ordinal) ? CommitFault.Before : CommitFault.None;
        await Assert.ThrowsAnyAsync<Exception>(() => BeginAsync(0));
        Store.OnCommit = _ => CommitFault.None;

        Assert.Equal(0, await VersionAsync("upload/session-1"));
        Assert.Single(await DueAsync(TimeSpan.FromHours(25)));
    }

    [Fact]
    public async Task Bytes_count_once_the_request_with_the_claim_has_recorded_them()
    {
        var begun = Assert.IsType<UploadBegun>(await BeginAsync(0));

        Assert.True(await Session.Advance(begun.Epoch, 100, hash: null, endClaim: true, default));

        Assert.Equal(100, Assert.IsType<UploadOpen>(await StatusAsync()).Offset);
        Assert.Equal(100, Assert.IsType<UploadBegun>(await BeginAsync(null)).Offset);
    }

    [Fact]
    public async Task The_hash_of_the_durable_bytes_goes_to_the_next_claim()
    {
        var first = Assert.IsType<UploadBegun>(await BeginAsync(0));
        using var hash = ResumableHash.Create(DigestAlgorithm.Sha256);
        hash.Append(new byte[100]);
        await Session.Advance(first.Epoch, 100, hash.Export(), endClaim: true, default);

        var second = Assert.IsType<UploadBegun>(await BeginAsync(100));
        await Session.Advance(second.Epoch, 100, hash: null, endClaim: true, default);

        using var resumed = ResumableHash.Resume(Assert.IsType<UploadOpen>(await StatusAsync()).Hash!);
        Assert.Equal(Digest.Compute(DigestAlgorithm.Sha256, new byte[100]), resumed.ToDigest());
        Assert.Equal(resumed.Export().Bytes.ToArray(), second.Hash!.Bytes.ToArray());

        var third = Assert.IsType<UploadBegun>(await BeginAsync(100));
        await Session.Advance(third.Epoch, 150, hash: null, endClaim: true, default);
        Assert.Null(Assert.IsType<UploadOpen>(await StatusAsync()).Hash);
    }

    [Fact]
    public async Task A_late_copy_of_an_older_advance_changes_nothing()
    {
        var begun = Assert.IsType<UploadBegun>(await BeginAsync(0));
        await Session.Advance(begun.Epoch, 100, hash: null, endClaim: false, default);

        Assert.False(await Session.Advance(begun.Epoch, 50, hash: null, endClaim: true, default));

        Assert.Equal(100, Assert.IsType<UploadOpen>(await StatusAsync()).Offset);
        Assert.True(await Session.Renew(begun.Epoch, default));
    }

    [Fact]
    public async Task Bytes_that_do_not_start_at_the_offset_of_the_session_are_refused()
    {
        var begun = Assert.IsType<UploadBegun>(await BeginAsync(0));
        await Session.Advance(begun.Epoch, 100, hash: null, endClaim: true, default);

        Assert.Equal(100, Assert.IsType<UploadOffsetMismatch>(await BeginAsync(99)).Offset);
        Assert.Equal(100, Assert.IsType<UploadOffsetMismatch>(await BeginAsync(101)).Offset);
    }

    [Fact]
    public async Task One_request_has_the_claim_until_it_fails_to_renew_it_in_time()
    {
        var first = Assert.IsType<UploadBegun>(await BeginAsync(0));
        Assert.IsType<UploadOffsetMismatch>(await BeginAsync(0));

        Time.Advance(UploadClaim.Timeout - TimeSpan.FromSeconds(5));
        Assert.True(await Session.Renew(first.Epoch, default));
        Time.Advance(TimeSpan.FromSeconds(10));
        Assert.IsType<UploadOffsetMismatch>(await BeginAsync(0));

        Time.Advance(UploadClaim.Timeout);
        var second = Assert.IsType<UploadBegun>(await BeginAsync(0));

        Assert.True(second.Epoch > first.Epoch);
        Assert.False(await Session.Renew(first.Epoch, default));
        Assert.False(await Session.Advance(first.Epoch, 50, hash: null, endClaim: true, default));
        Assert.Null(await Session.Seal(first.Epoch, Content, 50, default));
        Assert.True(await Session.Advance(second.Epoch, 60, hash: null, endClaim: true, default));
    }

    [Fact]
    public async Task A_repeated_claim_is_the_one_that_the_first_attempt_got_and_a_late_copy_claims_nothing()
    {
        var command = new BeginUpload(Time.GetUtcNow(), Offset: null, DigestAlgorithm.Sha256) { ClaimId = Guid.NewGuid() };
        var begun = Assert.IsType<UploadBegun>(await Session.Begin(command, default));

        Assert.Equal(begun, await Session.Begin(command, default));
        Assert.IsType<UploadOffsetMismatch>(await Session.Begin(command with { ClaimId = Guid.NewGuid() }, default));

        Assert.True(await Session.Advance(begun.Epoch, 100, hash: null, endClaim: true, default));
        Assert.Equal(new UploadOffsetMismatch(100), await Session.Begin(command, default));
        Assert.IsType<UploadBegun>(await Session.Begin(command with { ClaimId = Guid.NewGuid() }, default));
    }

    [Fact]
    public async Task A_sealed_session_refuses_bytes_and_answers_a_repeated_seal_the_same()
    {
        var begun = Assert.IsType<UploadBegun>(await BeginAsync(0));

        var first = await Session.Seal(begun.Epoch, Content, 100, default);
        var again = await Session.Seal(begun.Epoch, Content, 100, default);

        Assert.Equal(first, again);
        Assert.Equal(begun.Object, first!.Content.Object);
        Assert.Null(await Session.Seal(begun.Epoch, Commands.DigestOf("other"), 100, default));
        Assert.IsType<UploadOver>(await BeginAsync(100));
        Assert.False(await Session.Advance(begun.Epoch, 200, hash: null, endClaim: true, default));
        Assert.Null(await Session.Cancel(Time.GetUtcNow(), default));
        Assert.IsType<SealedUpload>(await StatusAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_cancelled_session_stays_cancelled_whether_it_was_stored_or_not(bool stored)
    {
        var expected = stored ? Assert.IsType<UploadBegun>(await BeginAsync(0)).Object : (ObjectId?)null;

        var cancelled = await Session.Cancel(Time.GetUtcNow(), default);

        Assert.Equal(expected, cancelled!.Object);
        Assert.Null(await Session.Cancel(Time.GetUtcNow(), default));
        Assert.IsType<UploadOver>(await BeginAsync(0));
        Assert.IsType<CancelledUpload>(await StatusAsync());
        Assert.Single(await DueAsync(TimeSpan.FromHours(25)));
    }

    private Task<BeginAnswer> BeginAsync(long? offset) =>
        Session.Begin(new BeginUpload(Time.GetUtcNow(), offset, DigestAlgorithm.Sha256), default);

    private async Task<List<ScheduledItem>> DueAsync(TimeSpan later)
    {
        Time.Advance(later);
        var due = new List<ScheduledItem>();
        foreach (var schedule in ScheduleKeys.Uploads)
        {
            due.AddRange(await Cluster.Grains.GetGrain<IScheduleGrain>(schedule).Due(10, default));
        }

        return due;
    }
}
