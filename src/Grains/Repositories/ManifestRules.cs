using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Grains.Repositories.History;
using Granary.Protocol;

namespace Granary.Grains.Repositories;

/// <summary>The rules about manifests: what a push needs of the repository, and the rows of a manifest.</summary>
internal static class ManifestRules
{
    /// <summary>Returns the keys of the rows that <see cref="Check"/> and <see cref="Store"/> ask for.</summary>
    public static IReadOnlyList<string> Needs(PutManifest command) =>
    [
        RepositoryRows.Meta,
        LogRows.History,
        RepositoryRows.Manifest(command.Digest),
        .. command.Tags.Select(RepositoryRows.Tag),
        .. command.Blobs.Select(RepositoryRows.Link),
        .. command.ForeignBlobs.Select(RepositoryRows.Link),
        .. command.Children.Select(RepositoryRows.Manifest),
        .. command.Children.Select(RepositoryRows.Link),
    ];

    /// <summary>Returns the keys of the rows that <see cref="Delete"/> asks for; null if there is no such manifest.</summary>
    public static IReadOnlyList<string>? DeletionNeeds(RowView rows, Digest digest) => ManifestRow.Find(rows, digest) is { } row
        ?
        [
            RepositoryRows.Meta,
            LogRows.History,
            RepositoryRows.Manifest(digest),
            RepositoryRows.TaggedPrefix(digest),
            .. row.Rest(digest),
            .. Names(rows, digest, row).All.Select(RepositoryRows.Link),
        ]
        : null;

    /// <summary>Returns the highest order of the rows that a push touches.</summary>
    public static long OrderOf(RowView rows, PutManifest command) => command.Tags
        .Select(tag => TagRow.Find(rows, tag)?.Order ?? 0)
        .Append(ManifestRow.Find(rows, command.Digest)?.Order ?? 0)
        .Max();

    /// <summary>Returns the highest order of the rows that the removal of a manifest touches: its own, and those of its tags.</summary>
    public static long OrderOf(RowView rows, Digest digest) => ManifestRow.Find(rows, digest) is { } row
        ? rows.Scan(RepositoryRows.TaggedPrefix(digest))
            .Where(tagged => TaggedRow.LostAt(tagged.Value) is null)
            .Select(tagged => TagRow.Find(rows, Tag.Parse(RepositoryRows.LastPart(tagged.Key)))?.Order ?? 0)
            .Append(row.Order)
            .Max()
        : 0;

    /// <summary>Returns the refusal of a push; null if the repository can store it.</summary>
    public static PutManifestAnswer? Check(RowView rows, PutManifest command)
    {
        if (TagRules.Check(rows, command) is { } failed)
        {
            return failed;
        }

        return !command.Sparse && FindMissing(rows, command.Blobs, command.Children) is { Length: > 0 } missing
            ? new ReferencesMissing(missing)
            : null;
    }

    /// <summary>Returns which blobs and children of a manifest the repository lacks, in the manifest's order.</summary>
    public static Digest[] FindMissing(RowView rows, IEnumerable<Digest> blobs, IEnumerable<Digest> children)
    {
        var missing = new List<Digest>();
        foreach (var blob in blobs)
        {
            if (!LinkRules.IsAvailable(rows, blob))
            {
                missing.Add(blob);
            }
        }

        foreach (var child in children)
        {
            // A child may be a blob: older build caches list layers in an index.
            if (!rows.Has(RepositoryRows.Manifest(child)) && !LinkRules.IsAvailable(rows, child))
            {
                missing.Add(child);
            }
        }

        return [.. missing];
    }

    /// <summary>Stores a checked manifest, and points its tags at it.</summary>
    public static void Store(RowBatch rows, PutManifest command, Change change)
    {
        var outcome = StoreManifest(rows, command, change);
        var isNew = outcome == StoreOutcome.New;
        var manifest = LoggedManifest.Of(command);
        var isLogged = false;
        foreach (var tag in command.Tags)
        {
            var kind = isNew ? ChangeKind.Pushed : ChangeKind.Tagged;
            isLogged |= TagRules.Point(rows, tag, command.Digest, manifest, change, kind, isNew && !isLogged);
        }

        if (!isLogged && outcome != StoreOutcome.Unchanged)
        {
            LogRules.AppendManifest(rows, change, ChangeKind.Pushed, command.Digest, manifest, isNew);
        }

        if (outcome == StoreOutcome.Unchanged && command.Tags.Length == 0)
        {
            OrderRules.Record(rows, change);
        }
    }

