using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.ExceptionServices;
using Granary.Grains.Interfaces.Repositories;

namespace Granary.Grains.Tests.Cluster;

/// <summary>
/// Gives commands their orders, as a gateway does. A command that a test sends twice is a repeat of the first. A command that has an order
/// already goes as it is: a late copy. Public and not sealed, since a class that is made at run time derives from it.
/// </summary>
public class OrderedCalls : DispatchProxy
{
    private static readonly MethodInfo Generic =
        typeof(OrderedCalls).GetMethod(nameof(SendAsync), BindingFlags.Static | BindingFlags.NonPublic)!;

    private static readonly CommandOrders Orders = new(TimeProvider.System);
    private static readonly ConcurrentDictionary<Guid, long> FirstOrders = new();

    private object? _grain;

    /// <summary>Returns a reference that gives commands their orders.</summary>
    public static T Of<T>(T grain)
        where T : class
    {
        var proxy = Create<T, OrderedCalls>();
        ((OrderedCalls)(object)proxy)._grain = grain;
        return proxy;
    }

    /// <summary>Returns a command as its next attempt.</summary>
    internal static T Next<T>(T command)
        where T : RepositoryCommand
    {
        var request = command.Origin.RequestId;
        var next = Orders.Next(command with { FirstOrder = FirstOrders.GetValueOrDefault(request) });
        if (request != Guid.Empty)
        {
            FirstOrders[request] = next.FirstOrder;
        }

        // Tests move the clocks of silos by days.
        return next with { ValidUntil = DateTimeOffset.MaxValue };
    }

    /// <inheritdoc/>
    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) => args is [RepositoryCommand { Order: 0 }, ..]
        ? Generic.MakeGenericMethod(targetMethod!.ReturnType.GetGenericArguments()[0]).Invoke(null, [_grain, targetMethod, args])
        : Call(_grain!, targetMethod!, args!);

    private static async Task<T> SendAsync<T>(object grain, MethodInfo method, object?[] args)
    {
        var command = (RepositoryCommand)args[0]!;
        while (true)
        {
            try
            {
                return await (Task<T>)Call(grain, method, [Next(command), .. args[1..]])!;
            }
            catch (ReorderException e)
            {
                Orders.Raise(e.Highest);
            }
        }
    }

    private static object? Call(object grain, MethodInfo method, object?[] args)
    {
        try
        {
            return method.Invoke(grain, args);
        }
        catch (TargetInvocationException e)
        {
            ExceptionDispatchInfo.Throw(e.InnerException!);
            throw;
        }
    }
}
