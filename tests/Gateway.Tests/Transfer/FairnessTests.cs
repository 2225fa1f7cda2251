using System.IO.Pipelines;
using Granary.Gateway.Transfer;
using Granary.Storage.Blobs;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Granary.Gateway.Tests.Transfer;

/// <summary>A transfer that never waits yields its thread to other requests.</summary>
public sealed class FairnessTests
{
    private const int Length = 64 * 1024 * 1024;

    [Fact]
    public async Task A_download_to_a_fast_client_yields_its_thread_to_other_requests()
    {
        using var alone = new SingleThread();
        var http = new DefaultHttpContext();
        http.Features.Set<IHttpResponseBodyFeature>(new NoWait());
        var source = new EndlessReader();

        // The thread runs its queue in order. Work that is queued after the download began runs before its end only if the download yields.
        var download = alone.Run(() => BlobSender.SendAsync(http, source));
        var other = alone.Run(() => Task.FromResult(source.Position));
        await Task.WhenAll(download, other);

        Assert.True(await other < Length, $"The other request ran after {await other} bytes.");
    }

    private sealed class EndlessReader : IBlobReader
    {
        public long Position { get; private set; }

        public long Length => FairnessTests.Length;

        public void Expect(ByteRange range)
        {
        }

        public ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
        {
            Position = offset + buffer.Length;
            return ValueTask.FromResult(buffer.Length);
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    /// <summary>An answer whose writes never wait.</summary>
    private sealed class NoWait : IHttpResponseBodyFeature
    {
        public Stream Stream => Stream.Null;

        public PipeWriter Writer { get; } = PipeWriter.Create(Stream.Null);

        public Task CompleteAsync() => Task.CompletedTask;

        public void DisableBuffering()
        {
        }

        public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) =>
            throw new NotSupportedException();

        public Task StartAsync(CancellationToken cancellationToken = default) => Task.CompletedTask;
    }

    /// <summary>A scheduler with one thread. It runs work in the order of arrival, like the pool's queue.</summary>
    private sealed class SingleThread : TaskScheduler, IDisposable
    {
        private readonly System.Collections.Concurrent.BlockingCollection<Task> _queue = [];
        private readonly Thread _thread;

        private TaskFactory Factory => new(this);

        public SingleThread()
        {
            _thread = new Thread(() =>
            {
                foreach (var task in _queue.GetConsumingEnumerable())
                {
                    TryExecuteTask(task);
                }
            });
            _thread.Start();
        }

        public Task Run(Func<Task> work) => Factory.StartNew(work).Unwrap();

        public Task<T> Run<T>(Func<Task<T>> work) => Factory.StartNew(work).Unwrap();

        public void Dispose()
        {
            _queue.CompleteAdding();
            _thread.Join();
            _queue.Dispose();
        }

        protected override void QueueTask(Task task) => _queue.Add(task);

        protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => false;

        protected override IEnumerable<Task> GetScheduledTasks() => _queue;
    }
}
