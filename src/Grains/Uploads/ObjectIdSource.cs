using System.Security.Cryptography;
using Granary.Protocol;

namespace Granary.Grains.Uploads;

/// <summary>Makes the names of new objects: random, so that no client can guess one, and never the same twice.</summary>
public class ObjectIdSource
{
    /// <summary>Returns a name that no object has ever had.</summary>
    public virtual ObjectId Next() => ObjectId.FromRandom(RandomNumberGenerator.GetBytes(16));
}
