using System.Security.Cryptography;
using Granary.Protocol;

namespace Granary.Grains.Uploads;

/// <summary>Where the names of new objects come from. Nobody can guess one, and none comes twice.</summary>
public class ObjectIdSource
{
    /// <summary>A name that no object has ever had.</summary>
    public virtual ObjectId Next() => ObjectId.FromRandom(RandomNumberGenerator.GetBytes(16));
}
