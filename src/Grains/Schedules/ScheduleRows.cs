using Granary.Grains.Partitions;
using Granary.Storage.Partitions;

namespace Granary.Grains.Schedules;

/// <summary>
/// The keys of the rows of a partition <c>schedule/&lt;kind&gt;/&lt;number&gt;</c>:
/// <code>
/// due/&lt;time&gt;/&lt;subject&gt;     when the sweep looks at the subject
/// </code>
/// </summary>
internal static class ScheduleRows
{
    public const string DuePrefix = "due/";

    public static ReadOnlyMemory<byte> Mark { get; } = new byte[] { 1 };

    public static PartitionKey Partition(string key) => new("schedule/" + key);

    public static string Due(DateTimeOffset time, string subject) => $"{DuePrefix}{KeyTime.Text(time)}/{subject}";

    public static (DateTimeOffset Time, string Subject) ParseDue(string key)
    {
        var rest = key.AsSpan(DuePrefix.Length);
        return (KeyTime.Time(rest[..16]), rest[17..].ToString());
    }
}
