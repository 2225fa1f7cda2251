namespace Granary.Storage.Azure.Blobs;

/// <summary>How <see cref="AzureBlobStore"/> cuts uploads into blocks, and how much memory they take.</summary>
public sealed record AzureBlobOptions
{
    /// <summary>
    /// The size of a block that no flush ends; later ones are larger. Uploads ran at 161 MiB/s with 4 MiB, at 90 with 1 MiB.
    /// </summary>
    public int BlockSize { get; init; } = 4 * 1024 * 1024;

    /// <summary>How many blocks of one upload are sent at once. Two brought 16 % more than one; more brought nothing.</summary>
    public int BlocksInFlight { get; init; } = 2;

    /// <summary>How many blocks of <see cref="BlockSize"/> all uploads of the process hold in memory. Other uploads wait.</summary>
    public int BlocksInMemory { get; init; } = 64;

    /// <summary>How many blocks an object can have. The service allows 50,000.</summary>
    public int MaxPieces { get; init; } = 50_000;
}
