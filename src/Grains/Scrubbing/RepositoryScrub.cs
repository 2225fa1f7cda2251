using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Operations;
using Granary.Protocol;

namespace Granary.Grains.Scrubbing;

/// <summary>Checks the manifests and the links of a repository.</summary>
internal sealed class RepositoryScrub(IGrainFactory grains, OperationRun run)
{
    private const int PageSize = 100;

    /// <summary>Checks a repository. Damaged rows are reported, and do not stop the scrub.</summary>
    public async Task CheckAsync(RepositoryName name, CancellationToken cancellationToken)
    {
        var repository = grains.GetGrain<IRepositoryMaintenanceGrain>(name.Value);
        run.Add("repositories", 1);
        try
        {
            await CheckManifestsAsync(name, repository, cancellationToken);
            await CheckLinksAsync(name, repository, cancellationToken);
        }
        catch (FormatException e)
        {
            run.Add("damagedRows", 1);
            run.AddFinding($"{name}: a row is damaged: {e.Message} Delete the repository and push it again, or restore a backup.");
        }
    }

    private async Task CheckManifestsAsync(
        RepositoryName name,
        IRepositoryMaintenanceGrain repository,
        CancellationToken cancellationToken)
    {
        Digest? after = null;
        do
        {
            var page = await repository.CheckManifests(after, PageSize, cancellationToken);
            run.Add("manifests", page.Checked);
            foreach (var damaged in page.Damaged)
            {
                run.Add("damagedRows", 1);
                run.AddFinding($"{name}: the rows of manifest {damaged} are damaged. Delete it and push it again, or restore a backup.");
            }

            after = page.After;
            await run.ReportAsync();
        }
        while (after is not null);
    }

    private async Task CheckLinksAsync(RepositoryName name, IRepositoryMaintenanceGrain repository, CancellationToken cancellationToken)
    {
        Digest? after = null;
        while (await repository.ListLinks(after, PageSize, cancellationToken) is { Length: > 0 } links)
        {
            foreach (var link in links)
            {
                await CheckLinkAsync(name, repository, link, cancellationToken);
            }

            after = links[^1].Digest;
            await run.ReportAsync();
        }
    }

    private async Task CheckLinkAsync(
        RepositoryName name,
        IRepositoryMaintenanceGrain repository,
        LinkedBlob link,
        CancellationToken cancellationToken)
    {
        var shard = grains.GetGrain<IBlobShardGrain>(link.Digest.FirstByte);
        if (!await shard.IsReferenced(link.Digest, name, link.Object, cancellationToken)
            && await repository.RestoreReference(link.Digest, cancellationToken))
        {
            run.Add("pinned", 1);
            run.AddFinding(
                $"{name}: the registry's rows of blob {link.Digest} were lost or damaged. "
                + "The scrub has restored them from the repository.");
        }
    }
}
