namespace Granary.Crash.Tests;

/// <summary>
/// <c>kill -9</c> leaves the page cache, a power cut does not. So the system calls of the real program are recorded, and checked: when the answer to a write leaves, everything that it promises was synced.
/// </summary>
public sealed class PowerCutTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    private string Data => _directory.Combine("data");

    private string Log => _directory.Combine("calls");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Every_write_is_synced_with_its_name_and_its_commit_before_it_is_acknowledged()
    {
        var lines = await RecordAsync();

        var calls = SystemCalls.Read(Data, lines);
        Assert.True(calls.Answers >= 35, $"Only {calls.Answers} answers were seen.");
        Assert.Empty(calls.Violations);

        // The same record, as a program would have left it that does not sync the one or the other.
        foreach (var forgotten in (string[])["/uploads/", "/uploads>", "/blobs/sha256/", "/metadata.db-wal>"])
        {
            var careless = SystemCalls.Read(Data, lines.Where(line => !(line.Contains("sync(", StringComparison.Ordinal) && line.Contains(forgotten, StringComparison.Ordinal))));
            Assert.NotEmpty(careless.Violations);
        }
    }

    /// <summary>Every kind of write, one after the other.</summary>
    private async Task<string[]> RecordAsync()
    {
        string[] watcher =
        [
            "strace", "-D", "-f", "-y", "--seccomp-bpf", "-s", "40", "-o", Log,
            "-e", "trace=openat,write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,rename,renameat,renameat2,ftruncate,sendto,sendmsg,recvfrom,recvmsg",
        ];
        await using (var granary = await GranaryProcess.StartAsync(watcher, Data, "--log.level", "info", "--log.access", "false"))
        {
            using var client = granary.CreateClient();
            for (var i = 0; i < 3; i++)
            {
                await WriteAsync(client, i);
            }

            granary.Terminate();
            await granary.WaitForExitAsync();
        }

        // The watcher ends after the program.
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        string[] lines;
        do
        {
            await timer.WaitForNextTickAsync();
            lines = await File.ReadAllLinesAsync(Log);
        }
        while (!lines[^1].Contains("exited with", StringComparison.Ordinal));
        return lines;
    }

    private async Task WriteAsync(RegistryClient client, int round)
    {
        // Two blobs of rows or objects, a manifest with a tag; then more tags for it, and a referrer.
        await client.PushImageAsync("cut/app", $"small{round}");
        var (digest, manifest) = await client.PushImageAsync("cut/app", $"large{round}", layerSize: 400_000);
        using (var tag = await client.PushManifestAsync("cut/app", $"other{round}", manifest))
        {
            Assert.Equal(HttpStatusCode.Created, tag.StatusCode);
        }

        var subject = Manifests.Descriptor(digest, manifest.Length, MediaTypes.OciManifest);
        using (var referrer = await client.PushManifestAsync("cut/app", $"signed{round}", Manifests.Index([], subject), MediaTypes.OciIndex))
        {
            Assert.Equal(HttpStatusCode.Created, referrer.StatusCode);
        }

        // In pieces, and in one request.
        var pieces = RegistryClient.RandomBytes(200_000);
        var location = await client.StartUploadAsync("cut/app");
        foreach (var piece in pieces.Chunk(100_000))
        {
            using var patch = await client.SendAsync("PATCH", location, piece);
            Assert.Equal(HttpStatusCode.Accepted, patch.StatusCode);
        }

        var blob = RegistryClient.DigestOf(pieces);
        using (var put = await client.SendAsync("PUT", $"{location}?digest={blob}", []))
        {
            Assert.Equal(HttpStatusCode.Created, put.StatusCode);
        }

        var single = RegistryClient.RandomBytes(150_000);
        using (var post = await client.SendAsync("POST", $"/v2/cut/app/blobs/uploads/?digest={RegistryClient.DigestOf(single)}", single))
        {
            Assert.Equal(HttpStatusCode.Created, post.StatusCode);
        }

        using (var mount = await client.SendAsync("POST", $"/v2/cut/other{round}/blobs/uploads/?mount={blob}&from=cut/app"))
        {
            Assert.Equal(HttpStatusCode.Created, mount.StatusCode);
        }

        foreach (var gone in (string[])[$"manifests/other{round}", $"manifests/{digest}", $"blobs/{blob}"])
        {
            using var delete = await client.SendAsync("DELETE", $"/v2/cut/app/{gone}");
            Assert.Equal(HttpStatusCode.Accepted, delete.StatusCode);
            await QuietAsync();
        }
    }

    /// <summary>Waits until nothing is written any more: what a deletion sets free is seen to after its answer, and is not part of the next one.</summary>
    private async Task QuietAsync()
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        var length = -1L;
        while (new FileInfo(Log).Length is var now && now != length)
        {
            length = now;
            await timer.WaitForNextTickAsync();
        }
    }
}
