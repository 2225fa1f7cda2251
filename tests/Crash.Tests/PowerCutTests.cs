namespace Granary.Crash.Tests;

/// <summary>
/// A power cut takes the page cache, which <c>kill -9</c> does not. So strace records the system calls of the real program, and the test
/// checks the record: when the answer to a write leaves, everything that the answer promises is synced.
/// </summary>
public sealed class PowerCutTests : IDisposable
{
    // Ticks of 100 ms: twice the time after which references are released.
    private const int QuietTicks = 20;

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

        // The check itself has to notice a fault: without one kind of sync, the same record must have violations.
        foreach (var missing in (string[])["/uploads/", "/uploads>", "/blobs/sha256/", "/metadata.db-wal>"])
        {
            var unsynced = lines.Where(line =>
                !(line.Contains("sync(", StringComparison.Ordinal) && line.Contains(missing, StringComparison.Ordinal)));
            Assert.NotEmpty(SystemCalls.Read(Data, unsynced).Violations);
        }
    }

    /// <summary>Makes every kind of write, one after the other, and returns the lines of strace.</summary>
    private async Task<string[]> RecordAsync()
    {
        string[] watcher =
        [
            "strace", "-D", "-f", "-y", "--seccomp-bpf", "-s", "40", "-o", Log,
            "-e", "trace=openat,write,pwrite64,writev,pwritev,pwritev2,ftruncate,fsync,fdatasync,rename,renameat,renameat2," +
                "sendto,sendmsg,recvfrom,recvmsg",
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

        // strace ends after the program and writes its last lines then.
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
        // An image whose blobs are rows, an image with a layer that is an object, a second tag, and a referrer.
        await client.PushImageAsync("cut/app", $"small{round}");
        var (digest, manifest) = await client.PushImageAsync("cut/app", $"large{round}", layerSize: 400_000);
        using (var tag = await client.PushManifestAsync("cut/app", $"other{round}", manifest))
        {
            Assert.Equal(HttpStatusCode.Created, tag.StatusCode);
        }

        var subject = Manifests.Descriptor(digest, manifest.Length, MediaTypes.OciManifest);
        var signature = Manifests.Index([], subject);
        using (var referrer = await client.PushManifestAsync("cut/app", $"signed{round}", signature, MediaTypes.OciIndex))
        {
            Assert.Equal(HttpStatusCode.Created, referrer.StatusCode);
        }

        // A layer in pieces, then a layer in one request.
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
            await WaitForQuietAsync();
        }
    }

    /// <summary>
    /// Waits until the program writes nothing more. A deletion releases its references up to a second after its answer. Those writes must
    /// not count as part of the next request, so the record has to stay the same for longer than that.
    /// </summary>
    private async Task WaitForQuietAsync()
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        var (length, quiet) = (-1L, 0);
        while (quiet < QuietTicks)
        {
            await timer.WaitForNextTickAsync();
            var now = new FileInfo(Log).Length;
            quiet = now == length ? quiet + 1 : 0;
            length = now;
        }
    }
}
