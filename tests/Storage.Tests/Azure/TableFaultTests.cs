using System.Text;
using Azure.Data.Tables;
using Granary.Storage.Azure.Tables;
using Granary.Storage.Partitions;

namespace Granary.Storage.Tests.Azure;

/// <summary>What a table store does when requests fail, answers are lost, and processes die between two requests.</summary>
[Collection(AzuriteCollection.Name)]
public sealed class TableFaultTests(AzuriteFixture azurite) : IAsyncLifetime
{
    private static readonly PartitionKey Key = new("test/faults");

    private TableHarness? _harness;

    private TableHarness Table => _harness!;

    private TablePartitionStore Other => Table.NewStore();

    public async Task InitializeAsync() => _harness = await TableHarness.CreateAsync(azurite);

    public async Task DisposeAsync() => await _harness!.DisposeAsync();

    [Fact]
    public async Task A_commit_whose_answer_is_lost_is_found_by_its_name()
    {
        var script = new RequestScript { OnRequest = FailsFirst(RequestKind.Transaction, RequestFault.After) };
        var store = Table.NewStore(script);

        var first = await store.CommitAsync(Key, Head.None, [Put("a", "1")], default);
        Assert.Equal("2 Transaction, 1 Read", script.Take());
        var second = await store.CommitAsync(Key, first, [Put("a", "2"), Put("b", "2")], default);
        Assert.Equal("2 Transaction, 1 Read", script.Take());
        var third = await store.CommitAsync(Key, second, [Mutation.Delete("a")], default);

        Assert.Equal(3, third.Version);
        Assert.Equal(third, await Other.OpenAsync(Key, default));
        Assert.Equal("-|2", await GetAsync("a", "b"));
        Assert.Equal(4, (await store.CommitAsync(Key, third, [], default)).Version);
    }

    [Fact]
    public async Task A_commit_that_is_not_sent_is_sent_again()
    {
        var script = new RequestScript { OnRequest = FailsFirst(RequestKind.Transaction, RequestFault.Before) };

        var head = await Table.NewStore(script).CommitAsync(Key, Head.None, [Put("a", "1")], default);

        Assert.Equal("2 Transaction", script.Take());
        Assert.Equal(head, await Other.OpenAsync(Key, default));
    }

    [Fact]
    public async Task After_a_lost_answer_a_commit_of_another_process_is_not_taken_for_its_own()
    {
        var head = await Other.CommitAsync(Key, Head.None, [Put("a", "0")], default);

        // The first attempt is not sent, and before the second one another process commits.
        var script = new RequestScript { OnRequest = FailsFirst(RequestKind.Transaction, RequestFault.Before) };
        script.BeforeRequest = async (kind, number) =>
        {
            if (kind == RequestKind.Transaction && number == 2)
            {
                await Other.CommitAsync(Key, head, [Put("a", "other")], default);
            }
        };

        await Assert.ThrowsAsync<HeadMovedException>(() => CommitAsync(Table.NewStore(script), head, Put("a", "lost")));
        Assert.Equal("other", await GetAsync("a"));
    }

    [Fact]
    public async Task After_a_lost_answer_and_two_commits_of_another_process_nothing_is_claimed()
    {
        var head = await Other.CommitAsync(Key, Head.None, [Put("a", "0")], default);
        var script = new RequestScript { OnRequest = FailsFirst(RequestKind.Transaction, RequestFault.After) };
        script.BeforeRequest = async (kind, number) =>
        {
            if (kind == RequestKind.Transaction && number == 2)
            {
                await Other.CommitAsync(Key, await Other.OpenAsync(Key, default), [Put("b", "other")], default);
            }
        };

        var error = await Assert.ThrowsAsync<StorageException>(() => CommitAsync(Table.NewStore(script), head, Put("a", "mine")));

        Assert.Equal(StorageFault.Unavailable, error.Fault);
        Assert.Contains("may have taken effect", error.Message, StringComparison.Ordinal);
        Assert.Equal("mine|other", await GetAsync("a", "b"));
    }

