using Granary.Protocol;

namespace Granary.Gateway.Uploads;

/// <summary>
/// Running hashes between the requests of an upload. Losing one costs time only: the content is read back and hashed again. So it is bounded by forgetting the
/// oldest, and nothing depends on it.
/// </summary>
public sealed class RunningHashCache : IDisposable
{
    // A running hash is a few hundred bytes of native memory; clients push with a handful of connections each.
    private const int MaxParked = 1024;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, LinkedListNode<(string Id, RunningHash Hash)>> _byId = new(StringComparer.Ordinal);
    private readonly LinkedList<(string Id, RunningHash Hash)> _byAge = new();

    /// <summary>Leaves the hash of a session for its next request.</summary>
    public void Park(UploadId id, RunningHash hash)
    {
        lock (_lock)
        {
            Remove(id.Text)?.Dispose();
            _byId[id.Text] = _byAge.AddLast((id.Text, hash));
            if (_byAge.Count > MaxParked)
            {
                Remove(_byAge.First!.Value.Id)?.Dispose();
            }
        }
    }

    /// <summary>Takes the hash of a session's first <paramref name="length"/> bytes; null if it is not here. The caller owns it.</summary>
    public RunningHash? Take(UploadId id, long length)
    {
        lock (_lock)
        {
            var hash = Remove(id.Text);
            if (hash is not null && hash.Length != length)
            {
                // Bytes that did not count were cut off since.
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
