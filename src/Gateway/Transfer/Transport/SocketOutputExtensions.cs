using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Granary.Gateway.Transfer.Transport;

/// <summary>Gives connections a <see cref="SocketOutput"/>.</summary>
internal static class SocketOutputExtensions
{
    /// <summary>Sends what is written to the endpoint's connections, encrypted or not, directly to their sockets.</summary>
    public static void UseSocketOutput(this ListenOptions options)
    {
        var services = options.ApplicationServices;
        var blocks = services.GetRequiredService<IMemoryPoolFactory<byte>>().Create();
        var idleTimeout = services.GetRequiredService<IOptions<DownloadOptions>>().Value.IdleTimeout;
        var time = services.GetRequiredService<TimeProvider>();
        options.Use(next => async connection =>
        {
            if (connection.Features.Get<IConnectionSocketFeature>()?.Socket is not { } socket)
            {
                await next(connection);
                return;
            }

            var pipes = connection.Transport;
            var output = new SocketOutput(connection, socket, pipes.Output, blocks, idleTimeout, time);
            connection.Features.Set(output);
            connection.Transport = new Pipes(pipes.Input, output);
            try
            {
                await next(connection);
            }
            finally
            {
                connection.Transport = pipes;
            }
        });
    }

    private sealed record Pipes(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
