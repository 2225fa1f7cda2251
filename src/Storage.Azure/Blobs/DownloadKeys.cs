using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;

namespace Granary.Storage.Azure.Blobs;

/// <summary>
/// Keeps the key with which URLs of downloads are signed, where the account is reached with an identity. A key is valid for 6 days and
/// replaced after 3, so that an account that does not answer for hours ends no download.
/// </summary>
internal sealed class DownloadKeys(BlobServiceClient service, TimeProvider time) : IDisposable
{
    private const string Role = "Storage Blob Delegator";

    private static readonly TimeSpan Validity = TimeSpan.FromDays(6);
    private static readonly TimeSpan RenewAfter = TimeSpan.FromDays(3);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMinutes(1);

    // The longest that a URL is valid.
    private static readonly TimeSpan Margin = TimeSpan.FromHours(1);

    private readonly SemaphoreSlim _turn = new(1);
    private Kept? _kept;

    /// <summary>Returns a key that is valid for an hour at least.</summary>
    public async ValueTask<UserDelegationKey> GetAsync(CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _kept) is { } kept && time.GetUtcNow() < kept.RenewAt)
        {
            return kept.Key;
        }

        await _turn.WaitAsync(cancellationToken);
        try
        {
            return await RenewAsync(cancellationToken);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _turn.Dispose();

    private async Task<UserDelegationKey> RenewAsync(CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        if (_kept is { } kept && now < kept.RenewAt)
        {
            return kept.Key;
        }

        try
        {
            var key = (await service.GetUserDelegationKeyAsync(new(now + Validity), cancellationToken)).Value;
            Volatile.Write(ref _kept, new Kept(key, now + RenewAfter));
            return key;
        }
        catch (Exception e) when (AzureFaults.IsFault(e, cancellationToken))
        {
            if (_kept is { } old && now + Margin < old.Key.SignedExpiresOn)
            {
                Volatile.Write(ref _kept, old with { RenewAt = now + RetryAfter });
                return old.Key;
            }

            throw AzureFaults.Translate(e, "The key of download links cannot be fetched", Role);
        }
    }

    private sealed record Kept(UserDelegationKey Key, DateTimeOffset RenewAt);
}
