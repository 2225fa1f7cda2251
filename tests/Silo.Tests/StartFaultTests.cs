using System.Net;
using System.Net.Sockets;
using Granary.Storage.Data;

namespace Granary.Silo.Tests;

/// <summary>A program that cannot start writes one line to standard error, and nothing else to either stream.</summary>
public sealed class StartFaultTests : IDisposable
{
    private const string AnotherAddress = "choose another address with --urls or GRANARY_URLS.";

    private readonly TemporaryDirectory _directory = new();

    private string Data => _directory.Combine("data");

    public void Dispose()
    {
        if (Directory.Exists(Data))
        {
            Permissions.Set(Data, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        _directory.Dispose();
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("localhost")]
    [InlineData("0.0.0.0")]
    public async Task A_port_in_use_is_one_line(string host)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var url = $"http://{host}:{((IPEndPoint)listener.LocalEndpoint).Port}";

        await FailsAsync($"urls: the address '{url}' is in use by another program. Stop that program, or {AnotherAddress}", "--urls", url);
    }

    [Theory]
    [InlineData("http://192.0.2.1:5000",
        "urls: '192.0.2.1' in 'http://192.0.2.1:5000' is not an address of this machine. " +
        "Name one of its addresses, or 0.0.0.0 for all of them, with --urls or GRANARY_URLS.")]
    [InlineData("http://registry:5000",
        "urls: 'registry' in 'http://registry:5000' is not an IP address. Name an address of this machine, or 0.0.0.0 for all of them, " +
        "with --urls or GRANARY_URLS.")]
    [InlineData("http://0.0.0.0:41999;http://localhost:41999",
        "urls: 'http://0.0.0.0:41999' and 'http://localhost:41999' are the same address. Remove one of them.")]
    [InlineData("127.0.0.1:5000",
        "urls: '127.0.0.1:5000' is not an address such as http://127.0.0.1:5000 or https://0.0.0.0:443. Correct it in --urls, " +
        "GRANARY_URLS or the configuration file.")]
    [InlineData("https://127.0.0.1:0",
        "tls.certificate, tls.key: an https address in urls needs both, each the path of a PEM file. Set both, or use http:// in urls.")]
    public async Task An_address_that_cannot_be_used_is_one_line(string urls, string message) =>
        await FailsAsync(message, "--urls", urls);

    [Fact]
    public async Task Redirects_to_a_data_directory_are_one_line() => await FailsAsync(
        "downloads.mode: clients cannot be redirected to files in a data directory, only to a storage account. Remove the setting, " +
        "or set it to proxy.",
        "--downloads.mode",
        "redirect");

    [Fact]
    public async Task A_port_for_privileged_programs_is_one_line()
    {
        var first = int.Parse(await File.ReadAllTextAsync("/proc/sys/net/ipv4/ip_unprivileged_port_start"));
        if (first < 2)
        {
            // Every user of this machine may listen on every port.
            return;
        }

        await FailsAsync(
            $"urls: this user may not listen on port {first - 1} of 'http://127.0.0.1:{first - 1}', because low ports are for " +
            "privileged programs. " +
            "Choose a port from 1024 on with --urls or GRANARY_URLS, or give the program the capability CAP_NET_BIND_SERVICE.",
            "--urls",
            $"http://127.0.0.1:{first - 1}");
    }

    [Fact]
    public async Task A_data_directory_without_permission_is_one_line()
    {
        Directory.CreateDirectory(Data);
        Permissions.Set(Data, UnixFileMode.None);

        await FailsAsync(
            $"The data directory '{Data}' is not writable for this user. Mend its permissions, or name another one with --data. (Access " +
            $"to the path '{Data}' is denied.)");
    }

    [Fact]
    public async Task A_data_directory_that_is_a_file_is_one_line()
    {
        await File.WriteAllTextAsync(Data, "");

        await FailsAsync($"The data directory '{Data}' is a file. Name a directory with --data.");
    }

    [Fact]
    public async Task A_data_directory_that_another_process_has_open_is_one_line()
    {
        using var held = DataDirectory.Open(Data);

        await FailsAsync(
            $"The data directory '{Data}' is in use by another process. Stop that one first, or name another directory with --data.");
    }

    [Fact]
    public async Task A_data_directory_of_a_newer_release_is_one_line()
    {
        Directory.CreateDirectory(Data);
        await File.WriteAllTextAsync(Path.Combine(Data, "format"), "granary-data 99\ncluster 00000000000000000000000000000001\n");

        await FailsAsync(
            $"The data directory '{Data}' was written by a newer release (format 99; this one knows {DataDirectory.FormatVersion}). " +
            "Start that release, or name another directory with --data.");
    }

    [Fact]
    public async Task A_damaged_database_is_one_line()
    {
        DataDirectory.Open(Data).Dispose();
        await File.WriteAllBytesAsync(Path.Combine(Data, "metadata.db"), RegistryClient.RandomBytes(20_000));

        await FailsAsync(
            $"The data directory '{Data}' cannot be used, because its database is damaged. The database failed: SQLite says 'file is " +
            "not a database' (code 26). " +
            "Restore a backup with 'granary restore', or see docs/operations.md, \"Backup and restore\", for what can be saved without " +
            "one.");
    }

    [Fact]
    public async Task A_certificate_file_without_a_certificate_is_one_line()
    {
        var file = _directory.Combine("certificate.pem");
        await File.WriteAllTextAsync(file, "nothing");

        await FailsAsync(
            $"tls.certificate, tls.key: '{file}' and '{file}' cannot be used: " +
            "The certificate contents do not contain a PEM with a CERTIFICATE label, or the content is malformed. " +
            "Name a readable certificate with its chain and its private key, both in PEM.",
            "--urls", "https://127.0.0.1:0", "--tls.certificate", file, "--tls.key", file);
    }

    [Fact]
    public async Task A_configuration_file_that_cannot_be_read_is_one_line()
    {
        var file = _directory.Combine("granary.yaml");
        await FailsAsync(
            $"config: there is no file '{file}'. Name another one with --config or GRANARY_CONFIG, or leave both out.", "--config", file);

        await File.WriteAllTextAsync(file, "log: {}\n");
        Permissions.Set(file, UnixFileMode.None);
        await FailsAsync(
            $"config: the file '{file}' cannot be read: Permission denied. Correct it, or name another one with " +
            "--config or GRANARY_CONFIG.",
            "--config", file);
    }

    [Theory]
    [InlineData(
        "manifests.sparse: yes",
        "manifests.sparse: 'yes' is not true or false. Correct it where it is set: --manifests.sparse, GRANARY_MANIFESTS__SPARSE or the " +
        "configuration file.")]
    [InlineData(
        "manifest:\n  sparse: true",
        "manifest.sparse: there is no such setting. Did you mean manifests.sparse? Correct it in the file 'FILE'; 'granary serve --help' " +
        "lists all settings.")]
    public async Task A_configuration_file_with_a_mistake_is_one_line(string content, string message)
    {
        var file = _directory.Combine("granary.yaml");
        await File.WriteAllTextAsync(file, content);

        await FailsAsync(message.Replace("FILE", file, StringComparison.Ordinal), "--config", file);
    }

    [Theory]
    [InlineData(
        "granary.yaml",
        "log:\n  level: [\n",
        "line 3, column 1: While parsing a node, did not find expected node content.")]
    [InlineData(
        "granary.json",
        "{\n  \"log\": { \"level\": info }\n}\n",
        "'i' is an invalid start of a value. LineNumber: 1 | BytePositionInLine: 20.")]
    public async Task A_configuration_file_that_is_malformed_says_where(string name, string content, string reason)
    {
        var file = _directory.Combine(name);
        await File.WriteAllTextAsync(file, content);

        await FailsAsync(
            $"config: the file '{file}' cannot be read: {reason} Correct it, or name another one with --config or GRANARY_CONFIG.",
            "--config", file);
    }

    [Theory]
    [InlineData("GRANARY_DATTA", "Did you mean GRANARY_DATA?")]
    [InlineData("GRANARY__DATA", "Did you mean GRANARY_DATA?")]
    [InlineData("GRANARY_MANIFESTS_SPARSE", "Did you mean GRANARY_MANIFESTS__SPARSE?")]
    [InlineData("GRANARY_TOKENFILE", "Did you mean GRANARY_TOKEN_FILE?")]
    public async Task A_variable_with_a_mistake_is_one_line(string name, string question)
    {
        var result = await GranaryProcess.RunAsync(["env", $"{name}=x"], "serve", "--data", Data);

        Assert.Equal(
            (1, "", $"granary: {name}: there is no such setting. {question} " +
                "In the environment a setting is GRANARY_ and its name in capitals, " +
                "each dot as two underscores; 'granary serve --help' lists all settings.\n"),
            result);
    }

    [Theory]
    [InlineData(
        "serve --url http://127.0.0.1:0",
        "'--url' is not an option of 'granary serve'. Did you mean --urls? 'granary serve --help' lists all options.")]
    [InlineData(
        "--url http://127.0.0.1:0",
        "'--url' is not an option of 'granary serve'. Did you mean --urls? 'granary serve --help' lists all options.")]
    [InlineData("serve 5000", "'5000' is one word too many for 'granary serve'. See 'granary serve --help'.")]
    [InlineData("server", "'server' is not a command of 'granary'. Did you mean serve? 'granary --help' lists all commands.")]
    [InlineData("gc", "'granary gc' needs a command after it. See 'granary gc --help'.")]
    [InlineData("gc ran", "'ran' is not a command of 'granary gc'. Did you mean run? 'granary gc --help' lists all commands.")]
    [InlineData(
        "gc run --dryrun",
        "'--dryrun' is not an option of 'granary gc run'. Did you mean --dry-run? 'granary gc run --help' lists all options.")]
    [InlineData("gc run --grace soon", "--grace: 'soon' is not a duration, such as 90m, 12h or 0s. See 'granary gc run --help'.")]
    public async Task A_command_line_with_a_mistake_is_one_line(string arguments, string message) =>
        Assert.Equal((1, "", $"granary: {message}\n"), await GranaryProcess.RunAsync([], arguments.Split(' ')));

    private async Task FailsAsync(string message, params string[] arguments)
    {
        string[] urls = arguments.Contains("--urls") ? [] : ["--urls", "http://127.0.0.1:0"];

        var result = await GranaryProcess.RunAsync(Permissions.Unprivileged, ["serve", "--data", Data, .. urls, .. arguments]);

        Assert.Equal((1, "", $"granary: {message}\n"), result);
    }
}
