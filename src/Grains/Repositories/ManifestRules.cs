using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Repositories;

/// <summary>The rules about manifests: what they need of the repository, and the rows that they are.</summary>
internal static class ManifestRules
{
    /// <summary>The rows that <see cref="Store"/> will ask for.</summary>
    public static IReadOnlyList<string> Needs(PutManifest command) =>
    [
        RepositoryRows.Meta,
        RepositoryRows.Manifest(command.Digest),
        .. command.Tags.Select(RepositoryRows.Tag),
        .. command.Blobs.Select(RepositoryRows.Link),
        .. command.ForeignBlobs.Select(RepositoryRows.Link),
        .. command.Children.Select(RepositoryRows.Manifest),
        .. command.Children.Select(RepositoryRows.Link),
    ];

    /// <summary>The rows that <see cref="Delete"/> will ask for; null if there is no such manifest.</summary>
    public static IReadOnlyList<string>? DeletionNeeds(RowView rows, Digest digest) => ManifestRow.Find(rows, digest) is { } row
        ?
        [
            RepositoryRows.Manifest(digest),
            RepositoryRows.TaggedPrefix(digest),
            .. row.Rest(digest),
            .. Names(rows, digest, row).All.Select(RepositoryRows.Link),
        ]
        : null;

    /// <summary>What is in the way of a push; null if nothing.</summary>
    public static PutManifestAnswer? Check(RowView rows, PutManifest command)
    {
        if (TagRules.Check(rows, command) is { } failed)
        {
            return failed;
        }

        return !command.Sparse && Missing(rows, command) is { Length: > 0 } missing ? new ReferencesMissing(missing) : null;
    }

    /// <summary>Stores a checked manifest and points its tags at it.</summary>
    public static PutManifestAnswer Store(RowBatch rows, PutManifest command, DateTimeOffset timestamp)
    {
        StoreManifest(rows, command, timestamp);
        foreach (var tag in command.Tags)
        {
            TagRules.Point(rows, tag, command.Digest, command.RequestId, timestamp);
        }

        return new ManifestStored();
    }

    /// <summary>Sets the rows that hold what a manifest names, and its bytes.</summary>
    public static void StoreContent(RowBatch rows, Digest digest, ManifestRow row, ManifestNames names, ReadOnlySpan<byte> body)
    {
        ReadOnlyMemory<byte> encoded = names.Encode();
        var content = new byte[encoded.Length + body.Length];
        encoded.CopyTo(content);
        body.CopyTo(content.AsSpan(encoded.Length));
        var first = content.AsMemory(0, Math.Min(RepositoryRows.PieceSize, content.Length));
        rows.Put(RepositoryRows.Manifest(digest), (row with { NamesSize = encoded.Length, First = first }).Encode());
        for (var offset = RepositoryRows.PieceSize; offset < content.Length; offset += RepositoryRows.PieceSize)
        {
            var piece = content.AsSpan(offset, Math.Min(RepositoryRows.PieceSize, content.Length - offset));
            rows.Put(RepositoryRows.Body(digest, offset / RepositoryRows.PieceSize), new RowWriter(1, 1 + piece.Length).Bytes(piece).ToValue());
        }
    }

    /// <summary>A manifest as a pull needs it; null if there is none.</summary>
    public static FoundManifest? Find(RowView rows, Digest digest, bool withBody) =>
        ManifestRow.Find(rows, digest) is { } row
            ? new FoundManifest(digest, row.MediaType, row.Size, withBody ? Body(rows, digest, row) : null)
            : null;

    /// <summary>Removes a manifest with its tags; false if there is none.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="digest">The manifest.</param>
    /// <param name="timestamp">When.</param>
    /// <param name="lifetimes">How long what it alone has used is kept.</param>
    public static bool Delete(RowBatch rows, Digest digest, DateTimeOffset timestamp, LifetimeOptions lifetimes)
    {
        if (ManifestRow.Find(rows, digest) is not { } row)
        {
            return false;
        }

        var names = Names(rows, digest, row);
        foreach (var named in names.All)
        {
            LinkRules.EndUse(rows, named, timestamp, lifetimes);
        }

        foreach (var child in names.Children)
        {
            rows.Delete(RepositoryRows.Use(child, digest));
        }

        foreach (var tagged in rows.Scan(RepositoryRows.TaggedPrefix(digest)))
        {
            TagRules.Remove(rows, Tag.Parse(RepositoryRows.LastPart(tagged.Key)), timestamp);
        }

        if (row.Subject is { } subject)
        {
            rows.Delete(RepositoryRows.Sub(subject, digest));
        }

        foreach (var piece in row.Rest(digest))
        {
            rows.Delete(piece);
        }

        // Its referrers have a grace, as its blobs have: pushing it again keeps them.
        rows.Put(RepositoryRows.DueSubject(timestamp + lifetimes.LinkGrace, digest), RepositoryRows.Mark);
        rows.Delete(RepositoryRows.Manifest(digest));
        return true;
    }

