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

    /// <summary>The rows that <see cref="Delete"/> will ask for, and what the manifest names; null if there is no such manifest.</summary>
    public static (IReadOnlyList<string> Needs, Digest[] References)? PlanDeletion(RowView rows, Digest digest)
    {
        if (ManifestRow.Find(rows, digest) is not { } row)
        {
            return null;
        }

        var references = References(rows, digest, row);
        string[] needs =
        [
            RepositoryRows.Manifest(digest),
            RepositoryRows.TaggedPrefix(digest),
            .. Enumerable.Range(0, row.Pieces).Select(piece => RepositoryRows.Body(digest, piece)),
            .. references.Select(reference => RepositoryRows.Use(reference, digest)),
            .. references.Select(RepositoryRows.Link),
        ];
        return (needs, references);
    }

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
    public static PutManifestAnswer Store(RowBatch rows, PutManifest command, DateTimeOffset moment)
    {
        StoreManifest(rows, command, moment);
        foreach (var tag in command.Tags)
        {
            TagRules.Point(rows, tag, command.Digest, command.RequestId, moment);
        }

        return new ManifestStored();
    }

    /// <summary>A manifest as a pull needs it; null if there is none.</summary>
    public static FoundManifest? Find(RowView rows, Digest digest, bool withBody) =>
        ManifestRow.Find(rows, digest) is { } row
            ? new FoundManifest(digest, row.MediaType, row.Size, withBody ? Body(rows, digest, row) : null)
            : null;

    /// <summary>Removes a manifest with its tags; false if there is none.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="digest">The manifest.</param>
    /// <param name="references">What it names, if that was read ahead: a digest always names the same.</param>
    /// <param name="moment">When.</param>
    /// <param name="lifetimes">How long what it alone has used is kept.</param>
    public static bool Delete(RowBatch rows, Digest digest, Digest[]? references, DateTimeOffset moment, LifetimeOptions lifetimes)
    {
        if (ManifestRow.Find(rows, digest) is not { } row)
        {
            return false;
        }

        foreach (var reference in references ?? References(rows, digest, row))
        {
            LinkRules.EndUse(rows, reference, digest, moment, lifetimes);
        }

        foreach (var tagged in rows.Scan(RepositoryRows.TaggedPrefix(digest)))
        {
            TagRules.Remove(rows, Tag.Parse(RepositoryRows.LastPart(tagged.Key)), moment);
        }

        if (row.Subject is { } subject)
        {
            rows.Delete(RepositoryRows.Sub(subject, digest));
        }

        for (var piece = 0; piece < row.Pieces; piece++)
        {
            rows.Delete(RepositoryRows.Body(digest, piece));
        }

        // Its referrers have a grace, as its blobs have: pushing it again keeps them.
        rows.Put(RepositoryRows.DueSubject(moment + lifetimes.LinkGrace, digest), RepositoryRows.Mark);
        rows.Delete(RepositoryRows.Manifest(digest));
        return true;
    }

    /// <summary>Whether a tag points at a manifest, or another manifest names it.</summary>
    public static bool IsNamed(RowView rows, Digest digest) =>
        rows.Scan(RepositoryRows.TaggedPrefix(digest)).Count > 0 || rows.Scan(RepositoryRows.UsePrefix(digest)).Count > 0;

    /// <summary>The manifest's bytes.</summary>
    public static byte[] Body(RowView rows, Digest digest, ManifestRow row)
    {
        var body = new byte[row.Size];
        for (var piece = 0; piece < row.Pieces; piece++)
        {
            // An absent piece is one that is not loaded yet: this run does not count.
            if (rows.Get(RepositoryRows.Body(digest, piece)) is { } value)
            {
                new RowReader(value, 1).Rest.CopyTo(body.AsSpan(piece * RepositoryRows.PieceSize));
            }
        }

        return body;
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

    private static void StoreManifest(RowBatch rows, PutManifest command, DateTimeOffset moment)
    {
        var before = ManifestRow.Find(rows, command.Digest);
        if (before?.MediaType == command.MediaType)
        {
            return;
        }

        rows.Put(
            RepositoryRows.Manifest(command.Digest),
            new ManifestRow(command.MediaType, command.Body.Length, command.Subject, before?.Pushed ?? moment).Encode());
        if (command.Subject is { } subject)
        {
            rows.Put(RepositoryRows.Sub(subject, command.Digest), ReferrerRow.Of(command).Encode());
        }

        // The same bytes pushed under another media type: all else is there.
        if (before is not null)
        {
            return;
        }

        for (var offset = 0; offset == 0 || offset < command.Body.Length; offset += RepositoryRows.PieceSize)
        {
            var piece = command.Body.AsSpan(offset, Math.Min(RepositoryRows.PieceSize, command.Body.Length - offset));
            rows.Put(RepositoryRows.Body(command.Digest, offset / RepositoryRows.PieceSize), new RowWriter(1, 1 + piece.Length).Bytes(piece).ToValue());
        }

        foreach (var reference in command.Blobs.Concat(command.ForeignBlobs).Concat(command.Children).Distinct())
        {
            LinkRules.Use(rows, reference, command.Digest);
        }
    }

    /// <summary>What a stored manifest names. It was parsed when it was pushed; should a later parser refuse it, its uses stay, and nothing is lost.</summary>
    private static Digest[] References(RowView rows, Digest digest, ManifestRow row)
    {
        if (!Manifest.TryParse(Body(rows, digest, row), row.MediaType, out var manifest, out _))
        {
            return [];
        }

        Descriptor[] config = manifest.Config is null ? [] : [manifest.Config];
        return [.. config.Concat(manifest.Layers).Concat(manifest.Manifests).Select(descriptor => descriptor.Digest).Distinct()];
    }
}
