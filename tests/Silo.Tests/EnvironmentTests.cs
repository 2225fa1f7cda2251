using Granary.Silo.Configuration;

namespace Granary.Silo.Tests;

/// <summary>The environment of a container in Kubernetes holds variables of the platform beside the settings.</summary>
public sealed class EnvironmentTests
{
    // Set by Kubernetes 1.31 for services named granary and granary-web, one with IPv6.
    private static readonly Dictionary<string, string> OfServices = new()
    {
        ["GRANARY_SERVICE_HOST"] = "10.96.143.7",
        ["GRANARY_SERVICE_PORT"] = "5000",
        ["GRANARY_SERVICE_PORT_HTTP"] = "5000",
        ["GRANARY_PORT"] = "tcp://10.96.143.7:5000",
        ["GRANARY_PORT_5000_TCP"] = "tcp://10.96.143.7:5000",
        ["GRANARY_PORT_5000_TCP_PROTO"] = "tcp",
        ["GRANARY_PORT_5000_TCP_PORT"] = "5000",
        ["GRANARY_PORT_5000_TCP_ADDR"] = "10.96.143.7",
        ["GRANARY_PORT_53_UDP"] = "udp://10.96.143.7:53",
        ["GRANARY_PORT_53_UDP_PROTO"] = "udp",
        ["GRANARY_PORT_53_UDP_PORT"] = "53",
        ["GRANARY_PORT_53_UDP_ADDR"] = "10.96.143.7",
        ["GRANARY_PORT_9_SCTP"] = "sctp://10.96.143.7:9",
        ["GRANARY_PORT_9_SCTP_PROTO"] = "sctp",
        ["GRANARY_WEB_SERVICE_HOST"] = "fd00:10:96::a1",
        ["GRANARY_WEB_PORT"] = "tcp://[fd00:10:96::a1]:80",
        ["GRANARY_WEB_PORT_80_TCP_ADDR"] = "fd00:10:96::a1",
    };

    [Fact]
    public async Task The_program_starts_beside_services_of_its_name()
    {
        using var directory = new TemporaryDirectory();

        string[] starter = ["env", .. OfServices.Select(pair => $"{pair.Key}={pair.Value}")];

        await using var granary = await GranaryProcess.StartAsync(starter, directory.Path);

        using var client = new RegistryClient(granary.Address);
        Assert.Equal("{}"u8.ToArray(), await client.GetBytesAsync("/v2/"));
    }

    [Fact]
    public void Settings_beside_variables_of_services_are_read()
    {
        var variables = new System.Collections.Hashtable(OfServices)
        {
            ["GRANARY_DATA"] = "/data",
            ["GRANARY_MANIFESTS__SPARSE"] = "true",
            ["GRANARY_CONFIG"] = "/etc/granary.yaml",
            ["GRANARY_TOKEN_FILE"] = "/data/admin.token",
            ["HOME"] = "/root",
        };

        Assert.Equal(
            new Dictionary<string, string> { ["data"] = "/data", ["manifests.sparse"] = "true" },
            EnvironmentSettings.Read(variables));
    }

    [Theory]
    [InlineData("GRANARY_SERVICE_HOST", "registry.example.com")]
    [InlineData("GRANARY_SERVICE_PORT", "http")]
    [InlineData("GRANARY_SERVICE_PORT", "70000")]
    [InlineData("GRANARY_SERVICE", "10.96.143.7")]
    [InlineData("GRANARY_PORT", "5000")]
    [InlineData("GRANARY_PORT_HTTP_TCP", "tcp://10.96.143.7:5000")]
    [InlineData("GRANARY_PORT_5000_TCP", "true")]
    [InlineData("GRANARY_PORT_5000_TCP_PROTO", "http")]
    [InlineData("GRANARY_LIMITS_REQUESTS_PORT", "5000")]
    [InlineData("GRANARY_", "x")]
    public void A_variable_that_only_resembles_those_of_services_is_refused(string name, string value)
    {
        var error = Assert.Throws<SettingsException>(() => EnvironmentSettings.Read(new System.Collections.Hashtable { [name] = value }));

        Assert.StartsWith($"{name}: there is no such setting. ", error.Message, StringComparison.Ordinal);
    }
}
