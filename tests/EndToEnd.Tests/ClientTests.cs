using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Granary.EndToEnd.Tests;

/// <summary>Tests the real program with real clients. Each pushes an image, removes its own copy, and pulls the image again.</summary>
public sealed class ClientTests : IAsyncLifetime
{
    private readonly TemporaryDirectory _directory = new();
    private GranaryProcess? _granary;

    private string Registry => _granary!.Host;

    public async Task InitializeAsync() => _granary = await GranaryProcess.StartAsync(_directory.Combine("data"));

    public async Task DisposeAsync()
    {
        await _granary!.DisposeAsync();
        _directory.Dispose();
    }

    [Fact]
    public async Task Docker()
    {
        // The path of a Debian machine may have another docker first. The test means the client of the engine.
        const string Client = "/usr/bin/docker";
        var socket = $"unix://{_directory.Combine("docker.sock")}";
        using var engine = Tool.StartDaemon(
            "dockerd",
            _directory.Combine("dockerd.log"),
            "--data-root", _directory.Combine("docker"),
            "--exec-root", _directory.Combine("docker-exec"),
            "-p", _directory.Combine("docker.pid"),
            "-H", socket,
            "--storage-driver=vfs", "--iptables=false", "--ip6tables=false", "--bridge=none");
        try
        {
            Task<string> DockerAsync(params string[] arguments) => Tool.RunAsync(Client, ["-H", socket, .. arguments]);
            await Tool.WaitForAsync(() => DockerAsync("version"));
            var image = $"{Registry}/library/app:1";
            await DockerAsync("import", RootFileSystem.WriteTar(_directory.Path), image);
            var id = await DockerAsync("image", "inspect", "-f", "{{.Id}}", image);

            await DockerAsync("push", image);
            await DockerAsync("tag", image, $"{Registry}/library/copy:1");
            await DockerAsync("push", $"{Registry}/library/copy:1");
            await DockerAsync("rmi", image, $"{Registry}/library/copy:1");
            await DockerAsync("pull", image);

            Assert.Equal(id, await DockerAsync("image", "inspect", "-f", "{{.Id}}", image));
        }
        finally
        {
            await StopAsync(engine);
        }
    }

