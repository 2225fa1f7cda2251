using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Grains.Repositories.History;
using Granary.Protocol;
using Granary.Storage.Partitions;

namespace Granary.Grains.Repositories;

/// <summary>
/// The keys of all rows of a repository's partition, <c>repository/&lt;name&gt;</c>:
/// <code>
/// meta                              the repository is registered in the catalog; its floor (<see cref="Repositories.Floor"/>)
/// floor                             the floor while it is not registered
/// tag/&lt;tag&gt;                         the manifest that the tag points at, since when, by which request, its last line
/// tagged/&lt;digest&gt;/&lt;tag&gt;             a tag points at a manifest, or since when it no longer does
/// man/&lt;digest&gt;                      a manifest: media type, size, subject, what it names, its bytes up to 48 KiB
/// body/&lt;digest&gt;/&lt;piece&gt;             the rest of a manifest in pieces of 48 KiB, from piece 1 on
/// sub/&lt;subject&gt;/&lt;manifest&gt;          a referrer: its entry in the list of referrers
/// use/&lt;digest&gt;/&lt;index&gt;              an index names this content
/// named/&lt;digest&gt;                    how many manifests name content that is not linked here
/// link/&lt;digest&gt;                     a link: the object of the blob, and how many manifests name it
/// bytes/&lt;digest&gt;                    the content of a small blob
/// log/, gone/, history              the log (<see cref="LogRows"/>)
/// out/&lt;version&gt;/&lt;digest&gt;            a reference to release; out/&lt;version&gt;/catalog: the registration in the catalog
/// due/&lt;time&gt;/&lt;digest&gt;               when a collection may unlink an unused blob
/// due/&lt;time&gt;/subject/&lt;digest&gt;       when a collection may remove the referrers of a deleted manifest
/// due/&lt;time&gt;/log                    when the sweep removes the oldest lines of the log
/// sweep                             the repository is registered in a schedule; exists whenever a due/ row but that of the log does
/// </code>
/// Rows of tags, manifests and links have the order of the command that wrote them; those of earlier releases have 0.
/// Times and versions are 16 hexadecimal digits. The order of keys is the order in which tags are listed.
/// </summary>
internal static class RepositoryRows
{
    public const string PartitionPrefix = "repository/";
    public const string Meta = "meta";
    public const string Floor = "floor";
    public const string Sweep = "sweep";
    public const string DuePrefix = "due/";
    public const string TagPrefix = "tag/";
    public const string ManifestPrefix = "man/";
    public const string LinkPrefix = "link/";
    public const string OutPrefix = "out/";

    /// <summary>Stands for the registration in the catalog in an <c>out/</c> row and in denials, in place of a digest.</summary>
    public const string CatalogEntry = "catalog";

    /// <summary>The size of a piece of a manifest: below the limit of 64 KiB for a row, with room for the other fields.</summary>
    public const int PieceSize = 48 * 1024;

    private const string SubjectMark = "subject/";
    private const string LogMark = "log";

    private static readonly ReadOnlyMemory<byte> Present = new byte[] { 1 };

    public static PartitionKey Partition(RepositoryName name) => new(PartitionPrefix + name.Value);

    public static string Tag(Tag tag) => TagPrefix + tag.Value;

    public static string TaggedPrefix(Digest digest) => $"tagged/{digest.Value}/";

    public static string Tagged(Digest digest, Tag tag) => $"tagged/{digest.Value}/{tag.Value}";

    public static string Manifest(Digest digest) => "man/" + digest.Value;

    public static string Body(Digest digest, int piece) => $"body/{digest.Value}/{piece:x4}";

    public static string SubPrefix(Digest subject) => $"sub/{subject.Value}/";

    public static string Sub(Digest subject, Digest referrer) => $"sub/{subject.Value}/{referrer.Value}";

    public static string UsePrefix(Digest digest) => $"use/{digest.Value}/";

    public static string Use(Digest digest, Digest index) => $"use/{digest.Value}/{index.Value}";

    public static string Named(Digest digest) => "named/" + digest.Value;

    public static string Link(Digest digest) => "link/" + digest.Value;

