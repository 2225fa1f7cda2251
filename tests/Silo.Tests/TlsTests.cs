using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Granary.Silo.Configuration;

namespace Granary.Silo.Tests;

public sealed class TlsTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task An_https_address_serves_with_the_certificate_of_a_PEM_pair(string version)
    {
        var thumbprint = WritePair();
        await using var registry = await TestRegistry.StartAsync(new Dictionary<string, string>
        {
            ["urls"] = "https://127.0.0.1:0",
            ["tls.certificate"] = _directory.Combine("cert.pem"),
            ["tls.key"] = _directory.Combine("key.pem"),
        });
        string? seen = null;
        using var handler = new SocketsHttpHandler();
        handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, _) =>
        {
            seen = certificate!.GetCertHashString();
            return seen == thumbprint;
        };
        using var client = new HttpClient(handler)
        {
            DefaultRequestVersion = Version.Parse(version),
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };

        using var answer = await client.GetAsync(new Uri(registry.Address, "/v2/"));

        using var large = new HttpRequestMessage(HttpMethod.Get, new Uri(registry.Address, "/v2/")) { Version = Version.Parse(version) };
        large.Headers.Add("Cookie", new string('c', 48 * 1024));
        for (var i = 0; i < 150; i++)
        {
            large.Headers.Add($"X-Hop-{i}", "value");
        }

        using var taken = await client.SendAsync(large);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(HttpStatusCode.OK, taken.StatusCode);
        Assert.Equal(Version.Parse(version), answer.Version);
        Assert.Equal(thumbprint, seen);
    }

    [Fact]
    public async Task A_key_that_does_not_fit_the_certificate_is_refused()
    {
        WritePair();
        using (var other = RSA.Create(2048))
        {
            await File.WriteAllTextAsync(_directory.Combine("key.pem"), other.ExportPkcs8PrivateKeyPem());
        }

        var error = await Assert.ThrowsAsync<SettingsException>(() => TestRegistry.StartAsync(new Dictionary<string, string>
        {
            ["urls"] = "https://127.0.0.1:0",
            ["tls.certificate"] = _directory.Combine("cert.pem"),
            ["tls.key"] = _directory.Combine("key.pem"),
        }));

        Assert.Contains("tls.certificate, tls.key", error.Message, StringComparison.Ordinal);
    }

    private string WritePair()
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        File.WriteAllText(_directory.Combine("cert.pem"), certificate.ExportCertificatePem());
        File.WriteAllText(_directory.Combine("key.pem"), key.ExportPkcs8PrivateKeyPem());
        return certificate.GetCertHashString();
    }
}
