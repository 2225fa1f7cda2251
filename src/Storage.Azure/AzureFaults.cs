using Azure;
using Azure.Identity;

namespace Granary.Storage.Azure;

/// <summary>Translates failures of a storage account into faults of the storage, in words that an operator can act on.</summary>
internal static class AzureFaults
{
    /// <summary>The role that an identity needs for tables.</summary>
    public const string TableRole = "Storage Table Data Contributor";

    /// <summary>The role that an identity needs for blobs.</summary>
    public const string BlobRole = "Storage Blob Data Contributor";

    /// <summary>
    /// Returns whether the exception is a failure of the account, of the network or of the credentials, and neither a bug of the program
    /// nor a cancellation by the caller. The client says with a cancellation too that an answer took too long.
    /// </summary>
    public static bool IsFault(Exception exception, CancellationToken cancellationToken) => exception switch
    {
        RequestFailedException or AuthenticationFailedException or IOException => true,
        OperationCanceledException => !cancellationToken.IsCancellationRequested,
        AggregateException all => all.InnerExceptions.Count > 0 && all.InnerExceptions.All(inner => IsFault(inner, cancellationToken)),
        _ => false,
    };

    /// <summary>Returns whether the same request may succeed a moment later.</summary>
    public static bool IsTransient(Exception exception, CancellationToken cancellationToken) => exception switch
    {
        RequestFailedException failure => failure.Status is 0 or 408 or 429 or >= 500,
        IOException => true,
        OperationCanceledException => !cancellationToken.IsCancellationRequested,
        _ => false,
    };

    /// <summary>Returns whether the account refuses requests because there are too many.</summary>
    public static bool IsThrottled(int status, string? errorCode) =>
        status is 429 or 503 || (status == 500 && errorCode == "OperationTimedOut");

    /// <summary>
    /// Returns whether the table or container does not exist. A 404 of a missing row or object is no such fault, and has another code.
    /// </summary>
    public static bool IsMissingContainer(RequestFailedException failure) =>
        failure.ErrorCode is "TableNotFound" or "TableBeingDeleted" or "ContainerNotFound" or "ContainerBeingDeleted";

    /// <summary>Translates a failure.</summary>
    /// <param name="exception">The failure; <see cref="IsFault"/> is true for it.</param>
    /// <param name="what">What could not be done, as the first part of the message.</param>
    /// <param name="role">The role that the identity needs.</param>
    public static StorageException Translate(Exception exception, string what, string role)
    {
        var cause = exception is AggregateException all ? all.InnerExceptions[^1] : exception;
        var (fault, why) = cause switch
        {
            RequestFailedException { Status: > 0 } failure => Describe(failure, role),
            AuthenticationFailedException => (
                StorageFault.Unavailable,
                $"this process gets no credential for the storage account: {FirstLine(cause)} "
                + $"Give it an identity that has the role '{role}'."),
            OperationCanceledException => (StorageFault.Unavailable, "the storage account does not answer in time."),
            _ => (
                StorageFault.Unavailable,
                $"the storage account does not answer: {FirstLine(cause)} Check its address, its firewall and the network."),
        };
        return new StorageException(fault, $"{what}: {why}", exception);
    }

    private static (StorageFault Fault, string Why) Describe(RequestFailedException failure, string role) => failure switch
    {
        _ when IsMissingContainer(failure) => (
            StorageFault.Unavailable,
            $"the table or container does not exist any more ({Code(failure)}). "
            + "Restore it, or restart the server, which makes an empty one."),
        { ErrorCode: "InsufficientAccountPermissions" or "WriteOperationNotAllowed" } => (
            StorageFault.ReadOnly,
            $"the storage account takes no writes now ({Code(failure)}). Wait until its failover is over, or unlock it."),
        { ErrorCode: "AccountIsDisabled" } => (
            StorageFault.Unavailable,
            $"the storage account is disabled ({Code(failure)}). Enable it, or check its subscription."),
        { Status: 401 or 403 } => (
            StorageFault.Unavailable,
            $"the storage account refuses the credentials ({Code(failure)}). Give this process the role '{role}', "
            + "and allow its network in the account's firewall."),
        { Status: 507 } => (
            StorageFault.Full,
            $"the storage account has no space left ({Code(failure)}). Raise its limit, or delete what is not needed."),
        _ when IsThrottled(failure.Status, failure.ErrorCode) => (
            StorageFault.Unavailable,
            $"the storage account has too many requests ({Code(failure)}). Try again later; if it goes on, spread the load."),
        _ => (StorageFault.Unavailable, $"the storage account answers {Code(failure)}: {FirstLine(failure)}"),
    };

    private static string Code(RequestFailedException failure) => $"{failure.Status} {failure.ErrorCode}".TrimEnd();

    // The client adds the whole answer to its messages, in further lines.
    private static string FirstLine(Exception exception)
    {
        var line = exception.Message.AsSpan().Trim();
        var end = line.IndexOfAny('\r', '\n');
        var first = (end < 0 ? line : line[..end]).ToString();
        return first.EndsWith('.') ? first : first + ".";
    }
}
