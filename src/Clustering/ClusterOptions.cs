namespace Granary.Clustering;

/// <summary>Settings of the section <c>cluster</c>, for the roles silo and gateway.</summary>
public sealed record ClusterOptions
{
    /// <summary>The name of the cluster. Silos and gateways of one cluster have the same; two clusters never share an account.</summary>
    public string Id { get; set; } = "granary";

    /// <summary>
    /// The address at which other processes of the cluster reach this silo. Without it the silo takes the machine's first address.
    /// </summary>
    public string Address { get; set; } = "";

    /// <summary>The port on which a silo listens for other silos. It has no authentication: only the cluster may reach it.</summary>
    public int SiloPort { get; set; } = 11111;

    /// <summary>The port on which a silo listens for gateways. It has no authentication: only the cluster may reach it.</summary>
    public int GatewayPort { get; set; } = 30000;

    /// <summary>How often silos probe each other. A silo that misses three probes is voted out.</summary>
    public TimeSpan ProbeTimeout { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a call between processes waits for its answer. The gateway then repeats it.</summary>
    public TimeSpan CallTimeout { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>
    /// How old an answer may be that a silo gives from memory while it is cut off from the others and does not know it yet. Each
    /// repository in use costs one small request to the account in half of this time.
    /// </summary>
    public TimeSpan Proof { get; set; } = TimeSpan.FromSeconds(5);
}
