using Granary.Gateway.Admin;

namespace Granary.Gateway.Tests.Admin;

public sealed class RepositoryPathTests
{
    [Theory]
    [InlineData("/granary/v1/repositories/app/-/history", "app", "history")]
    [InlineData("/granary/v1/repositories/a/b/c/-/tags/v1/undo", "a/b/c", "tags v1 undo")]
    [InlineData("/granary/v1/repositories/a/history/tags/-/history", "a/history/tags", "history")]
    [InlineData("/granary/v1/repositories/a//b/-/history", "a//b", "history")]
    [InlineData("/granary/v1/repositories//-/history", "", "history")]
    [InlineData("/granary/v1/repositories/a/-/tags/-/undo", "a", "tags - undo")]
    [InlineData("/granary/v1/repositories/a/-/", "a", "")]
    public void The_first_dash_between_slashes_ends_the_name(string path, string name, string segments)
    {
        Assert.True(RepositoryPath.TryParse(path, out var parsed));
        Assert.Equal((name, segments), (parsed.Name, string.Join(' ', parsed.Segments)));
    }

    [Theory]
    [InlineData("/granary/v1/repositories")]
    [InlineData("/granary/v1/repositories/app")]
    [InlineData("/granary/v1/repositories/app/-")]
    [InlineData("/granary/v1/repositories/-/history")]
    [InlineData("/granary/v2/repositories/app/-/history")]
    [InlineData("/granary/v1/operations")]
    public void Other_paths_are_not_about_a_repository(string path) => Assert.False(RepositoryPath.TryParse(path, out _));
}
