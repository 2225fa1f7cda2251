using Granary.Grains.Interfaces;
using Granary.Grains.Interfaces.Schedules;
using Granary.Grains.Interfaces.Uploads;
using Granary.Grains.Partitions;
using Granary.Protocol;
using Granary.Protocol.Hashing;
using Granary.Storage.Partitions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Placement;

namespace Granary.Grains.Uploads;

/// <inheritdoc cref="IUploadSessionGrain"/>
[RandomPlacement]
internal sealed class UploadSessionGrain(
    IPartitionStore store,
    IOptions<LifetimeOptions> lifetimeOptions,
    ObjectIdSource ids,
    TimeProvider time,
    ILogger<UploadSessionGrain> logger) : PartitionGrain(store, time, logger), IUploadSessionGrain
{
    private static readonly string[] Needs = [UploadRows.Session];

    private readonly LifetimeOptions _lifetimes = lifetimeOptions.Value;
    private string _id = "";

    // The claim, and the time at which it ends unless it is renewed. It is not durable: after a restart any request can claim the session,
    // since a newer epoch fences the writer of the older one.
    private (long Epoch, DateTimeOffset Until) _claim;

    // The last claim, for repeats and late copies of the call that made it.
    private (Guid Id, UploadBegun? Answer) _last;

    /// <inheritdoc/>
    protected override PartitionKey PartitionKey => UploadRows.Partition(_id);

    /// <inheritdoc/>
    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _id = this.GetPrimaryKeyString();
        return base.OnActivateAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<BeginAnswer> Begin(BeginUpload command, CancellationToken cancellationToken)
    {
        var scheduled = await ScheduleFirst(command.IssuedAt, cancellationToken);
        var newObject = ids.Next();
        return await Partition.DecideAsync(
            Needs,
            rows =>
            {
                if (command.ClaimId != Guid.Empty && command.ClaimId == _last.Id && _last.Answer is { } last)
                {
                    return UploadRules.Repeat(rows, last);
                }

                // The time of the decision, not of the call: an id that has expired meanwhile must not begin a session.
                var now = Time.GetUtcNow();
                var answer = UploadRules.Begin(rows, command, newObject, IsClaimed, now, _lifetimes.UploadExpiry);
                if (answer is UploadBegun begun)
                {
                    _claim = (begun.Epoch, now + UploadClaim.Timeout);
                    _last = (command.ClaimId, begun);
                }

                return answer;
            },
            dependsOn: [scheduled],
            cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<bool> Renew(long epoch, CancellationToken cancellationToken)
    {
        if (await Find(cancellationToken) is not { State: SessionState.Open, IsClaimed: true } session || session.Epoch != epoch)
        {
            return false;
        }

        _claim = (epoch, Time.GetUtcNow() + UploadClaim.Timeout);
        return true;
    }

    /// <inheritdoc/>
    public Task<bool> Advance(long epoch, long offset, HashState? hash, bool endClaim, CancellationToken cancellationToken)
    {
        var now = Time.GetUtcNow();
        return Partition.DecideAsync(Needs, rows => UploadRules.Advance(rows, epoch, offset, hash, endClaim, now), cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<SealedUpload?> Seal(long epoch, Digest digest, long size, CancellationToken cancellationToken)
    {
        var now = Time.GetUtcNow();
        var answer = await Partition.DecideAsync(Needs, rows => UploadRules.Seal(rows, epoch, digest, size, now), cancellationToken);
        if (answer is not null)
        {
            // No other request is expected. The memory is free at once, and not only when the activation has been idle for long.
            DeactivateOnIdle();
        }

        return answer;
    }

    /// <inheritdoc/>
    public async Task<CancelledUpload?> Cancel(DateTimeOffset issuedAt, CancellationToken cancellationToken)
    {
        var scheduled = await ScheduleFirst(issuedAt, cancellationToken);
        return await Partition.DecideAsync(
            Needs,
            rows => UploadRules.Cancel(rows, issuedAt, Time.GetUtcNow(), _lifetimes.UploadExpiry),
            dependsOn: [scheduled],
            cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<ExpireAnswer> Expire(CancellationToken cancellationToken)
    {
        var now = Time.GetUtcNow();
        var answer = await Partition.DecideAsync(
            Needs,
            rows => UploadRules.Expire(rows, IsClaimed, now, _lifetimes.UploadExpiry),
            cancellationToken);
        if (answer is ExpireNothing)
        {
            // fence: the sweep removes the due row after this answer and never asks again. A stale activation must not give it.
            await Partition.ProveCurrentAsync(cancellationToken);
        }

        return answer;
    }

    /// <inheritdoc/>
    public async Task Orphan(CancellationToken cancellationToken)
    {
        if (!await Partition.DecideAsync(Needs, UploadRules.Orphan, cancellationToken))
        {
            return;
        }

        // The due row comes after the session's row, unlike at the beginning of a session. A sweep that found the due row first would put
        // the session off until its end. If this grain dies in between, the due row of that end is still there.
        await GrainFactory.GetGrain<IScheduleGrain>(ScheduleKeys.OfUpload(_id)).Schedule(_id, Time.GetUtcNow(), cancellationToken);

        // No other request is expected, as after Seal.
        DeactivateOnIdle();
    }

    /// <inheritdoc/>
    public Task RecordRenounced(CancellationToken cancellationToken) =>
        Partition.DecideAsync(Needs, UploadRules.RecordRenounced, cancellationToken);

    /// <inheritdoc/>
    public Task Remove(CancellationToken cancellationToken) => Drop(cancellationToken);

    private ValueTask<SessionRow?> Find(CancellationToken cancellationToken) =>
        Partition.ReadAsync(Needs, SessionRow.Find, cancellationToken);

    private bool IsClaimed(SessionRow session) => session.IsClaimed && _claim.Epoch == session.Epoch && Time.GetUtcNow() < _claim.Until;

    /// <summary>
    /// Schedules a session before it is stored, so that the sweep finds it. Returns the commit that the session's own commit depends on
    /// (<c>rest</c>); null if it is stored already.
    /// </summary>
    private async ValueTask<CommitTicket?> ScheduleFirst(DateTimeOffset issuedAt, CancellationToken cancellationToken)
    {
        if (await Find(cancellationToken) is not null)
        {
            return null;
        }

        return await GrainFactory.GetGrain<IScheduleGrain>(ScheduleKeys.OfUpload(_id))
            .ScheduleEarly(_id, issuedAt + _lifetimes.UploadExpiry + LifetimeOptions.BeginMargin, cancellationToken);
    }
}
