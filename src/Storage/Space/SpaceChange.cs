namespace Granary.Storage.Space;

/// <summary>What has changed about the free space, for the log.</summary>
public enum SpaceChange
{
    /// <summary>Pushes begin to be refused.</summary>
    PushesRefused,

    /// <summary>Pushes are accepted again.</summary>
    PushesAccepted,

    /// <summary>The disk had no free byte, and the ballast was released.</summary>
    BallastReleased,

    /// <summary>The ballast was made again.</summary>
    BallastMade,
}
