using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Tests.Cluster;
using Granary.Grains.Tests.GarbageCollection;
using Granary.Protocol;

namespace Granary.Grains.Tests.Repositories.History;

/// <summary>A repository whose tags move, with a sweep.</summary>
public abstract class HistoryTest : CollectionTest
{
    protected const string Partition = "repository/app";

    protected static readonly Digest Config = Commands.DigestOf("config");

    protected static readonly Tag V1 = Tag.Parse("v1");

    protected IRepositoryGrain Repository => Cluster.Repository("app");

    /// <summary>Pushes an image with a configuration that the repository has.</summary>
    private protected async Task<Digest> PushAsync(string content, params string[] tags)
    {
        Assert.Equal(LinkAnswer.Linked, await GrainCluster.LinkAsync(Repository, Bytes("config")));
        return await PutAsync(Image(content, tags));
    }

    private protected static PutManifest Image(string content, params string[] tags) => Commands.Put(content, tags, blobs: [Config]);

    private protected async Task<Digest> PutAsync(PutManifest command)
    {
        Assert.IsType<ManifestStored>(await Repository.PutManifest(command, default));
        return command.Digest;
    }

    /// <summary>Returns all lines but those about the repository.</summary>
    private protected async Task<List<LogLine>> LinesAsync() =>
        [.. (await Logs.ReadAsync(Rows)).Where(line => line.Kind is not (ChangeKind.RepositoryCreated or ChangeKind.RepositoryDeleted))];

    private protected async Task<Digest?> TaggedAsync(Tag tag) =>
        (await Repository.FindTagged(tag, withBody: false, default))?.Digest;

    private protected async Task<TagHistory> HistoryAsync(Tag tag) =>
        Assert.IsType<TagHistory>(await Repository.ReadTagHistory(tag, from: null, limit: 1000, default));

    /// <summary>Holds commits to the repository until the result is set.</summary>
    private protected TaskCompletionSource HoldCommits()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Store.BeforeCommit = partition => partition.Value == Partition ? gate.Task : Task.CompletedTask;
        return gate;
    }
}
