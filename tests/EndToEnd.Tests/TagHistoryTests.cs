using System.Text.Json.Nodes;

namespace Granary.EndToEnd.Tests;

/// <summary>The history of a tag that a real client moves and deletes, and the way back.</summary>
public sealed class TagHistoryTests : IAsyncLifetime
{
    private readonly TemporaryDirectory _directory = new();
    private GranaryProcess? _granary;

    public async Task InitializeAsync() => _granary = await GranaryProcess.StartAsync(_directory.Combine("data"));

    public async Task DisposeAsync()
    {
        await _granary!.DisposeAsync();
        _directory.Dispose();
    }

    [Fact]
    public async Task The_history_names_the_client_and_an_undo_brings_back_what_it_pushed_first()
    {
        var target = $"docker://{_granary!.Host}/team/app:v1";
        var first = await PushAsync("one", target);
        var second = await PushAsync("two", target);

        var lines = await LinesAsync();
        Assert.Equal([(first, second), (null, first)], lines.Select(line => ((string?)line["from"], (string?)line["to"])));
        Assert.All(lines, line =>
        {
            Assert.StartsWith("skopeo/", (string)line["userAgent"]!, StringComparison.Ordinal);
            Assert.Equal(("127.0.0.1", _granary.Host), ((string)line["peer"]!, (string)line["host"]!));
        });

        var (status, output) = await GranaryAsync("tag", "undo", "team/app:v1");
        Assert.True(status == 0, output);
        Assert.Equal(first, await InspectAsync(target));

        // skopeo deletes the manifest of the tag, and with it the tag.
        await Tool.RunAsync("skopeo", "delete", "--tls-verify=false", target);
        var (gone, message) = await GranaryAsync("tag", "undo", "team/app:v1");
        Assert.Equal(1, gone);
        Assert.Contains($"The manifest {first} is gone since 20", message, StringComparison.Ordinal);
        (status, output) = await GranaryAsync("tag", "undo", "team/app:v1", "--to", second);
        Assert.True(status == 0, output);
        Assert.Equal(second, await InspectAsync(target));
    }

    private async Task<string> PushAsync(string name, string target)
    {
        var root = Directory.CreateDirectory(_directory.Combine(name)).FullName;
        var layout = $"oci:{_directory.Combine(name + "-layout")}:1";
        await File.WriteAllTextAsync(Path.Combine(root, "name"), name);
        await Tool.RunAsync("tar", "-C", root, "-cf", _directory.Combine(name + ".tar"), "name");
        await Tool.RunAsync("skopeo", "copy", $"tarball:{_directory.Combine(name + ".tar")}", layout);
        await Tool.RunAsync("skopeo", "copy", "--dest-tls-verify=false", layout, target);
        return await InspectAsync(target);
    }

    private static async Task<string> InspectAsync(string target) =>
        (string)JsonNode.Parse(await Tool.RunAsync("skopeo", "inspect", "--tls-verify=false", target))!["Digest"]!;

    private async Task<JsonNode[]> LinesAsync()
    {
        var (status, output) = await GranaryAsync("tag", "history", "team/app:v1", "--json");
        Assert.True(status == 0, output);
        return [.. JsonNode.Parse(output)!["lines"]!.AsArray().Select(line => line!)];
    }

    private Task<(int Status, string Output)> GranaryAsync(params string[] arguments) =>
        GranaryProcess.RunAsync([.. arguments, "--server", $"http://{_granary!.Host}", "--data", _directory.Combine("data")]);
}