    [Fact]
    public async Task A_stale_process_learns_that_it_is_stale_however_many_commits_it_missed()
    {
        var head = await Other.CommitAsync(Key, Head.None, [Put("a", "0")], default);
        var latest = head;
        for (var i = 0; i < 5; i++)
        {
            latest = await Other.CommitAsync(Key, latest, [Put("a", $"{i}")], default);
        }

        await Assert.ThrowsAsync<HeadMovedException>(() => CommitAsync(Other, head, Put("a", "stale")));
        await Assert.ThrowsAsync<HeadMovedException>(() => CommitAsync(Other, head, Rows(300, "stale")));
        Assert.Empty(await RedoRowsAsync());
        await Other.DropAsync(Key, latest, default);
        await Assert.ThrowsAsync<HeadMovedException>(() => CommitAsync(Other, head, Put("a", "stale")));
    }

    [Fact]
    public async Task A_batch_that_deletes_an_absent_row_is_refused_and_changes_nothing()
    {
        var head = await Other.CommitAsync(Key, Head.None, [Put("a", "1")], default);

        var error = await Assert.ThrowsAsync<StorageException>(() => CommitAsync(Other, head, Put("a", "2"), Mutation.Delete("none")));

        Assert.Equal(StorageFault.Damaged, error.Fault);
        Assert.Equal(head, await Other.OpenAsync(Key, default));
        Assert.Equal("1", await GetAsync("a"));
    }

    [Theory]
    [InlineData("key")]
    [InlineData("long key")]
    [InlineData("value")]
    [InlineData("twice")]
    public async Task A_batch_that_could_be_named_and_not_applied_is_refused_before_anything_is_written(string poison)
    {
        var head = await Other.CommitAsync(Key, Head.None, [Put("a", "1")], default);
        var script = new RequestScript();
        Mutation[] batch =
        [
            .. Rows(300, "x"),
            poison switch
            {
                "key" => Put("row/é", "x"),
                "long key" => Put(new string('@', 300), "x"),
                "value" => Put("large", new string('x', Row.MaxValueLength + 1)),
                _ => Put("row/0000", "x"),
            },
        ];

        await Assert.ThrowsAsync<ArgumentException>(() => CommitAsync(Table.NewStore(script), head, batch));

        Assert.Equal("", script.Take());
        Assert.Equal(head, await Other.OpenAsync(Key, default));
    }

    [Fact]
    public async Task A_large_batch_that_deletes_an_absent_row_does_not_end_its_partition()
    {
        var head = await Other.CommitAsync(Key, Head.None, [Put("a", "1")], default);

        head = await Other.CommitAsync(Key, head, [.. Rows(150, "x"), Mutation.Delete("none"), Mutation.Delete("a")], default);

        Assert.Equal(head, await Other.OpenAsync(Key, default));
        Assert.Equal("-|-|x", await GetAsync("a", "none", "row/0149"));
        await Other.CommitAsync(Key, head, [Put("a", "2")], default);
    }

    /// <summary>350 rows in four transactions, with three redo rows at most: the process dies after each of its requests.</summary>
    [Fact]
    public async Task A_large_batch_whose_process_dies_is_committed_or_not_but_whole()
    {
        var outcomes = new HashSet<bool>();
        for (var survives = 0; ; survives++)
        {
            var key = new PartitionKey($"test/dies/{survives}");
            var head = await Other.CommitAsync(key, Head.None, [Put("old", "1"), .. Rows(100, "old")[..50]], default);
            var left = survives;
            var script = new RequestScript { OnRequest = (_, _) => left-- > 0 ? RequestFault.None : RequestFault.Before };
            Mutation[] batch = [.. Rows(350, "new"), Mutation.Delete("old")];
            var isDead = false;
            try
            {
                await Table.NewStore(script).CommitAsync(key, head, batch, default);
            }
            catch (StorageException)
            {
                isDead = true;
            }

            // The first to come is a reader.
            var values = Text(await Other.GetAsync(key, ["old", "row/0000", "row/0120", "row/0349"], default));
            var latest = await Other.OpenAsync(key, default);
            var isCommitted = latest.Version == 2;
            outcomes.Add(isCommitted);
            Assert.Equal(isCommitted ? "-|new|new|new" : "1|old|-|-", values);
            Assert.Equal(isCommitted ? 350 : 50, (await Other.ScanAsync(key, "row/", null, 1000, default)).Rows.Count);
            Assert.Equal(latest.Version + 1, (await Other.CommitAsync(key, latest, [Put("next", "x")], default)).Version);
            if (!isDead)
            {
                Assert.True(isCommitted);
                break;
            }
        }

        Assert.Equal(2, outcomes.Count);
    }

