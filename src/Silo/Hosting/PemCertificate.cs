using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Granary.Silo.Configuration;

namespace Granary.Silo.Hosting;

/// <summary>A certificate from a pair of PEM files. It is read again when they change, so a renewal needs no restart.</summary>
internal sealed partial class PemCertificate
{
    private static readonly TimeSpan CheckInterval = TimeSpan.FromSeconds(30);

    private readonly TlsOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private Loaded _loaded;
    private long _checked;

    /// <summary>Reads the certificate and its key.</summary>
    /// <exception cref="SettingsException">The files are missing or do not fit each other.</exception>
    public PemCertificate(TlsOptions options, TimeProvider time, ILogger logger)
    {
        (_options, _time, _logger) = (options, time, logger);
        if (options.Certificate.Length == 0 || options.Key.Length == 0)
        {
            throw new SettingsException(
                "tls.certificate, tls.key: an https address in urls needs both, each the path of a PEM file. Set both, or use http:// " +
                "in urls.");
        }

        try
        {
            _loaded = Load();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new SettingsException(
                $"tls.certificate, tls.key: '{options.Certificate}' and '{options.Key}' cannot be used: {e.Message.TrimEnd('.')}. " +
                "Name a readable certificate with its chain and its private key, both in PEM.", e);
        }

        _checked = time.GetTimestamp();
    }

    /// <summary>The current certificate and its chain. Every 30 seconds the getter looks whether the files have changed.</summary>
    public (X509Certificate2 Certificate, X509Certificate2Collection Chain) Current
    {
        get
        {
            lock (_lock)
            {
                if (_time.GetElapsedTime(_checked) >= CheckInterval)
                {
                    _checked = _time.GetTimestamp();
                    Reload();
                }

                return (_loaded.Certificate, _loaded.Chain);
            }
        }
    }

    private void Reload()
    {
        try
        {
            if (Changed() != _loaded.Changed)
            {
                // The old certificate is not disposed of: handshakes may still use it.
                _loaded = Load();
                LogReloaded(_logger, _loaded.Certificate.NotAfter);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            LogReloadFailed(_logger, e);
        }
    }

    private Loaded Load()
    {
        var changed = Changed();
        using var pem = X509Certificate2.CreateFromPemFile(_options.Certificate, _options.Key);

        // On some platforms SslStream accepts a key only after an export and import.
        var certificate = X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), password: null);
        var chain = new X509Certificate2Collection();
        chain.ImportFromPemFile(_options.Certificate);
        return new Loaded(certificate, chain, changed);
    }

    private (DateTime, DateTime) Changed() => (File.GetLastWriteTimeUtc(_options.Certificate), File.GetLastWriteTimeUtc(_options.Key));

    [LoggerMessage(3101, LogLevel.Information,
        "The TLS certificate has changed, and the server uses the new one; it is valid until {NotAfter}")]
    private static partial void LogReloaded(ILogger logger, DateTime notAfter);

    [LoggerMessage(3102, LogLevel.Error,
        "The TLS certificate has changed and cannot be read; the old one stays in use. Correct the files of tls.certificate and tls.key")]
    private static partial void LogReloadFailed(ILogger logger, Exception exception);

    private sealed record Loaded(X509Certificate2 Certificate, X509Certificate2Collection Chain, (DateTime, DateTime) Changed);
}
