namespace Granary.Maintenance.Tests;

/// <summary>Who moved which tag, and the way back: the history and the undo of the administration's API, over a real server.</summary>
public sealed class TagHistoryTests : IAsyncLifetime
{
    private readonly ShiftedTime _time = new();
    private TestRegistry _registry = null!;

    private RegistryClient Client => _registry.Client;

    public async Task InitializeAsync() => _registry = await TestRegistry.StartAsync(time: _time);

    public async Task DisposeAsync() => await _registry.DisposeAsync();

    [Fact]
    public async Task Each_move_is_a_line_with_its_time_its_request_and_its_client()
    {
        var (first, manifest) = await Client.PushImageAsync("team/app", "v1");
        _time.Advance(TimeSpan.FromHours(1));
        var (second, _) = await Client.PushImageAsync("team/app", "v1");
        _time.Advance(TimeSpan.FromHours(1));
        using (var push = await Client.PushManifestAsync("team/app", "v1", manifest, headers: ("User-Agent", "docker/28.0 go/1.24")))
        {
            Assert.Equal(HttpStatusCode.Created, push.StatusCode);
        }

        await Client.DeleteAsync("/v2/team/app/manifests/v1");

        var history = await Client.HistoryAsync("team/app", "v1");

        Assert.Equal(("team/app", "v1", null), (history.Text("repository"), history.Text("tag"), history.Text("current")));
        Assert.Equal((null, false), (history.Text("next"), history["isCut"]!.GetValue<bool>()));
        JsonNode[] lines = [.. history["lines"]!.AsArray().Select(line => line!)];
        Assert.Equal(
            [
                ("untagged", "delete", first.Value, null),
                ("tagged", "push", second.Value, first.Value),
                ("pushed", "push", first.Value, second.Value),
                ("pushed", "push", null, (string?)first.Value),
            ],
            lines.Select(line => (line.Text("kind"), line.Text("cause"), line.Text("from"), line.Text("to"))));
        Assert.All(lines, line =>
        {
            Assert.Equal(("127.0.0.1", _registry.Address.Authority), (line.Text("peer"), line.Text("host")));
            Assert.NotEqual(Guid.Empty, Guid.Parse(line.Text("request")!));
        });
        Assert.Equal(4, lines.Select(line => line.Text("request")).Distinct().Count());
        Assert.Equal("docker/28.0 go/1.24", lines[1].Text("userAgent"));
        Assert.Equal((MediaTypes.OciManifest, manifest.Length), (lines[1].Text("mediaType"), lines[1]["size"]!.GetValue<int>()));
        var times = lines.Select(line => line["time"]!.GetValue<DateTimeOffset>()).ToArray();
        Assert.Equal(times.OrderDescending(), times);
        Assert.True(times[1] - times[3] >= TimeSpan.FromHours(2));
    }

    [Fact]
    public async Task A_push_with_two_tags_makes_a_line_for_each_and_a_repeated_push_makes_none()
    {
        var (digest, manifest) = await Client.PushImageAsync("app", "v0");

        for (var i = 0; i < 2; i++)
        {
            using var push = await Client.PushManifestAsync("app", $"{digest}?tag=a&tag=b", manifest);
            Assert.Equal(HttpStatusCode.Created, push.StatusCode);
            await Client.TagAsync("app", "v0", manifest);
        }

        var (a, b) = (Assert.Single(await Client.LinesAsync("app", "a")), Assert.Single(await Client.LinesAsync("app", "b")));
        Assert.Equal(a.Text("request"), b.Text("request"));
        Assert.NotEqual(a.Text("position"), b.Text("position"));
        Assert.Equal(a.Text("position")!.Split('.')[0], b.Text("position")!.Split('.')[0]);
        Assert.Single(await Client.LinesAsync("app", "v0"));
    }

    [Fact]
    public async Task A_move_is_undone_and_the_undo_too()
    {
        var (first, _) = await Client.PushImageAsync("app", "v1");
        var (second, _) = await Client.PushImageAsync("app", "v1");

        var undone = await Client.UndoAsync("app", "v1");

        Assert.Equal(
            ("app", "v1", second.Value, first.Value),
            (undone.Text("repository"), undone.Text("tag"), undone.Text("from"), undone.Text("to")));
        Assert.Equal(first.Value, await Client.DigestOfAsync("app", "v1"));
        var line = (await Client.LinesAsync("app", "v1"))[0];
        Assert.Equal(("tagged", "undo"), (line.Text("kind"), line.Text("cause")));
        Assert.Equal(undone.Text("position"), line.Text("position"));

        await Client.UndoAsync("app", "v1");

        Assert.Equal(second.Value, await Client.DigestOfAsync("app", "v1"));
        Assert.Equal(4, (await Client.LinesAsync("app", "v1")).Length);
    }

