using System.Collections.Concurrent;
using System.Reflection;
using System.Runtime.ExceptionServices;
using Granary.Grains;
using Granary.Grains.Blobs;
using Granary.Grains.Catalog;
using Granary.Grains.GarbageCollection;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Catalog;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Interfaces.Schedules;
using Granary.Grains.Interfaces.Uploads;
using Granary.Grains.Repositories;
using Granary.Grains.Schedules;
using Granary.Grains.Uploads;
using Granary.Storage.Partitions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Granary.Simulation.Tests;

/// <summary>
/// Calls of real grains over a simulated network. A call and its answer take time, may be lost, and may come again much later. A grain may
/// have two activations. An activation may die during a call.
/// </summary>
internal sealed class SimulatedCluster : IGrainFactory
{
    private static readonly FieldInfo Context = Field("<GrainContext>k__BackingField");
    private static readonly FieldInfo Runtime = Field("<Runtime>k__BackingField");

    private static readonly Dictionary<Type, Type> Grains = new()
    {
        [typeof(IRepositoryGrain)] = typeof(RepositoryGrain),
        [typeof(IRepositoryMaintenanceGrain)] = typeof(RepositoryGrain),
        [typeof(IBlobShardGrain)] = typeof(BlobShardGrain),
        [typeof(IUploadSessionGrain)] = typeof(UploadSessionGrain),
        [typeof(IScheduleGrain)] = typeof(ScheduleGrain),
        [typeof(ICatalogGrain)] = typeof(CatalogGrain),
    };

    private readonly World _world;
    private readonly ServiceProvider _services;
    private readonly Dictionary<(Type, string), List<Activation>> _activations = [];
    private readonly Dictionary<(Type, string), object> _references = [];
    private int _count;

    public SimulatedCluster(World world, IPartitionStore store, LifetimeOptions lifetimes, CollectionOptions collection)
    {
        _world = world;
        _services = new ServiceCollection()
            .AddSingleton(store)
            .AddSingleton(Options.Create(lifetimes))
            .AddSingleton(Options.Create(collection))
            .AddSingleton(Options.Create(World.History))
            .AddSingleton<ObjectIdSource>(new CountedIds())
            .AddSingleton(new PullCache(TimeProvider.System))
            .AddSingleton(typeof(ILogger<>), typeof(NullLogger<>))
            .BuildServiceProvider();
    }

    /// <summary>How often Renounce decided about the object of a session before the session expired.</summary>
    public long RenouncedEarly { get; private set; }

    public IReadOnlyList<Activation> Activations => [.. _activations.Values.SelectMany(list => list)];

    public TGrain GetGrain<TGrain>(string primaryKey, string? grainClassNamePrefix = null)
        where TGrain : IGrainWithStringKey => Reference<TGrain>(primaryKey, IdSpan.Create(primaryKey));

    public TGrain GetGrain<TGrain>(long primaryKey, string? grainClassNamePrefix = null)
        where TGrain : IGrainWithIntegerKey =>
        Reference<TGrain>(primaryKey.ToString("x"), GrainIdKeyExtensions.CreateIntegerKey(primaryKey));

    /// <summary>Ends an activation as a crash of its silo does.</summary>
    public static void Kill(Activation activation)
    {
        activation.Actor.Die();
        activation.Leave();
    }

    /// <summary>Ends all at once.</summary>
    public void KillAll()
    {
        foreach (var activation in Activations)
        {
            Kill(activation);
        }
    }

    public async Task<object?> CallAsync(Call call)
    {
        var random = _world.Random;
        var canBeLate = _world.Ablation?.NeedsLateCalls != true || call.Method.Name == nameof(IBlobShardGrain.Acquire);
        var isCommand = call.Arguments[0] is RepositoryCommand;
        if (_world.IsWild && canBeLate && random.NextDouble() < (isCommand ? _world.LateCommands : _world.LateCalls))
        {
            // A copy that comes long after its caller gave up. Its answer is dropped.
            _world.Spawn("late " + call.Method.Name, async () =>
            {
                for (var pauses = random.Next(120); pauses > 0; pauses--)
                {
                    await _world.Scheduler.PauseAsync();
                }

                await DeliverAsync(call);
            });
        }

        await _world.Scheduler.PauseAsync();
        var answer = DeliverAsync(call);
        answer = _world.Ablation?.AnyAttempt(call, answer) ?? answer;
        if (_world.IsWild && random.NextDouble() < (isCommand ? _world.LostCommandAnswers : _world.LostAnswers))
        {
            await _world.Scheduler.PauseAsync();
            throw new TimeoutException("The answer was lost.");
        }

        var result = await answer;
        await _world.Scheduler.PauseAsync();
        return result;
    }

    /// <summary>Delivers a call without delays of the network.</summary>
    public async Task<object?> DeliverPlainAsync(Call call)
    {
        var activation = Choose(call);
        RenouncedEarly += call.Method.Name == nameof(IUploadSessionGrain.RecordRenounced) ? 1 : 0;
        if (_world.Trace is not null)
        {
            var arguments = string.Join(", ", call.Arguments.Where(argument => argument is not CancellationToken));
            _world.Note($"{call.Method.Name}({arguments}) → {activation.Actor.Name}");
        }

        var answer = _world.Scheduler.RunAsAsync(activation.Actor, async () =>
        {
            await activation.Ready;
            return await call.InvokeAsync(activation.Grain);
        });
        if (await Task.WhenAny(answer, activation.Actor.Death) != answer)
        {
            throw new SiloUnavailableException("The silo died.");
        }

        return await answer;
    }

