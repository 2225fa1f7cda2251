using Granary.Protocol.Units;

namespace Granary.Silo.Configuration;

/// <summary>Settings without a section.</summary>
public sealed record ServerOptions
{
    /// <summary>
    /// The addresses to listen on, separated by semicolons. http://0.0.0.0:5000 listens on every address of the machine; https:// needs
    /// a certificate.
    /// </summary>
    public string Urls { get; set; } = "http://127.0.0.1:5000";

    /// <summary>
    /// The data directory: everything that the registry stores. With a storage account (storage.azure) it holds only the token of the
    /// administration of this process.
    /// </summary>
    public string Data { get; set; } = "./data";

    /// <summary>
    /// The part of the registry that this process runs. all-in-one: everything. silo: the grains of a cluster, without an API. gateway:
    /// the API of a cluster, without grains. A cluster needs a storage account (storage.azure) and at least one process of each.
    /// </summary>
    public ServerRole Role { get; set; } = ServerRole.AllInOne;
}

/// <summary>The part of the registry that a process runs.</summary>
public enum ServerRole
{
    /// <summary>Everything, in a cluster of this process alone.</summary>
    AllInOne,

    /// <summary>Grains and background work of a cluster.</summary>
    Silo,

    /// <summary>The API of a cluster.</summary>
    Gateway,
}

/// <summary>Settings of the section <c>storage</c>.</summary>
public sealed record StorageOptions
{
    /// <summary>
    /// Disk space in the file system of the data directory that pushes may not use (512MB, 2GiB, …). If less is free, pushes get 507,
    /// and deletions, collections and the start still have room. auto: 5 % of the file system, at least 8MB and at most 1GB, but not
    /// more than a quarter of it. 0B: no reserve. Pushes then fill the disk, and deletions fail too.
    /// </summary>
    public ByteSize Reserve { get; set; }
}

/// <summary>Settings of the section <c>tls</c>.</summary>
public sealed record TlsOptions
{
    /// <summary>The PEM file with the certificate and its chain, for https addresses. The server reads it again when it changes.</summary>
    public string Certificate { get; set; } = "";

    /// <summary>The PEM file with the certificate's private key.</summary>
    public string Key { get; set; } = "";
}

/// <summary>Settings of the section <c>shutdown</c>.</summary>
public sealed record ShutdownOptions
{
    /// <summary>
    /// How long the server still accepts requests after a signal to stop. /readyz answers 503 meanwhile, so that load balancers send
    /// requests elsewhere.
    /// </summary>
    public TimeSpan Delay { get; set; } = TimeSpan.Zero;

    /// <summary>
    /// How long running transfers may take to finish after shutdown.delay. Then the server cuts them, and logs how many. Uploads keep
    /// the bytes that the server has received.
    /// </summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(60);
}

/// <summary>Settings of the section <c>log</c>.</summary>
public sealed record LogOptions
{
    /// <summary>The lowest severity of messages in the log: debug, info, warning or error.</summary>
    public LogSeverity Level { get; set; } = LogSeverity.Info;

    /// <summary>The format of messages on standard output: text or json.</summary>
    public LogFormat Format { get; set; } = LogFormat.Text;

    /// <summary>Whether the server logs each request.</summary>
    public bool Access { get; set; } = true;
}

/// <summary>The severity of a log message.</summary>
public enum LogSeverity
{
    /// <summary>Details that help to find a defect.</summary>
    Debug,

    /// <summary>Events of normal operation.</summary>
    Info,

    /// <summary>A condition that an operator should look at.</summary>
    Warning,

    /// <summary>A condition that an operator must act on.</summary>
    Error,
}

/// <summary>The format of log messages.</summary>
public enum LogFormat
{
    /// <summary>One line of text for a message.</summary>
    Text,

    /// <summary>One line with a JSON document for a message.</summary>
    Json,
}
