using System.Security.Cryptography;
using Granary.Storage.Blobs;
using Granary.Storage.Blobs.FileSystem;

namespace Granary.Storage.Tests.Blobs;

public sealed class FileSystemBlobStoreTests : LocalBlobStoreContract, IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private FileSystemBlobStore _store;

    public FileSystemBlobStoreTests() => _store = FileSystemBlobStore.Open(_directory.Path);

    protected override IBlobStore Store => _store;

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task An_operator_finds_a_layer_by_its_digest_and_can_check_it()
    {
        var (id, content) = (NewId(), RegistryClient.RandomBytes(1000));
        var digest = DigestOf(content);
        await WriteAsync(id, 1, 0, content);
        await Store.SealAsync(id, digest, content.Length, default);

        var file = Assert.Single(Directory.GetFiles(_directory.Path, $"{digest.Encoded}*", SearchOption.AllDirectories));

        Assert.Equal(digest.Encoded.ToString(), Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(file))));
        Assert.Contains(id.Value, file, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_restart_keeps_all_objects_and_accepts_a_newer_epoch()
    {
        var (open, closed) = (NewId(), NewId());
        await WriteAsync(open, 7, 0, [1, 2, 3]);
        await WriteAsync(closed, 1, 0, [4]);
        await Store.SealAsync(closed, DigestOf([4]), 1, default);

        _store = FileSystemBlobStore.Open(_directory.Path);

        await WriteAsync(open, 8, 2, [9]);
        Assert.Equal([1, 2, 9], await ReadAsync(await Store.OpenUnsealedAsync(open, 3, default)));
        Assert.Equal([4], await ReadAsync(await Store.OpenAsync(closed, DigestOf([4]), null, default)));
    }

    [Fact]
    public async Task No_file_stays_open()
    {
        for (var i = 0; i < 50; i++)
        {
            var id = NewId();
            await WriteAsync(id, 1, 0, [1]);
            Assert.Null(await Store.OpenWriterAsync(id, 2, 5, default));
            await Store.SealAsync(id, DigestOf([1]), 1, default);
            await ReadAsync(await Store.OpenAsync(id, DigestOf([1]), null, default));
        }

        // Other tests of this process have open files too, but not below this directory.
        Assert.DoesNotContain(
            Directory.GetFiles("/proc/self/fd").Select(Target),
            target => target?.StartsWith(_directory.Path, StringComparison.Ordinal) == true);
    }

    private static string? Target(string descriptor)
    {
        try
        {
            return File.ResolveLinkTarget(descriptor, returnFinalTarget: false)?.FullName;
        }
        catch (IOException)
        {
            return null;
        }
    }
}
