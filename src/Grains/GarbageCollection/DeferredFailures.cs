using System.Runtime.ExceptionServices;

namespace Granary.Grains.GarbageCollection;

/// <summary>
/// Keeps the failures of a collection until its end, so that one failed step does not prevent the others. Steps may run at the same time.
/// </summary>
internal sealed class DeferredFailures(CancellationToken cancellationToken)
{
    private readonly List<Exception> _failures = [];

    /// <summary>Runs code. Returns its result, or the default if it fails. A cancellation is thrown at once.</summary>
    public async Task<T?> TryAsync<T>(Func<Task<T>> code)
    {
        try
        {
            return await code();
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            lock (_failures)
            {
                _failures.Add(e);
            }

            return default;
        }
    }

    /// <inheritdoc cref="TryAsync{T}"/>
    public Task TryAsync(Func<Task> code) => TryAsync(async () =>
    {
        await code();
        return true;
    });

    /// <summary>
    /// Throws the most important failure, if there is one. Faults of the cluster or the disk come before damaged rows: the next step that
    /// reads a damaged row reports it anyway.
    /// </summary>
    public void ThrowFirst()
    {
        if ((_failures.Find(failure => failure is not FormatException) ?? _failures.FirstOrDefault()) is { } failure)
        {
            ExceptionDispatchInfo.Throw(failure);
        }
    }

    /// <summary>Throws all failures, if there are some.</summary>
    public void ThrowAll()
    {
        if (_failures.Count > 0)
        {
            throw new AggregateException(_failures);
        }
    }
}
