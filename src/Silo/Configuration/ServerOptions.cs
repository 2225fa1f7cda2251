using Granary.Storage.Space;

namespace Granary.Silo.Configuration;

/// <summary>Settings without a section.</summary>
public sealed record ServerOptions
{
    /// <summary>Where to listen, separated by semicolons. http://0.0.0.0:5000 listens on every address of the machine; https:// needs a certificate.</summary>
    public string Urls { get; set; } = "http://127.0.0.1:5000";

    /// <summary>The directory that holds everything the registry stores.</summary>
    public string Data { get; set; } = "./data";
}

/// <summary>Settings of the section <c>storage</c>.</summary>
public sealed record StorageOptions
{
    /// <summary>
    /// How much of the data directory's file system pushes leave free (512MB, 2GiB, …). Below it pushes get 507, and deletions,
    /// collections and the start still have room. auto: 5 % of the file system, at least 8MB and at most 1GB, and never more than a
    /// quarter of it. 0B turns it off: pushes go on until the disk is full, and then nothing can be deleted either.
    /// </summary>
    public ByteSize Reserve { get; set; }
}

/// <summary>Settings of the section <c>tls</c>.</summary>
public sealed record TlsOptions
{
    /// <summary>The PEM file with the certificate and its chain, for https addresses. It is read again when it changes.</summary>
    public string Certificate { get; set; } = "";

    /// <summary>The PEM file with the certificate's private key.</summary>
    public string Key { get; set; } = "";
}

/// <summary>Settings of the section <c>shutdown</c>.</summary>
public sealed record ShutdownOptions
{
    /// <summary>
    /// How long the server still accepts requests after it was told to stop, with /readyz failing, so that load balancers send their
    /// requests elsewhere.
    /// </summary>
    public TimeSpan Delay { get; set; } = TimeSpan.Zero;

    /// <summary>
    /// How long running transfers may take to finish after shutdown.delay. Then the server cuts them, and the log says how many. What
    /// uploads have received is kept.
    /// </summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(60);
}

/// <summary>Settings of the section <c>log</c>.</summary>
public sealed record LogOptions
{
    /// <summary>The least severe messages that are written: debug, info, warning or error.</summary>
    public LogSeverity Level { get; set; } = LogSeverity.Info;

    /// <summary>How messages are written to standard output: text or json.</summary>
    public LogFormat Format { get; set; } = LogFormat.Text;

    /// <summary>Whether each request is logged.</summary>
    public bool Access { get; set; } = true;
}

/// <summary>How severe a message of the log is.</summary>
public enum LogSeverity
{
    /// <summary>What helps to find a defect.</summary>
    Debug,

    /// <summary>What an operator wants to read on a good day.</summary>
    Info,

    /// <summary>Something to look at.</summary>
    Warning,

    /// <summary>Something to act on.</summary>
    Error,
}

/// <summary>How messages of the log are written.</summary>
public enum LogFormat
{
    /// <summary>A line for people.</summary>
    Text,

    /// <summary>A JSON document a line.</summary>
    Json,
}
