using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Uploads;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Uploads;

/// <summary>The state machine of an upload session, as pure decisions over its row.</summary>
internal static class UploadRules
{
    public static UploadStatus Status(SessionRow? session) => session switch
    {
        null => new UploadUnstored(),
        { State: SessionState.Open } => new UploadOpen(session.Epoch, session.Offset, session.Object!.Value, session.Algorithm),
        { State: SessionState.Sealed or SessionState.Orphaned or SessionState.Renounced } => Seal(session),
        _ => new CancelledUpload(session.Object),
    };

    /// <summary>Gives the tail to a new holder, unless <paramref name="isClaimed"/> says that the last one is still at work.</summary>
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
            // What would look for it has come and gone, or will find nothing any more.
            return new UploadOver();
        }

        var session = stored ?? new SessionRow
        {
            State = SessionState.Open,
            Object = newObject,
            Epoch = 0,
            Held = false,
            Offset = 0,
            Algorithm = command.Algorithm,
            IssuedAt = command.IssuedAt,
            Touched = now,
        };
        if (session.State != SessionState.Open)
        {
            return new UploadOver();
        }

        if (isClaimed(session) || (command.Offset is { } offset && offset != session.Offset))
        {
            return new UploadOffsetMismatch(session.Offset);
        }

        session = session with { Epoch = session.Epoch + 1, Held = true, Touched = now };
        rows.Put(UploadRows.Session, session.Encode());
        return new UploadBegun(session.Epoch, session.Object!.Value, session.Offset);
    }

    /// <summary>Records durable bytes; false under an epoch that is over.</summary>
    public static bool Advance(RowBatch rows, long epoch, long offset, bool release, DateTimeOffset now)
    {
        if (SessionRow.Find(rows) is not { State: SessionState.Open } session || session.Epoch != epoch)
        {
            return false;
        }

        rows.Put(UploadRows.Session, (session with { Offset = offset, Held = session.Held && !release, Touched = now }).Encode());
        return true;
    }

    /// <summary>Rule 2; null under an epoch that is over, or if the session is.</summary>
    public static SealedUpload? Seal(RowBatch rows, long epoch, Digest digest, long size, DateTimeOffset now)
    {
        switch (SessionRow.Find(rows))
        {
            case { State: SessionState.Sealed or SessionState.Orphaned or SessionState.Renounced } session when session.Digest == digest:
                return Seal(session);

            case { State: SessionState.Open } session when session.Epoch == epoch:
                session = session with
                {
                    State = SessionState.Sealed,
                    Held = false,
                    Offset = size,
                    Digest = digest,
                    Deadline = now + LifetimeOptions.SealDeadline,
                    Touched = now,
                };
                rows.Put(UploadRows.Session, session.Encode());
                return Seal(session);

            default:
                return null;
        }
    }

    /// <summary>Gives an open session up, or one that was never stored; null if it is over already.</summary>
    public static CancelledUpload? Cancel(RowBatch rows, DateTimeOffset issuedAt, DateTimeOffset now, TimeSpan expiry)
    {
        var session = SessionRow.Find(rows);
        if (session is not null and not { State: SessionState.Open } || (session is null && now > issuedAt + expiry))
        {
            return null;
        }

        var cancelled = session is null
            ? new SessionRow
            {
                State = SessionState.Cancelled,
                Object = null,
                Epoch = 0,
                Held = false,
                Offset = 0,
                Algorithm = DigestAlgorithm.Sha256,
                IssuedAt = issuedAt,
                Touched = now,
            }
            : session with { State = SessionState.Cancelled, Held = false, Touched = now };
        rows.Put(UploadRows.Session, cancelled.Encode());
        return new CancelledUpload(cancelled.Object);
    }

    /// <summary>
    /// Records that a closed session's object is an orphan: nothing but the hint to ask Renounce at once. Answers whether Renounce has still to be asked, which a repeat hears again: the first
    /// command may have died before it scheduled that.
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

    /// <summary>Records that Renounce has decided about a closed session's object. A sweep that was overtaken may say so of a session that is over.</summary>
    public static bool RecordRenounced(RowBatch rows)
    {
        if (SessionRow.Find(rows) is not { State: SessionState.Sealed or SessionState.Orphaned } session)
        {
            return false;
        }

        rows.Put(UploadRows.Session, (session with { State = SessionState.Renounced }).Encode());
        return true;
    }

    /// <summary>Rule 8, the session's part: an open one is given up when nothing came for long enough, a closed one is left to Renounce.</summary>
    public static ExpireAnswer Expire(RowBatch rows, Func<SessionRow, bool> isClaimed, DateTimeOffset now, TimeSpan expiry)
    {
        var session = SessionRow.Find(rows);
        var answer = FindExpired(session, isClaimed, now, expiry);
        if (answer is ExpireOpen && session is { State: SessionState.Open })
        {
            rows.Put(UploadRows.Session, (session with { State = SessionState.Cancelled, Held = false }).Encode());
        }

        return answer;
    }

    /// <summary>Returns what <see cref="Expire"/> answers, and changes nothing.</summary>
    public static ExpireAnswer FindExpired(SessionRow? session, Func<SessionRow, bool> isClaimed, DateTimeOffset now, TimeSpan expiry)
    {
        if (session is null)
        {
            return new ExpireNothing();
        }

        // As long as its id proves itself the row has to stay, or the session would begin again.
        var idEnd = session.IssuedAt + expiry;
        var due = session.State switch
        {
            SessionState.Open => Later(idEnd, isClaimed(session) ? now + expiry : session.Touched + expiry),
            SessionState.Sealed => Later(idEnd, session.Deadline),

            // Its push has its blob, and needs the object no longer. Acquires that are still under way find the tombstone, which stays for as long as they can come.
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

    private static DateTimeOffset Later(DateTimeOffset one, DateTimeOffset other) => one > other ? one : other;

    private static SealedUpload Seal(SessionRow session) =>
        new(session.Digest!.Value, new ObjectContent(session.Object!.Value, session.Offset), session.Deadline);
}