    [Fact]
    public async Task Podman()
    {
        string[] storage =
            ["--storage-driver", "vfs", "--root", _directory.Combine("podman"), "--runroot", _directory.Combine("podman-run")];
        Task<string> PodmanAsync(string command, params string[] arguments) =>
            Tool.RunAsync("podman", [.. storage, command, .. arguments]);
        var image = $"{Registry}/team/app:1";
        await PodmanAsync("import", "-q", RootFileSystem.WriteTar(_directory.Path), image);
        var id = await PodmanAsync("inspect", "-f", "{{.Id}}", image);

        await PodmanAsync("push", "-q", "--tls-verify=false", image);
        await PodmanAsync("push", "-q", "--tls-verify=false", "--format", "v2s2", image, $"{Registry}/team/app:docker");
        await PodmanAsync("rmi", image);
        await PodmanAsync("pull", "-q", "--tls-verify=false", image);

        Assert.Equal(id, await PodmanAsync("inspect", "-f", "{{.Id}}", image));
        Assert.Contains("team/app", await PodmanAsync("search", "--tls-verify=false", $"{Registry}/"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Buildah()
    {
        Task<string> BuildahAsync(params string[] arguments) => RunBuildahAsync("buildah", arguments);
        var image = $"{Registry}/built/app:1";
        var container = (await BuildahAsync("from", "scratch")).Trim();
        await BuildahAsync("copy", "-q", container, RootFileSystem.WriteDirectory(_directory.Path), "/");
        await BuildahAsync("config", "--label", "made.by=buildah", container);
        var id = (await BuildahAsync("commit", "-q", container, image)).Trim();

        // Buildah also pushes an index, as for several platforms.
        await BuildahAsync("push", "-q", "--tls-verify=false", image);
        await BuildahAsync("manifest", "create", "all", $"containers-storage:{image}");
        await BuildahAsync("manifest", "push", "-q", "--all", "--tls-verify=false", "all", $"docker://{Registry}/built/app:all");
        await BuildahAsync("rm", container);
        await BuildahAsync("rmi", "--force", image);
        await BuildahAsync("pull", "-q", "--tls-verify=false", image);

        Assert.Equal(id, (await BuildahAsync("images", "-q", "--no-trunc", image)).Trim().Replace("sha256:", "", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Skopeo()
    {
        var source = $"oci:{_directory.Combine("layout")}:1";
        var digest = await MakeLayoutAsync(source);
        var target = $"docker://{Registry}/copied/app:1";

        await Tool.RunAsync("skopeo", "copy", "--dest-tls-verify=false", source, target);
        string[] plainHttp = ["--src-tls-verify=false", "--dest-tls-verify=false"];
        await Tool.RunAsync("skopeo", ["copy", .. plainHttp, target, $"docker://{Registry}/mounted/app:2"]);
        var inspected = JsonNode.Parse(await Tool.RunAsync("skopeo", "inspect", "--tls-verify=false", target))!;
        var tags = JsonNode.Parse(await Tool.RunAsync("skopeo", "list-tags", "--tls-verify=false", $"docker://{Registry}/mounted/app"))!;
        await Tool.RunAsync("skopeo", "copy", "--src-tls-verify=false", target, $"oci:{_directory.Combine("back")}:1");
        await Tool.RunAsync("skopeo", "delete", "--tls-verify=false", target);

        Assert.Equal(digest, ManifestDigest(_directory.Combine("layout")));
        Assert.Equal(digest, ManifestDigest(_directory.Combine("back")));
        Assert.Equal(digest, (string)inspected["Digest"]!);
        Assert.Equal("[\"2\"]", tags["Tags"]!.ToJsonString());
        await Assert.ThrowsAsync<InvalidOperationException>(() => Tool.RunAsync("skopeo", "inspect", "--tls-verify=false", target));
    }

    [Fact]
    public async Task Containerd()
    {
        var socket = _directory.Combine("containerd.sock");
        using var daemon = Tool.StartDaemon(
            "containerd",
            _directory.Combine("containerd.log"),
            "--address", socket, "--root", _directory.Combine("containerd"), "--state", _directory.Combine("containerd-state"));
        try
        {
            Task<string> CtrAsync(params string[] arguments) => Tool.RunAsync("ctr", ["-a", socket, .. arguments]);
            await Tool.WaitForAsync(() => CtrAsync("version"));
            var layout = $"oci:{_directory.Combine("layout")}:1";
            var digest = await MakeLayoutAsync(layout);
            await Tool.RunAsync("skopeo", "copy", "--dest-tls-verify=false", layout, $"docker://{Registry}/seed/app:1");
            var (seed, image) = ($"{Registry}/seed/app:1", $"{Registry}/containerd/app:1");

            // The push of containerd asks for mounts from the repository that it pulled, and sends a whole layer with one PUT.
            await CtrAsync("images", "pull", "--plain-http", "--snapshotter", "native", seed);
            await CtrAsync("images", "tag", seed, image);
            await CtrAsync("images", "push", "--plain-http", image);
            await CtrAsync("images", "rm", "--sync", image, seed);
            Assert.DoesNotContain(image, await CtrAsync("images", "list"), StringComparison.Ordinal);
            await CtrAsync("images", "pull", "--plain-http", "--snapshotter", "native", image);

            var lines = (await CtrAsync("images", "list")).Split('\n');
            Assert.Contains(digest, lines.Single(line => line.Contains(image, StringComparison.Ordinal)), StringComparison.Ordinal);
        }
        finally
        {
            await StopAsync(daemon);
        }
    }

    /// <summary>Makes an image in an OCI layout, and returns the digest of its manifest.</summary>
    private async Task<string> MakeLayoutAsync(string layout)
    {
        Task<string> BuildahAsync(params string[] arguments) => RunBuildahAsync("maker", arguments);
        var container = (await BuildahAsync("from", "scratch")).Trim();
        await BuildahAsync("copy", "-q", container, RootFileSystem.WriteDirectory(_directory.Path), "/");
        await BuildahAsync("commit", "-q", container, "made");
        await BuildahAsync("push", "-q", "made", layout);
        return ManifestDigest(layout.Split(':')[1]);
    }

    /// <summary>Runs buildah with a storage of its own in a directory of that name.</summary>
    private Task<string> RunBuildahAsync(string storage, string[] arguments)
    {
        string[] options =
            ["--storage-driver", "vfs", "--root", _directory.Combine(storage), "--runroot", _directory.Combine($"{storage}-run")];
        return Tool.RunAsync("buildah", [.. options, .. arguments]);
    }

    /// <summary>Returns the digest of the first manifest in an OCI layout.</summary>
    private static string ManifestDigest(string layout) =>
        (string)JsonNode.Parse(File.ReadAllText(Path.Combine(layout, "index.json")))!["manifests"]![0]!["digest"]!;

    private static async Task StopAsync(Process daemon)
    {
        using (var kill = Process.Start("kill", ["-TERM", daemon.Id.ToString()]))
        {
            await kill.WaitForExitAsync();
        }

        await daemon.WaitForExitAsync();
    }
}
