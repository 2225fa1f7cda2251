namespace Granary.Storage.Space;

/// <summary>A change of the free space, for the log.</summary>
public enum SpaceChange
{
    /// <summary>The storage begins to refuse pushes.</summary>
    PushesRefused,

    /// <summary>The storage accepts pushes again.</summary>
    PushesAccepted,

    /// <summary>The disk had no free byte, and the ballast was released.</summary>
    BallastReleased,

    /// <summary>The ballast was made again.</summary>
    BallastMade,
}
