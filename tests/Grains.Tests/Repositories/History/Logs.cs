using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Repositories.History;
using Granary.Protocol;
using Granary.Storage.Partitions;

namespace Granary.Grains.Tests.Repositories.History;

/// <summary>Reads and checks the log of a repository.</summary>
internal static class Logs
{
    /// <summary>Returns all lines of a repository, in the order of their keys.</summary>
    public static async Task<List<LogLine>> ReadAsync(IPartitionStore store, string repository = "app")
    {
        var lines = new List<LogLine>();
        await foreach (var page in store.PagesAsync(new PartitionKey("repository/" + repository), LogRows.Prefix, after: null, default))
        {
            lines.AddRange(page.Select(row => LogRows.Decode(LogRows.ParseLine(row.Key), row.Value)));
        }

        return lines;
    }

    /// <summary>Returns all lines about a tag.</summary>
    public static async Task<List<LogLine>> ReadAsync(IPartitionStore store, Tag tag) =>
        [.. (await ReadAsync(store)).Where(line => line.Tag == tag)];

    /// <summary>Returns whether a key is that of the row that says when the oldest lines of a log are due.</summary>
    public static bool IsDueRow(string key) =>
        key.StartsWith("due/", StringComparison.Ordinal) && key.EndsWith("/log", StringComparison.Ordinal);

    /// <summary>Asserts that lines about one tag are a chain: each names the line before it, and the manifest after that one.</summary>
    public static void AssertChained(IReadOnlyList<LogLine> lines)
    {
        for (var i = 0; i < lines.Count; i++)
        {
            Assert.Equal(i == 0 ? null : lines[i - 1].Position, lines[i].Before);
            Assert.Equal(i == 0 ? null : lines[i - 1].Digest, lines[i].Previous);
        }
    }
}
