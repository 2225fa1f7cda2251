using Granary.Storage.Data;
using Granary.Storage.Partitions;
using Microsoft.Data.Sqlite;

namespace Granary.Storage.Tests.Data;

public sealed class DataDirectoryTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_directory_keeps_its_cluster_id()
    {
        Guid made;
        using (var first = DataDirectory.Open(_directory.Combine("new/data")))
        {
            made = first.ClusterId;
        }

        using var again = DataDirectory.Open(_directory.Combine("new/data"));
        Assert.Equal(made, again.ClusterId);
    }

    [Fact]
    public void A_directory_in_use_is_refused()
    {
        using var first = DataDirectory.Open(_directory.Path);

        Assert.Contains("in use by another process", Assert.Throws<DataDirectoryException>(Open).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("granary-data 5\ncluster 00000000000000000000000000000001\n", "newer release")]
    [InlineData("granary-data 1\n", "damaged")]
    [InlineData("", "damaged")]
    public void An_unknown_format_is_refused(string format, string reason)
    {
        File.WriteAllText(_directory.Combine("format"), format);

        Assert.Contains(reason, Assert.Throws<DataDirectoryException>(Open).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_directory_of_format_1_is_upgraded_and_keeps_its_rows()
    {
        var old = MakeFormat1(_directory.Path);

        using (var opened = Open())
        {
            Assert.Equal(new Guid("00000000000000000000000000000001"), opened.ClusterId);
            Assert.True(opened.HasOldRows);
            Assert.Equal(
                "granary-data 4\ncluster 00000000000000000000000000000001\nupgrading rows\n",
                await File.ReadAllTextAsync(_directory.Combine("format")));
            await AssertHasRowsAsync(opened, old);
            await opened.Partitions.CommitAsync(
                new PartitionKey("p"),
                new Head(1),
                [Mutation.Put("large", RegistryClient.RandomBytes(5000))],
                default);
        }

        using (var interrupted = Open())
        {
            Assert.True(interrupted.HasOldRows);
            interrupted.MarkRowsUpgraded();
            Assert.Equal(
                "granary-data 4\ncluster 00000000000000000000000000000001\n",
                await File.ReadAllTextAsync(_directory.Combine("format")));
        }

        using var again = Open();
        Assert.False(again.HasOldRows);
        Assert.Equal(5000, (await again.Partitions.GetAsync(new PartitionKey("p"), ["large"], default))[0]!.Value.Length);
    }

    [Fact]
    public async Task A_backup_of_format_1_can_be_restored()
    {
        var backup = Directory.CreateDirectory(_directory.Combine("backup")).FullName;
        var old = MakeFormat1(backup);
        Directory.CreateDirectory(Path.Combine(backup, "blobs"));

        await foreach (var _ in DataBackup.RestoreAsync(backup, _directory.Combine("restored"), default))
        {
        }

        using var restored = DataDirectory.Open(_directory.Combine("restored"));
        await AssertHasRowsAsync(restored, old);
    }

    [Fact]
    public void A_failed_upgrade_leaves_the_directory_in_format_1()
    {
        MakeFormat1(_directory.Path);
        var file = _directory.Combine("metadata.db");
        var bytes = File.ReadAllBytes(file);
        bytes.AsSpan(4096, bytes.Length - 4096).Fill(0xff);
        File.WriteAllBytes(file, bytes);

        Assert.Throws<DataDirectoryException>(Open);

        Assert.StartsWith("granary-data 1\n", File.ReadAllText(_directory.Combine("format")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_directory_with_foreign_files_is_refused()
    {
        File.WriteAllText(_directory.Combine("thesis.txt"), "do not touch");

        Assert.Contains("thesis.txt", Assert.Throws<DataDirectoryException>(Open).Message, StringComparison.Ordinal);
        Assert.Equal(
            ["thesis.txt"],
            Directory.GetFileSystemEntries(_directory.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void An_interrupted_first_start_is_completed()
    {
        File.WriteAllText(_directory.Combine("format.new"), "gran");

        using var opened = DataDirectory.Open(_directory.Path);

        Assert.NotEqual(Guid.Empty, opened.ClusterId);
    }

    [Fact]
    public async Task A_backup_is_restored_to_a_directory_that_has_only_the_ballast()
    {
        using var backup = new TemporaryDirectory();
        using (var opened = Open())
        {
            await foreach (var _ in DataBackup.WriteAsync(opened, backup.Path, default))
            {
            }
        }

        using var target = new TemporaryDirectory();
        using (DataDirectory.Open(target.Path))
        {
        }

        foreach (var entry in Directory.GetFiles(target.Path))
        {
            File.Delete(entry);
        }

        Directory.Delete(target.Combine("blobs"), recursive: true);
        Directory.Delete(target.Combine("uploads"), recursive: true);
        Assert.Equal(["ballast"], Directory.GetFileSystemEntries(target.Path).Select(Path.GetFileName));
        Assert.DoesNotContain("ballast", Directory.GetFileSystemEntries(backup.Path).Select(Path.GetFileName));

        await foreach (var _ in DataBackup.RestoreAsync(backup.Path, target.Path, default))
        {
        }

        using var restored = DataDirectory.Open(target.Path);
    }

    [Fact]
    public void A_file_is_refused_as_a_data_directory()
    {
        File.WriteAllText(_directory.Combine("file"), "");

        Assert.Throws<DataDirectoryException>(() => DataDirectory.Open(_directory.Combine("file")));
    }

    /// <summary>Makes a directory of format 1, with large values in the tree of rows.</summary>
    private static byte[] MakeFormat1(string path)
    {
        File.WriteAllText(Path.Combine(path, "format"), "granary-data 1\ncluster 00000000000000000000000000000001\n");
        var value = RegistryClient.RandomBytes(2000);
        using var connection = new SqliteConnection($"Data Source={Path.Combine(path, "metadata.db")};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText =
            $"""
            {OldFormats.Tables1}
            INSERT INTO heads (name, version) VALUES ('p', 1);
            INSERT INTO rows (partition, key, value) VALUES (1, 'large', $value), (1, 'other', $value), (1, 'small', x'07');
            """;
        command.Parameters.AddWithValue("$value", value);
        command.ExecuteNonQuery();
        return value;
    }

    private static async Task AssertHasRowsAsync(DataDirectory directory, byte[] large)
    {
        var page = await directory.Partitions.ScanAsync(new PartitionKey("p"), "", after: null, limit: 10, default);
        Assert.Equal(["large", "other", "small"], page.Rows.Select(row => row.Key));
        Assert.Equal([large, large, [7]], page.Rows.Select(row => row.Value.ToArray()));
    }

    private DataDirectory Open() => DataDirectory.Open(_directory.Path);
}
