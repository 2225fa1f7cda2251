using System.Text;
using CsCheck;
using Granary.Storage.Partitions;

namespace Granary.Storage.Tests.Partitions;

/// <summary>The contract of <see cref="IPartitionStore"/>, which every implementation passes.</summary>
public abstract class PartitionStoreContract
{
    private static readonly PartitionKey One = new("test/one");
    private static readonly PartitionKey Two = new("test/one-and-more");

    protected abstract IPartitionStore Store { get; }

    /// <summary>How many random histories are compared with the model. A store over a network runs fewer.</summary>
    protected virtual int ModelRuns => 100;

    [Fact]
    public async Task A_partition_that_was_never_written_has_no_head_and_no_rows()
    {
        Assert.Equal(Head.None, await Store.OpenAsync(One, default));
        Assert.Equal("-|-", await GetAsync(One, "a", "b"));
        Assert.Empty(await ScanAsync(One, ""));
    }

    [Fact]
    public async Task A_commit_moves_the_head_by_one_even_if_it_is_empty()
    {
        var first = await CommitAsync(One, Head.None, Put("a", "1"));
        var second = await Store.CommitAsync(One, first, [], default);

        Assert.Equal(1, first.Version);
        Assert.Equal(2, second.Version);
        Assert.Equal(second, await Store.OpenAsync(One, default));
    }

    [Fact]
    public async Task A_commit_over_another_head_changes_nothing()
    {
        var first = await CommitAsync(One, Head.None, Put("a", "0"));
        var second = await CommitAsync(One, first, Put("a", "1"));

        foreach (var stale in new[] { Head.None, first, new Head(3), new Head(99) })
        {
            var error = await Assert.ThrowsAsync<HeadMovedException>(() => CommitAsync(One, stale, Put("a", "2"), Put("b", "2")));
            Assert.Equal(One, error.Partition);
        }

        Assert.Equal("1|-", await GetAsync(One, "a", "b"));
        Assert.Equal(second, await Store.OpenAsync(One, default));
    }

    [Fact]
    public async Task Of_many_commits_over_one_head_exactly_one_succeeds()
    {
        for (var round = 0; round < 20; round++)
        {
            var head = await Store.OpenAsync(One, default);
            var results = await Task.WhenAll(Enumerable.Range(0, 16).Select(number => Task.Run(async () =>
            {
                try
                {
                    await CommitAsync(One, head, Put("winner", $"{number}"));
                    return (int?)number;
                }
                catch (HeadMovedException)
                {
                    return null;
                }
            })));

            var winner = Assert.Single(results, result => result is not null);
            Assert.Equal($"{winner}", await GetAsync(One, "winner"));
        }
    }

    [Fact]
    public async Task A_batch_inserts_overwrites_and_deletes()
    {
        var head = await CommitAsync(One, Head.None, Put("a", "1"), Put("b", "1"), Put("c", ""));

        await CommitAsync(One, head, Put("a", "2"), Mutation.Delete("b"));

        Assert.Equal("2|-|", await GetAsync(One, "a", "b", "c"));
        Assert.Equal("2|-|", string.Join('|', (await Store.GetForCommitAsync(One, ["a", "b", "c"], default)).Values.Select(Text)));
    }

    [Fact]
    public async Task A_batch_of_thousands_of_rows_overwrites_and_deletes()
    {
        var head = await CommitAsync(One, Head.None, [.. Enumerable.Range(0, 1000).Select(i => Put($"row/{i:d4}", "old"))]);

        head = await CommitAsync(
            One,
            head,
            [.. Enumerable.Range(0, 2000).Where(i => i % 3 != 0).Select(i => Put($"row/{i:d4}", "new")),
            .. Enumerable.Range(0, 1000).Where(i => i % 3 == 0).Select(i => Mutation.Delete($"row/{i:d4}"))]);

        Assert.Equal(head, await Store.OpenAsync(One, default));
        var rows = await ScanAsync(One, "row/");
        Assert.Equal(Enumerable.Range(0, 2000).Where(i => i % 3 != 0).Select(i => $"row/{i:d4}"), rows.Select(row => row.Key));
        Assert.All(rows, row => Assert.Equal("new", Encoding.UTF8.GetString(row.Value.Span)));
    }

    [Fact]
    public async Task Reads_say_under_which_head_they_are_true()
    {
        var first = await CommitAsync(One, Head.None, Put("a", "1"));
        var second = await CommitAsync(One, first, Put("b", "1"));

        Assert.Contains((await Store.GetAsync(One, ["a", "none"], default)).Head, new Head?[] { second, null });
        Assert.Contains((await Store.ScanAsync(One, "a", after: null, limit: 9, default)).Head, new Head?[] { second, null });
        Assert.Contains((await Store.GetAsync(Two, ["a"], default)).Head, new Head?[] { Head.None, null });
        Assert.Contains((await Store.ScanAsync(Two, "a", after: null, limit: 9, default)).Head, new Head?[] { Head.None, null });
    }

