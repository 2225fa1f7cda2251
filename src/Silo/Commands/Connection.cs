using System.CommandLine;

namespace Granary.Silo.Commands;

/// <summary>The options that name the server of a command and the token for it.</summary>
internal sealed class Connection
{
    private readonly Option<string> _server = new("--server")
    {
        Description = "The address of the server, on this machine.",
        HelpName = "URL",
        DefaultValueFactory = _ => AdminClient.DefaultServer,
    };

    private readonly Option<string?> _data = new("--data")
    {
        Description = "The server's data directory, with the token that it asks for. Also GRANARY_DATA. Default: ./data.",
        HelpName = "DIR",
    };

    private readonly Option<string?> _tokenFile = new("--token-file")
    {
        Description = "The file with the token, instead of the one in the data directory. Also GRANARY_TOKEN_FILE.",
        HelpName = "FILE",
    };

    public IEnumerable<Option> Options => [_server, _data, _tokenFile];

    /// <summary>Returns a client for the server that the options name.</summary>
    /// <exception cref="CommandException">The value of <c>--server</c> is not an HTTP address.</exception>
    public AdminClient Open(ParseResult result) =>
        new(result.GetValue(_server)!, TokenFile.Choose(result.GetValue(_tokenFile), result.GetValue(_data)));
}
