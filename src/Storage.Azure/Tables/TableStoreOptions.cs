using System.Text.RegularExpressions;

namespace Granary.Storage.Azure.Tables;

/// <summary>Where the rows of a cluster are, and how long its reads are proved.</summary>
public sealed partial record TableStoreOptions
{
    /// <summary>The table of the rows. 3 to 63 letters and digits, the first one a letter. Each registry has a table of its own.</summary>
    public string TableName { get; init; } = "granaryrows";

    /// <summary>How long a silo answers from memory after it has proved that it owns a partition.</summary>
    public TimeSpan ProofLifetime { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Returns what is wrong with the options; null if nothing is.</summary>
    public string? Error() =>
        !NamePattern().IsMatch(TableName) || TableName.Equals("tables", StringComparison.OrdinalIgnoreCase)
            ? $"'{TableName}' is no name of a table: it must have 3 to 63 letters and digits, begin with a letter, and not be 'tables'."
        : ProofLifetime <= TimeSpan.Zero
            ? $"The lifetime of a proof must be longer than 0; it is {ProofLifetime}."
        : null;

    [GeneratedRegex("^[A-Za-z][A-Za-z0-9]{2,62}\\z", RegexOptions.CultureInvariant)]
    private static partial Regex NamePattern();
}
