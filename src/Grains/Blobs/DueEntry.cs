namespace Granary.Grains.Blobs;

/// <summary>A <c>due/</c> row of a shard.</summary>
/// <param name="Time">When it is due.</param>
/// <param name="Kind"><c>ref</c>, <c>orphan</c>, <c>doom</c>, <c>tell</c> or <c>tomb</c>.</param>
/// <param name="Subject">The rest of the key: a digest, an object, or a digest and a repository.</param>
internal sealed record DueEntry(DateTimeOffset Time, string Kind, string Subject);
