using Azure.Identity;
using Granary.Silo.Configuration;
using Granary.Storage.Azure;

namespace Granary.Silo.Hosting.Storage;

/// <summary>Turns the settings of the section <c>storage.azure</c> into a storage account.</summary>
internal static class AccountSettings
{
    private const string PublicCloud = ".blob.core.windows.net";

    /// <summary>Returns the account.</summary>
    /// <exception cref="SettingsException">The settings name no account. The message says how to name one.</exception>
    public static StorageAccount Account(AzureOptions options)
    {
        if (options.ConnectionString.Length > 0)
        {
            return FromConnectionString(options);
        }

        var blobs = BlobAddress(options);
        var tables = new UriBuilder(blobs) { Host = blobs.Host.Replace(".blob.", ".table.", StringComparison.OrdinalIgnoreCase) }.Uri;
        return StorageAccount.FromAddresses(tables, blobs, Credential(options));
    }

    /// <summary>Returns the account as a log names it, without secrets.</summary>
    public static string Describe(AzureOptions options) => options.Account.Length > 0
        ? $"the storage account {options.Account}, table {options.Table}, container {options.Container}"
        : $"the storage account of storage.azure.connectionString, table {options.Table}, container {options.Container}";

    private static StorageAccount FromConnectionString(AzureOptions options)
    {
        if (options.Account.Length > 0)
        {
            throw new SettingsException(
                "storage.azure: account and connectionString are both set. Set the account to sign in with an identity, or the " +
                "connection string to sign in with a key, but not both.");
        }

        try
        {
            return StorageAccount.FromConnectionString(options.ConnectionString);
        }
        catch (FormatException e)
        {
            // The text has the key of the account, so the message does not repeat it.
            throw new SettingsException(
                "storage.azure.connectionString: this is not a connection string, such as " +
                "DefaultEndpointsProtocol=https;AccountName=…;AccountKey=….", e);
        }
    }

    private static Uri BlobAddress(AzureOptions options)
    {
        var text = options.Account.Contains("://", StringComparison.Ordinal) ? options.Account : $"https://{options.Account}{PublicCloud}";
        if (Uri.TryCreate(text, UriKind.Absolute, out var address)
            && address is { Scheme: "https", PathAndQuery: "/", UserInfo: "" }
            && address.Host.Contains(".blob.", StringComparison.OrdinalIgnoreCase))
        {
            return address;
        }

        throw new SettingsException(
            $"storage.azure.account: '{options.Account}' is neither the name of a storage account nor the address of its blobs, such as " +
            "https://NAME.blob.core.windows.net.");
    }

    // The identity that the platform gives to the process: of Container Apps, of a virtual machine, or of a workload in Kubernetes.
    private static DefaultAzureCredential Credential(AzureOptions options) => new(new DefaultAzureCredentialOptions
    {
        ManagedIdentityClientId = options.ClientId.Length == 0 ? null : options.ClientId,
        WorkloadIdentityClientId = options.ClientId.Length == 0 ? null : options.ClientId,
        ExcludeInteractiveBrowserCredential = true,
    });
}
