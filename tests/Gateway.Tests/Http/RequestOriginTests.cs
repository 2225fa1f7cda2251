using System.Net;
using Granary.Gateway.Http;
using Granary.Grains.Interfaces.Repositories;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace Granary.Gateway.Tests.Http;

/// <summary>What the lines of the log say about the request that made them.</summary>
public sealed class RequestOriginTests
{
    [Fact]
    public void An_origin_names_the_peer_the_host_and_the_program()
    {
        var origin = Of(Request("docker/28.0 go/1.24"), ChangeCause.Delete);

        Assert.NotEqual(Guid.Empty, origin.RequestId);
        Assert.Equal(ChangeCause.Delete, origin.Cause);
        Assert.Equal(("10.0.0.1", "registry.example.com:5000"), (origin.Peer, origin.Host));
        Assert.Equal("docker/28.0 go/1.24", origin.UserAgent);
        Assert.Null(origin.Address);
        Assert.Null(origin.Actor);
    }

    [Fact]
    public void Each_request_has_an_id_of_its_own()
    {
        var request = Request("docker/28.0");

        Assert.NotEqual(Of(request).RequestId, Of(request).RequestId);
    }

    [Fact]
    public void An_IPv4_client_of_a_socket_for_both_versions_has_its_IPv4_address()
    {
        var request = Request("docker/28.0");
        request.Connection.RemoteIpAddress = IPAddress.Parse("::ffff:10.0.0.2");

        Assert.Equal("10.0.0.2", Of(request).Peer);
    }

    [Fact]
    public void A_setting_leaves_out_address_and_program()
    {
        var origin = Of(Request("docker/28.0"), address: false);

        Assert.Null(origin.Peer);
        Assert.Null(origin.Address);
        Assert.Null(origin.UserAgent);
        Assert.Equal("registry.example.com:5000", origin.Host);
        Assert.NotEqual(Guid.Empty, origin.RequestId);
    }

    [Theory]
    [InlineData("", null)]
    [InlineData("   ", null)]
    [InlineData("\u001b", null)]
    [InlineData("\u001b[2Jdocker/28.0\r\n", "[2Jdocker/28.0")]
    [InlineData("a\u0000b\u007fc\u0085d\u009be", "abcde")]
    [InlineData("a\u202eb\u2066c\u200bd\u2028e", "abcde")]
    [InlineData("Gerät/1.0 (漢字)", "Gerät/1.0 (漢字)")]
    public void A_program_has_no_invisible_characters(string header, string? expected) =>
        Assert.Equal(expected, Of(Request(header)).UserAgent);

    [Fact]
    public void A_long_program_is_cut_and_a_pair_of_surrogates_stays_whole()
    {
        var a79 = new string('a', 79);

        Assert.Equal(a79 + "b", Of(Request(a79 + "bc")).UserAgent);
        Assert.Equal(a79 + "b", Of(Request(a79 + "b")).UserAgent);
        Assert.Equal(a79, Of(Request(a79 + "😀")).UserAgent);
        Assert.Equal(a79, Of(Request(new string('\u0001', 100) + a79)).UserAgent);
    }

    [Fact]
    public void A_long_or_absent_host_is_no_burden_for_the_log()
    {
        var request = Request("docker/28.0");
        request.Request.Headers.Host = new string('h', 30_000);
        Assert.Equal(259, Of(request).Host!.Length);

        request.Request.Headers.Remove("Host");
        Assert.Null(Of(request).Host);
    }

    private static CommandOrigin Of(HttpContext http, ChangeCause cause = ChangeCause.Push, bool address = true) =>
        new RequestOrigin(Options.Create(new OriginOptions { Address = address })).Of(http, cause);

    private static DefaultHttpContext Request(string userAgent)
    {
        var http = new DefaultHttpContext();
        http.Request.Headers.Host = "registry.example.com:5000";
        http.Request.Headers.UserAgent = userAgent;
        http.Connection.RemoteIpAddress = IPAddress.Parse("10.0.0.1");
        return http;
    }
}
