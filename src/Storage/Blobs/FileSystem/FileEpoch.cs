namespace Granary.Storage.Blobs.FileSystem;

/// <summary>Who may write to an object: whoever holds the newest epoch. Locked by its writers around each write, and by who fences them.</summary>
internal sealed class FileEpoch
{
    public long Epoch { get; set; }
}
