namespace Granary.Maintenance.Tests;

/// <summary>The commands, as an administrator or a script runs them.</summary>
public sealed class CommandTests : IAsyncLifetime
{
    private TestRegistry _registry = null!;

    private RegistryClient Client => _registry.Client;

    public async Task InitializeAsync() => _registry = await TestRegistry.StartAsync();

    public async Task DisposeAsync() => await _registry.DisposeAsync();

    [Fact]
    public async Task Gc_run_waits_for_the_collection_and_prints_its_results()
    {
        var (manifest, layer, _) = await Client.PushLargeAsync("app", "v1");
        var (kept, keptOutput) = await RunAsync("gc", "explain", "app", manifest.Value);
        Assert.Equal(0, kept);
        Assert.Contains("Tags point at it: v1.", keptOutput, StringComparison.Ordinal);
        await Client.DeleteAsync($"/v2/app/manifests/{manifest}");

        var (dry, dryOutput) = await RunAsync("gc", "run", "--dry-run", "--grace", "0s");
        Assert.Equal(0, dry);
        const string Removed = "2 blobs from their repositories, 2 blobs (100.1 KB) from the registry, 1 object from the storage.";
        Assert.Contains($"What a collection would remove: {Removed}", dryOutput, StringComparison.Ordinal);
        var (done, output) = await RunAsync("gc", "run", "--grace", "0s");
        Assert.Equal(0, done);
        Assert.Contains($"The collection is done; it removed {Removed}", output, StringComparison.Ordinal);
        Assert.Empty(Admin.Objects(_registry.Data));

        var (status, list) = await RunAsync("gc", "status");
        Assert.Equal(0, status);
        Assert.Equal(2, list.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        var (watched, json) = await RunAsync("gc", "watch", "--json");
        Assert.Equal(0, watched);
        Assert.Equal("done", JsonNode.Parse(json)!["state"]!.GetValue<string>());
        var (gone, goneOutput) = await RunAsync("gc", "explain", "app", layer.Value, "--json");
        Assert.Equal(1, gone);
        Assert.Equal(layer.Value, JsonNode.Parse(goneOutput)!["digest"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_scrub_that_finds_damage_exits_with_2_and_one_in_the_background_can_be_cancelled()
    {
        var (_, layer, _) = await Client.PushLargeAsync("app", "v1");
        Assert.Equal(0, (await RunAsync("scrub")).Status);
        File.Delete(Admin.ObjectOf(_registry.Data, layer));

        var (found, output) = await RunAsync("scrub");
        Assert.Equal(2, found);
        Assert.Contains($"! Blob {layer} is damaged: object", output, StringComparison.Ordinal);

        await Client.PushLargeAsync("app", "v2", RegistryClient.RandomBytes(10_000_000));
        var (left, id) = await RunAsync("scrub", "--no-wait", "--megabytes-per-second", "1");
        Assert.Equal(0, left);
        Assert.Equal(0, (await RunAsync("operation", "cancel", id.Trim())).Status);
        var (cancelled, last) = await RunAsync("operation", "watch", id.Trim());
        Assert.Equal(1, cancelled);
        Assert.Contains("was cancelled", last, StringComparison.Ordinal);
        var (again, message) = await RunAsync("operation", "cancel", id.Trim());
        Assert.Equal(1, again);
        Assert.Contains("has ended already", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_interrupted_command_says_that_the_operation_continues()
    {
        await Client.PushLargeAsync("app", "v1", RegistryClient.RandomBytes(20_000_000));

        var (status, output) = await GranaryProcess.InterruptAsync(
            "waiting", "scrub", "--megabytes-per-second", "1", "--server", _registry.Address.ToString(), "--data", _registry.Data);

        Assert.Equal(1, status);
        Assert.Contains("The scrub goes on in the server. See 'granary operation watch ", output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_command_in_the_background_of_a_script_is_stopped_by_SIGTERM()
    {
        await Client.PushLargeAsync("app", "v1", RegistryClient.RandomBytes(20_000_000));

        var (status, output) = await GranaryProcess.TerminateInBackgroundAsync(
            "waiting", "scrub", "--megabytes-per-second", "1", "--server", _registry.Address.ToString(), "--data", _registry.Data);

        Assert.Equal(1, status);
        Assert.Contains("The scrub goes on in the server. See 'granary operation watch ", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Gc_explain_takes_a_tag_and_fails_for_unknown_content()
    {
        var (manifest, _, _) = await Client.PushLargeAsync("app", "v1");
        var unknown = RegistryClient.DigestOf([]);

        var (status, output) = await RunAsync("gc", "explain", "app", "v1");

        Assert.Equal(0, status);
        Assert.StartsWith("It is a manifest of app, pushed ", output, StringComparison.Ordinal);
        Assert.Contains("Tags point at it: v1.", output, StringComparison.Ordinal);
        Assert.Equal((1, "granary: Unknown: app has no tag v2.\n"), await RunAsync("gc", "explain", "app", "v2"));
        Assert.Equal(
            (1, $"Unknown: app has neither a manifest nor a blob {unknown}.\nThe registry has no such blob.\n"),
            await RunAsync("gc", "explain", "app", unknown.Value));
        Assert.Equal(1, (await RunAsync("gc", "explain", "other", manifest.Value)).Status);
        Assert.Equal(1, (await RunAsync("gc", "explain", "other", manifest.Value, "--json")).Status);
    }

    [Fact]
    public async Task Deleting_an_unknown_repository_fails() => Assert.Equal(
        (1, "There is no repository never/was: nothing was deleted.\n"),
        OfTheEnd(await RunAsync("repository", "delete", "never/was", "--yes")));

    [Fact]
    public async Task Help_of_the_program_says_what_it_does_without_a_command()
    {
        var (status, output) = await GranaryProcess.RunAsync("--help");

        Assert.Equal(0, status);
        Assert.StartsWith(
            """
            Description:
              Granary, an OCI and Docker container registry. Without a command it serves: 'granary' is short for 'granary serve'.

            Usage:
              granary [command] [options]

            """,
            output,
            StringComparison.Ordinal);
        Assert.Contains("  serve               Runs the registry until SIGINT (Ctrl+C) or SIGTERM.\n", output, StringComparison.Ordinal);
        Assert.Contains(
            "  gc                  Collects garbage now, tells what would go, and explains why content is " +
            "kept.\n", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Help_of_a_command_says_each_default_once_and_which_arguments_may_be_left_out()
    {
        var (status, output) = await GranaryProcess.RunAsync("gc", "watch", "--help");

        Assert.Equal(0, status);
        Assert.Equal(
            """
            Description:
              Shows a collection until its end. Exit status 0: done; 1: failed or cancelled; 2: done, with damage, which it lists.

            Usage:
              granary gc watch [<id>] [options]

            Arguments:
              <id>  The collection's id. Default: the newest one.

            Options:
              --json               Print JSON: one line for each change; the last line is the end.
              --server <URL>       The address of the server, on this machine. [default: http://127.0.0.1:5000]
              --data <DIR>         The server's data directory, with the token that it asks for. Also GRANARY_DATA. Default: ./data.
              --token-file <FILE>  The file with the token, instead of the one in the data directory. Also GRANARY_TOKEN_FILE.
              -?, -h, --help       Show help and usage information
            """,
            output.Trim());
    }

    [Fact]
    public async Task Backup_copies_the_objects_and_repository_delete_demands_yes()
    {
        using var directory = new TemporaryDirectory();
        await Client.PushLargeAsync("app", "v1");

        var (status, output) = await RunAsync("backup", directory.Combine("b"));
        Assert.True(status == 0, output);
        Assert.Contains("1 object (100 KB), 1 copied", output, StringComparison.Ordinal);
        Assert.Single(Admin.Objects(directory.Combine("b")));

        var (asked, question) = await RunAsync("repository", "delete", "app");
        Assert.Equal(1, asked);
        Assert.Contains("--yes", question, StringComparison.Ordinal);
        Assert.Equal(0, (await RunAsync("repository", "delete", "app", "--yes")).Status);
        Assert.Equal(HttpStatusCode.NotFound, await Client.HeadAsync("/v2/app/manifests/v1"));
    }

    [Theory]
    [InlineData("gc run --grace soon", "is not a duration")]
    [InlineData("gc watch none", "There is no such operation")]
    [InlineData("gc cancel", "There were no collections yet.")]
    [InlineData("gc explain APP sha256:12", "repository has to be")]
    [InlineData("repository delete APP --yes", "is not a repository's name")]
    public async Task A_wrong_command_gets_a_message_of_one_line(string arguments, string message)
    {
        var (status, output) = await RunAsync(arguments.Split(' '));

        Assert.Equal(1, status);
        Assert.Contains(message, output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://127.0.0.1:1", "cannot be reached")]
    [InlineData("localhost", "is not an address")]
    public async Task An_unreachable_server_gets_a_message_of_one_line(string server, string message)
    {
        var (status, output) = await GranaryProcess.RunAsync("gc", "run", "--server", server);

        Assert.Equal(1, status);
        Assert.Contains(message, output, StringComparison.Ordinal);
        Assert.Contains("--server", output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refused_connection_gets_a_message_with_all_remedies()
    {
        var (status, output) = await GranaryProcess.RunAsync("gc", "status", "--server", "http://127.0.0.1:1");

        Assert.Equal(1, status);
        Assert.Equal(
            "granary: http://127.0.0.1:1 cannot be reached: Connection refused (127.0.0.1:1). Start the server with 'granary serve', " +
            "or name the address that it listens on (its setting urls) with --server.\n",
            output);
    }

    private Task<(int Status, string Output)> RunAsync(params string[] arguments) =>
        GranaryProcess.RunAsync([.. arguments, "--server", _registry.Address.ToString(), "--data", _registry.Data]);

    /// <summary>Returns the last line: those before it show the progress.</summary>
    private static (int Status, string Line) OfTheEnd((int Status, string Output) result) =>
        (result.Status, result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1] + "\n");
}
