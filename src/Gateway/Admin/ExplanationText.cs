using System.Globalization;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;
using Granary.Protocol.Units;

namespace Granary.Gateway.Admin;

/// <summary>Explains in sentences why content is kept, or when it is deleted.</summary>
internal static class ExplanationText
{
    public static string[] Of(RepositoryName repository, Digest digest, RepositoryExplanation here, ShardBlob? blob)
    {
        var lines = new List<string>();
        if (here.Pushed is null && here.BlobSize is null)
        {
            lines.Add($"Unknown: {repository} has neither a manifest nor a blob {digest}.");
        }

        if (here.Pushed is { } pushed)
        {
            ExplainManifest(lines, repository, here, pushed);
        }

        if (here.BlobSize is { } size)
        {
            ExplainLink(lines, repository, here, size);
        }

        if (blob is not null)
        {
            ExplainBlob(lines, blob);
        }
        else if (here.Pushed is null)
        {
            lines.Add("The registry has no such blob.");
        }

        return [.. lines];
    }

    private static void ExplainManifest(List<string> lines, RepositoryName repository, RepositoryExplanation here, DateTimeOffset pushed)
    {
        lines.Add($"It is a manifest of {repository}, pushed {Text(pushed)}.");
        AddList(lines, here.Tags, "Tags point at it: ");
        AddList(lines, here.UsedBy, "Indexes name it: ");
        AddList(lines, here.Referrers, "Manifests refer to it: ");
        if (here.Subject is { } subject)
        {
            lines.Add($"It refers to {subject}, " + (here.IsSubjectHere ? "and is deleted with it." : "which is not here."));
        }

        if (here.Untagged is { } untagged)
        {
            lines.Add($"It lost its last tag {Text(untagged)}; its age as an untagged manifest counts from then.");
        }

        if (here.Tags is [] && here.UsedBy is [] && !here.IsSubjectHere)
        {
            lines.Add(here.Referrers is []
                ? "No tag leads to it. It stays, unless untagged manifests are collected (collection.untagged, or 'granary gc run " +
                  "--untagged-age')."
                : "No tag points at it. It stays as long as a tag leads to a manifest that refers to it, or untagged manifests are " +
                  "not collected.");
        }
    }

    private static void ExplainLink(List<string> lines, RepositoryName repository, RepositoryExplanation here, long size)
    {
        var damage = here.IsDamaged ? ", which are DAMAGED: the server answers 404 for it, and the next push repairs it" : "";
        lines.Add($"It is a blob of {repository}, of {ByteText.Of(size)}{damage}.");
        if (here.Uses > 0)
        {
            var users = string.Join(", ", here.UsedBy) + (here.Uses > here.UsedBy.Length ? ", …" : "");
            lines.Add($"Manifests that use it, {here.Uses} in all: {users}. As long as there is one, it stays.");
        }
        else if (here.Due is { } due)
        {
            lines.Add(
                $"No manifest uses it. It was last pushed or asked for {Text(here.Renewed)}, and leaves the repository after " +
                $"{Text(due)}, unless a client asks for it or a manifest uses it before.");
        }
    }

    private static void ExplainBlob(List<string> lines, ShardBlob blob)
    {
        lines.Add(blob.Content is { } id ? $"The registry keeps it in object {id}." : "The registry keeps it in a row.");
        if (blob.References > 0)
        {
            var leases = string.Join(", ", blob.Leases.Select(lease => $"{lease.Repository} (lease until {Text(lease.LeaseUntil)})"))
                + (blob.References > blob.Leases.Length ? ", …" : "");
            lines.Add($"Repositories that refer to it, {blob.References} in all: {leases}. As long as there is one, its bytes stay.");
        }
        else
        {
            lines.Add($"No repository refers to it. Its bytes are deleted after {Text(blob.OrphanDue)}.");
        }
    }

    private static void AddList<T>(List<string> lines, T[] items, string what)
    {
        if (items.Length > 0)
        {
            lines.Add(what + string.Join(", ", items) + ".");
        }
    }

    private static string Text(DateTimeOffset? time) => time?.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture) ?? "soon";
}