    [Fact]
    public async Task Reads_see_whole_batches_while_others_commit()
    {
        var isDone = false;
        var writing = Task.Run(async () =>
        {
            var head = Head.None;
            for (var round = 0; round < 60; round++)
            {
                // The row that says which round it is goes and comes under two names.
                Mutation[] gone = round == 0 ? [] : [Mutation.Delete($"name/{(round + 1) % 2}")];
                Mutation[] puts = [Put("a", $"{round}"), Put("b", $"{round}"), Put($"name/{round % 2}", $"{round}")];
                head = await CommitAsync(One, head, [.. puts, .. gone]);
            }

            Volatile.Write(ref isDone, true);
        });

        while (!Volatile.Read(ref isDone))
        {
            try
            {
                var values = (await GetAsync(One, "a", "b", "name/0", "name/1")).Split('|').Where(value => value != "-").ToArray();
                Assert.True(values.Distinct().Count() <= 1 && values.Length is 0 or 3, string.Join('|', values));
            }
            catch (StorageException)
            {
                // Between two commits a store over a network may not have the time to read four rows.
            }

            var names = await Store.ScanAsync(One, "name/", after: null, limit: 9, default);
            Assert.True(names.Rows.Count <= 1, $"{names.Rows.Count} names at one version");
        }

        await writing;
    }

    [Fact]
    public async Task A_batch_may_have_thousands_of_rows()
    {
        var batch = Enumerable.Range(0, 10_000).Select(i => Put($"row/{i:d5}", $"{i}")).ToArray();

        await CommitAsync(One, Head.None, batch);

        Assert.Equal(batch.Select(mutation => mutation.Key), (await ScanAsync(One, "row/")).Select(row => row.Key));
    }

    [Fact]
    public async Task The_longest_key_and_the_largest_value_are_stored()
    {
        var key = new string('k', Row.MaxKeyLength);
        var value = new byte[Row.MaxValueLength];
        Random.Shared.NextBytes(value);

        await CommitAsync(One, Head.None, Mutation.Put(key, value));

        Assert.Equal(value, (await Store.GetAsync(One, [key], default))[0]!.Value.ToArray());
    }

    [Fact]
    public async Task Keys_are_ordered_ordinally()
    {
        string[] keys = ["b-c", "b.c", "b/c", "b0", "bA", "b_c", "ba", "B", "a", "c"];

        await CommitAsync(One, Head.None, [.. keys.Select(key => Put(key, key))]);

        Assert.Equal(keys.Order(StringComparer.Ordinal), (await ScanAsync(One, "")).Select(row => row.Key));
    }

    [Fact]
    public async Task A_scan_returns_only_rows_with_its_prefix()
    {
        string[] keys = ["tag", "tag.", "tag.x", "tag/", "tag/a", "tag/b", "tag/bb", "tag/c", "tag0", "tagged/x"];
        await CommitAsync(One, Head.None, [.. keys.Select(key => Put(key, key))]);

        Assert.Equal(["tag/", "tag/a", "tag/b", "tag/bb", "tag/c"], (await ScanAsync(One, "tag/")).Select(row => row.Key));
        Assert.Equal(["tag/bb", "tag/c"], (await ScanAsync(One, "tag/", after: "tag/b")).Select(row => row.Key));
        Assert.Equal(["tag/bb", "tag/c"], (await ScanAsync(One, "tag/", after: "tag/ba")).Select(row => row.Key));
        Assert.Equal(5, (await ScanAsync(One, "tag/", after: "a")).Count);
        Assert.Empty(await ScanAsync(One, "tag/", after: "tag/é"));
        Assert.Empty(await ScanAsync(One, "tag/", after: "z"));
    }

    [Fact]
    public async Task A_long_scan_continues_while_rows_are_committed()
    {
        var head = await CommitAsync(One, Head.None, [.. Enumerable.Range(0, 3000).Select(i => Put($"row/{i:d5}", new string('x', 100)))]);

        var seen = new List<string>();
        await foreach (var page in Store.PagesAsync(One, "row/", after: null, default))
        {
            seen.AddRange(page.Select(row => row.Key));
            head = await CommitAsync(One, head, Put($"row/{seen.Count:d5}", "new"), Put("other", "x"));
        }

        Assert.Equal(Enumerable.Range(0, 3000).Select(i => $"row/{i:d5}"), seen);
    }

