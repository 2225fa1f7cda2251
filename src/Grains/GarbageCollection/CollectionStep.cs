namespace Granary.Grains.GarbageCollection;

/// <summary>
/// One step of a longer piece of work. It reads and changes at most <paramref name="maxRows"/> rows, so that a step is one commit of
/// bounded size. Returns whether another step follows.
/// </summary>
internal delegate Task<bool> CollectionStep(int maxRows);

/// <summary>A step of the collection of one upload session or repository.</summary>
internal delegate Task<SubjectAnswer> SubjectStep(int maxRows);

/// <summary>The answer of a <see cref="SubjectStep"/>.</summary>
/// <param name="More">Whether another step follows.</param>
/// <param name="Next">After the last step: when the sweep looks at the subject again; null for never.</param>
internal readonly record struct SubjectAnswer(bool More, DateTimeOffset? Next);
