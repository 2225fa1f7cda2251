namespace Granary.Grains.Repositories;

/// <summary>The outcome of <see cref="LinkRules.TryUnlink"/>.</summary>
internal enum UnlinkOutcome
{
    /// <summary>The link is removed.</summary>
    Unlinked,

    /// <summary>The repository has no such blob.</summary>
    NotFound,

    /// <summary>Manifests use the blob. The link stays.</summary>
    InUse,
}
