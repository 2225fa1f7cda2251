using Azure.Core;
using Azure.Core.Pipeline;
using Request = Azure.Core.Request;

namespace Granary.Storage.Tests.Azure;

/// <summary>What happens to a request.</summary>
internal enum RequestFault
{
    /// <summary>It is sent and answered.</summary>
    None,

    /// <summary>It is not sent, and the client sees a broken connection.</summary>
    Before,

    /// <summary>It takes effect, and the client sees a broken connection instead of the answer.</summary>
    After,

    /// <summary>The service refuses it: too many requests.</summary>
    Busy,

    /// <summary>It is not sent, and the client has waited for an answer as long as it may.</summary>
    Silent,
}

/// <summary>The kinds of request to tables.</summary>
internal enum RequestKind
{
    Transaction,
    Query,
    Read,
    Write,
    Delete,
}

/// <summary>Counts each request of a client, and lets those fail that a test chooses.</summary>
internal sealed class RequestScript : HttpPipelinePolicy
{
    private readonly List<RequestKind> _sent = [];

    /// <summary>Decides what happens to each request. The number counts requests of the kind, from 1.</summary>
    public Func<RequestKind, int, RequestFault> OnRequest { get; set; } = (_, _) => RequestFault.None;

    /// <summary>Runs before each request, which waits for it.</summary>
    public Func<RequestKind, int, Task> BeforeRequest { get; set; } = (_, _) => Task.CompletedTask;

    /// <summary>Runs after each request that was answered.</summary>
    public Action<RequestKind, int> AfterRequest { get; set; } = (_, _) => { };

    /// <summary>The requests since the last call, such as <c>1 Transaction, 2 Read</c>.</summary>
    public string Take()
    {
        lock (_sent)
        {
            var kinds = _sent.GroupBy(kind => kind).OrderBy(kind => kind.Key).Select(kind => $"{kind.Count()} {kind.Key}").ToArray();
            _sent.Clear();
            return string.Join(", ", kinds);
        }
    }

    public override void Process(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline) => throw new NotSupportedException();

    public override async ValueTask ProcessAsync(HttpMessage message, ReadOnlyMemory<HttpPipelinePolicy> pipeline)
    {
        var kind = KindOf(message.Request);
        int number;
        lock (_sent)
        {
            _sent.Add(kind);
            number = _sent.Count(sent => sent == kind);
        }

        await BeforeRequest(kind, number);
        switch (OnRequest(kind, number))
        {
            case RequestFault.None:
                await ProcessNextAsync(message, pipeline);
                AfterRequest(kind, number);
                break;
            case RequestFault.Before:
                throw new IOException("The test breaks the connection before the request is sent.");
            case RequestFault.Silent:
                throw new TaskCanceledException("The test ends the time for an answer.");
            case RequestFault.After:
                await ProcessNextAsync(message, pipeline);
                throw new IOException("The test breaks the connection before the answer arrives.");
            case RequestFault.Busy:
                message.Response = new BusyResponse(message.Request.ClientRequestId);
                break;
        }
    }

    private static RequestKind KindOf(Request request)
    {
        var path = request.Uri.Path;
        return path.EndsWith("$batch", StringComparison.Ordinal) ? RequestKind.Transaction
            : path.EndsWith("()", StringComparison.Ordinal) ? RequestKind.Query
            : request.Method == RequestMethod.Get ? RequestKind.Read
            : request.Method == RequestMethod.Delete ? RequestKind.Delete
            : RequestKind.Write;
    }
}
