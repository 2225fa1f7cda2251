using Granary.Storage.Blobs;

namespace Granary.Silo.Hosting.Storage;

/// <summary>Where a server keeps rows and bytes.</summary>
internal interface IServerStorage : IDisposable
{
    /// <summary>Where that is, for the log.</summary>
    string Place { get; }

    /// <summary>The directory of files that belong to this process, such as the token of the administration.</summary>
    string Directory { get; }

    /// <summary>The id of a cluster of this server alone.</summary>
    Guid ClusterId { get; }

    /// <summary>The store of the bytes.</summary>
    IBlobStore Blobs { get; }

    /// <summary>Registers the stores and what belongs to them.</summary>
    void AddTo(IServiceCollection services);

    /// <summary>Prepares the stores before anything else starts.</summary>
    Task PrepareAsync(IServiceProvider services, ILogger logger, CancellationToken cancellationToken);
}
