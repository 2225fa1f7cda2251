using Granary.Grains.Leases;
using Granary.Protocol;

namespace Granary.Grains.Blobs;

/// <summary>The lease of a repository's reference to a blob.</summary>
internal readonly record struct ReferenceLease(Digest Digest, RepositoryName Repository) : ILease
{
    public string Key => BlobRows.Reference(Digest, Repository);

    public char Salt => Digest.Encoded[^1];

    public string DueKey(DateTimeOffset until) => BlobRows.DueReference(until, Digest, Repository);
}
