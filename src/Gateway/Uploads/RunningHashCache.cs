using Granary.Protocol.Hashing;

namespace Granary.Gateway.Uploads;

/// <summary>
/// Keeps the running hashes of uploads between their requests, so that a PUT after PATCHes does not read the content back and hash it
/// again. A second pass of SHA-256 costs 0.50 s/GB, of about 3 s/GB for a push in chunks (docs/performance.md), and the client waits for
/// it. The cache is bounded and drops its oldest entry: a lost hash costs time only.
/// </summary>
public sealed class RunningHashCache : IDisposable
{
    // A running hash is a few hundred bytes of native memory. Each client pushes over a few connections.
    private const int MaxEntries = 1024;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, LinkedListNode<(string Id, RunningHash Hash)>> _byId = new(StringComparer.Ordinal);
    private readonly LinkedList<(string Id, RunningHash Hash)> _byAge = new();

    /// <summary>Keeps the hash of a session for its next request. The cache owns it from now on.</summary>
    public void Put(UploadId id, RunningHash hash)
    {
        lock (_lock)
        {
            Remove(id.Text)?.Dispose();
            _byId[id.Text] = _byAge.AddLast((id.Text, hash));
            if (_byAge.Count > MaxEntries)
            {
                Remove(_byAge.First!.Value.Id)?.Dispose();
            }
        }
    }

    /// <summary>
    /// Removes and returns the hash of a session's first <paramref name="length"/> bytes. Returns null if the cache does not have it. The
    /// caller owns the hash.
    /// </summary>
    public RunningHash? Take(UploadId id, long length)
    {
        lock (_lock)
        {
            var hash = Remove(id.Text);
            if (hash is not null && hash.Length != length)
            {
                // Bytes that it covers did not count and were cut off since.
                hash.Dispose();
                return null;
            }

            return hash;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            foreach (var (_, hash) in _byAge)
            {
                hash.Dispose();
            }

            _byAge.Clear();
            _byId.Clear();
        }
    }

    private RunningHash? Remove(string id)
    {
        if (!_byId.Remove(id, out var node))
        {
            return null;
        }

        _byAge.Remove(node);
        return node.Value.Hash;
    }
}
