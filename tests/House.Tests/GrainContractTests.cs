using System.Reflection;
using System.Text;
using Granary.Grains.Interfaces.Repositories;

namespace Granary.House.Tests;

/// <summary>What grains say to each other, silo to silo and release to release, in one file: a change of it shows in review.</summary>
public sealed class GrainContractTests
{
    [Fact]
    public void The_contracts_are_those_of_the_file()
    {
        var file = Path.Combine(Repository.Root, "src", "Grains.Interfaces", "GrainContracts.txt");
        var contracts = Describe();
        if (Environment.GetEnvironmentVariable("UPDATE_DOCS") == "1")
        {
            File.WriteAllText(file, contracts);
        }

        Assert.True(File.ReadAllText(file) == contracts, "The contracts of the grains have changed. If silos of two releases can still talk to each other, run the tests once with UPDATE_DOCS=1.");
    }

    [Fact]
    public void Everything_on_the_wire_has_a_name_of_its_own()
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
        Assert.All(Messages().Where(type => !type.IsEnum && !typeof(Exception).IsAssignableFrom(type)), type => Assert.NotNull(type.GetCustomAttribute<ImmutableAttribute>(inherit: false)));
    }

    /// <summary>What copies an argument is looked up, and often made, whenever a grain is referred to. An argument that nobody writes to is marked as immutable instead.</summary>
    [Fact]
    public void No_argument_is_copied()
    {
        var references = typeof(IRepositoryGrain).Assembly.GetTypes().Where(typeof(GrainReference).IsAssignableFrom).ToArray();

        Assert.NotEmpty(references);
        Assert.All(references, reference => Assert.Empty(reference.GetFields(BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.DeclaredOnly)));
    }

    private static IEnumerable<Type> Interfaces() => Types().Where(type => type.IsInterface && typeof(IAddressable).IsAssignableFrom(type));

    private static IEnumerable<Type> Messages() => Types().Where(type => type.GetCustomAttribute<GenerateSerializerAttribute>(inherit: false) is not null);

    private static IEnumerable<Type> Types() => typeof(IRepositoryGrain).Assembly.GetExportedTypes().OrderBy(type => type.FullName, StringComparer.Ordinal);

    private static string Describe()
    {
        var text = new StringBuilder();
        foreach (var type in Interfaces())
        {
            text.Append($"grain {Alias(type)}\n");
            foreach (var method in type.GetMethods().OrderBy(method => Alias(method), StringComparer.Ordinal))
            {
                text.Append($"  {Alias(method)}({string.Join(", ", method.GetParameters().Select(parameter => Name(parameter.ParameterType)))}) → {Name(method.ReturnType)}\n");
            }
        }

        foreach (var type in Messages())
        {
            text.Append($"type {Alias(type)}{(type.BaseType is { } parent && parent.GetCustomAttribute<AliasAttribute>(inherit: false) is { } alias ? " : " + alias.Alias : "")}\n");
            if (type.IsEnum)
            {
                text.Append($"  {string.Join(", ", Enum.GetNames(type).Select(name => $"{name} = {Convert.ToInt64(Enum.Parse(type, name))}"))}\n");
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
