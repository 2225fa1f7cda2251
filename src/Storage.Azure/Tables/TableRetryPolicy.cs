using Azure.Core;
using Azure.Core.Pipeline;

namespace Granary.Storage.Azure.Tables;

/// <summary>Bounds how long a request takes and how often the client repeats it.</summary>
/// <remarks>
/// By default the client waits 100 s for an answer and pauses 0.8 s before it repeats a request; a call of a grain ends after 3 s. It
/// repeats transactions too. Here <see cref="PartitionTable"/> does that, because it knows what a refusal means after a lost answer.
/// </remarks>
internal sealed class TableRetryPolicy(ThrottleCounter throttled, TimeProvider time, TimeSpan firstPause)
    : RetryPolicy(MaxRetries, DelayStrategy.CreateExponentialDelayStrategy(firstPause, maxDelay: 4 * firstPause))
{
    /// <summary>The first pause, which doubles: three retries take 0.7 s.</summary>
    public static readonly TimeSpan DefaultFirstPause = TimeSpan.FromMilliseconds(100);

    private const int MaxRetries = 3;

    private static readonly TimeSpan RetryWindow = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan RowTimeout = TimeSpan.FromSeconds(3);

    // 4 MiB over a slow network, or by a busy emulator.
    private static readonly TimeSpan TransactionTimeout = TimeSpan.FromSeconds(5);

    // The service itself works at most 5 s on a query, and then answers with what it has and a continuation token.
    private static readonly TimeSpan QueryTimeout = TimeSpan.FromSeconds(10);

    /// <inheritdoc/>
    protected override void OnSendingRequest(HttpMessage message) => message.NetworkTimeout = TimeoutOf(message.Request);

    /// <inheritdoc/>
    protected override ValueTask OnSendingRequestAsync(HttpMessage message)
    {
        OnSendingRequest(message);
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    protected override void OnRequestSent(HttpMessage message)
    {
        if (message.HasResponse && !IsTransaction(message.Request))
        {
            message.Response.Headers.TryGetValue(PartitionTable.ErrorCodeHeader, out var code);
            if (AzureFaults.IsThrottled(message.Response.Status, code))
            {
                throttled.Add();
            }
        }
    }

    /// <inheritdoc/>
    protected override ValueTask OnRequestSentAsync(HttpMessage message)
    {
        OnRequestSent(message);
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    protected override bool ShouldRetry(HttpMessage message, Exception? exception) =>
        MayRetry(message) && base.ShouldRetry(message, exception);

    /// <inheritdoc/>
    protected override async ValueTask<bool> ShouldRetryAsync(HttpMessage message, Exception? exception) =>
        MayRetry(message) && await base.ShouldRetryAsync(message, exception);

    private static TimeSpan TimeoutOf(Request request) =>
        IsTransaction(request) ? TransactionTimeout : IsQuery(request) ? QueryTimeout : RowTimeout;

    private static bool IsTransaction(Request request) => request.Uri.Path.EndsWith("$batch", StringComparison.Ordinal);

    private static bool IsQuery(Request request) => request.Uri.Path.EndsWith("()", StringComparison.Ordinal);

    private bool MayRetry(HttpMessage message) =>
        !IsTransaction(message.Request) && time.GetUtcNow() - message.ProcessingContext.StartTime < RetryWindow;
}
