using Granary.Grains.Partitions;
using Granary.Protocol;
using Granary.Storage.Partitions;

namespace Granary.Grains.Catalog;

/// <summary>
/// Every row of the partition <c>catalog</c>:
/// <code>
/// repo/&lt;name&gt;           a repository: the lease of its entry
/// due/&lt;time&gt;/&lt;name&gt;     when that lease ends
/// </code>
/// </summary>
internal static class CatalogRows
{
    public const string RepositoryPrefix = "repo/";
    public const string DuePrefix = "due/";

    public static PartitionKey Partition { get; } = new("catalog");

    public static string Repository(RepositoryName name) => RepositoryPrefix + name.Value;

    public static string Due(DateTimeOffset time, RepositoryName name) => $"{DuePrefix}{KeyTime.Text(time)}/{name.Value}";

    /// <summary>Returns the time and the repository of a <c>due/</c> row.</summary>
    public static (DateTimeOffset Time, RepositoryName Name) ParseDue(string key)
    {
        var rest = key.AsSpan(DuePrefix.Length);
        return (KeyTime.Time(rest[..16]), RepositoryName.Parse(rest[17..].ToString()));
    }
}
