using Azure.Core;
using Azure.Core.Pipeline;

namespace Granary.Storage.Tests.Azure;

/// <summary>Sees each attempt of a request to the blob service, counts it, and does with it what a test says.</summary>
internal sealed class BlobRequestPolicy : HttpPipelinePolicy
{
    private readonly List<string> _requests = [];

    /// <summary>What happens to an attempt; the second argument sends it.</summary>
    public Func<HttpMessage, Func<ValueTask>, ValueTask> Handle { get; set; } = (_, next) => next();

    /// <summary>All attempts so far: method and kind, such as <c>PUT block</c>.</summary>
    public IReadOnlyList<string> Requests
    {
        get
        {
            lock (_requests)
            {
                return [.. _requests];
            }
        }
    }

    /// <summary>Returns the method of a request and the kind of its operation.</summary>
    public static string KindOf(HttpMessage message)
    {
        var query = message.Request.Uri.Query;
        var at = query.IndexOf("comp=", StringComparison.Ordinal);
        var kind = at < 0 ? "" : " " + query[(at + "comp=".Length)..].Split('&')[0];
        return message.Request.Method + kind;
    }

    public override void Process(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline) => throw new NotSupportedException();

    public override async ValueTask ProcessAsync(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
    {
        lock (_requests)
        {
            _requests.Add(KindOf(message));
        }

        await Handle(message, () => ProcessNextAsync(message, pipeline));
    }

    public void Clear()
    {
        lock (_requests)
        {
            _requests.Clear();
        }
    }
}
