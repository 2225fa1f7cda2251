using Granary.Storage.Data;

namespace Granary.Maintenance.Tests;

/// <summary>The administration's API accepts requests from this machine with the token of the data directory.</summary>
public sealed class AdminAccessTests : IAsyncLifetime
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly TemporaryDirectory _data = new();
    private TestRegistry _registry = null!;

    private string TokenFile => _data.Combine(AdminToken.FileName);

    public async Task InitializeAsync() => _registry = await StartAsync();

    public async Task DisposeAsync()
    {
        await _registry.DisposeAsync();
        _data.Dispose();
    }

    [Fact]
    public async Task Requests_through_a_reverse_proxy_on_the_same_machine_are_refused()
    {
        await using var proxy = new ReverseProxy(_registry.Address);
        using var outside = new RegistryClient(proxy.Address);
        await _registry.Client.PushLargeAsync("app", "v1");
        var scrub = (await _registry.Client.StartAsync("""{"kind":"scrub","bytesPerSecond":1}"""))["id"]!.GetValue<string>();

        using var delete = await outside.PostAsync("""{"kind":"deletion","repository":"app"}""");
        using var cancel = await outside.SendAsync("DELETE", $"{Admin.Operations}/{scrub}");
        using var list = await outside.SendAsync("GET", Admin.Operations);
        using var explain = await outside.SendAsync("GET", "/granary/v1/explain?repository=app&reference=v1");

        HttpResponseMessage[] answers = [delete, cancel, list, explain];
        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode));
        Assert.False((await _registry.Client.GetJsonAsync($"{Admin.Operations}/{scrub}"))["isOver"]!.GetValue<bool>());
        Assert.Equal(HttpStatusCode.OK, await outside.HeadAsync("/v2/app/manifests/v1"));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("Bearer")]
    [InlineData("Bearer ")]
    [InlineData("Bearer 0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("Basic TOKEN")]
    [InlineData("TOKEN")]
    [InlineData("Bearer TOKENTOKEN")]
    [InlineData("Bearer TOKEN, Bearer TOKEN")]
    public async Task A_request_without_the_token_gets_401_and_the_place_of_the_token(string? header)
    {
        using var client = new RegistryClient(_registry.Address);
        (string, string)[] headers = header is null
            ? []
            : [("Authorization", header.Replace("TOKEN", _registry.Client.AdminToken, StringComparison.Ordinal))];

        using var answer = await client.PostAsync("""{"kind":"collection"}""", headers);
        var body = await answer.Content.ReadAsStringAsync();

        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        Assert.Equal("Bearer", Assert.Single(answer.Headers.WwwAuthenticate).Scheme);
        Assert.Contains("the token that the file 'admin.token' in the server's data directory holds", body, StringComparison.Ordinal);
        Assert.DoesNotContain(_registry.Client.AdminToken!, body, StringComparison.Ordinal);
        Assert.Empty((await _registry.Client.GetJsonAsync(Admin.Operations))["operations"]!.AsArray());
    }

    [Fact]
    public async Task The_scheme_is_read_in_any_case()
    {
        using var client = new RegistryClient(_registry.Address);
        (string, string) header = ("Authorization", "bearer " + _registry.Client.AdminToken);
        using var answer = await client.SendAsync("GET", Admin.Operations, headers: header);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task The_token_is_for_the_servers_user_alone_and_stays_the_same()
    {
        var token = _registry.Client.AdminToken;
        Assert.Matches("^[0-9a-f]{64}$", token);
        Assert.Equal(OwnerOnly, Permissions.Of(TokenFile));

        await RestartAsync();

        Assert.Equal(token, _registry.Client.AdminToken);
        Assert.False(File.Exists(TokenFile + ".new"));
    }

    [Theory]
    [InlineData(OwnerOnly | UnixFileMode.GroupRead, null)]
    [InlineData(OwnerOnly | UnixFileMode.OtherRead, null)]
    [InlineData(OwnerOnly, "")]
    [InlineData(OwnerOnly, "short")]
    public async Task A_token_that_others_can_read_or_that_is_invalid_is_replaced(UnixFileMode mode, string? content)
    {
        var token = _registry.Client.AdminToken;
        if (content is not null)
        {
            await File.WriteAllTextAsync(TokenFile, content);
        }

        Permissions.Set(TokenFile, mode);
        await RestartAsync();

        Assert.NotEqual(token, _registry.Client.AdminToken);
        Assert.Matches("^[0-9a-f]{64}$", _registry.Client.AdminToken);
        Assert.Equal(OwnerOnly, Permissions.Of(TokenFile));
        Assert.Empty((await _registry.Client.GetJsonAsync(Admin.Operations))["operations"]!.AsArray());
    }

    [Fact]
    public async Task A_token_that_cannot_be_written_closes_only_the_administration()
    {
        await _registry.DisposeAsync();
        File.Delete(TokenFile);
        Directory.CreateDirectory(TokenFile);
        Directory.CreateDirectory(TokenFile + ".new");

        _registry = await StartAsync();

        using var answer = await _registry.Client.SendAsync("GET", Admin.Operations, headers: ("Authorization", "Bearer "));
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        await _registry.Client.PushImageAsync("app", "v1");
    }

    [Fact]
    public async Task A_backup_has_no_token_and_a_restored_directory_gets_one_of_its_own()
    {
        using var directory = new TemporaryDirectory();
        var (backup, restored) = (directory.Combine("backup"), directory.Combine("restored"));
        await _registry.Client.PushLargeAsync("app", "v1");

        await _registry.Client.RunAsync($$"""{"kind":"backup","directory":"{{backup}}"}""");
        var copied = Directory.GetFiles(backup, "*", SearchOption.AllDirectories);
        Assert.DoesNotContain(copied, file => file.Contains("token", StringComparison.Ordinal));
        Assert.Equal(0, (await GranaryProcess.RunAsync("restore", backup, "--data", restored)).Status);

        await using var registry = await TestRegistry.StartAsync(new Dictionary<string, string> { ["data"] = restored });
        Assert.NotNull(registry.Client.AdminToken);
        Assert.NotEqual(_registry.Client.AdminToken, registry.Client.AdminToken);
    }

    [Fact]
    public async Task Commands_find_the_token_by_options_and_by_variables()
    {
        var server = _registry.Address.ToString();
        using var elsewhere = new TemporaryDirectory();
        var copy = elsewhere.Combine("token");
        File.Copy(TokenFile, copy);

        Assert.Equal(0, await StatusAsync([], "--data", _data.Path));
        Assert.Equal(0, await StatusAsync([], "--token-file", copy, "--data", elsewhere.Path));
        Assert.Equal(0, await StatusAsync([$"GRANARY_DATA={_data.Path}"]));
        Assert.Equal(0, await StatusAsync([$"GRANARY_TOKEN_FILE={copy}", "GRANARY_DATA=/nowhere"]));
        Assert.Equal(1, await StatusAsync([$"GRANARY_TOKEN_FILE={copy}"], "--data", elsewhere.Path));

        async Task<int> StatusAsync(string[] variables, params string[] options) =>
            (await GranaryProcess.RunAsync(["env", .. variables], ["gc", "status", "--server", server, .. options])).Status;
    }

    [Fact]
    public async Task Commands_say_what_they_looked_for_when_there_is_no_token()
    {
        string[] status = ["gc", "status", "--server", _registry.Address.ToString()];
        var address = _registry.Address.GetLeftPart(UriPartial.Authority);
        using var elsewhere = new TemporaryDirectory();
        var other = elsewhere.Combine("other.token");
        await File.WriteAllTextAsync(other, new string('0', 64));
        const string Remedy =
            "Name the server's data directory with --data or GRANARY_DATA, or the file 'admin.token' in it with --token-file.";

        await SaysAsync(
            $"the server wants its token, and there is no file '{Path.Combine(Path.GetTempPath(), "data", "admin.token")}' (the " +
            "server's default directory, " +
            $"because neither --data, --token-file, GRANARY_DATA nor GRANARY_TOKEN_FILE is given). {Remedy}",
            [],
            status);
        await SaysAsync(
            $"the server wants its token, and there is no file '{elsewhere.Combine("admin.token")}' (GRANARY_DATA names its directory). " +
            $"{Remedy}",
            ["env", $"GRANARY_DATA={elsewhere.Path}"],
            status);
        await SaysAsync(
            $"{address} refused the token in '{other}' (--token-file names it): it is the token of another data directory. " +
            "Name the data directory of this server with --data or GRANARY_DATA.",
            [],
            [.. status, "--token-file", other]);
        Permissions.Set(other, UnixFileMode.None);
        await SaysAsync(
            $"the server wants its token, and this user cannot read it: Access to the path '{other}' is denied (GRANARY_TOKEN_FILE " +
            "names it). " +
            "Run the command as root or as the user that runs the server, for example with 'sudo -u USER'.",
            [.. Permissions.Unprivileged, "env", $"GRANARY_TOKEN_FILE={other}"],
            status);
    }

    private static async Task SaysAsync(string message, string[] starter, string[] command) =>
        Assert.Equal((1, "", $"granary: {message}\n"), await GranaryProcess.RunAsync(starter, command));

    private Task<TestRegistry> StartAsync() =>
        TestRegistry.StartAsync(new Dictionary<string, string> { ["data"] = _data.Path, ["log.level"] = "error" });

    private async Task RestartAsync()
    {
        await _registry.DisposeAsync();
        _registry = await StartAsync();
    }
}
