using System.Net;
using Azure.Core;
using Azure.Core.Pipeline;
using Azure.Storage.Blobs;

namespace Granary.Storage.Azure.Blobs;

/// <summary>How the client library talks to the blob service. What it does by default is set here where users meet it.</summary>
public static class AzureBlobClients
{
    /// <summary>How often a request is repeated after an answer that a repetition may mend, or after none.</summary>
    public const int MaxRetries = 3;

    /// <summary>Makes the options of a client.</summary>
    public static BlobClientOptions CreateOptions()
    {
        var options = new BlobClientOptions
        {
            Retry =
            {
                // 0.2, 0.4 and 0.8 seconds, jittered: a client waits for the answer. The default waits for 0.8, 1.6 and 3.2 seconds.
                Mode = RetryMode.Exponential,
                MaxRetries = MaxRetries,
                Delay = TimeSpan.FromMilliseconds(200),
                MaxDelay = TimeSpan.FromSeconds(2),

                // For one attempt, and for one read of a download. The largest block has 64 MiB.
                NetworkTimeout = TimeSpan.FromSeconds(60),
            },
            Transport = new HttpClientTransport(new HttpClient(CreateHandler()) { Timeout = Timeout.InfiniteTimeSpan }),
        };

        // The name of the library and the operating system in each request say nothing that an operator of a registry asks for.
        options.Diagnostics.IsTelemetryEnabled = false;
        return options;
    }

    private static SocketsHttpHandler CreateHandler() => new()
    {
        ConnectTimeout = TimeSpan.FromSeconds(5),

        // The address of an account moves, for example at a failover.
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),

        // Each download holds a connection, as long as its client reads.
        MaxConnectionsPerServer = int.MaxValue,
        AutomaticDecompression = DecompressionMethods.None,
        AllowAutoRedirect = false,
        UseCookies = false,
    };
}