    /// <summary>Puts the rows of a manifest: what it names, followed by its bytes, in pieces.</summary>
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
            var key = RepositoryRows.Body(digest, offset / RepositoryRows.PieceSize);
            rows.Put(key, new RowWriter(1, 1 + piece.Length).Bytes(piece).ToValue());
        }
    }

    /// <summary>Returns a manifest for a pull; null if there is no such manifest.</summary>
    public static FoundManifest? Find(RowView rows, Digest digest, bool withBody) =>
        ManifestRow.Find(rows, digest) is { } row
            ? new FoundManifest(digest, row.MediaType, row.Size, withBody ? Body(rows, digest, row) : null)
            : null;

    /// <summary>Removes a manifest with its tags. Returns false if there is no such manifest.</summary>
    /// <param name="rows">The batch.</param>
    /// <param name="digest">The manifest.</param>
    /// <param name="change">The change.</param>
    /// <param name="lifetimes">The grace periods of the blobs that it was the last to name, and of its referrers.</param>
    public static bool Delete(RowBatch rows, Digest digest, Change change, LifetimeOptions lifetimes)
    {
        if (ManifestRow.Find(rows, digest) is not { } row)
        {
            return false;
        }

        Floor.RaiseAfterRemoval(rows, change, row.Order);
        var names = Names(rows, digest, row);
        foreach (var named in names.All)
        {
            LinkRules.RemoveUse(rows, named, change.Time, lifetimes);
        }

        foreach (var child in names.Children)
        {
            rows.Delete(RepositoryRows.Use(child, digest));
        }

        var logged = LoggedManifest.Of(row);
        if (!TagRules.RemoveAll(rows, digest, logged, change))
        {
            LogRules.AppendManifest(rows, change, ChangeKind.Deleted, digest, logged);
        }

        if (row.Subject is { } subject)
        {
            rows.Delete(RepositoryRows.Sub(subject, digest));
        }

        foreach (var piece in row.Rest(digest))
        {
            rows.Delete(piece);
        }

        // Its referrers have a grace period, like its blobs: if a client pushes the manifest again within it, they stay.
        rows.Put(RepositoryRows.DueSubject(change.Time + lifetimes.LinkGrace, digest), RepositoryRows.Mark);
        rows.Delete(RepositoryRows.Manifest(digest));
        return true;
    }

    /// <summary>Returns whether a tag points at a manifest, or another manifest names it.</summary>
    public static bool IsNamed(RowView rows, Digest digest) =>
        IsTagged(rows, digest) || rows.Scan(RepositoryRows.UsePrefix(digest)).Count > 0;

    /// <summary>Returns whether a tag points at a manifest.</summary>
    public static bool IsTagged(RowView rows, Digest digest) =>
        rows.Scan(RepositoryRows.TaggedPrefix(digest)).Any(row => TaggedRow.LostAt(row.Value) is null);

    /// <summary>Returns when a manifest lost its last tag; its push if it never had one.</summary>
    public static DateTimeOffset UntaggedSince(RowView rows, Digest digest, ManifestRow row) => rows
        .Scan(RepositoryRows.TaggedPrefix(digest))
        .Select(tagged => TaggedRow.LostAt(tagged.Value) ?? DateTimeOffset.MinValue)
        .Append(row.Pushed)
        .Max();

    /// <summary>Returns the bytes of a manifest.</summary>
    public static byte[] Body(RowView rows, Digest digest, ManifestRow row) => Content(rows, digest, row)[row.NamesSize..].ToArray();

    /// <summary>
    /// Returns whether the bytes of a manifest match its digest, and the uses of all that it names are counted. Otherwise its deletion
    /// would lower a count that it has not raised.
    /// </summary>
    public static bool IsWhole(RowView rows, Digest digest, ManifestRow row)
    {
        // Count asks for all rows before the bytes are hashed, so that one load brings them all.
        var uncounted = Names(rows, digest, row).All.Count(named => LinkRules.CountUses(rows, named) == 0);
        return uncounted == 0 && Digest.Compute(digest.Algorithm, Body(rows, digest, row)) == digest;
    }

    /// <summary>Returns whether a manifest names some content.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="digest">The manifest.</param>
    /// <param name="value">The value of its row, from a scan.</param>
    /// <param name="content">The content.</param>
    public static bool DoesName(RowView rows, Digest digest, ReadOnlyMemory<byte> value, Digest content)
    {
        // A manifest that names hundreds has the rest of its names in other rows, which may have been deleted since the scan.
        var row = ManifestRow.Decode(value);
        return (row.HasAllNames || (row = ManifestRow.Find(rows, digest)) is not null) && Names(rows, digest, row).All.Contains(content);
    }

    /// <summary>Returns what a manifest names.</summary>
    public static ManifestNames Names(RowView rows, Digest digest, ManifestRow row) =>
        ManifestNames.Decode((row.HasAllNames ? row.First : Content(rows, digest, row))[..row.NamesSize]);

    /// <summary>Returns what the manifest names, followed by its bytes.</summary>
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
            // If a piece is absent, it is not loaded yet, and the engine discards the result of this run.
            if (rows.Get(RepositoryRows.Body(digest, piece)) is { } value)
            {
                new RowReader(value, 1).Rest.CopyTo(content.AsSpan(piece * RepositoryRows.PieceSize));
            }
        }

        return content;
    }

    private static StoreOutcome StoreManifest(RowBatch rows, PutManifest command, Change change)
    {
        var before = ManifestRow.Find(rows, command.Digest);
        if (before?.MediaType == command.MediaType)
        {
            return StoreOutcome.Unchanged;
        }

        if (command.Subject is { } subject)
        {
            rows.Put(RepositoryRows.Sub(subject, command.Digest), ReferrerRow.Of(command).Encode());
        }

        // The client has pushed the same bytes under another media type. All other rows exist.
        if (before is not null)
        {
            var changed = before with { MediaType = command.MediaType, Order = change.Order };
            rows.Put(RepositoryRows.Manifest(command.Digest), changed.Encode());
            return StoreOutcome.Changed;
        }

        var names = ManifestNames.Of(command);
        foreach (var named in names.All)
        {
            LinkRules.AddUse(rows, named);
        }

        foreach (var child in names.Children)
        {
            rows.Put(RepositoryRows.Use(child, command.Digest), RepositoryRows.Mark);
        }

        var row = new ManifestRow(command.MediaType, command.Body.Length, command.Subject, change.Time)
        {
            Order = change.Order,
        };
        StoreContent(rows, command.Digest, row, names, command.Body);
        return StoreOutcome.New;
    }

    private enum StoreOutcome
    {
        /// <summary>The repository had the manifest already.</summary>
        Unchanged,

        /// <summary>The repository had it under another media type.</summary>
        Changed,

        /// <summary>The manifest is new.</summary>
        New,
    }
}
