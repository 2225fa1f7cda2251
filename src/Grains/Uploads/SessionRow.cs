using Granary.Grains.Partitions;
using Granary.Protocol;
using Granary.Protocol.Hashing;

namespace Granary.Grains.Uploads;

/// <summary>The row of a session.</summary>
internal sealed record SessionRow
{
    private const byte OldVersion = 1;

    // The states Orphaned and Renounced. A release that does not know them would take the session for a cancelled one, so it must not read
    // the row.
    private const byte OrphanVersion = 2;

    // The hash of an open session, where the bytes cannot be read back. A release that does not know it would drop it at the next change,
    // and then hash bytes that it cannot read.
    private const byte HashVersion = 3;

    public required SessionState State { get; init; }

    /// <summary>The object of its bytes; null for a session that was cancelled before its first byte.</summary>
    public required ObjectId? Object { get; init; }

    /// <summary>The epoch of the last claim. It never restarts.</summary>
    public required long Epoch { get; init; }

    /// <summary>Whether that claim was not ended by its request. It may have timed out.</summary>
    public required bool IsClaimed { get; init; }

    /// <summary>How many bytes are durable.</summary>
    public required long Offset { get; init; }

    /// <summary>The algorithm that the client announced, or SHA-256.</summary>
    public required DigestAlgorithm Algorithm { get; init; }

    /// <summary>When the session's id was made.</summary>
    public required DateTimeOffset IssuedAt { get; init; }

    /// <summary>When a request last changed the session.</summary>
    public required DateTimeOffset Touched { get; init; }

    /// <summary>
    /// The hash of the durable bytes of an open session; null if the gateways read them back, or if a newer release wrote it in a form of
    /// its own.
    /// </summary>
    public HashState? Hash { get; init; }

    /// <summary>The digest that it was sealed under.</summary>
    public Digest? Digest { get; init; }

    /// <summary>The end of the time in which the sealed object can become a blob.</summary>
    public DateTimeOffset Deadline { get; init; }

    // The old version wherever it says everything: a release that knows only that one still reads these rows.
    private byte Version => Hash is not null ? HashVersion
        : State is SessionState.Orphaned or SessionState.Renounced ? OrphanVersion
        : OldVersion;

    public ReadOnlyMemory<byte> Encode() => new RowWriter(Version, 256)
        .Number((long)State).Text(Object?.Value).Number(Epoch).Flag(IsClaimed).Number(Offset).Number((long)Algorithm)
        .Time(IssuedAt).Time(Touched).Text(Digest?.Value).Time(Deadline).Bytes(Hash is null ? default : Hash.Bytes.Span).ToValue();

    public static SessionRow? Find(RowView rows) => rows.Get(UploadRows.Session) is { } value ? Decode(value) : null;

    public static SessionRow Decode(ReadOnlyMemory<byte> value)
    {
        var reader = new RowReader(value, HashVersion);
        return new SessionRow
        {
            State = (SessionState)reader.Number(),
            Object = reader.Text() is { } id ? ObjectId.Parse(id) : null,
            Epoch = reader.Number(),
            IsClaimed = reader.Flag(),
            Offset = reader.Number(),
            Algorithm = (DigestAlgorithm)reader.Number(),
            IssuedAt = reader.Time(),
            Touched = reader.Time(),
            Digest = reader.Text() is { } digest ? Protocol.Digest.Parse(digest) : null,
            Deadline = reader.Time(),
            Hash = reader.Version == HashVersion && HashState.TryParse(reader.Rest.ToArray(), out var hash) ? hash : null,
        };
    }
}
