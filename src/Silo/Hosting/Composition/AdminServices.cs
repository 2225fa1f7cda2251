using Granary.Gateway;
using Granary.Gateway.Admin;
using Granary.Storage;
using Granary.Storage.Data;

namespace Granary.Silo.Hosting.Composition;

/// <summary>Registers the access to the administration's API, with the token in a directory.</summary>
internal static partial class AdminServices
{
    public static IServiceCollection AddAdministration(this IServiceCollection services, AdminOptions options, string directory) =>
        services.AddSingleton(provider => Create(options, directory, provider.GetRequiredService<ILogger<GranaryServer>>()));

    private static AdminAccess Create(AdminOptions options, string directory, ILogger logger)
    {
        try
        {
            return new AdminAccess(options.Enabled ? AdminToken.Ensure(directory) : null);
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
