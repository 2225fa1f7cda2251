namespace Granary.Storage.Blobs.FileSystem;

/// <summary>
/// The newest epoch of an object. A writer locks it around each write, and so does a fence: after the fence returns, no write of an older
/// epoch is under way.
/// </summary>
internal sealed class FileEpoch
{
    /// <summary>The epoch that may write; <see cref="long.MaxValue"/> if none may.</summary>
    public long Newest { get; set; }
}
