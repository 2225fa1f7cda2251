using Granary.Storage.Data;

namespace Granary.Storage.Tests.Data;

public sealed class DataDirectoryTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_directory_keeps_its_identity()
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
    [InlineData("granary-data 3\ncluster 00000000000000000000000000000001\n", "newer release")]
    [InlineData("granary-data 1\n", "damaged")]
    [InlineData("", "damaged")]
    public void A_format_that_is_not_known_is_refused(string format, string reason)
    {
        File.WriteAllText(_directory.Combine("format"), format);

        Assert.Contains(reason, Assert.Throws<DataDirectoryException>(Open).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_directory_of_format_1_is_upgraded_and_keeps_its_identity()
    {
        File.WriteAllText(_directory.Combine("format"), "granary-data 1\ncluster 00000000000000000000000000000001\n");

        using (var opened = Open())
        {
            Assert.Equal(new Guid("00000000000000000000000000000001"), opened.ClusterId);
        }

        Assert.Equal("granary-data 2\ncluster 00000000000000000000000000000001\n", File.ReadAllText(_directory.Combine("format")));
    }

    [Fact]
    public void A_directory_of_somebody_else_is_refused()
    {
        File.WriteAllText(_directory.Combine("thesis.txt"), "do not touch");

        Assert.Contains("thesis.txt", Assert.Throws<DataDirectoryException>(Open).Message, StringComparison.Ordinal);
        Assert.Equal(["lock", "thesis.txt"], Directory.GetFileSystemEntries(_directory.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_start_that_was_cut_off_in_the_middle_is_made_good()
    {
        File.WriteAllText(_directory.Combine("format.new"), "gran");

        using var opened = DataDirectory.Open(_directory.Path);

        Assert.NotEqual(Guid.Empty, opened.ClusterId);
    }

    [Fact]
    public void A_file_is_no_directory()
    {
        File.WriteAllText(_directory.Combine("file"), "");

        Assert.Throws<DataDirectoryException>(() => DataDirectory.Open(_directory.Combine("file")));
    }

    private DataDirectory Open() => DataDirectory.Open(_directory.Path);
}