    private Task<object?> DeliverAsync(Call call) =>
        _world.Ablation is { } ablation ? ablation.DeliverAsync(call, this) : DeliverPlainAsync(call);

    private Activation Choose(Call call)
    {
        var key = (Grains[call.Interface], call.Key);
        if (!_activations.TryGetValue(key, out var activations))
        {
            _activations[key] = activations = [];
        }

        activations.RemoveAll(activation => activation.IsLeaving);
        if (activations.Count == 0
            || (activations.Count == 1 && _world.IsWild && _world.Random.NextDouble() < _world.DuplicateActivations))
        {
            activations.Add(Activate(key.Item1, call));
        }

        return activations[_world.Random.Next(activations.Count)];
    }

    private Activation Activate(Type type, Call call)
    {
        var actor = new Actor($"{type.Name} {call.Key} #{++_count}");
        var parameters = type.GetConstructors().SelectMany(constructor => constructor.GetParameters());
        var hasClock = parameters.Any(parameter => parameter.ParameterType == typeof(TimeProvider));
        var grain = (Grain)ActivatorUtilities.CreateInstance(_services, type, hasClock ? [_world.SkewedClock()] : []);
        var activation = new Activation(actor, grain);
        var context = new GrainSurroundings(GrainId.Create(GrainType.Create(type.Name), call.Id), grain, this, activation.Leave);
        Context.SetValue(grain, context);
        Runtime.SetValue(grain, context);
        activation.Ready = _world.Scheduler.RunAsAsync(actor, async () =>
        {
            try
            {
                await grain.OnActivateAsync(CancellationToken.None);
            }
            catch
            {
                activation.Leave();
                throw;
            }

            return true;
        });
        return activation;
    }

    private TGrain Reference<TGrain>(string key, IdSpan id)
    {
        if (!_references.TryGetValue((typeof(TGrain), key), out var reference))
        {
            reference = DispatchProxy.Create<TGrain, GrainProxy>()!;
            ((GrainProxy)reference).Target(this, typeof(TGrain), key, id);
            _references[(typeof(TGrain), key)] = reference;
        }

        return (TGrain)reference;
    }

    private static FieldInfo Field(string name) =>
        typeof(Grain).GetField(name, BindingFlags.Instance | BindingFlags.NonPublic)!;

    public TGrain GetGrain<TGrain>(Guid primaryKey, string? grainClassNamePrefix = null)
        where TGrain : IGrainWithGuidKey => throw new NotSupportedException();

    public TGrain GetGrain<TGrain>(Guid primaryKey, string keyExtension, string? grainClassNamePrefix = null)
        where TGrain : IGrainWithGuidCompoundKey => throw new NotSupportedException();

    public TGrain GetGrain<TGrain>(long primaryKey, string keyExtension, string? grainClassNamePrefix = null)
        where TGrain : IGrainWithIntegerCompoundKey => throw new NotSupportedException();

    public TGrainObserver CreateObjectReference<TGrainObserver>(IGrainObserver obj)
        where TGrainObserver : IGrainObserver => throw new NotSupportedException();

    public void DeleteObjectReference<TGrainObserver>(IGrainObserver obj)
        where TGrainObserver : IGrainObserver => throw new NotSupportedException();

    public IAddressable GetGrain(Type interfaceType, IdSpan grainKey) => throw new NotSupportedException();

    public IAddressable GetGrain(Type interfaceType, IdSpan grainKey, string grainClassNamePrefix) => throw new NotSupportedException();

    public IGrain GetGrain(Type grainInterfaceType, Guid grainPrimaryKey) => throw new NotSupportedException();

    public IGrain GetGrain(Type grainInterfaceType, long grainPrimaryKey) => throw new NotSupportedException();

    public IGrain GetGrain(Type grainInterfaceType, string grainPrimaryKey) => throw new NotSupportedException();

    public IGrain GetGrain(Type grainInterfaceType, Guid grainPrimaryKey, string keyExtension) => throw new NotSupportedException();

    public IGrain GetGrain(Type grainInterfaceType, long grainPrimaryKey, string keyExtension) => throw new NotSupportedException();

    public TGrainInterface GetGrain<TGrainInterface>(GrainId grainId)
        where TGrainInterface : IAddressable => throw new NotSupportedException();

    public IAddressable GetGrain(GrainId grainId) => throw new NotSupportedException();

    public IAddressable GetGrain(GrainId grainId, GrainInterfaceType interfaceType) => throw new NotSupportedException();

    private sealed class CountedIds : ObjectIdSource
    {
        private int _last;

        public override Protocol.ObjectId Next()
        {
            var bytes = new byte[16];
            BitConverter.TryWriteBytes(bytes, ++_last);
            return Protocol.ObjectId.FromRandom(bytes);
        }
    }
}