    public static string Bytes(Digest digest) => "bytes/" + digest.Value;

    public static string Out(long version, string what) => $"{OutPrefix}{KeyTime.Text(version)}/{what}";

    public static string Due(DateTimeOffset time, Digest digest) => $"due/{KeyTime.Text(time)}/{digest.Value}";

    public static string DueSubject(DateTimeOffset time, Digest subject) => $"due/{KeyTime.Text(time)}/{SubjectMark}{subject.Value}";

    public static string DueLog(DateTimeOffset time) => $"due/{KeyTime.Text(time)}/{LogMark}";

    /// <summary>Reads the key of a <c>due/</c> row.</summary>
    public static DueRow ParseDue(string key)
    {
        var time = KeyTime.Time(key.AsSpan(DuePrefix.Length, 16));
        var what = key[(DuePrefix.Length + 17)..];
        if (what == LogMark)
        {
            return new DueRow(time, DueKind.Log, default);
        }

        return what.StartsWith(SubjectMark, StringComparison.Ordinal)
            ? new DueRow(time, DueKind.Subject, Protocol.Digest.Parse(what[SubjectMark.Length..]))
            : new DueRow(time, DueKind.Link, Protocol.Digest.Parse(what));
    }

    /// <summary>The value of a row whose key says everything.</summary>
    public static ReadOnlyMemory<byte> Mark => Present;

    /// <summary>Reads the key of an <c>out/</c> row: its version, and the digest or <see cref="CatalogEntry"/>.</summary>
    public static (long Version, string What) ParseOut(string key)
    {
        var rest = key.AsSpan(OutPrefix.Length);
        return (KeyTime.Number(rest[..16]), rest[17..].ToString());
    }

    /// <summary>Returns the last part of a key such as <c>use/…/&lt;manifest&gt;</c> or <c>tagged/…/&lt;tag&gt;</c>.</summary>
    public static string LastPart(string key) => key[(key.LastIndexOf('/') + 1)..];

    /// <summary>Returns the last part of a key such as <c>use/…/&lt;manifest&gt;</c> as a digest.</summary>
    public static Digest LastDigest(string key) => Protocol.Digest.Parse(LastPart(key));
}

/// <summary>What is due.</summary>
internal enum DueKind
{
    /// <summary>An unused blob, which a collection may unlink.</summary>
    Link,

    /// <summary>A deleted manifest, whose referrers a collection may remove.</summary>
    Subject,

    /// <summary>The oldest lines of the log.</summary>
    Log,
}

/// <summary>A <c>due/</c> row of a repository.</summary>
/// <param name="Time">When it is due.</param>
/// <param name="Kind">What is due.</param>
/// <param name="Digest">The blob or the manifest; default for the log.</param>
internal readonly record struct DueRow(DateTimeOffset Time, DueKind Kind, Digest Digest);

/// <summary>The row of a tag.</summary>
/// <param name="Digest">The manifest.</param>
/// <param name="Since">When the tag was moved to it.</param>
/// <param name="RequestId">The request that moved it.</param>
/// <param name="Line">The last line about it in the log; null if the tag is older than the log.</param>
/// <param name="Order">The order of the last command about it.</param>
internal sealed record TagRow(Digest Digest, DateTimeOffset Since, Guid RequestId, LogPosition? Line, long Order)
{
    // Data format 3 has version 1 (HistoryUpgrade). Version 2 has no order.
    private const byte Version = 3;

    public ReadOnlyMemory<byte> Encode() =>
        new RowWriter(Version).Text(Digest.Value).Time(Since).Id(RequestId).Position(Line).Number(Order).ToValue();

    public static TagRow Decode(ReadOnlyMemory<byte> value)
    {
        var reader = new RowReader(value, Version);
        var (digest, since, request) = (Digest.Parse(reader.Text()!), reader.Time(), reader.Id());
        var line = reader.Version > 1 ? reader.Position() : null;
        return new TagRow(digest, since, request, line, reader.Version > 2 ? reader.Number() : 0);
    }

