using Granary.Protocol;

namespace Granary.Grains.Repositories.Maintenance;

/// <summary>A deleted manifest whose referrers are due.</summary>
/// <param name="Key">The key of its <c>due/</c> row.</param>
/// <param name="Digest">The manifest.</param>
/// <param name="Referrers">Referrers that no tag and no manifest names.</param>
/// <param name="More">Whether it has more of them than one step removes.</param>
internal sealed record DeletedSubject(string Key, Digest Digest, IReadOnlyList<Digest> Referrers, bool More);