/// <summary>An activation of a grain.</summary>
internal sealed class Activation(Actor actor, Grain grain)
{
    public Actor Actor => actor;

    public Grain Grain => grain;

    public Task<bool> Ready { get; set; } = Task.FromResult(true);

    /// <summary>Whether new calls go to another activation.</summary>
    public bool IsLeaving { get; private set; }

    public void Leave() => IsLeaving = true;
}

/// <summary>A call of a grain.</summary>
internal sealed record Call(Type Interface, string Key, IdSpan Id, MethodInfo Method, object?[] Arguments)
{
    public async Task<object?> InvokeAsync(object grain)
    {
        Task task;
        try
        {
            task = (Task)Method.Invoke(grain, Arguments)!;
        }
        catch (TargetInvocationException e)
        {
            ExceptionDispatchInfo.Throw(e.InnerException!);
            throw;
        }

        await task;
        return Method.ReturnType.IsGenericType
            ? Results.GetOrAdd(Method.ReturnType.GetGenericArguments()[0], Getter)(task)
            : null;
    }

    private static readonly ConcurrentDictionary<Type, Func<Task, object?>> Results = new();

    private static Func<Task, object?> Getter(Type type) => typeof(Call)
        .GetMethod(nameof(Result), BindingFlags.Static | BindingFlags.NonPublic)!
        .MakeGenericMethod(type)
        .CreateDelegate<Func<Task, object?>>();

    private static object? Result<T>(Task task) => ((Task<T>)task).Result;
}

/// <summary>A reference to a grain. Public and not sealed, since a class that is made at run time derives from it.</summary>
public class GrainProxy : DispatchProxy
{
    private static readonly MethodInfo Generic =
        typeof(GrainProxy).GetMethod(nameof(CallAsync), BindingFlags.Static | BindingFlags.NonPublic)!;

    private static readonly ConcurrentDictionary<Type, Func<object, object, Task>> Callers = new();

    private SimulatedCluster? _cluster;
    private Type? _interface;
    private string _key = "";
    private IdSpan _id;

    internal void Target(SimulatedCluster cluster, Type @interface, string key, IdSpan id) =>
        (_cluster, _interface, _key, _id) = (cluster, @interface, key, id);

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        var call = new Call(_interface!, _key, _id, targetMethod!, args!);
        return targetMethod!.ReturnType.IsGenericType
            ? Callers.GetOrAdd(targetMethod.ReturnType.GetGenericArguments()[0], Caller)(_cluster!, call)
            : _cluster!.CallAsync(call);
    }

    private static Func<object, object, Task> Caller(Type type)
    {
        var method = Generic.MakeGenericMethod(type);
        return (cluster, call) => (Task)method.Invoke(null, [cluster, call])!;
    }

    private static async Task<T> CallAsync<T>(object cluster, object call) =>
        (T)(await ((SimulatedCluster)cluster).CallAsync((Call)call))!;
}

/// <summary>The parts of a silo that a grain uses.</summary>
internal sealed class GrainSurroundings(GrainId id, Grain grain, IGrainFactory factory, Action leave) : IGrainContext, IGrainRuntime
{
    public GrainId GrainId => id;

    public object GrainInstance => grain;

    public IGrainFactory GrainFactory => factory;

    public string SiloIdentity => "simulated";

    public GrainReference GrainReference => throw new NotSupportedException();

    public ActivationId ActivationId => throw new NotSupportedException();

    public GrainAddress Address => throw new NotSupportedException();

    public IServiceProvider ActivationServices => throw new NotSupportedException();

    public IGrainLifecycle ObservableLifecycle => throw new NotSupportedException();

    public IWorkItemScheduler Scheduler => throw new NotSupportedException();

    public Task Deactivated => Task.CompletedTask;

    public SiloAddress SiloAddress => throw new NotSupportedException();

    public Orleans.Timers.ITimerRegistry TimerRegistry => throw new NotSupportedException();

    public IServiceProvider ServiceProvider => throw new NotSupportedException();

    public TimeProvider TimeProvider => throw new NotSupportedException();

    public void DeactivateOnIdle(IGrainContext grainContext) => leave();

    public void DelayDeactivation(IGrainContext grainContext, TimeSpan timeSpan) => throw new NotSupportedException();

    public Orleans.Core.IStorage<TGrainState> GetStorage<TGrainState>(IGrainContext grainContext) => throw new NotSupportedException();

    public void SetComponent<TComponent>(TComponent? value)
        where TComponent : class => throw new NotSupportedException();

    public object? GetComponent(Type componentType) => null;

    public object GetTarget() => grain;

    public void ReceiveMessage(object message) => throw new NotSupportedException();

    public void Activate(Dictionary<string, object>? requestContext, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException();

    public void Deactivate(DeactivationReason deactivationReason, CancellationToken cancellationToken = default) => leave();

    public void Rehydrate(IRehydrationContext context) => throw new NotSupportedException();

    public void Migrate(Dictionary<string, object>? requestContext, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException();

    public bool Equals(IGrainContext? other) => ReferenceEquals(this, other);
}
