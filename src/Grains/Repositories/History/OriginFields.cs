using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;

namespace Granary.Grains.Repositories.History;

/// <summary>The fields of a row that say who sent a command. The row keeps the cause on its own.</summary>
internal static class OriginFields
{
    /// <summary>Writes the fields.</summary>
    public static RowWriter Sender(this RowWriter writer, CommandOrigin origin) => writer
        .Id(origin.RequestId)
        .Text(origin.Actor)
        .Text(origin.Credential)
        .Text(origin.Peer)
        .Text(origin.Address)
        .Text(origin.Host)
        .Text(origin.UserAgent)
        .Text(origin.Rule)
        .Number(origin.PolicyVersion);

    /// <summary>Reads the fields.</summary>
    public static CommandOrigin Sender(this ref RowReader reader, ChangeCause cause) => new()
    {
        Cause = cause,
        RequestId = reader.Id(),
        Actor = reader.Text(),
        Credential = reader.Text(),
        Peer = reader.Text(),
        Address = reader.Text(),
        Host = reader.Text(),
        UserAgent = reader.Text(),
        Rule = reader.Text(),
        PolicyVersion = reader.Number(),
    };
}
