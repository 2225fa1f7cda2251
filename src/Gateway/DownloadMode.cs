namespace Granary.Gateway;

/// <summary>Who sends the bytes of layers to clients.</summary>
public enum DownloadMode
{
    /// <summary>The gateway reads them from the store and sends them.</summary>
    Proxy,

    /// <summary>The gateway redirects clients to the store.</summary>
    Redirect,
}
