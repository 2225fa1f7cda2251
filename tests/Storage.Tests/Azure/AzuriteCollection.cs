namespace Granary.Storage.Tests.Azure;

/// <summary>The tests that share one <see cref="AzuriteFixture"/>. They run one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class AzuriteCollection : ICollectionFixture<AzuriteFixture>
{
    public const string Name = "azurite";
}
