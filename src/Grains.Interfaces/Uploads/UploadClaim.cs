namespace Granary.Grains.Interfaces.Uploads;

/// <summary>The times of a claim on a session, which the gateway and the session's grain share.</summary>
public static class UploadClaim
{
    /// <summary>How long a claim lasts after its last renewal.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    /// <summary>How often a request that is at work renews its claim.</summary>
    public static readonly TimeSpan RenewalInterval = TimeSpan.FromSeconds(15);
}