    [Fact]
    public async Task Each_request_of_a_large_batch_may_fail_or_lose_its_answer()
    {
        foreach (var fault in new[] { RequestFault.Before, RequestFault.After, RequestFault.Busy })
        {
            for (var number = 1; number <= 12; number++)
            {
                var key = new PartitionKey($"test/{fault}/{number}");
                var head = await Other.CommitAsync(key, Head.None, [Put("old", "1")], default);
                var at = number;
                var script = new RequestScript { OnRequest = (_, _) => --at == 0 ? fault : RequestFault.None };

                var next = await Table.NewStore(script).CommitAsync(key, head, [.. Rows(350, "new"), Mutation.Delete("old")], default);

                Assert.Equal(next, await Other.OpenAsync(key, default));
                Assert.Equal(350, (await Other.ScanAsync(key, "row/", null, 1000, default)).Rows.Count);
                Assert.Equal("-", Text(await Other.GetAsync(key, ["old"], default)));
                Assert.Empty(await RedoRowsAsync());
            }
        }
    }

    [Fact]
    public async Task Readers_and_committers_that_meet_a_large_batch_help_at_the_same_time()
    {
        var head = Head.None;
        for (var round = 0; round < 4; round++)
        {
            var committing = Task.Run(() => Other.CommitAsync(Key, head, Rows(600, $"{round}"), default).AsTask());
            var reading = Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
            {
                while (!committing.IsCompleted)
                {
                    var values = Text(await Other.GetAsync(Key, ["row/0000", "row/0300", "row/0599"], default)).Split('|');
                    Assert.Single(values.Distinct());
                }
            })).ToArray();
            await Task.WhenAll(reading);
            head = await committing;

