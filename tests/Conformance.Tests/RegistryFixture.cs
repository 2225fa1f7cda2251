namespace Granary.Conformance.Tests;

/// <summary>One registry with default settings for all tests. Each test has repositories of its own.</summary>
public sealed class RegistryFixture : IAsyncLifetime
{
    private TestRegistry? _registry;

    public RegistryClient Client => _registry!.Client;

    public TestRegistry Registry => _registry!;

    public async Task InitializeAsync() => _registry = await TestRegistry.StartAsync();

    public async Task DisposeAsync() => await _registry!.DisposeAsync();
}

/// <summary>The tests that share one registry. They run one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class RegistryCollection : ICollectionFixture<RegistryFixture>
{
    public const string Name = "registry";
}

/// <summary>The base of all tests of the shared registry.</summary>
[Collection(RegistryCollection.Name)]
public abstract class RegistryTest(RegistryFixture fixture)
{
    private static int _count;

    protected RegistryClient Client { get; } = fixture.Client;

    protected Uri Address { get; } = fixture.Registry.Address;

    /// <summary>The registry's data directory.</summary>
    protected string Data { get; } = fixture.Registry.Data;

    /// <summary>A repository that no other test uses.</summary>
    protected string Repository { get; } = $"test/repository-{Interlocked.Increment(ref _count)}";

    protected static async Task AssertErrorAsync(HttpResponseMessage answer, int status, string code)
    {
        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal("application/json", answer.Content.Headers.ContentType?.MediaType);
        Assert.All(await RegistryClient.ErrorCodesAsync(answer), actual => Assert.Equal(code, actual));
    }

    protected static string Header(HttpResponseMessage answer, string name) =>
        answer.Headers.TryGetValues(name, out var values) || answer.Content.Headers.TryGetValues(name, out values)
            ? string.Join(", ", values)
            : "";
}
