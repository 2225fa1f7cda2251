using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Repositories;

namespace Granary.Grains.Tests.Repositories;

/// <summary>The entry of a referrer does not depend on the row that was read before it.</summary>
public sealed class ReferrerRowTests
{
    private static readonly Referrer[] Rows =
    [
        Row("1", "a/one", "x/type", ("created", "now"), ("name", "1")),
        Row("2", "a/one", "x/type", ("created", "now"), ("name", "2")),
        Row("3", "a/two", null, ("name", "3"), ("created", "later"), ("more", "yes")),
        Row("4", "a/one", "x/type"),
        Row("5", "a/öne", "x/typé", ("näme", "fünf"), ("created", "")),
        Row("6", "a/öne", "x/typé", ("näme", "sechs"), ("created", "")),
    ];

    [Fact]
    public void Equal_strings_of_the_row_before_are_shared_and_others_are_not()
    {
        foreach (var before in Rows)
        {
            foreach (var row in Rows)
            {
                var read = Decode(row, before);

                Assert.Equal(
                    (row.Digest, row.MediaType, row.Size, row.ArtifactType),
                    (read.Digest, read.MediaType, read.Size, read.ArtifactType));
                Assert.Equal(row.Annotations.OrderBy(pair => pair.Key), read.Annotations.OrderBy(pair => pair.Key));
            }
        }

        var (first, second) = (Rows[0], Decode(Rows[1], Rows[0]));
        Assert.Same(first.MediaType, second.MediaType);
        Assert.Same(first.ArtifactType, second.ArtifactType);
        Assert.Same(first.Annotations.Keys.First(), second.Annotations.Keys.First());
    }

    private static Referrer Decode(Referrer row, Referrer before) =>
        ReferrerRow.Decode("sub/x/" + row.Digest, new ReferrerRow(row, IsPartial: false).Encode(), before).Listed;

    private static Referrer Row(
        string content,
        string mediaType,
        string? artifactType,
        params (string Name, string Value)[] annotations) => new(
            Commands.DigestOf(content),
            mediaType,
            content.Length,
            artifactType,
            annotations.ToDictionary(pair => pair.Name, pair => pair.Value, StringComparer.Ordinal));
}
