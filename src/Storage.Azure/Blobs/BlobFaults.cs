using Azure;
using Azure.Storage.Blobs.Models;

namespace Granary.Storage.Azure.Blobs;

/// <summary>Makes calls of the blob service, and translates their failures into faults of the storage.</summary>
internal static class BlobFaults
{
    /// <summary>Makes a call and translates its failure.</summary>
    /// <param name="what">What could not be done, as the first part of the message.</param>
    /// <param name="call">The call.</param>
    /// <param name="cancellationToken">The token that the caller has passed to it.</param>
    public static async Task<T> CallAsync<T>(string what, Func<Task<T>> call, CancellationToken cancellationToken)
    {
        try
        {
            return await call();
        }
        catch (Exception e) when (IsFault(e, cancellationToken))
        {
            throw Translate(e, what);
        }
    }

    /// <summary>Returns whether an exception is a failure of the service or of the way to it, and not a bug of the program.</summary>
    public static bool IsFault(Exception exception, CancellationToken cancellationToken) => exception switch
    {
        // A download breaks off in the middle.
        IOException => true,
        AggregateException { InnerExceptions.Count: > 0 } all => all.InnerExceptions.All(inner => IsFault(inner, cancellationToken)),
        _ => AzureFaults.IsFault(exception, cancellationToken),
    };

    /// <summary>Translates a failure.</summary>
    /// <param name="exception">The failure; <see cref="IsFault"/> is true for it.</param>
    /// <param name="what">What could not be done, as the first part of the message.</param>
    public static StorageException Translate(Exception exception, string what) =>
        (exception is AggregateException all ? all.InnerExceptions[^1] : exception) is IOException broken
            ? new StorageException(StorageFault.Unavailable, $"{what}: the connection broke off. {broken.Message}", exception)
            : AzureFaults.Translate(exception, what, AzureFaults.BlobRole);

    /// <summary>Returns whether the object does not exist. A container that does not exist is a fault.</summary>
    public static bool IsMissing(RequestFailedException exception) =>
        exception.Status == 404 && !AzureFaults.IsMissingContainer(exception);

    /// <summary>Returns whether a condition did not hold: another request has committed the object.</summary>
    public static bool IsConflict(RequestFailedException exception) =>
        exception.Status == 412 || (exception.Status == 409 && exception.ErrorCode == BlobErrorCode.BlobAlreadyExists);
}