            Assert.Equal(head, await Other.OpenAsync(Key, default));
            Assert.Equal($"{round}", await GetAsync("row/0599"));
        }

        Assert.Empty(await RedoRowsAsync());
    }

    [Fact]
    public async Task Two_helpers_at_once_finish_the_batch_of_a_dead_process()
    {
        var head = await Other.CommitAsync(Key, Head.None, [], default);
        await CommitAndDieAsync(head, Rows(800, "x"), transactions: 1);

        var heads = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => Task.Run(() => Other.OpenAsync(Key, default).AsTask())));

        Assert.Equal(2, Assert.Single(heads.Distinct()).Version);
        Assert.Equal("x|x", await GetAsync("row/0000", "row/0799"));
        Assert.Empty(await RedoRowsAsync());
    }

    [Fact]
    public async Task A_helper_that_was_slow_changes_nothing_of_later_commits()
    {
        var head = await Other.CommitAsync(Key, Head.None, [], default);
        await CommitAndDieAsync(head, Rows(300, "old"), transactions: 1);

        // The helper has read head and redo rows. Before its first step others finish the batch, and commit another.
        var script = new RequestScript();
        script.BeforeRequest = async (kind, number) =>
        {
            if (kind == RequestKind.Transaction && number == 1)
            {
                await Other.CommitAsync(Key, await Other.OpenAsync(Key, default), Rows(300, "new"), default);
            }
        };
        var found = await Table.NewStore(script).OpenAsync(Key, default);

        Assert.Equal(3, found.Version);
        Assert.Equal("new|new", await GetAsync("row/0000", "row/0299"));
    }

    [Fact]
    public async Task Rows_that_were_read_on_both_sides_of_a_delete_are_read_again()
    {
        var head = await Other.CommitAsync(Key, Head.None, Rows(2, "x"), default);

        // The head is the first read. Between the two rows, whichever comes first, another process deletes both.
        var script = new RequestScript();
        var hasReadOne = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        script.AfterRequest = (_, number) =>
        {
            if (number == 2)
            {
                hasReadOne.SetResult();
            }
        };
        script.BeforeRequest = async (_, number) =>
        {
            if (number == 3)
            {
                await hasReadOne.Task;
                await Other.CommitAsync(Key, head, [Mutation.Delete("row/0000"), Mutation.Delete("row/0001")], default);
            }
        };

        var values = await Table.NewStore(script).GetAsync(Key, ["row/0000", "row/0001"], default);

        Assert.Equal("-|-", Text(values));
        Assert.Equal(2, values.Head!.Value.Version);
    }

    [Fact]
    public async Task A_page_that_was_read_amid_a_large_batch_is_read_again()
    {
        var head = await Other.CommitAsync(Key, Head.None, Rows(300, "old"), default);

        // Between the head and the page a process commits and dies, and before the head is read again others finish the batch.
        var script = new RequestScript();
        script.BeforeRequest = async (kind, number) =>
        {
            if ((kind, number) == (RequestKind.Query, 1))
            {
                await CommitAndDieAsync(head, Rows(300, "new"), transactions: 1);
            }
            else if ((kind, number) == (RequestKind.Read, 2))
            {
                await Other.OpenAsync(Key, default);
            }
        };

        var page = await Table.NewStore(script).ScanAsync(Key, "row/", after: null, limit: 1000, default);

        Assert.Equal(300, page.Rows.Count);
        Assert.Single(page.Rows.Select(row => Encoding.UTF8.GetString(row.Value.Span)).Distinct());
        Assert.Equal(2, page.Head!.Value.Version);
    }

    [Fact]
    public async Task A_large_batch_removes_redo_rows_that_a_dead_process_left()
    {
        var head = await Other.CommitAsync(Key, Head.None, [], default);
        await CommitAndDieAsync(head, Rows(300, "lost"), transactions: 0);
        Assert.NotEmpty(await RedoRowsAsync());
        Assert.Empty((await Other.ScanAsync(Key, "", null, 10, default)).Rows);

        await Other.CommitAsync(Key, head, Rows(300, "x"), default);

        Assert.Empty(await RedoRowsAsync());
        Assert.Equal("x", await GetAsync("row/0299"));
    }

    [Fact]
    public async Task A_large_partition_whose_drop_dies_is_there_or_not_but_whole()
    {
        var outcomes = new HashSet<bool>();
        for (var survives = 0; ; survives++)
        {
            var key = new PartitionKey($"test/drops/{survives}");
            var head = await Other.CommitAsync(key, Head.None, Rows(350, "x"), default);
            var left = survives;
            var script = new RequestScript { OnRequest = (_, _) => left-- > 0 ? RequestFault.None : RequestFault.Before };
            var isDead = false;
            try
            {
                await Table.NewStore(script).DropAsync(key, head, default);
            }
            catch (StorageException)
            {
                isDead = true;
            }

            var listed = new List<string>();
            await foreach (var partition in Other.PartitionsAsync(key.Value, default))
            {
                listed.Add(partition.Value);
            }

            var rows = (await Other.ScanAsync(key, "", null, 1000, default)).Rows.Count;
            var isThere = rows > 0;
            outcomes.Add(isThere);
            Assert.Equal(isThere ? 350 : 0, rows);
            Assert.Equal(isThere ? head : Head.None, await Other.OpenAsync(key, default));
            Assert.Equal(isThere ? [key.Value] : [], listed);
            if (!isDead)
            {
                Assert.False(isThere);
                break;
            }
        }

        Assert.Equal(2, outcomes.Count);
        Assert.Equal(0, await CountAsync("test.drops.5"));
    }

    [Fact]
    public async Task Each_request_of_a_drop_may_lose_its_answer()
    {
        for (var number = 1; number <= 8; number++)
        {
            var key = new PartitionKey($"test/drop/{number}");
            var head = await Other.CommitAsync(key, Head.None, Rows(250, "x"), default);
            var at = number;
            var script = new RequestScript { OnRequest = (_, _) => --at == 0 ? RequestFault.After : RequestFault.None };

            await Table.NewStore(script).DropAsync(key, head, default);

            Assert.Equal(Head.None, await Other.OpenAsync(key, default));
            Assert.Equal(0, await CountAsync($"test.drop.{number}"));
        }
    }

    [Fact]
    public async Task A_key_whose_drop_died_can_be_used_again()
    {
        var head = await Other.CommitAsync(Key, Head.None, Rows(250, "x"), default);
        var script = new RequestScript
        {
            OnRequest = (kind, number) => kind == RequestKind.Transaction && number == 1 ? RequestFault.None
                : kind == RequestKind.Transaction ? RequestFault.Before
                : RequestFault.None,
        };
        await Assert.ThrowsAsync<StorageException>(() => Table.NewStore(script).DropAsync(Key, head, default).AsTask());

        var next = await Other.CommitAsync(Key, Head.None, [Put("a", "1")], default);

        Assert.Equal(1, next.Version);
        Assert.Equal(2, await CountAsync("test.faults"));
    }

    [Fact]
    public async Task A_storm_of_refusals_is_waited_out_and_counted()
    {
        var time = new InstantTime();
        var script = new RequestScript
        {
            OnRequest = (kind, number) => number <= 3 ? RequestFault.Busy : RequestFault.None,
        };
        var store = Table.NewStore(script, time);

        var head = await store.CommitAsync(Key, Head.None, [Put("a", "1")], default);

        Assert.Equal([200, 400, 800], time.Pauses.Select(pause => pause.TotalMilliseconds));
        Assert.Equal("4 Transaction", script.Take());
        Assert.Equal(3, store.ThrottledRequests);
        Assert.Equal(head, await store.OpenAsync(Key, default));
        Assert.Equal("4 Read", script.Take());
        Assert.Equal(6, store.ThrottledRequests);
    }

    [Theory]
    [InlineData((int)RequestFault.Busy, "too many requests")]
    [InlineData((int)RequestFault.Before, "does not answer")]
    [InlineData((int)RequestFault.Silent, "does not answer in time")]
    public async Task An_account_that_stays_away_makes_the_store_unavailable(int fault, string message)
    {
        var script = new RequestScript { OnRequest = (_, _) => (RequestFault)fault };
        var store = Table.NewStore(script);

        foreach (var call in new Func<Task>[]
        {
            () => store.CommitAsync(Key, Head.None, [Put("a", "1")], default).AsTask(),
            () => store.OpenAsync(Key, default).AsTask(),
            () => store.GetAsync(Key, ["a", "b"], default).AsTask(),
            () => store.ScanAsync(Key, "", null, 10, default).AsTask(),
            () => store.DropAsync(Key, new Head(1, "W/\"x\""), default).AsTask(),
            async () => await store.PartitionsAsync("", default).AnyAsync(),
        })
        {
            var error = await Assert.ThrowsAsync<StorageException>(call);
            Assert.Equal(StorageFault.Unavailable, error.Fault);
            Assert.Contains(message, error.Message, StringComparison.Ordinal);

            // The first attempt and three more.
            Assert.StartsWith("4 ", script.Take(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Pushes_under_one_failure_in_five_lose_nothing()
    {
        var random = new Random(7);
        var script = new RequestScript
        {
            OnRequest = (_, _) =>
            {
                lock (random)
                {
                    return random.Next(10) switch { 0 => RequestFault.After, 1 => RequestFault.Busy, _ => RequestFault.None };
                }
            },
        };
        var store = Table.NewStore(script);
        var head = Head.None;
        var acknowledged = new List<string>();
        for (var i = 0; i < 200; i++)
        {
            try
            {
                head = await store.CommitAsync(Key, head, [Put($"row/{i:d3}", "x")], default);
                acknowledged.Add($"row/{i:d3}");
            }
            catch (StorageException e)
            {
                // Four failures in a row: the next activation begins at the head that it finds. No other process commits here, so a
                // refusal by the head would be wrong.
                Assert.Equal(StorageFault.Unavailable, e.Fault);
                head = await Other.OpenAsync(Key, default);
            }
        }

        var rows = (await Other.ScanAsync(Key, "row/", null, 1000, default)).Rows.Select(row => row.Key).ToHashSet();
        Assert.Equal(rows.Count, head.Version);
        Assert.Subset(rows, acknowledged.ToHashSet());
        Assert.True(acknowledged.Count > 150, $"{acknowledged.Count} of 200 commits were acknowledged");
    }

    [Fact]
    public async Task A_cancelled_call_ends_as_cancelled()
    {
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Other.OpenAsync(Key, cancelled.Token).AsTask());
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Other.CommitAsync(Key, Head.None, [], cancelled.Token).AsTask());
    }

    [Theory]
    [InlineData("a", "Row 'a'")]
    [InlineData("!!", "The head")]
    public async Task What_another_program_wrote_is_said_to_be_damaged(string rowKey, string message)
    {
        await Other.CommitAsync(Key, Head.None, [Put("a", "1")], default);
        await Table.Table.UpsertEntityAsync(new TableEntity("test.faults", rowKey) { ["Other"] = "x" }, TableUpdateMode.Replace);

        var error = await Assert.ThrowsAsync<StorageException>(() => Other.GetAsync(Key, ["a"], default).AsTask());

        Assert.Equal(StorageFault.Damaged, error.Fault);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Redo_rows_that_are_missing_are_said_to_be_damage()
    {
        var head = await Other.CommitAsync(Key, Head.None, [], default);
        await CommitAndDieAsync(head, Rows(300, "x"), transactions: 1);
        await Table.Table.DeleteEntityAsync("test.faults", Assert.Single(await RedoRowsAsync()));

        var error = await Assert.ThrowsAsync<StorageException>(() => Other.OpenAsync(Key, default).AsTask());

        Assert.Equal(StorageFault.Damaged, error.Fault);
    }

    [Fact]
    public async Task A_table_that_was_deleted_is_not_taken_for_an_empty_one()
    {
        var store = Other;
        var head = await store.CommitAsync(Key, Head.None, [Put("a", "1")], default);
        await Table.Table.DeleteAsync();

        foreach (var call in new Func<Task>[]
        {
            () => store.OpenAsync(Key, default).AsTask(),
            () => store.GetAsync(Key, ["a"], default).AsTask(),
            () => store.ScanAsync(Key, "", null, 10, default).AsTask(),
            () => store.CommitAsync(Key, head, [], default).AsTask(),
            () => store.CommitAsync(Key, Head.None, [], default).AsTask(),
            () => store.DropAsync(Key, head, default).AsTask(),
        })
        {
            var error = await Assert.ThrowsAsync<StorageException>(call);
            Assert.Equal(StorageFault.Unavailable, error.Fault);
            Assert.Contains("does not exist any more", error.Message, StringComparison.Ordinal);
        }
    }

    private static Func<RequestKind, int, RequestFault> FailsFirst(RequestKind kind, RequestFault fault) =>
        (sent, number) => sent == kind && number == 1 ? fault : RequestFault.None;

    private static Mutation Put(string key, string value) => Mutation.Put(key, Encoding.UTF8.GetBytes(value));

    private static Mutation[] Rows(int count, string value) => [.. Enumerable.Range(0, count).Select(i => Put($"row/{i:d4}", value))];

    private static async Task CommitAsync(TablePartitionStore store, Head expected, params Mutation[] batch) =>
        await store.CommitAsync(Key, expected, batch, default);

    private static string Text(RowValues values) =>
        string.Join('|', values.Values.Select(value => value is { } bytes ? Encoding.UTF8.GetString(bytes.Span) : "-"));

    private async Task<string> GetAsync(params string[] keys) => Text(await Other.GetAsync(Key, keys, default));

    /// <summary>Begins a large batch in a process that dies after some transactions.</summary>
    private async Task CommitAndDieAsync(Head head, Mutation[] batch, int transactions)
    {
        var isDead = false;
        var script = new RequestScript
        {
            OnRequest = (kind, number) =>
                (isDead |= kind == RequestKind.Transaction && number > transactions) ? RequestFault.Before : RequestFault.None,
        };
        await Assert.ThrowsAsync<StorageException>(() => CommitAsync(Table.NewStore(script), head, batch));
    }

    private async Task<string[]> RedoRowsAsync() =>
        [.. (await Table.Table.QueryAsync<TableEntity>().ToListAsync())
            .Select(entity => entity.RowKey)
            .Where(key => key.StartsWith("!!redo", StringComparison.Ordinal))];

    private async Task<int> CountAsync(string partition) =>
        await Table.Table.QueryAsync<TableEntity>($"PartitionKey eq '{partition}'").CountAsync();
}
