using Granary.Protocol;

namespace Granary.Grains.Interfaces.Uploads;

/// <summary>What the sweep has to do about a session.</summary>
[GenerateSerializer, Immutable, Alias("granary.expire-answer")]
public abstract record ExpireAnswer
{
    private protected ExpireAnswer()
    {
    }
}

/// <summary>The session has no row. There is nothing to do.</summary>
[GenerateSerializer, Immutable, Alias("granary.expire-nothing")]
public sealed record ExpireNothing : ExpireAnswer;

/// <summary>The session is not due yet.</summary>
/// <param name="Due">When it is.</param>
[GenerateSerializer, Immutable, Alias("granary.expire-later")]
public sealed record ExpireLater([property: Id(0)] DateTimeOffset Due) : ExpireAnswer;

/// <summary>The session was never sealed. The sweep deletes its object, then its row.</summary>
/// <param name="Object">The object; null if there is none.</param>
[GenerateSerializer, Immutable, Alias("granary.expire-open")]
public sealed record ExpireOpen([property: Id(0)] ObjectId? Object) : ExpireAnswer;

/// <summary>The session was sealed. The sweep asks the shard to decide about its object.</summary>
/// <param name="Digest">The digest that it was sealed under.</param>
/// <param name="Object">The object.</param>
/// <param name="Deadline">The end of the time in which the object could become a blob.</param>
/// <param name="KeepUntil">
/// How long the session's row has to stay, because its id is still valid and would begin another session; null if the row can go.
/// </param>
[GenerateSerializer, Immutable, Alias("granary.expire-sealed")]
public sealed record ExpireSealed(
    [property: Id(0)] Digest Digest,
    [property: Id(1)] ObjectId Object,
    [property: Id(2)] DateTimeOffset Deadline,
    [property: Id(3)] DateTimeOffset? KeepUntil = null) : ExpireAnswer;

/// <summary>Renounce has decided about the object of the session. Only the row is left, and the sweep removes it.</summary>
[GenerateSerializer, Immutable, Alias("granary.expire-renounced")]
public sealed record ExpireRenounced : ExpireAnswer;
