using Granary.Silo.Configuration;

namespace Granary.Silo.Tests;

public sealed class SettingTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Every_setting_has_a_default()
    {
        var settings = Load();

        Assert.Equal("http://127.0.0.1:5000", settings.Server.Urls);
        Assert.Equal("./data", settings.Server.Data);
        Assert.False(settings.Manifests.Sparse);
    }

    [Theory]
    [InlineData("settings.yaml", "manifests:\n  sparse: true\nuploads:\n  expiry: 2d\n")]
    [InlineData("settings.json", """{ "manifests": { "sparse": true }, "uploads": { "expiry": "2d" } }""")]
    public void A_file_sets_settings(string name, string content)
    {
        var settings = Load(Write(name, content));

        Assert.True(settings.Manifests.Sparse);
        Assert.Equal(TimeSpan.FromDays(2), settings.Uploads.Expiry);
        Assert.Equal(TimeSpan.FromDays(2), settings.Lifetimes.UploadExpiry);
    }

    [Fact]
    public void A_section_whose_parts_belong_to_several_assemblies_is_one_section_in_a_file()
    {
        var settings = Load(Write("settings.yaml", "history:\n  retention: 24h\n  address: false\n"));

        Assert.Equal(TimeSpan.FromDays(1), settings.History.Retention);
        Assert.False(settings.Origins.Address);
        Assert.True(Load().Origins.Address);
    }

    [Fact]
    public void The_command_line_overrides_the_file()
    {
        var settings = Load(Write("settings.yaml", "log:\n  level: debug\n  access: false\n"), ("log.level", "error"));

        Assert.Equal(LogSeverity.Error, settings.Log.Level);
        Assert.False(settings.Log.Access);
    }

    [Theory]
    [InlineData("manifests.sparse", "yes", "is not true or false")]
    [InlineData("limits.requests", "0", "is not a number of 1 or more")]
    [InlineData("limits.requests", "many", "is not a number of 1 or more")]
    [InlineData("uploads.idleTimeout", "60", "is not a duration")]
    [InlineData("uploads.idleTimeout", "-1s", "is not a duration")]
    [InlineData("collection.interval", "0s", "is not a duration of more than nothing")]
    [InlineData("history.retention", "23h", "is not a duration of 24h or more, such as 30d")]
    [InlineData("history.retention", "0s", "is not a duration of 24h or more")]
    [InlineData("history.address", "no", "is not true or false")]
    [InlineData("storage.reserve", "512", "is not a size such as 0B, 512MB or 2GiB")]
    [InlineData("storage.reserve", "5%", "is not a size")]
    [InlineData("log.level", "loud", "is not one of debug, info, warning, error")]
    [InlineData("log.level", "1", "is not one of")]
    public void A_wrong_value_is_named_with_every_place_that_sets_it(string name, string value, string reason)
    {
        var error = Assert.Throws<SettingsException>(() => Load(file: null, (name, value)));

        Assert.Contains($"{name}: '{value}' {reason}", error.Message, StringComparison.Ordinal);
        Assert.Contains("--" + name, error.Message, StringComparison.Ordinal);
        var variable = "GRANARY_" + name.ToUpperInvariant().Replace(".", "__", StringComparison.Ordinal);
        Assert.Contains(variable, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("registry.example.com")]
    [InlineData("ftp://registry.example.com")]
    [InlineData("https://registry.example.com/registry")]
    [InlineData("https://registry.example.com/?a=b")]
    [InlineData("https://user@registry.example.com")]
    public void A_public_url_that_is_not_the_address_of_a_host_is_refused(string url)
    {
        var error = Assert.Throws<SettingsException>(() => Load(file: null, ("server.publicUrl", url)));

        Assert.Contains($"server.publicUrl: '{url}' is not the address of a host", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Absolute_locations_need_a_public_url()
    {
        var error = Assert.Throws<SettingsException>(() => Load(file: null, ("server.absoluteLocations", "true")));

        Assert.Contains("Set server.publicUrl", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_unknown_setting_is_refused_with_the_nearest_one()
    {
        var error = Assert.Throws<SettingsException>(() => Load(Write("settings.yaml", "manifest:\n  sparse: true\n")));

        Assert.StartsWith(
            "manifest.sparse: there is no such setting. Did you mean manifests.sparse?", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("settings.yaml", "manifests: [")]
    [InlineData("settings.json", "{")]
    public void A_file_that_cannot_be_read_is_named(string name, string content)
    {
        var error = Assert.Throws<SettingsException>(() => Load(Write(name, content)));

        Assert.Contains(name, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_is_named()
    {
        var error = Assert.Throws<SettingsException>(() => Load(_directory.Combine("absent.yaml")));

        Assert.Contains("absent.yaml", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_setting_has_a_description_and_a_default_that_it_accepts() => Assert.All(SettingCatalog.All, setting =>
    {
        Assert.NotEmpty(setting.Description);
        if (setting.DefaultText != "none")
        {
            Assert.True(setting.TryParse(setting.DefaultText, out var value, out var error), error);
            Assert.Equal(setting.DefaultValue, value);
        }
    });

    [Fact]
    public void The_documentation_lists_every_setting_of_the_code()
    {
        var file = Path.Combine(ConfigurationDocument.RepositoryRoot, "docs", "configuration.md");
        var expected = ConfigurationDocument.Make();
        if (Environment.GetEnvironmentVariable("UPDATE_DOCS") == "1")
        {
            File.WriteAllText(file, expected);
        }

        Assert.True(File.ReadAllText(file) == expected, "docs/configuration.md is out of date: run the tests once with UPDATE_DOCS=1.");
    }

    private static GranarySettings Load(string? file = null, params (string Name, string Value)[] commandLine) =>
        GranarySettings.Load(file, commandLine.ToDictionary(pair => pair.Name, pair => pair.Value));

    private string Write(string name, string content)
    {
        var file = _directory.Combine(name);
        File.WriteAllText(file, content);
        return file;
    }
}
