using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Uploads;
using Granary.Grains.Partitions;
using Granary.Protocol;
using Granary.Protocol.Hashing;

namespace Granary.Grains.Uploads;

/// <summary>The state machine of an upload session, as pure decisions over its row.</summary>
internal static class UploadRules
{
    /// <summary>Returns what a client learns of a session.</summary>
    public static UploadStatus Status(SessionRow? session) => session switch
    {
        null => new UploadUnstored(),
        { State: SessionState.Open } => new UploadOpen(
            session.Epoch,
            session.Offset,
            session.Object!.Value,
            session.Algorithm,
            session.Hash),
        { State: SessionState.Sealed or SessionState.Orphaned or SessionState.Renounced } => ToSealed(session),
        _ => new CancelledUpload(session.Object),
    };

    /// <summary>Gives the claim to a request, unless <paramref name="isClaimed"/> says that another one has it.</summary>
    public static BeginAnswer Begin(
        RowBatch rows,
        BeginUpload command,
        ObjectId newObject,
        Func<SessionRow, bool> isClaimed,
        DateTimeOffset now,
        TimeSpan expiry)
    {
        var stored = SessionRow.Find(rows);
        if (stored is null && now > command.IssuedAt + expiry)
        {
            // The sweep may have handled the due row of this id already, and would never find a session that is stored now.
            return new UploadOver();
        }

        var session = stored ?? NewSession(command.IssuedAt, command.Algorithm, newObject, now);
        if (session.State != SessionState.Open)
        {
            return new UploadOver();
        }

        if (isClaimed(session) || (command.Offset is { } offset && offset != session.Offset))
        {
            return new UploadOffsetMismatch(session.Offset);
        }

        session = session with { Epoch = session.Epoch + 1, IsClaimed = true, Touched = now };
        rows.Put(UploadRows.Session, session.Encode());
        return new UploadBegun(session.Epoch, session.Object!.Value, session.Offset, session.Hash);
    }

    /// <summary>
    /// Answers a call that was made before: it has the claim that it got then, or none if its request has ended that. So a repeat does not
    /// find its own claim in its way, and a late copy claims nothing.
    /// </summary>
    public static BeginAnswer Repeat(RowBatch rows, UploadBegun begun)
    {
        // fence: the answer comes from the memory of the activation.
        rows.Fence();
        return SessionRow.Find(rows) switch
        {
            { State: SessionState.Open, IsClaimed: true } session when session.Epoch == begun.Epoch => begun,
            { State: SessionState.Open } session => new UploadOffsetMismatch(session.Offset),
            _ => new UploadOver(),
        };
    }

    /// <summary>
    /// Records durable bytes. Returns false if a newer claim has replaced this one, if the session is over, or if the offset would fall:
    /// bytes that a client was told of stay.
    /// </summary>
    public static bool Advance(RowBatch rows, long epoch, long offset, HashState? hash, bool endClaim, DateTimeOffset now)
    {
        if (SessionRow.Find(rows) is not { State: SessionState.Open } session || session.Epoch != epoch || offset < session.Offset)
        {
            return false;
        }

        // A request whose bytes do not count leaves the hash of those before.
        var kept = hash?.Length == offset ? hash : offset == session.Offset ? session.Hash : null;
        var advanced = session with { Offset = offset, Hash = kept, IsClaimed = session.IsClaimed && !endClaim, Touched = now };
        rows.Put(UploadRows.Session, advanced.Encode());
        return true;
    }

    /// <summary>
    /// Closes a session over its content (<c>seal</c>). Returns null if a newer claim has replaced this one, or if the session is over.
    /// </summary>
    public static SealedUpload? Seal(RowBatch rows, long epoch, Digest digest, long size, DateTimeOffset now)
    {
        switch (SessionRow.Find(rows))
        {
            case { State: SessionState.Sealed or SessionState.Orphaned or SessionState.Renounced } session when session.Digest == digest:
                return ToSealed(session);

            case { State: SessionState.Open } session when session.Epoch == epoch:
                session = session with
                {
                    State = SessionState.Sealed,
                    IsClaimed = false,
                    Hash = null,
                    Offset = size,
                    Digest = digest,
                    Deadline = now + LifetimeOptions.SealDeadline,
                    Touched = now,
                };
                rows.Put(UploadRows.Session, session.Encode());
                return ToSealed(session);

            default:
                return null;
        }
    }