    [Fact]
    public async Task The_deletion_of_a_tag_is_undone()
    {
        var (digest, manifest) = await Client.PushImageAsync("app", "v1");
        await Client.DeleteAsync("/v2/app/manifests/v1");

        var undone = await Client.UndoAsync("app", "v1");

        Assert.Equal((null, digest.Value), (undone.Text("from"), undone.Text("to")));
        Assert.Equal(manifest, await Client.GetBytesAsync("/v2/app/manifests/v1"));
        Assert.Equal("[\"v1\"]", (await Client.GetJsonAsync("/v2/app/tags/list"))["tags"]!.ToJsonString());
    }

    [Fact]
    public async Task An_undo_after_the_deletion_of_the_manifest_says_since_when_it_is_gone_until_it_is_pushed_again()
    {
        var (digest, manifest) = await Client.PushImageAsync("app", "v1");
        await Client.DeleteAsync($"/v2/app/manifests/{digest}");
        var deletion = (await Client.LinesAsync("app", "v1"))[0];
        Assert.Equal(("deleted", "delete", null), (deletion.Text("kind"), deletion.Text("cause"), deletion.Text("to")));

        using (var refused = await Client.SendUndoAsync("app", "v1"))
        {
            Assert.Equal(HttpStatusCode.Conflict, refused.StatusCode);
            var (code, message, detail) = await History.ErrorAsync(refused);
            Assert.Equal("MANIFEST_UNKNOWN", code);
            Assert.Contains($"The manifest {digest} is gone since 20", message, StringComparison.Ordinal);
            Assert.Contains("a deletion removed it", message, StringComparison.Ordinal);
            Assert.Equal((digest.Value, "delete"), (detail!.Text("digest"), detail!.Text("cause")));
            Assert.Equal(deletion["time"]!.GetValue<DateTimeOffset>(), detail!["since"]!.GetValue<DateTimeOffset>());
        }

        using (var push = await Client.PushManifestAsync("app", digest.Value, manifest))
        {
            Assert.Equal(HttpStatusCode.Created, push.StatusCode);
        }

        await Client.UndoAsync("app", "v1");
        Assert.Equal(digest.Value, await Client.DigestOfAsync("app", "v1"));
    }

    [Fact]
    public async Task An_undo_after_the_collection_of_the_manifest_says_since_when_it_is_gone()
    {
        var (first, _) = await Client.PushImageAsync("app", "v1");
        await Client.PushImageAsync("app", "v1");
        _time.Advance(TimeSpan.FromDays(3));
        var collection = await Client.RunAsync("""{"kind":"collection","untaggedAge":"2d"}""");
        Assert.Equal(1, collection.Count("manifests"));

        using var refused = await Client.SendUndoAsync("app", "v1");

        Assert.Equal(HttpStatusCode.Conflict, refused.StatusCode);
        var (_, message, detail) = await History.ErrorAsync(refused);
        Assert.Contains($"The manifest {first} is gone since 20", message, StringComparison.Ordinal);
        Assert.Contains("a collection of garbage removed it", message, StringComparison.Ordinal);
        Assert.Equal("collection", detail!.Text("cause"));
        Assert.True(detail!["since"]!.GetValue<DateTimeOffset>() > _time.GetUtcNow() - TimeSpan.FromHours(1));
        Assert.False((await Client.LinesAsync("app", "v1"))[1]["isHere"]!.GetValue<bool>());
    }

