using Granary.Gateway;
using Granary.Silo.Configuration;
using Granary.Storage.Blobs;

namespace Granary.Silo.Hosting.Composition;

/// <summary>Checks that the store can do what <c>downloads.mode</c> asks for.</summary>
internal static class DownloadCheck
{
    /// <exception cref="SettingsException">The store has no URLs to which clients can be redirected.</exception>
    public static void Check(DownloadOptions options, IBlobStore store)
    {
        if (options.Mode == DownloadMode.Redirect && store is not IBlobLinks)
        {
            throw new SettingsException(
                "downloads.mode: clients cannot be redirected to files in a data directory, only to a storage account. Remove the " +
                "setting, or set it to proxy.");
        }
    }
}
