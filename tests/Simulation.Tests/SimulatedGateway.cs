using Granary.Gateway;
using Granary.Grains.Interfaces.Repositories;

namespace Granary.Simulation.Tests;

/// <summary>
/// A gateway: the real one's repeats and orders, with a clock of its own. It repeats a command until it has an answer, since the time of a
/// run jumps.
/// </summary>
internal sealed class SimulatedGateway
{
    private static readonly TimeSpan LongerValidity = TimeSpan.FromMinutes(45);

    private readonly GrainCalls _calls;
    private readonly World _world;

    public SimulatedGateway(World world, TimeSpan skew)
    {
        _world = world;
        var time = world.Clock(skew, keepsTimestamps: true);
        _calls = new GrainCalls(new CommandOrders(time), time);
    }

    /// <summary>Sends a command, and returns the answer after the invariants have seen it.</summary>
    public async Task<TAnswer> SendAsync<TCommand, TAnswer>(
        string repository,
        TCommand command,
        Func<IRepositoryGrain, TCommand, Task<TAnswer>> send)
        where TCommand : RepositoryCommand
    {
        var sent = _world.Orders.Begin(repository, command);
        var grain = _world.Cluster.GetGrain<IRepositoryGrain>(repository);
        var answer = await _calls.SendAsync(
            command,
            attempt =>
            {
                sent.NoteAttempt(attempt.Order);

                // The time of a run jumps by minutes. Otherwise most attempts would end on their way.
                return send(grain, attempt with { ValidUntil = attempt.ValidUntil + LongerValidity });
            },
            CancellationToken.None);
        _world.Orders.End(sent, answer);
        return answer;
    }
}