    [Fact]
    public async Task A_tag_goes_back_to_a_line_or_a_manifest_of_its_history()
    {
        var (first, _) = await Client.PushImageAsync("app", "v1");
        var (second, _) = await Client.PushImageAsync("app", "v1");
        var (third, _) = await Client.PushImageAsync("app", "v1");
        var (other, _) = await Client.PushImageAsync("app", "v2");
        var lines = await Client.LinesAsync("app", "v1");

        await Client.UndoAsync("app", "v1", lines[2].Text("position"));
        Assert.Equal(first.Value, await Client.DigestOfAsync("app", "v1"));
        await Client.UndoAsync("app", "v1", second.Value);
        Assert.Equal(second.Value, await Client.DigestOfAsync("app", "v1"));
        var again = await Client.UndoAsync("app", "v1", second.Value);
        Assert.Null(again.Text("position"));
        await Client.UndoAsync("app", "v1", lines[0].Text("position"));
        Assert.Equal(third.Value, await Client.DigestOfAsync("app", "v1"));

        // The manifest is in the repository, but the tag never pointed at it.
        foreach (var to in (string[])[other.Value, (await Client.LinesAsync("app", "v2"))[0].Text("position")!, "999999.0"])
        {
            using var refused = await Client.SendUndoAsync("app", "v1", to);
            Assert.Equal(HttpStatusCode.NotFound, refused.StatusCode);
            var (code, message, _) = await History.ErrorAsync(refused);
            Assert.Equal("MANIFEST_UNKNOWN", code);
            Assert.Contains("The history of the tag v1 of app has no ", message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task The_first_push_of_a_tag_cannot_be_undone()
    {
        await Client.PushImageAsync("app", "v1");

        using var refused = await Client.SendUndoAsync("app", "v1");

        Assert.Equal(HttpStatusCode.Conflict, refused.StatusCode);
        var (_, message, _) = await History.ErrorAsync(refused);
        Assert.Contains("The tag v1 did not exist before its last move", message, StringComparison.Ordinal);
        Assert.Contains("DELETE /v2/app/manifests/v1", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_condition_that_does_not_hold_leaves_the_tag_alone()
    {
        var (first, _) = await Client.PushImageAsync("app", "v1");
        var (second, _) = await Client.PushImageAsync("app", "v1");

        using (var refused = await Client.SendUndoAsync("app", "v1", headers: ("If-Match", $"\"{first}\"")))
        {
            Assert.Equal(HttpStatusCode.PreconditionFailed, refused.StatusCode);
            var (code, _, detail) = await History.ErrorAsync(refused);
            Assert.Equal(("DENIED", second.Value), (code, detail!.Text("current")));
        }

        Assert.Equal(second.Value, await Client.DigestOfAsync("app", "v1"));
        using (var done = await Client.SendUndoAsync("app", "v1", headers: ("If-Match", $"\"{second}\"")))
        {
            Assert.Equal(HttpStatusCode.OK, done.StatusCode);
        }

        Assert.Equal(first.Value, await Client.DigestOfAsync("app", "v1"));
        await Client.DeleteAsync("/v2/app/manifests/v1");
        using var absent = await Client.SendUndoAsync("app", "v1", headers: ("If-Match", "*"));
        Assert.Equal(HttpStatusCode.PreconditionFailed, absent.StatusCode);
    }

    [Fact]
    public async Task An_undo_to_an_image_whose_layer_is_damaged_lists_the_layer_until_it_is_pushed_again()
    {
        var (first, layer, content) = await Client.PushLargeAsync("app", "v1");
        await Client.PushImageAsync("app", "v1");
        File.Delete(Admin.ObjectOf(_registry.Data, layer));
        await Client.RunAsync("""{"kind":"scrub"}""");

        using var refused = await Client.SendUndoAsync("app", "v1");

        Assert.Equal(HttpStatusCode.Conflict, refused.StatusCode);
        var (code, message, detail) = await History.ErrorAsync(refused);
        Assert.Equal("MANIFEST_BLOB_UNKNOWN", code);
        Assert.Contains(layer.Value, message, StringComparison.Ordinal);
        Assert.Equal($"[\"{layer}\"]", detail!["missing"]!.ToJsonString());

        await Client.PushBlobAsync("app", content);
        await Client.UndoAsync("app", "v1");
        Assert.Equal(first.Value, await Client.DigestOfAsync("app", "v1"));
    }

    [Fact]
    public async Task An_undo_to_an_image_whose_layer_was_deleted_lists_the_layer_until_it_is_pushed_again()
    {
        await using var registry = await TestRegistry.StartAsync(new Dictionary<string, string> { ["blobs.deleteInUse"] = "true" });
        var client = registry.Client;
        var (first, layer, content) = await client.PushLargeAsync("app", "v1");
        await client.PushImageAsync("app", "v1");
        await client.DeleteAsync($"/v2/app/blobs/{layer}");

        using var refused = await client.SendUndoAsync("app", "v1");

        Assert.Equal(HttpStatusCode.Conflict, refused.StatusCode);
        var (code, _, detail) = await History.ErrorAsync(refused);
        Assert.Equal(("MANIFEST_BLOB_UNKNOWN", $"[\"{layer}\"]"), (code, detail!["missing"]!.ToJsonString()));

        await client.PushBlobAsync("app", content);
        await client.UndoAsync("app", "v1");
        Assert.Equal(first.Value, await client.DigestOfAsync("app", "v1"));
    }

    [Fact]
    public async Task A_line_has_the_id_that_the_answer_to_its_request_had()
    {
        var (_, manifest) = await Client.PushImageAsync("app", "v1");

        using var push = await Client.PushManifestAsync("app", "v2", manifest);

        Assert.Equal(push.Headers.GetValues("X-Request-Id"), [Assert.Single(await Client.LinesAsync("app", "v2")).Text("request")]);
    }

    [Fact]
    public async Task The_deletion_of_a_repository_says_who_asked_for_it()
    {
        await Client.PushImageAsync("app", "v1");
        await Client.PushImageAsync("app", "v2");

        await Client.RunAsync("""{"kind":"deletion","repository":"app"}""");

        var lines = new[] { (await Client.LinesAsync("app", "v1"))[0], (await Client.LinesAsync("app", "v2"))[0] };
        Assert.All(lines, line =>
        {
            Assert.Equal(("deleted", "delete", "127.0.0.1"), (line.Text("kind"), line.Text("cause"), line.Text("peer")));
            Assert.NotNull(line.Text("request"));
        });
        Assert.Single(lines.Select(line => line.Text("request")).Distinct());
    }

    [Fact]
    public async Task Pages_of_a_long_history_have_each_line_once()
    {
        var manifests = new[] { await Client.PushImageAsync("app", "a"), await Client.PushImageAsync("app", "b") };
        for (var i = 0; i < 120; i++)
        {
            await Client.TagAsync("app", "v1", manifests[i % 2].Manifest);
        }

        var (positions, sizes, next) = (new List<string>(), new List<int>(), "");
        do
        {
            var page = await Client.HistoryAsync("app", "v1", next.Length == 0 ? "" : $"&before={next}");
            var lines = page["lines"]!.AsArray();
            sizes.Add(lines.Count);
            positions.AddRange(lines.Select(line => line!.Text("position")!));
            next = page.Text("next") ?? "";
        }
        while (next.Length > 0);

        Assert.Equal([50, 50, 20], sizes);
        Assert.Equal(120, positions.Distinct().Count());
        var versions = positions.Select(position => long.Parse(position.Split('.')[0])).ToArray();
        Assert.Equal(versions.OrderDescending(), versions);
        var whole = await Client.HistoryAsync("app", "v1", "&limit=1000");
        Assert.Equal(positions, whole["lines"]!.AsArray().Select(line => line!.Text("position")!));
    }

    [Fact]
    public async Task A_setting_leaves_addresses_and_programs_out_of_the_lines()
    {
        await using var registry = await TestRegistry.StartAsync(new Dictionary<string, string> { ["history.address"] = "false" });
        var (_, manifest) = await registry.Client.PushImageAsync("app", "v0");
        using (var push = await registry.Client.PushManifestAsync("app", "v1", manifest, headers: ("User-Agent", "docker/28.0")))
        {
            Assert.Equal(HttpStatusCode.Created, push.StatusCode);
        }

        var line = Assert.Single(await registry.Client.LinesAsync("app", "v1"));

        Assert.Null(line["peer"]);
        Assert.Null(line["address"]);
        Assert.Null(line["userAgent"]);
        Assert.NotNull(line["request"]);
    }

    [Fact]
    public async Task A_push_that_fails_its_condition_makes_no_line()
    {
        var (digest, manifest) = await Client.PushImageAsync("app", "v1");

        using var push = await Client.PushManifestAsync("app", "v1", manifest, headers: ("If-None-Match", "*"));

        Assert.Equal(HttpStatusCode.PreconditionFailed, push.StatusCode);
        Assert.Equal(digest.Value, Assert.Single(await Client.LinesAsync("app", "v1")).Text("to"));
    }

    [Fact]
    public async Task No_cache_keeps_a_history()
    {
        await Client.PushImageAsync("app", "v1");
        await Client.PushImageAsync("app", "v1");

        using var history = await Client.SendAsync("GET", History.PathOf("app", "v1"));
        using var undo = await Client.SendUndoAsync("app", "v1");

        Assert.Equal("no-store", history.Headers.CacheControl!.ToString());
        Assert.Equal("no-store", undo.Headers.CacheControl!.ToString());
    }

    [Theory]
    [InlineData("GET", "App/-/history?tag=v1", 400, "'App' is not a repository's name, such as library/app.")]
    [InlineData("GET", "a//b/-/history?tag=v1", 400, "'a//b' is not a repository's name")]
    [InlineData("GET", "app/-/history", 400, "tag is missing: the request has to name a tag, such as ?tag=v1.")]
    [InlineData("GET", "app/-/history?tag=-", 400, "'-' is not a tag, such as v1.")]
    [InlineData("GET", "app/-/history?tag=v1&before=418", 400, "before: '418' is not the position of a line, such as 418.0.")]
    [InlineData("GET", "app/-/history?tag=v1&limit=0", 400, "limit: '0' is not a number of lines from 1 to 1000, such as 50.")]
    [InlineData("GET", "app/-/history?tag=v1&limit=1001", 400, "limit: '1001' is not a number")]
    [InlineData("GET", "app/-/history?tag=v1&limit=all", 400, "limit: 'all' is not a number")]
    [InlineData("GET", "app/-/history?tag=never", 404, "app has no history of a tag never")]
    [InlineData("GET", "never/was/-/history?tag=v1", 404, "never/was has no history of a tag v1")]
    [InlineData("POST", "app/-/tags/never/undo", 404, "app has no history of a tag never")]
    [InlineData("POST", "app/-/tags/a b/undo", 400, "'a b' is not a tag, such as v1.")]
    [InlineData("GET", "app/-/nothing", 404, "The path is not part of the administration's API.")]
    [InlineData("GET", "app", 404, "The path is not part of the administration's API.")]
    [InlineData("POST", "app/-/history?tag=v1", 405, "does not support the method")]
    [InlineData("GET", "app/-/tags/v1/undo", 405, "does not support the method")]
    public async Task A_wrong_request_is_refused_with_what_is_wrong(string method, string path, int status, string message)
    {
        await Client.PushImageAsync("app", "v1");

        using var answer = await Client.SendAsync(method, "/granary/v1/repositories/" + path);

        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Contains(message, (await History.ErrorAsync(answer)).Message, StringComparison.Ordinal);
        if (status == 405)
        {
            Assert.Equal([method == "GET" ? "POST" : "GET"], answer.Content.Headers.Allow);
        }
    }

    [Theory]
    [InlineData("""{"to":"418"}""", "application/json", "to has to be the position of a line")]
    [InlineData("""{"from":"418.0"}""", "application/json", "'from' is not a part of it")]
    [InlineData("""{"to":"418.0"}""", "text/plain", "The body has to be a JSON object")]
    [InlineData("{", "application/json", "The body cannot be read")]
    public async Task An_undo_with_a_wrong_body_is_refused(string body, string type, string message)
    {
        await Client.PushImageAsync("app", "v1");
        var (second, _) = await Client.PushImageAsync("app", "v1");

        using var answer = await Client.SendAsync("POST", History.UndoPathOf("app", "v1"), new StringContent(body, mediaType: new(type)));

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains(message, (await History.ErrorAsync(answer)).Message, StringComparison.Ordinal);
        Assert.Equal(second.Value, await Client.DigestOfAsync("app", "v1"));
    }

    [Theory]
    [InlineData("If-Match", "v1")]
    [InlineData("If-None-Match", "*")]
    public async Task An_undo_with_a_wrong_condition_is_refused(string header, string value)
    {
        await Client.PushImageAsync("app", "v1");
        var (second, _) = await Client.PushImageAsync("app", "v1");

        using var answer = await Client.SendUndoAsync("app", "v1", headers: (header, value));

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains("If-Match", (await History.ErrorAsync(answer)).Message, StringComparison.Ordinal);
        Assert.Equal(second.Value, await Client.DigestOfAsync("app", "v1"));
    }

    [Fact]
    public async Task Without_the_token_there_is_neither_history_nor_undo()
    {
        await Client.PushImageAsync("app", "v1");

        using var history = await Client.SendAsync("GET", History.PathOf("app", "v1"), headers: ("Authorization", "Bearer none"));
        using var undo = await Client.SendUndoAsync("app", "v1", headers: ("Authorization", "Bearer none"));

        Assert.Equal(HttpStatusCode.Unauthorized, history.StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, undo.StatusCode);
    }
}
