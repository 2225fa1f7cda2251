using System.Diagnostics.CodeAnalysis;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Microsoft.Extensions.Caching.Memory;

namespace Granary.Grains.Repositories;

/// <inheritdoc cref="IPullCache"/>
/// <remarks>
/// All repositories of a silo share one cache, so that the most pulled content gets the memory. An answer whose validity has ended stays
/// until it is evicted or replaced.
/// </remarks>
internal sealed class PullCache(TimeProvider time) : IPullCache, IDisposable
{
    // Some thousand manifests or objects of layers.
    private const int MaxBytes = 3 * 1024 * 1024;

    // A larger answer would evict most others; asking the grain again costs less.
    private const int MaxAnswerBytes = MaxBytes / 8;

    // The key, the answer, and the cache's own entry.
    private const int Overhead = 600;

    // A pulled repository has to get a call from time to time, so that its grain stays active. The limit also ends answers of an activation
    // that the cluster no longer knows.
    private static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(10);

    private readonly MemoryCache _answers = new(new MemoryCacheOptions { SizeLimit = MaxBytes, CompactionPercentage = 0.25 });

    /// <inheritdoc/>
    public bool TryFind<T>(PullCacheKey key, [NotNullWhen(true)] out T? answer)
    {
        if (_answers.TryGetValue(key, out var cached) && cached is Entry<T> { Answer: { } found } entry && IsValid(entry))
        {
            answer = found;
            return true;
        }

        answer = default;
        return false;
    }

    /// <summary>Caches an answer while it is valid.</summary>
    /// <param name="key">The key.</param>
    /// <param name="answer">The answer.</param>
    /// <param name="validity">The partition's validity from before the answer was read.</param>
    /// <param name="bytes">The bytes that the answer holds in memory.</param>
    /// <param name="until">The time at which the grain has to be asked again even if no row has changed; null if there is none.</param>
    public void Add<T>(PullCacheKey key, T answer, ReadValidity validity, int bytes = 0, DateTimeOffset? until = null)
    {
        if (validity.IsOver || bytes > MaxAnswerBytes)
        {
            return;
        }

        var latest = time.GetUtcNow() + MaxAge;
        var entry = new Entry<T>(answer, validity, until < latest ? until.Value : latest);
        _answers.Set(key, entry, new MemoryCacheEntryOptions { Size = bytes + Overhead });
    }

    /// <inheritdoc/>
    public void Dispose() => _answers.Dispose();

    private bool IsValid<T>(Entry<T> entry) => !entry.Validity.IsOver && time.GetUtcNow() < entry.Until;

    private sealed record Entry<T>(T Answer, ReadValidity Validity, DateTimeOffset Until);
}