    public static TagRow? Find(RowView rows, Tag tag) => rows.Get(RepositoryRows.Tag(tag)) is { } value ? Decode(value) : null;
}

/// <summary>
/// The row of a manifest and a tag. It stays when the tag moves away, with the time, so that the age of an untagged manifest counts from
/// the loss of its last tag. It is removed with the manifest.
/// </summary>
internal static class TaggedRow
{
    /// <summary>The value while the tag points at the manifest.</summary>
    public static ReadOnlyMemory<byte> Current => RepositoryRows.Mark;

    /// <summary>Returns the value after the tag has moved away, or was removed.</summary>
    public static ReadOnlyMemory<byte> Lost(DateTimeOffset time) => new RowWriter(2, 9).Time(time).ToValue();

    /// <summary>Returns since when the tag no longer points at the manifest; null if it does.</summary>
    public static DateTimeOffset? LostAt(ReadOnlyMemory<byte> value)
    {
        var reader = new RowReader(value, 2);
        return reader.Version == 1 ? null : reader.Time();
    }
}

/// <summary>The row of a manifest.</summary>
/// <param name="MediaType">The media type of the last push.</param>
/// <param name="Size">The size in bytes.</param>
/// <param name="Subject">The subject; null if it has none.</param>
/// <param name="Pushed">When it was first pushed.</param>
internal sealed record ManifestRow(string MediaType, int Size, Digest? Subject, DateTimeOffset Pushed)
{
    // Data format 2 has version 1 (RepositoryUpgrade). Version 2 has no order.
    private const byte Version = 3;

    /// <summary>The order of the command that wrote the manifest.</summary>
    public long Order { get; init; }

    /// <summary>The size of the encoded <see cref="ManifestNames"/>, which precede the bytes of the manifest.</summary>
    public int NamesSize { get; init; }

    /// <summary>The first piece of names and bytes.</summary>
    public ReadOnlyMemory<byte> First { get; init; }

    /// <summary>Whether the first piece has all names.</summary>
    public bool HasAllNames => NamesSize <= First.Length;

    /// <summary>How many pieces there are, the first one included.</summary>
    public int Pieces => Math.Max(1, (NamesSize + Size + RepositoryRows.PieceSize - 1) / RepositoryRows.PieceSize);

    /// <summary>Returns the keys of the other pieces.</summary>
    public IEnumerable<string> Rest(Digest digest) =>
        Enumerable.Range(1, Pieces - 1).Select(piece => RepositoryRows.Body(digest, piece));

    public ReadOnlyMemory<byte> Encode() => new RowWriter(Version, 256 + First.Length)
        .Text(MediaType).Number(Size).Text(Subject?.Value).Time(Pushed).Number(NamesSize).Number(Order).Bytes(First.Span).ToValue();

    public static ManifestRow Decode(ReadOnlyMemory<byte> value)
    {
        var reader = new RowReader(value, Version);
        if (reader.Version == 1)
        {
            throw new FormatException(
                "A manifest is still in the format of an earlier release: the upgrade could not read it. Push it again.");
        }

        var (mediaType, size, subject) = (reader.Text()!, (int)reader.Number(), reader.Text());
        var (pushed, names, order) = (reader.Time(), (int)reader.Number(), reader.Version > 2 ? reader.Number() : 0);
        return new ManifestRow(mediaType, size, subject is null ? null : Digest.Parse(subject), pushed)
        {
            Order = order,
            NamesSize = names,
            First = value[^reader.Rest.Length..],
        };
    }

    public static ManifestRow? Find(RowView rows, Digest digest) =>
        rows.Get(RepositoryRows.Manifest(digest)) is { } value ? Decode(value) : null;
}

/// <summary>
/// The content that a manifest named when it was pushed. Its push raised the count of uses of each. They are stored, so that the deletion
/// lowers the same counts even if a later release parses the manifest in another way.
/// </summary>
/// <param name="Blobs">The configuration and the layers, each once.</param>
/// <param name="Children">The children of an index, each once.</param>
internal sealed record ManifestNames(Digest[] Blobs, Digest[] Children)
{
    public IEnumerable<Digest> All => Blobs.Concat(Children);

