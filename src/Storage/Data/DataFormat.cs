using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace Granary.Storage.Data;

/// <summary>The content of the format file, which makes a directory a data directory.</summary>
/// <param name="Version">The version of the layout (<see cref="DataDirectory.FormatVersion"/>).</param>
/// <param name="ClusterId">The id of the cluster, made with the directory.</param>
/// <param name="HasOldRows">Whether rows of an older format may be left.</param>
internal sealed record DataFormat(int Version, Guid ClusterId, bool HasOldRows)
{
    public const string FileName = "format";

    /// <summary>The name under which the file is written first. A start that broke off may leave it.</summary>
    public const string UnfinishedName = FileName + ".new";

    private const string VersionHeader = "granary-data ";
    private const string ClusterHeader = "cluster ";
    private const string OldRowsLine = "upgrading rows";

    /// <summary>Reads the format file of a directory. Returns null if there is none.</summary>
    /// <exception cref="DataDirectoryException">The file is damaged, or a newer release wrote it.</exception>
    public static DataFormat? Read(string directory)
    {
        var file = Path.Combine(directory, FileName);
        if (!File.Exists(file))
        {
            return null;
        }

        if (!TryParse(File.ReadAllLines(file), out var format))
        {
            throw new DataDirectoryException(
                $"'{file}' is damaged. It has to say '{VersionHeader}{DataDirectory.FormatVersion}' and, in the next line, " +
                $"'{ClusterHeader}' and 32 hexadecimal digits. Restore it from a backup.");
        }

        return format.Version <= DataDirectory.FormatVersion
            ? format
            : throw new DataDirectoryException(
                $"The data directory '{directory}' was written by a newer release (format {format.Version}; " +
                $"this one knows {DataDirectory.FormatVersion}). Start that release, or name another directory with --data.");
    }

    /// <summary>Writes the format file, durably and at once: a failure leaves the old file as it was.</summary>
    public void Write(string directory)
    {
        var unfinished = Path.Combine(directory, UnfinishedName);
        using (var file = new FileStream(unfinished, FileMode.Create, FileAccess.Write, FileShare.None))
        {
            file.Write(Encoding.ASCII.GetBytes(ToText()));
            file.Flush(flushToDisk: true);
        }

        File.Move(unfinished, Path.Combine(directory, FileName), overwrite: true);
        FileSync.Directory(directory);
    }

    private static bool TryParse(string[] lines, [NotNullWhen(true)] out DataFormat? format)
    {
        format = null;
        if (lines.Length < 2
            || !lines[0].StartsWith(VersionHeader, StringComparison.Ordinal)
            || !int.TryParse(lines[0].AsSpan(VersionHeader.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var version)
            || !lines[1].StartsWith(ClusterHeader, StringComparison.Ordinal)
            || !Guid.TryParseExact(lines[1].AsSpan(ClusterHeader.Length), "N", out var clusterId))
        {
            return false;
        }

        format = new DataFormat(version, clusterId, lines.Contains(OldRowsLine));
        return true;
    }

    private string ToText() => $"{VersionHeader}{Version}\n{ClusterHeader}{ClusterId:N}\n{(HasOldRows ? OldRowsLine + "\n" : "")}";
}
