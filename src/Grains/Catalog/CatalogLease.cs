using Granary.Grains.Leases;
using Granary.Protocol;

namespace Granary.Grains.Catalog;

/// <summary>The lease of a repository's entry in the catalog.</summary>
internal readonly record struct CatalogLease(RepositoryName Repository) : ILease
{
    public string Key => CatalogRows.Repository(Repository);

    public char Salt => Repository.Value[^1];

    public string DueKey(DateTimeOffset until) => CatalogRows.Due(until, Repository);
}
