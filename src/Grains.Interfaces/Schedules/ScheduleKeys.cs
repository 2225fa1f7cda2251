using Granary.Protocol;

namespace Granary.Grains.Interfaces.Schedules;

/// <summary>The keys of the schedules: 16 for upload sessions, 16 for repositories.</summary>
public static class ScheduleKeys
{
    private const int Count = 16;

    /// <summary>All schedules of upload sessions.</summary>
    public static IEnumerable<string> Uploads => Enumerable.Range(0, Count).Select(number => Key("uploads", number));

    /// <summary>All schedules of repositories.</summary>
    public static IEnumerable<string> Repositories => Enumerable.Range(0, Count).Select(number => Key("repositories", number));

    /// <summary>Returns the schedule of an upload session.</summary>
    public static string OfUpload(string id) => Key("uploads", Hash(id));

    /// <summary>Returns the schedule of a repository.</summary>
    public static string OfRepository(RepositoryName name) => Key("repositories", Hash(name.Value));

    private static string Key(string kind, int number) => $"{kind}/{number:x}";

    // FNV-1a. The result must never change, because it decides where stored entries are. A hash of the runtime could change with a release.
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
