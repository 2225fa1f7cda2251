namespace Granary.Maintenance.Tests;

/// <summary>The commands about tags, as an administrator or a script runs them.</summary>
public sealed class TagCommandTests : IAsyncLifetime
{
    private TestRegistry _registry = null!;

    private RegistryClient Client => _registry.Client;

    public async Task InitializeAsync() => _registry = await TestRegistry.StartAsync();

    public async Task DisposeAsync() => await _registry.DisposeAsync();

    [Fact]
    public async Task Tag_undo_points_a_tag_back_and_tag_history_says_who_moved_it()
    {
        var (first, _) = await Client.PushImageAsync("library/app", "v1");
        var (second, _) = await Client.PushImageAsync("library/app", "v1");

        var (undone, output) = await RunAsync("tag", "undo", "library/app:v1");

        Assert.Equal(
            (0,
            $"library/app:v1 points at {first} again (before: {second}).\n" +
            "To undo this, run 'granary tag undo library/app:v1' again.\n"),
            (undone, output));
        var (listed, list) = await RunAsync("tag", "history", "library/app:v1");
        Assert.Equal(0, listed);
        var lines = list.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(3, lines.Length);
        var (a, b) = (first.Encoded[..12].ToString(), second.Encoded[..12].ToString());
        Assert.Matches($@"^\d+\.\d+ +20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ  moved {b} → {a} \(undo\) ", lines[0]);
        Assert.Matches(@" 127\.0\.0\.1 ""granary/\d+\.\d+\.\d+""$", lines[0]);
        Assert.Contains($"pushed {a} → {b}", lines[1], StringComparison.Ordinal);
        Assert.Contains($"pushed none → {a}", lines[2], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Each_page_of_tag_history_leads_to_the_next_one()
    {
        await Client.PushImageAsync("app", "v1");
        await Client.PushImageAsync("app", "v1");
        await Client.PushImageAsync("app", "v1");

        var (_, first) = await RunAsync("tag", "history", "app:v1", "--limit", "2");
        var lines = first.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(3, lines.Length);
        Assert.StartsWith("Older moves: granary tag history app:v1 --before ", lines[2], StringComparison.Ordinal);
        var (status, second) = await RunAsync(["tag", .. lines[2].Split(' ')[4..], "--limit", "2"]);

        Assert.Equal(0, status);
        var oldest = Assert.Single(second.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains("pushed none → ", oldest, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Json_is_the_document_of_the_API_in_one_line()
    {
        var (first, _) = await Client.PushImageAsync("app", "v1");
        var (second, _) = await Client.PushImageAsync("app", "v1");

        var (listed, list) = await RunAsync("tag", "history", "app:v1", "--json");
        var position = (await Client.LinesAsync("app", "v1"))[1].Text("position")!;
        var (undone, undo) = await RunAsync("tag", "undo", "app:v1", "--to", position, "--if-match", second.Value, "--json");

        Assert.Equal((0, 0), (listed, undone));
        Assert.Equal(second.Value, JsonNode.Parse(Assert.Single(list.Trim().Split('\n')))!.Text("current"));
        Assert.Equal(first.Value, JsonNode.Parse(Assert.Single(undo.Trim().Split('\n')))!.Text("to"));
    }

    [Fact]
    public async Task An_undo_that_the_server_refuses_exits_with_1_and_the_servers_message()
    {
        var (first, _) = await Client.PushImageAsync("app", "v1");

        var (created, toNothing) = await RunAsync("tag", "undo", "app:v1");
        Assert.Equal(1, created);
        Assert.StartsWith("granary: The tag v1 did not exist before its last move", toNothing, StringComparison.Ordinal);

        await Client.PushImageAsync("app", "v1");
        var (moved, condition) = await RunAsync("tag", "undo", "app:v1", "--if-match", first.Value);
        Assert.Equal(1, moved);
        Assert.Contains("The condition does not hold", condition, StringComparison.Ordinal);

        await Client.DeleteAsync($"/v2/app/manifests/{first}");
        var (gone, message) = await RunAsync("tag", "undo", "app:v1", "--to", first.Value);
        Assert.Equal(1, gone);
        Assert.Contains($"The manifest {first} is gone since 20", message, StringComparison.Ordinal);
        var (_, list) = await RunAsync("tag", "history", "app:v1");
        Assert.EndsWith("  gone", list.Trim(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tag history app", "'app' is not REPOSITORY:TAG, such as library/app:v1. The tag is missing.")]
    [InlineData("tag undo 127.0.0.1:5000/app:v1", "Leave out the address of the registry")]
    [InlineData("tag history app:v1 --limit 0", "--limit: 0 is not a number from 1 to 1000.")]
    [InlineData("tag history app:v1 --before 418", "--before: '418' is not the position of a line, such as 418.0.")]
    [InlineData("tag undo app:v1 --to sha256:12", "--to: 'sha256:12' is neither a whole digest")]
    [InlineData("tag undo app:v1 --if-match v1", "--if-match: 'v1' is not a whole digest")]
    [InlineData("tag history app:never", "app has no history of a tag never")]
    [InlineData("tag undo app:never", "app has no history of a tag never")]
    [InlineData("tag", "'granary tag' needs a command after it.")]
    public async Task A_wrong_command_gets_a_message_of_one_line(string arguments, string message)
    {
        var (status, output) = await (arguments == "tag" ? GranaryProcess.RunAsync("tag") : RunAsync(arguments.Split(' ')));

        Assert.Equal(1, status);
        Assert.Contains(message, output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Help_says_how_to_name_a_tag()
    {
        var (status, output) = await GranaryProcess.RunAsync("tag", "undo", "--help");

        Assert.Equal(0, status);
        Assert.Contains("  granary tag undo <repository:tag> [options]\n", output, StringComparison.Ordinal);
        Assert.Contains("  --to <DIGEST|POSITION>  ", output, StringComparison.Ordinal);
    }

    private Task<(int Status, string Output)> RunAsync(params string[] arguments) =>
        GranaryProcess.RunAsync([.. arguments, "--server", _registry.Address.ToString(), "--data", _registry.Data]);
}
