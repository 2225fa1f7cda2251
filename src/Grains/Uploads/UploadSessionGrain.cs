using Granary.Grains.Interfaces;
using Granary.Grains.Interfaces.Schedules;
using Granary.Grains.Interfaces.Uploads;
using Granary.Grains.Partitions;
using Granary.Protocol;
using Granary.Storage.Partitions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Granary.Grains.Uploads;

/// <inheritdoc cref="IUploadSessionGrain"/>
internal sealed class UploadSessionGrain(
    IPartitionStore store,
    IOptions<LifetimeOptions> lifetimeOptions,
    ObjectIdSource ids,
    TimeProvider time,
    ILogger<UploadSessionGrain> logger) : PartitionGrain(store, logger), IUploadSessionGrain
{
    private static readonly string[] Needs = [UploadRows.Session];

    private readonly LifetimeOptions _lifetimes = lifetimeOptions.Value;
    private string _id = "";

    // Who holds the tail, and until when without a further word. Not durable: after a restart anybody may take the tail, since a newer epoch fences the old.
    private (long Epoch, DateTimeOffset Until) _hold;

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
        return await Rows.DecideAsync(
            Needs,
            rows =>
            {
                // The time of the decision: an id that has become too old since the call must not begin.
                var now = time.GetUtcNow();
                var answer = UploadRules.Begin(rows, command, newObject, IsClaimed, now, _lifetimes.UploadExpiry);
                if (answer is UploadBegun begun)
                {
                    _hold = (begun.Epoch, now + UploadClaim.Timeout);
                }

                return answer;
            },
            dependsOn: [scheduled],
            cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<bool> Renew(long epoch, CancellationToken cancellationToken)
    {
        if (await Find(cancellationToken) is not { State: SessionState.Open, Held: true } session || session.Epoch != epoch)
        {
            return false;
        }

        _hold = (epoch, time.GetUtcNow() + UploadClaim.Timeout);
        return true;
    }

    /// <inheritdoc/>
    public Task<bool> Advance(long epoch, long offset, bool release, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        return Rows.DecideAsync(Needs, rows => UploadRules.Advance(rows, epoch, offset, release, now), cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<SealedUpload?> Seal(long epoch, Digest digest, long size, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var answer = await Rows.DecideAsync(Needs, rows => UploadRules.Seal(rows, epoch, digest, size, now), cancellationToken);
        if (answer is not null)
        {
            // Nothing more will come: its memory need not wait until it has been idle for long.
            DeactivateOnIdle();
        }

        return answer;
    }

    /// <inheritdoc/>
    public async Task<CancelledUpload?> Cancel(DateTimeOffset issuedAt, CancellationToken cancellationToken)
    {
        var scheduled = await ScheduleFirst(issuedAt, cancellationToken);
        return await Rows.DecideAsync(Needs, rows => UploadRules.Cancel(rows, issuedAt, time.GetUtcNow(), _lifetimes.UploadExpiry), dependsOn: [scheduled], cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<ExpireAnswer> Expire(CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var answer = await Rows.DecideAsync(Needs, rows => UploadRules.Expire(rows, IsClaimed, now, _lifetimes.UploadExpiry), cancellationToken);
        if (answer is ExpireNothing)
        {
            // Nobody will look again: that there is nothing has to be true, and not what a stale activation believes.
            await Rows.ProveCurrentAsync(cancellationToken);
        }

        return answer;
    }

    /// <inheritdoc/>
    public async Task Orphan(CancellationToken cancellationToken)
    {
        if (!await Rows.DecideAsync(Needs, UploadRules.Orphan, cancellationToken))
        {
            return;
        }

        // After the row, unlike rule 1: a sweep that found the entry first would put the session off until its end. If this grain dies in between, the entry of that end is there.
        await GrainFactory.GetGrain<IScheduleGrain>(ScheduleKeys.OfUpload(_id)).Schedule(_id, time.GetUtcNow(), cancellationToken);

        // Nothing more will come: its memory need not wait until it has been idle for long.
        DeactivateOnIdle();
    }

    /// <inheritdoc/>
    public Task RecordRenounced(CancellationToken cancellationToken) => Rows.DecideAsync(Needs, UploadRules.RecordRenounced, cancellationToken);

    /// <inheritdoc/>
    public Task Forget(CancellationToken cancellationToken) => Drop(cancellationToken);

    private ValueTask<SessionRow?> Find(CancellationToken cancellationToken) => Rows.ReadAsync(Needs, SessionRow.Find, cancellationToken);

    private bool IsClaimed(SessionRow session) => session.Held && _hold.Epoch == session.Epoch && time.GetUtcNow() < _hold.Until;

    /// <summary>Rule 1: before a session is stored, somebody knows when to look for it. Answers what the session then rests on.</summary>
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
