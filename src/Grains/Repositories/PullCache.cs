using System.Diagnostics.CodeAnalysis;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Microsoft.Extensions.Caching.Memory;

namespace Granary.Grains.Repositories;

/// <inheritdoc cref="IPullCache"/>
/// <remarks>One for all repositories of a silo, so that what is pulled most has the memory. An answer that is over stays until it is pushed out or replaced.</remarks>
internal sealed class PullCache(TimeProvider time) : IPullCache, IDisposable
{
    // Some thousand manifests or places of layers.
    private const int MaxBytes = 3 * 1024 * 1024;

    // An answer that would push out most others is cheaper to make again.
    private const int MaxAnswerBytes = MaxBytes / 8;

    // The question, the answer, and what the cache keeps of each.
    private const int Overhead = 600;

    // A repository that is pulled from has to be asked now and then: so that it stays active, and so that the answers of an activation do not last of which the cluster no longer knows.
    private static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(10);

    private readonly MemoryCache _answers = new(new MemoryCacheOptions { SizeLimit = MaxBytes, CompactionPercentage = 0.25 });

    /// <inheritdoc/>
    public bool TryFind<T>(PullCacheKey question, [NotNullWhen(true)] out T? answer)
    {
        if (_answers.TryGetValue(question, out var kept) && kept is Kept<T> { Answer: { } good } found && !found.ReadValidity.IsOver && time.GetUtcNow() < found.Until)
        {
            answer = good;
            return true;
        }

        answer = default;
        return false;
    }

    /// <summary>Keeps an answer for as long as it is true.</summary>
    /// <param name="moment">The partition's moment from before the answer was read.</param>
    /// <param name="question">The question.</param>
    /// <param name="answer">The answer.</param>
    /// <param name="bytes">The size of what it holds in memory.</param>
    /// <param name="until">From when on the grain has to be asked again although nothing has changed; null if that is all the same.</param>
    public void Remember<T>(ReadValidity moment, PullCacheKey question, T answer, int bytes = 0, DateTimeOffset? until = null)
    {
        if (!moment.IsOver && bytes <= MaxAnswerBytes)
        {
            var latest = time.GetUtcNow() + MaxAge;
            _answers.Set(question, new Kept<T>(moment, answer, until < latest ? until.Value : latest), new MemoryCacheEntryOptions { Size = bytes + Overhead });
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _answers.Dispose();

    private sealed record Kept<T>(ReadValidity ReadValidity, T Answer, DateTimeOffset Until);
}
