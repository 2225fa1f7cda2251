using System.CommandLine;

namespace Granary.Silo.Commands;

/// <summary>The options of a command that say which server it speaks to, and with which token.</summary>
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

    /// <summary>Makes the client that the options ask for.</summary>
    /// <exception cref="CommandException">The address is none.</exception>
    public AdminClient Open(ParseResult result) =>
        new(result.GetValue(_server)!, TokenFile.Choose(result.GetValue(_tokenFile), result.GetValue(_data)));
}