    [Fact]
    public async Task A_page_ends_at_its_limit_and_says_whether_more_rows_may_follow()
    {
        await CommitAsync(One, Head.None, Put("row/1", "x"), Put("row/2", "x"), Put("row/3", "x"), Put("s", "x"));

        var first = await Store.ScanAsync(One, "row/", after: null, limit: 2, default);
        Assert.Equal(["row/1", "row/2"], first.Rows.Select(row => row.Key));
        Assert.True(first.More);

        var last = await Store.ScanAsync(One, "row/", after: "row/2", limit: 2, default);
        Assert.Equal(["row/3"], last.Rows.Select(row => row.Key));
        Assert.False(last.More);

        var none = await Store.ScanAsync(Two, "row/", after: null, limit: 2, default);
        Assert.Empty(none.Rows);
        Assert.False(none.More);
    }

    [Fact]
    public async Task A_scan_returns_all_large_rows()
    {
        await CommitAsync(One, Head.None, [.. Enumerable.Range(0, 60).Select(i => Put($"row/{i:d2}", new string('x', 60_000)))]);

        Assert.Equal(Enumerable.Range(0, 60).Select(i => $"row/{i:d2}"), (await ScanAsync(One, "row/")).Select(row => row.Key));
    }

    [Fact]
    public async Task A_scan_may_end_early()
    {
        await CommitAsync(One, Head.None, [.. Enumerable.Range(0, 2000).Select(i => Put($"row/{i:d5}", "x"))]);

        for (var round = 0; round < 100; round++)
        {
            await foreach (var page in Store.PagesAsync(One, "row/", after: null, default))
            {
                Assert.Equal("row/00000", page[0].Key);
                break;
            }
        }
    }

    [Fact]
    public async Task Partitions_do_not_share_rows()
    {
        await CommitAsync(One, Head.None, Put("a", "one"));
        await CommitAsync(Two, Head.None, Put("a", "two"), Put("b", "two"));

        Assert.Equal("one|-", await GetAsync(One, "a", "b"));
        Assert.Equal(["a"], (await ScanAsync(One, "")).Select(row => row.Key));
    }

    [Fact]
    public async Task A_dropped_partition_starts_again_at_version_0()
    {
        var head = await CommitAsync(One, Head.None, Put("a", "1"));
        await Assert.ThrowsAsync<HeadMovedException>(() => Store.DropAsync(One, Head.None, default).AsTask());

        await Store.DropAsync(One, head, default);

        Assert.Equal(Head.None, await Store.OpenAsync(One, default));
        Assert.Equal("-", await GetAsync(One, "a"));
        Assert.Equal(1, (await CommitAsync(One, Head.None, Put("b", "2"))).Version);
        Assert.Equal("-|2", await GetAsync(One, "a", "b"));
    }

    [Fact]
    public async Task A_partition_with_many_rows_is_dropped()
    {
        var head = await CommitAsync(One, Head.None, [.. Enumerable.Range(0, 250).Select(i => Put($"row/{i:d3}", "x"))]);
        await CommitAsync(Two, Head.None, Put("a", "2"));

        await Store.DropAsync(One, head, default);

        Assert.Equal(Head.None, await Store.OpenAsync(One, default));
        Assert.Empty(await ScanAsync(One, ""));
        Assert.Equal("2", await GetAsync(Two, "a"));
        await Assert.ThrowsAsync<HeadMovedException>(() => Store.DropAsync(One, head, default).AsTask());
        await Assert.ThrowsAsync<HeadMovedException>(() => CommitAsync(One, head, Put("a", "1")));
    }

    [Fact]
    public async Task Partitions_are_listed_in_order()
    {
        var names = Enumerable.Range(0, 1100).Select(i => $"list/{i:d4}").ToArray();
        foreach (var name in names.Append("list.other").Append("other"))
        {
            await CommitAsync(new PartitionKey(name), Head.None, Put("a", "1"));
        }

        var listed = new List<string>();
        await foreach (var partition in Store.PartitionsAsync("list/", default))
        {
            listed.Add(partition.Value);
        }

        Assert.Equal(names, listed);
    }

    [Fact]
    public async Task Bytes_that_the_caller_changes_after_a_commit_do_not_change_the_row()
    {
        var bytes = "before"u8.ToArray();
        await CommitAsync(One, Head.None, Mutation.Put("a", bytes));

        "after!"u8.CopyTo(bytes);

        Assert.Equal("before", await GetAsync(One, "a"));
    }

