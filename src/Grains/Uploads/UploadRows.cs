using Granary.Grains.Partitions;
using Granary.Protocol;
using Granary.Storage.Partitions;

namespace Granary.Grains.Uploads;

/// <summary>
/// The one row of an upload session's partition, <c>upload/&lt;id&gt;</c>:
/// <code>
/// session     what the session is
/// </code>
/// </summary>
internal static class UploadRows
{
    public const string Session = "session";

    public static PartitionKey Partition(string uploadId) => new("upload/" + uploadId);
}

/// <summary>What a session is.</summary>
internal enum SessionState : byte
{
    /// <summary>Bytes can be appended.</summary>
    Open = 0,

    /// <summary>Closed over its content; only Renounce decides about its object.</summary>
    Sealed = 1,

    /// <summary>Given up.</summary>
    Cancelled = 2,

    /// <summary>Closed, and another object holds the content: Renounce is to decide about its own at once.</summary>
    Orphaned = 3,

    /// <summary>Closed, and Renounce has decided about its object: the row only keeps the id from beginning another session.</summary>
    Renounced = 4,
}

/// <summary>The row of a session.</summary>
internal sealed record SessionRow
{
    // 2: the states Orphaned and Renounced. A release that does not know them must refuse the row, since it would take the session for one that was given up.
    private const byte Version = 2;

    public required SessionState State { get; init; }

    /// <summary>Where the bytes are; null for a session that was given up before it had any.</summary>
    public required ObjectId? Object { get; init; }

    /// <summary>The number of the last hold. It never restarts.</summary>
    public required long Epoch { get; init; }

    /// <summary>Whether that hold has not ended yet, as far as was said.</summary>
    public required bool Held { get; init; }

    /// <summary>How many bytes are durable.</summary>
    public required long Offset { get; init; }

    /// <summary>How the client will name the content, where it said so.</summary>
    public required DigestAlgorithm Algorithm { get; init; }

    /// <summary>When the session's id was made.</summary>
    public required DateTimeOffset IssuedAt { get; init; }

    /// <summary>When it last received something.</summary>
    public required DateTimeOffset Touched { get; init; }

    /// <summary>The digest it was sealed under.</summary>
    public Digest? Digest { get; init; }

    /// <summary>Until when the sealed object can become a blob.</summary>
    public DateTimeOffset Deadline { get; init; }

    public ReadOnlyMemory<byte> Encode() => new RowWriter(Version, 256)
        .Number((long)State).Text(Object?.Value).Number(Epoch).Flag(Held).Number(Offset).Number((long)Algorithm)
        .Time(IssuedAt).Time(Touched).Text(Digest?.Value).Time(Deadline).ToValue();

    public static SessionRow? Find(RowView rows) => rows.Get(UploadRows.Session) is { } value ? Decode(value) : null;

    public static SessionRow Decode(ReadOnlyMemory<byte> value)
    {
        var reader = new RowReader(value, Version);
        return new SessionRow
        {
            State = (SessionState)reader.Number(),
            Object = reader.Text() is { } id ? ObjectId.Parse(id) : null,
            Epoch = reader.Number(),
            Held = reader.Flag(),
            Offset = reader.Number(),
            Algorithm = (DigestAlgorithm)reader.Number(),
            IssuedAt = reader.Time(),
            Touched = reader.Time(),
            Digest = reader.Text() is { } digest ? Protocol.Digest.Parse(digest) : null,
            Deadline = reader.Time(),
        };
    }
}
