using System.Security.Cryptography;

namespace Granary.Storage.Azure.Tables;

/// <summary>Names of commits.</summary>
internal static class CommitName
{
    private const int Bytes = 12;

    /// <summary>Returns 96 random bits: after an answer that was lost, the head says by this name whose commit made it.</summary>
    public static string New() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(Bytes));
}
