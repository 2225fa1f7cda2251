using Granary.Gateway.Transfer.Transport;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Granary.Gateway.Tests.Transfer.Transport;

public sealed class GatewayKestrelTests
{
    [Fact]
    public void No_transfer_is_cut_off_for_being_slow()
    {
        var options = new KestrelServerOptions();

        GatewayKestrel.Configure(options);

        Assert.Null(options.Limits.MinRequestBodyDataRate);
        Assert.Null(options.Limits.MinResponseDataRate);
    }
}
