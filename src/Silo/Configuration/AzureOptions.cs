namespace Granary.Silo.Configuration;

/// <summary>Settings of the section <c>storage.azure</c>.</summary>
public sealed record AzureOptions
{
    /// <summary>
    /// The storage account in which the registry keeps rows and bytes: its name, or the address of its blobs, such as
    /// https://NAME.blob.core.windows.net. The process signs in with its managed identity. Without an account the registry stores in the
    /// data directory.
    /// </summary>
    public string Account { get; set; } = "";

    /// <summary>A connection string with the key of an account, instead of storage.azure.account. For Azurite and tests.</summary>
    public string ConnectionString { get; set; } = "";

    /// <summary>The client id of a user-assigned identity. Without it the process uses the identity that the platform assigns.</summary>
    public string ClientId { get; set; } = "";

    /// <summary>The table of the rows. The server creates it.</summary>
    public string Table { get; set; } = "granary";

    /// <summary>The container of the bytes. The server creates it.</summary>
    public string Container { get; set; } = "granary";

    /// <summary>Whether the settings name a storage account.</summary>
    internal bool IsSet => Account.Length + ConnectionString.Length > 0;
}
