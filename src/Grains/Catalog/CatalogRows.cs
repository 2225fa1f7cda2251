using Granary.Grains.Partitions;
using Granary.Protocol;
using Granary.Storage.Partitions;

namespace Granary.Grains.Catalog;

/// <summary>
/// Every row of the partition <c>catalog</c>:
/// <code>
/// repo/&lt;name&gt;           a repository: at which version of its partition it entered, and until when that is believed
/// due/&lt;time&gt;/&lt;name&gt;     when it has to be asked whether it still exists
/// </code>
/// </summary>
internal static class CatalogRows
{
    public const string RepositoryPrefix = "repo/";
    public const string DuePrefix = "due/";

    public static PartitionKey Partition { get; } = new("catalog");

    public static string Repository(RepositoryName name) => RepositoryPrefix + name.Value;

    public static string Due(DateTimeOffset time, RepositoryName name) => $"{DuePrefix}{KeyTime.Text(time)}/{name.Value}";

    /// <summary>The time and the repository of a <c>due/</c> row.</summary>
    public static (DateTimeOffset Time, RepositoryName Name) ParseDue(string key)
    {
        var rest = key.AsSpan(DuePrefix.Length);
        return (KeyTime.Time(rest[..16]), RepositoryName.Parse(rest[17..].ToString()));
    }

    /// <summary>The value of a row that says everything by being there.</summary>
    public static ReadOnlyMemory<byte> Mark { get; } = new byte[] { 1 };
}

/// <summary>The row of a repository's entry.</summary>
/// <param name="Sequence">The version of the repository's partition that made it, at the earliest.</param>
/// <param name="LeaseUntil">When the repository has to be asked; the time of its <c>due/</c> row.</param>
/// <param name="Renewals">How often the repository said that it exists: leases grow with it.</param>
internal sealed record EntryRow(long Sequence, DateTimeOffset LeaseUntil, int Renewals)
{
    public ReadOnlyMemory<byte> Encode() => new RowWriter(1).Number(Sequence).Time(LeaseUntil).Number(Renewals).ToValue();

    public static EntryRow? Find(RowView rows, RepositoryName name)
    {
        if (rows.Get(CatalogRows.Repository(name)) is not { } value)
        {
            return null;
        }

        var reader = new RowReader(value, 1);
        return new EntryRow(reader.Number(), reader.Time(), (int)reader.Number());
    }
}