    [Fact]
    public async Task A_partition_behaves_like_a_sorted_dictionary()
    {
        var genKey = Gen.String[Gen.Char["ab/."], 1, 4];
        var genBatch = Gen.Select(genKey, Gen.Bool, Gen.Int[0, 99]).Array[0, 6];
        var partition = 0;
        await Check.SampleAsync(
            genBatch.Array[1, 12],
            async batches =>
            {
                var key = new PartitionKey($"model/{Interlocked.Increment(ref partition)}");
                var model = new SortedDictionary<string, string>(StringComparer.Ordinal);
                var head = Head.None;
                foreach (var batch in batches)
                {
                    var changes = new Dictionary<string, Mutation>();
                    foreach (var (name, isPut, value) in batch)
                    {
                        if (isPut)
                        {
                            changes[name] = Put(name, $"{value}");
                        }
                        else if (model.ContainsKey(name))
                        {
                            changes[name] = Mutation.Delete(name);
                        }
                    }

                    head = await CommitAsync(key, head, [.. changes.Values]);
                    foreach (var change in changes.Values)
                    {
                        if (change.Value is { } bytes)
                        {
                            model[change.Key] = Encoding.UTF8.GetString(bytes.Span);
                        }
                        else
                        {
                            model.Remove(change.Key);
                        }
                    }

                    foreach (var prefix in new[] { "", "a", "a/", "b." })
                    {
                        var expected = model
                            .Where(row => row.Key.StartsWith(prefix, StringComparison.Ordinal))
                            .Select(row => (row.Key, row.Value));
                        var scanned = await ScanAsync(key, prefix);
                        Assert.Equal(expected, scanned.Select(row => (row.Key, Encoding.UTF8.GetString(row.Value.Span))));
                    }
                }
            },
            iter: ModelRuns,
            threads: 1);
    }

    [Fact]
    public async Task A_value_of_any_size_replaces_one_of_any_other_size()
    {
        int[] sizes = [0, 1, 511, 512, 513, 1003, 5000, 64 * 1024, 600, 0, 700, 3];
        var head = Head.None;
        foreach (var size in sizes)
        {
            var value = RegistryClient.RandomBytes(size);

            head = await CommitAsync(One, head, Mutation.Put("row/changed", value), Mutation.Put($"row/{size}", value));

            Assert.Equal(value, (await Store.GetAsync(One, ["row/changed"], default))[0]!.Value.ToArray());
            var both = await Store.GetAsync(One, ["row/changed", $"row/{size}"], default);
            Assert.Equal([size, size], both.Values.Select(found => found!.Value.Length));
            Assert.Equal(value, (await ScanAsync(One, "row/changed")).Single().Value.ToArray());
        }

        await CommitAsync(One, head, [Mutation.Delete("row/changed"), .. sizes.Distinct().Select(size => Mutation.Delete($"row/{size}"))]);
        Assert.Empty(await ScanAsync(One, ""));
    }

    [Fact]
    public async Task A_queued_batch_is_committed_like_any_other()
    {
        var waiting = Store.Queue(Two, Head.None, [Put("a", "2")], dependsOn: [], isDeferrable: true);
        var queued = Store.Queue(One, Head.None, [Put("a", "1")], dependsOn: [], isDeferrable: false);
        if (queued.Number is null)
        {
            // A store that gives no numbers commits in any order.
            await queued.Done;
        }

        var stale = Store.Queue(One, Head.None, [Put("a", "stale")], dependsOn: [], isDeferrable: false);
        Store.FlushDeferred();

        Assert.Equal(1, (await queued.Done).Version);
        Assert.Equal(1, (await waiting.Done).Version);
        await Assert.ThrowsAsync<HeadMovedException>(() => stale.Done);
        Assert.Equal("1", await GetAsync(One, "a"));
        Assert.Equal("2", await GetAsync(Two, "a"));
    }

    protected static Mutation Put(string key, string value) => Mutation.Put(key, Encoding.UTF8.GetBytes(value));

    protected async Task<Head> CommitAsync(PartitionKey partition, Head expected, params Mutation[] batch) =>
        await Store.CommitAsync(partition, expected, batch, default);

    /// <summary>Returns the values with bars between them, and a dash for a missing row.</summary>
    protected async Task<string> GetAsync(PartitionKey partition, params string[] keys) =>
        string.Join('|', (await Store.GetAsync(partition, keys, default)).Values.Select(Text));

    private static string Text(ReadOnlyMemory<byte>? value) => value is { } bytes ? Encoding.UTF8.GetString(bytes.Span) : "-";

    protected async Task<List<Row>> ScanAsync(PartitionKey partition, string prefix, string? after = null)
    {
        var rows = new List<Row>();
        await foreach (var page in Store.PagesAsync(partition, prefix, after, default))
        {
            rows.AddRange(page);
        }

        return rows;
    }
}
