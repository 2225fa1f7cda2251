namespace Granary.Grains.Leases;

/// <summary>The keys of one lease. Its row says until when it lasts, and a due row of that time finds it when it ends.</summary>
internal interface ILease
{
    /// <summary>The key of its <see cref="LeaseRow"/>.</summary>
    string Key { get; }

    /// <summary>
    /// A character of the subject. It varies the length of the lease by up to a tenth, so that leases that began together do not end
    /// together each time.
    /// </summary>
    char Salt { get; }

    /// <summary>Returns the key of its due row.</summary>
    string DueKey(DateTimeOffset until);
}