    /// <summary>Cancels a session that is open or was never stored. Returns null if it is over already.</summary>
    public static CancelledUpload? Cancel(RowBatch rows, DateTimeOffset issuedAt, DateTimeOffset now, TimeSpan expiry)
    {
        var session = SessionRow.Find(rows);
        if (session is not null and not { State: SessionState.Open } || (session is null && now > issuedAt + expiry))
        {
            return null;
        }

        var cancelled = session is null
            ? NewSession(issuedAt, DigestAlgorithm.Sha256, id: null, now) with { State = SessionState.Cancelled }
            : session with { State = SessionState.Cancelled, IsClaimed = false, Hash = null, Touched = now };
        rows.Put(UploadRows.Session, cancelled.Encode());
        return new CancelledUpload(cancelled.Object);
    }

    /// <summary>
    /// Records that the object of a sealed session is an orphan. That only says when to ask Renounce, not what it answers (<c>hint</c>).
    /// Returns whether Renounce has not decided yet. A repeat gets the same answer, since the first call may have died before it scheduled
    /// the session.
    /// </summary>
    public static bool Orphan(RowBatch rows)
    {
        if (SessionRow.Find(rows) is not { State: SessionState.Sealed or SessionState.Orphaned } session)
        {
            return false;
        }

        if (session.State == SessionState.Sealed)
        {
            rows.Put(UploadRows.Session, (session with { State = SessionState.Orphaned }).Encode());
        }

        return true;
    }

    /// <summary>
    /// Records that Renounce has decided about a session's object. Returns false if another sweep has recorded it, or removed the session.
    /// </summary>
    public static bool RecordRenounced(RowBatch rows)
    {
        if (SessionRow.Find(rows) is not { State: SessionState.Sealed or SessionState.Orphaned } session)
        {
            return false;
        }

        rows.Put(UploadRows.Session, (session with { State = SessionState.Renounced }).Encode());
        return true;
    }

    /// <summary>
    /// Cancels an open session that has expired. Returns what the sweep has to do: a sealed session is for Renounce (<c>ren</c>).
    /// </summary>
    public static ExpireAnswer Expire(RowBatch rows, Func<SessionRow, bool> isClaimed, DateTimeOffset now, TimeSpan expiry)
    {
        var session = SessionRow.Find(rows);
        var answer = FindExpired(session, isClaimed, now, expiry);
        if (answer is ExpireOpen && session is { State: SessionState.Open })
        {
            rows.Put(UploadRows.Session, (session with { State = SessionState.Cancelled, IsClaimed = false, Hash = null }).Encode());
        }

        return answer;
    }

    /// <summary>Returns the answer of <see cref="Expire"/>, and changes nothing.</summary>
    public static ExpireAnswer FindExpired(SessionRow? session, Func<SessionRow, bool> isClaimed, DateTimeOffset now, TimeSpan expiry)
    {
        if (session is null)
        {
            return new ExpireNothing();
        }

        // The row stays while its id is valid. Without it the same id would begin a new session.
        var idEnd = session.IssuedAt + expiry;
        var due = session.State switch
        {
            SessionState.Open => Later(idEnd, isClaimed(session) ? now + expiry : session.Touched + expiry),
            SessionState.Sealed => Later(idEnd, session.Deadline),

            // Its push has its blob and no longer needs the object. A delayed Acquire finds the tombstone, which stays as long as one can
            // come.
            SessionState.Orphaned => now,
            _ => idEnd,
        };
        if (due > now)
        {
            return new ExpireLater(due);
        }

        return session.State switch
        {
            SessionState.Sealed or SessionState.Orphaned =>
                new ExpireSealed(session.Digest!.Value, session.Object!.Value, session.Deadline, idEnd > now ? idEnd : null),
            SessionState.Renounced => new ExpireRenounced(),
            _ => new ExpireOpen(session.Object),
        };
    }

    private static SessionRow NewSession(DateTimeOffset issuedAt, DigestAlgorithm algorithm, ObjectId? id, DateTimeOffset now) => new()
    {
        State = SessionState.Open,
        Object = id,
        Epoch = 0,
        IsClaimed = false,
        Offset = 0,
        Algorithm = algorithm,
        IssuedAt = issuedAt,
        Touched = now,
    };

    private static DateTimeOffset Later(DateTimeOffset one, DateTimeOffset other) => one > other ? one : other;

    private static SealedUpload ToSealed(SessionRow session) =>
        new(session.Digest!.Value, new ObjectContent(session.Object!.Value, session.Offset), session.Deadline);
}
