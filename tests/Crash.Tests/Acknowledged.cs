using System.Collections.Concurrent;

namespace Granary.Crash.Tests;

/// <summary>The writes that the registry has acknowledged. Clients record each one when its answer arrives.</summary>
internal sealed class Acknowledged
{
    private int _count;

    public ConcurrentDictionary<(string Repository, Digest Digest), byte[]> Blobs { get; } = new();

    public ConcurrentDictionary<(string Repository, string Reference), byte[]> Manifests { get; } = new();

    /// <summary>Tags whose removal was acknowledged.</summary>
    public ConcurrentDictionary<(string Repository, string Tag), byte> Untagged { get; } = new();

    /// <summary>Open uploads by location: the content, and how many bytes of it were acknowledged.</summary>
    public ConcurrentDictionary<string, (string Repository, byte[] Content, int Received)> Uploads { get; } = new();

    /// <summary>The number of acknowledged writes.</summary>
    public int Count => _count;

    public void CountOne() => Interlocked.Increment(ref _count);
}
