using Granary.Gateway;
using Granary.Gateway.Admin;
using Granary.Storage;
using Granary.Storage.Data;

namespace Granary.Silo.Hosting.Composition;

/// <summary>Registers the access to the administration's API, with the token of the data directory.</summary>
internal static partial class AdminServices
{
    public static IServiceCollection AddAdministration(this IServiceCollection services, AdminOptions options) =>
        services.AddSingleton(provider => Create(
            options,
            provider.GetRequiredService<DataDirectory>(),
            provider.GetRequiredService<ILogger<GranaryServer>>()));

    private static AdminAccess Create(AdminOptions options, DataDirectory data, ILogger logger)
    {
        try
        {
            return new AdminAccess(options.Enabled ? AdminToken.Ensure(data.Path) : null);
        }
        catch (StorageException e)
        {
            // The registry serves without a token, too: a full disk must not stop pulls.
            LogNoToken(logger, e.Message);
            return new AdminAccess(token: null);
        }
    }

    [LoggerMessage(3307, LogLevel.Error,
        "The administration's API refuses every request until the next start, because its token could not be read or written; correct " +
        "the cause and start again: {Reason}")]
    private static partial void LogNoToken(ILogger logger, string reason);
}