    /// <summary>Whether a tag points at a manifest, or another manifest names it.</summary>
    public static bool IsNamed(RowView rows, Digest digest) =>
        rows.Scan(RepositoryRows.TaggedPrefix(digest)).Count > 0 || rows.Scan(RepositoryRows.UsePrefix(digest)).Count > 0;

    /// <summary>The manifest's bytes.</summary>
    public static byte[] Body(RowView rows, Digest digest, ManifestRow row) => Content(rows, digest, row)[row.NamesSize..].ToArray();

    /// <summary>Whether a manifest's rows hold the bytes that its digest says, and it is counted wherever its deletion would take back what it counts for.</summary>
    public static bool IsWhole(RowView rows, Digest digest, ManifestRow row)
    {
        // All are looked at, so that rows that are not in memory are loaded at once, and the bytes are hashed when they are.
        var uncounted = Names(rows, digest, row).All.Count(named => LinkRules.Uses(rows, named) == 0);
        return uncounted == 0 && Digest.Compute(digest.Algorithm, Body(rows, digest, row)) == digest;
    }

    /// <summary>Whether a manifest whose row was read a moment ago names some content.</summary>
    public static bool DoesName(RowView rows, Digest digest, ReadOnlyMemory<byte> read, Digest content)
    {
        // Only of one that names hundreds the row does not say it all; and its other rows may have gone with it meanwhile.
        var row = ManifestRow.Decode(read);
        return (row.HasAllNames || (row = ManifestRow.Find(rows, digest)) is not null) && Names(rows, digest, row).All.Contains(content);
    }

    /// <summary>Returns what a manifest names.</summary>
    public static ManifestNames Names(RowView rows, Digest digest, ManifestRow row) =>
        ManifestNames.Decode((row.HasAllNames ? row.First : Content(rows, digest, row))[..row.NamesSize]);

    /// <summary>What the manifest names, and then its bytes.</summary>
    private static ReadOnlyMemory<byte> Content(RowView rows, Digest digest, ManifestRow row)
    {
        if (row.Pieces == 1)
        {
            return row.First;
        }

        var content = new byte[row.NamesSize + row.Size];
        row.First.CopyTo(content);
        for (var piece = 1; piece < row.Pieces; piece++)
        {
            // An absent piece is one that is not loaded yet: this run does not count.
            if (rows.Get(RepositoryRows.Body(digest, piece)) is { } value)
            {
                new RowReader(value, 1).Rest.CopyTo(content.AsSpan(piece * RepositoryRows.PieceSize));
            }
        }

        return content;
    }

    private static Digest[] Missing(RowView rows, PutManifest command)
    {
        var missing = new List<Digest>();
        foreach (var blob in command.Blobs)
        {
            if (!LinkRules.IsHere(rows, blob))
            {
                missing.Add(blob);
            }
        }

        foreach (var child in command.Children)
        {
            // Older build caches list layers in an index: a child may be a blob.
            if (!rows.Has(RepositoryRows.Manifest(child)) && !LinkRules.IsHere(rows, child))
            {
                missing.Add(child);
            }
        }

        return [.. missing];
    }

    private static void StoreManifest(RowBatch rows, PutManifest command, DateTimeOffset timestamp)
    {
        var before = ManifestRow.Find(rows, command.Digest);
        if (before?.MediaType == command.MediaType)
        {
            return;
        }

        if (command.Subject is { } subject)
        {
            rows.Put(RepositoryRows.Sub(subject, command.Digest), ReferrerRow.Of(command).Encode());
        }

        // The same bytes pushed under another media type: all else is there.
        if (before is not null)
        {
            rows.Put(RepositoryRows.Manifest(command.Digest), (before with { MediaType = command.MediaType }).Encode());
            return;
        }

        var names = ManifestNames.Of(command);
        foreach (var named in names.All)
        {
            LinkRules.Use(rows, named);
        }

        foreach (var child in names.Children)
        {
            rows.Put(RepositoryRows.Use(child, command.Digest), RepositoryRows.Mark);
        }

        StoreContent(rows, command.Digest, new ManifestRow(command.MediaType, command.Body.Length, command.Subject, timestamp), names, command.Body);
    }
}
