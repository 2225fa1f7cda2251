using System.Collections.Concurrent;

namespace Granary.Crash.Tests;

/// <summary>What the registry has said yes to, written down the moment the answer arrived.</summary>
internal sealed class Acknowledged
{
    private int _count;

    public ConcurrentDictionary<(string Repository, Digest Digest), byte[]> Blobs { get; } = new();

    public ConcurrentDictionary<(string Repository, string Reference), byte[]> Manifests { get; } = new();

    /// <summary>Tags whose removal was acknowledged.</summary>
    public ConcurrentDictionary<(string Repository, string Tag), byte> Untagged { get; } = new();

    /// <summary>Open uploads by their location: the content, and how much of it was acknowledged.</summary>
    public ConcurrentDictionary<string, (string Repository, byte[] Content, int Received)> Uploads { get; } = new();

    /// <summary>How many answers there were.</summary>
    public int Count => _count;

    public void Note() => Interlocked.Increment(ref _count);
}
