using Granary.Silo.Commands;

namespace Granary.Silo.Tests.Commands;

public sealed class TagNameTests
{
    [Theory]
    [InlineData("app:v1", "app", "v1")]
    [InlineData("library/app:v1", "library/app", "v1")]
    [InlineData("a/b/c:V1.2_3-x", "a/b/c", "V1.2_3-x")]
    public void The_last_colon_after_the_last_slash_separates_repository_and_tag(string text, string repository, string tag)
    {
        Assert.True(TagName.TryParse(text, out var name, out var error), error);
        Assert.Equal((repository, tag), (name.Repository.Value, name.Tag.Value));
        Assert.Equal(text, name.ToString());
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("app", " The tag is missing.")]
    [InlineData("app:", " The tag is missing.")]
    [InlineData(":v1", "")]
    [InlineData("App:v1", "")]
    [InlineData("app:v 1", "")]
    [InlineData("127.0.0.1:5000/app:v1", " Leave out the address of the registry; --server names it.")]
    [InlineData("localhost:5000/app", " Leave out the address of the registry; --server names it.")]
    [InlineData("app@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", " It names a tag, not a digest.")]
    [InlineData("app:v1:v2", " Leave out the address of the registry; --server names it.")]
    public void Another_form_is_refused_with_the_form_to_write(string text, string hint)
    {
        Assert.False(TagName.TryParse(text, out _, out var error));
        Assert.Equal($"'{text}' is not REPOSITORY:TAG, such as library/app:v1.{hint}", error);
    }
}
