using Granary.Gateway.Http;

namespace Granary.Gateway.Tests.Http;

public sealed class RegistryPathTests
{
    [Theory]
    [InlineData("/v2", Resource.Root, "", "")]
    [InlineData("/v2/", Resource.Root, "", "")]
    [InlineData("/v2/_catalog", Resource.Catalog, "", "")]
    [InlineData("/v2/_oci/ext/discover", Resource.Extensions, "", "")]
    [InlineData("/v2/a/b/_oci/ext/discover", Resource.Extensions, "a/b", "")]
    [InlineData("/v2/a/b/manifests/latest", Resource.Manifest, "a/b", "latest")]
    [InlineData("/v2/a/manifests/sha256%3Aabc", Resource.Manifest, "a", "sha256:abc")]
    [InlineData("/v2/a/blobs/sha256:abc", Resource.Blob, "a", "sha256:abc")]
    [InlineData("/v2/a/blobs/uploads/", Resource.Uploads, "a", "")]
    [InlineData("/v2/a/blobs/uploads", Resource.Uploads, "a", "")]
    [InlineData("/v2/a/blobs/uploads/id", Resource.Upload, "a", "id")]
    [InlineData("/v2/a/tags/list", Resource.Tags, "a", "")]
    [InlineData("/v2/a/referrers/sha256:abc", Resource.Referrers, "a", "sha256:abc")]
    [InlineData("/v2/manifests/manifests/manifests", Resource.Manifest, "manifests", "manifests")]
    [InlineData("/v2/a/blobs/uploads/tags/list", Resource.Tags, "a/blobs/uploads", "")]
    [InlineData("/v2//tags/list", Resource.Tags, "", "")]
    [InlineData("/v2/a%2Fb/tags/list", Resource.Tags, "a%2Fb", "")]
    [InlineData("/v2/a/../b/tags/list", Resource.Tags, "a/../b", "")]
    public void A_path_is_split_from_the_right(string path, Resource resource, string name, string item)
    {
        Assert.True(RegistryPath.TryParse(path, out var parsed));
        Assert.Equal(new RegistryPath(resource, name, item), parsed);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/v20/")]
    [InlineData("/V2/")]
    [InlineData("/v2/a")]
    [InlineData("/v2/a/tags")]
    [InlineData("/v2/x/_catalog")]
    [InlineData("/v2/_catalog/")]
    public void Any_other_path_is_outside_the_protocol(string path) => Assert.False(RegistryPath.TryParse(path, out _));
}
