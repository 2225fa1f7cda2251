using Granary.Protocol;
using Orleans.Concurrency;

namespace Granary.Grains.Interfaces.Schedules;

/// <summary>
/// One of the grains that know when upload sessions and repositories are to be looked at; the keys are in <see cref="ScheduleKeys"/>. An entry is durable before, or with, what
/// it will find is, so that nothing is ever forgotten, and nobody has to walk through everything to find what is due.
/// </summary>
[Alias("granary.schedule")]
public interface IScheduleGrain : IGrainWithStringKey
{
    /// <summary>Records that something is to be looked at.</summary>
    [AlwaysInterleave, Alias("schedule")]
    Task Schedule(string subject, DateTimeOffset due, CancellationToken cancellationToken);

    /// <summary>Records that something is to be looked at that is not stored yet.</summary>
    /// <returns>What it is to rest on when it is stored; null: the entry is durable.</returns>
    [AlwaysInterleave, Alias("schedule-ahead")]
    Task<CommitTicket?> ScheduleEarly(string subject, DateTimeOffset due, CancellationToken cancellationToken);

    /// <summary>The first entries that are due, at most <paramref name="limit"/>.</summary>
    [AlwaysInterleave, Alias("due")]
    Task<ScheduledItem[]> Due(int limit, CancellationToken cancellationToken);

    /// <summary>All entries after <paramref name="after"/>, due or not, in the order of their times; at most <paramref name="limit"/>.</summary>
    [AlwaysInterleave, Alias("list")]
    Task<ScheduledItem[]> List(ScheduledItem? after, int limit, CancellationToken cancellationToken);

    /// <summary>Removes an entry.</summary>
    [AlwaysInterleave, Alias("remove")]
    Task Remove(ScheduledItem entry, CancellationToken cancellationToken);
}

/// <summary>Something that is to be looked at.</summary>
/// <param name="Subject">The id of an upload session, or the name of a repository.</param>
/// <param name="Due">When.</param>
[GenerateSerializer, Immutable, Alias("granary.scheduled-item")]
public sealed record ScheduledItem([property: Id(0)] string Subject, [property: Id(1)] DateTimeOffset Due);

/// <summary>The keys of the schedules: 16 for upload sessions, 16 for repositories.</summary>
public static class ScheduleKeys
{
    private const int Count = 16;

    /// <summary>All schedules of upload sessions.</summary>
    public static IEnumerable<string> Uploads => Enumerable.Range(0, Count).Select(number => Key("uploads", number));

    /// <summary>All schedules of repositories.</summary>
    public static IEnumerable<string> Repositories => Enumerable.Range(0, Count).Select(number => Key("repositories", number));

    /// <summary>The schedule that knows a session.</summary>
    public static string OfUpload(string id) => Key("uploads", Hash(id));

    /// <summary>The schedule that knows a repository.</summary>
    public static string OfRepository(RepositoryName name) => Key("repositories", Hash(name.Value));

    private static string Key(string kind, int number) => $"{kind}/{number:x}";

    /// <summary>FNV-1a: the same for ever, so no hash that may change with the runtime.</summary>
    private static int Hash(string text)
    {
        var hash = 2166136261u;
        foreach (var character in text)
        {
            hash = (hash ^ character) * 16777619u;
        }

        return (int)(hash % Count);
    }
}
