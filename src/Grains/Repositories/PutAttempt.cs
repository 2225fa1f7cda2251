using Granary.Grains.Interfaces.Repositories;

namespace Granary.Grains.Repositories;

/// <summary>The outcome of one attempt to store a manifest.</summary>
internal abstract record PutAttempt
{
    private PutAttempt()
    {
    }

    /// <summary>The repository cannot store the manifest.</summary>
    /// <param name="Ruling">The refusal, or the order above which the push has to be.</param>
    public sealed record Refused(Ruling<PutManifestAnswer> Ruling) : PutAttempt;

    /// <summary>The repository has to be registered in the catalog, or in a schedule, first.</summary>
    public sealed record NotRegistered : PutAttempt;

    /// <summary>The manifest is stored.</summary>
    /// <param name="HasChanges">False if the repository had it already, and all tags pointed at it.</param>
    public sealed record Stored(bool HasChanges) : PutAttempt;
}
