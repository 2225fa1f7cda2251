using Azure;

namespace Granary.Storage.Azure.Tables;

/// <summary>The outcome of a transaction.</summary>
/// <param name="ETag">The new ETag of the first entity, if the transaction took effect and did not delete it.</param>
/// <param name="Refusal">Why the table refused the transaction; null if it took effect.</param>
/// <param name="IsUncertain">
/// Whether an earlier attempt got no answer. Then the refusal says only that the last attempt changed nothing.
/// </param>
internal readonly record struct TransactionResult(ETag ETag, RequestFailedException? Refusal, bool IsUncertain);
