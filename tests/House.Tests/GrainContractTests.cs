using System.Reflection;
using System.Text;
using Granary.Grains.Interfaces.Repositories;

namespace Granary.House.Tests;

/// <summary>
/// Compares the contracts of the grains with GrainContracts.txt. Silos of two releases talk by these contracts, so a change has to show in
/// review.
/// </summary>
public sealed class GrainContractTests
{
    [Fact]
    public void The_contracts_match_the_file()
    {
        var file = Path.Combine(Repository.Root, "src", "Grains.Interfaces", "GrainContracts.txt");
        var contracts = Describe();
        if (Environment.GetEnvironmentVariable("UPDATE_DOCS") == "1")
        {
            File.WriteAllText(file, contracts);
        }

        Assert.True(
            File.ReadAllText(file) == contracts,
            "The contracts of the grains differ from src/Grains.Interfaces/GrainContracts.txt. If silos of two releases can still " +
            "talk to each other, run this test once with UPDATE_DOCS=1 and commit the file.");
    }

    [Fact]
    public void Every_contract_has_an_alias()
    {
        Assert.All(Interfaces(), type =>
        {
            Assert.NotNull(type.GetCustomAttribute<AliasAttribute>(inherit: false));
            Assert.All(type.GetMethods(), method =>
            {
                Assert.NotNull(method.GetCustomAttribute<AliasAttribute>(inherit: false));
                Assert.Equal(typeof(CancellationToken), method.GetParameters()[^1].ParameterType);
            });
        });
        Assert.All(Messages(), type => Assert.NotNull(type.GetCustomAttribute<AliasAttribute>(inherit: false)));
        Assert.All(
            Messages().Where(type => !type.IsEnum && !typeof(Exception).IsAssignableFrom(type)),
            type => Assert.NotNull(type.GetCustomAttribute<ImmutableAttribute>(inherit: false)));
    }

    /// <summary>
    /// Checks that all arguments are marked as immutable. Orleans copies the others, and looks up their copier, often by reflection, each
    /// time a reference to the grain is made.
    /// </summary>
    [Fact]
    public void No_argument_is_copied()
    {
        var references = typeof(IRepositoryGrain).Assembly.GetTypes().Where(typeof(GrainReference).IsAssignableFrom).ToArray();

        Assert.NotEmpty(references);
        Assert.All(
            references,
            reference => Assert.Empty(
                reference.GetFields(BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.DeclaredOnly)));
    }

    private static IEnumerable<Type> Interfaces() => Types().Where(type => type.IsInterface && typeof(IAddressable).IsAssignableFrom(type));

    private static IEnumerable<Type> Messages() =>
        Types().Where(type => type.GetCustomAttribute<GenerateSerializerAttribute>(inherit: false) is not null);

    private static IEnumerable<Type> Types() =>
        typeof(IRepositoryGrain).Assembly.GetExportedTypes().OrderBy(type => type.FullName, StringComparer.Ordinal);

    private static string Describe()
    {
        var text = new StringBuilder();
        foreach (var type in Interfaces())
        {
            text.Append($"grain {Alias(type)}\n");
            foreach (var method in type.GetMethods().OrderBy(method => Alias(method), StringComparer.Ordinal))
            {
                var parameters = method.GetParameters().Select(parameter => Name(parameter.ParameterType));
                text.Append($"  {Alias(method)}({string.Join(", ", parameters)}) → {Name(method.ReturnType)}\n");
            }
        }

        foreach (var type in Messages())
        {
            var parent = type.BaseType?.GetCustomAttribute<AliasAttribute>(inherit: false);
            text.Append($"type {Alias(type)}{(parent is null ? "" : " : " + parent.Alias)}\n");
            if (type.IsEnum)
            {
                var members = Enum.GetNames(type).Select(name => $"{name} = {Convert.ToInt64(Enum.Parse(type, name))}");
                text.Append($"  {string.Join(", ", members)}\n");
                continue;
            }

            foreach (var (id, property) in type.GetProperties(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)
                .Select(property => (property.GetCustomAttribute<IdAttribute>()?.Id, property))
                .Where(pair => pair.Id is not null)
                .OrderBy(pair => pair.Id))
            {
                text.Append($"  {id} {property.Name}: {Name(property.PropertyType)}\n");
            }
        }

        return text.ToString();
    }

    private static string Alias(MemberInfo member) => member.GetCustomAttribute<AliasAttribute>(inherit: false)?.Alias ?? member.Name;

    private static string Name(Type type) => type.IsGenericType
        ? $"{type.Name[..type.Name.IndexOf('`', StringComparison.Ordinal)]}<{string.Join(", ", type.GetGenericArguments().Select(Name))}>"
        : type.IsArray ? Name(type.GetElementType()!) + "[]" : type.Name;
}