    public static ManifestNames Of(PutManifest command) => new([.. command.Blobs.Union(command.ForeignBlobs)], command.Children);

    public static ManifestNames Of(Manifest manifest) => new([.. manifest.Blobs.Union(manifest.ForeignBlobs)], [.. manifest.Children]);

    public ReadOnlyMemory<byte> Encode()
    {
        var writer = new RowWriter(1, 17 + (80 * (Blobs.Length + Children.Length))).Number(Blobs.Length).Number(Children.Length);
        foreach (var digest in All)
        {
            writer = writer.Text(digest.Value);
        }

        return writer.ToValue();
    }

    public static ManifestNames Decode(ReadOnlyMemory<byte> value)
    {
        var reader = new RowReader(value, 1);
        var (blobs, children) = (new Digest[(int)reader.Number()], new Digest[(int)reader.Number()]);
        foreach (var digests in (Digest[][])[blobs, children])
        {
            for (var i = 0; i < digests.Length; i++)
            {
                digests[i] = Digest.Parse(reader.Text()!);
            }
        }

        return new ManifestNames(blobs, children);
    }
}

/// <summary>The row that counts the manifests which name content that is not linked. A link takes the count over.</summary>
internal static class UnlinkedUsesRow
{
    public static int Count(RowView rows, Digest digest) =>
        rows.Get(RepositoryRows.Named(digest)) is { } value ? (int)new RowReader(value, 1).Number() : 0;

    /// <summary>Sets the count. A count of 0 has no row.</summary>
    public static void Set(RowBatch rows, Digest digest, int count)
    {
        var key = RepositoryRows.Named(digest);
        if (count > 0)
        {
            rows.Put(key, new RowWriter(1, 9).Number(count).ToValue());
        }
        else if (rows.Has(key))
        {
            rows.Delete(key);
        }
    }
}

/// <summary>The row of a link: a blob of the repository.</summary>
/// <param name="Object">The object that holds the blob; null for a small blob, whose content is in a row.</param>
/// <param name="Size">The size in bytes.</param>
/// <param name="Uses">How many manifests name the blob.</param>
/// <param name="Renewed">When the link was last made or renewed.</param>
/// <param name="Due">The time of its <c>due/</c> row; null while manifests use the blob.</param>
/// <param name="IsDamaged">Whether the blob is in quarantine: the repository answers 404 until a client pushes it again.</param>
internal sealed record LinkRow(ObjectId? Object, long Size, int Uses, DateTimeOffset Renewed, DateTimeOffset? Due, bool IsDamaged = false)
{
    private const byte Version = 3;

    /// <summary>The order of the last command that linked it.</summary>
    public long Order { get; init; }

    public ReadOnlyMemory<byte> Encode() => new RowWriter(Version)
        .Text(Object?.Value).Number(Size).Number(Uses).Time(Renewed).Number(Due?.UtcTicks ?? 0).Flag(IsDamaged).Number(Order).ToValue();

    public static LinkRow Decode(ReadOnlyMemory<byte> value)
    {
        var reader = new RowReader(value, Version);
        var (@object, size, uses) = (reader.Text(), reader.Number(), (int)reader.Number());
        var (renewed, due) = (reader.Time(), reader.TimeOrNull());
        return new LinkRow(
            @object is null ? null : ObjectId.Parse(@object),
            size,
            uses,
            renewed,
            due,
            reader.Version > 1 && reader.Flag())
        {
            Order = reader.Version > 2 ? reader.Number() : 0,
        };
    }

    public static LinkRow? Find(RowView rows, Digest digest) => rows.Get(RepositoryRows.Link(digest)) is { } value ? Decode(value) : null;
}

/// <summary>The row of the content of a small blob.</summary>
internal static class BytesRow
{
    public static ReadOnlyMemory<byte> Encode(InlineContent content) =>
        new RowWriter(1, 1 + content.Bytes.Length).Bytes(content.Bytes).ToValue();

    public static InlineContent Decode(ReadOnlyMemory<byte> value) => new(new RowReader(value, 1).Rest.ToArray());
}
