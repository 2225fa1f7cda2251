using System.Text;
using System.Text.Json.Nodes;
using CsCheck;

namespace Granary.Conformance.Tests;

/// <summary>
/// Properties that hold for all requests of clients in any order, over real HTTP. A failing case is shrunk and printed with its seed.
/// </summary>
public sealed class PropertyTests(RegistryFixture fixture) : RegistryTest(fixture)
{
    // One thread, because the cases of a test share its repository.
    private const int Threads = 1;

    private static readonly Gen<string> TagNames = Gen.Char["abcABC019_.-"].Array[0, 4].Select(rest => "t" + new string(rest));

    private static readonly Gen<string> Ranges = Gen.OneOf(
        Gen.Select(Position, Position).Select(pair => $"{pair.Item1}-{pair.Item2}"),
        Position.Select(start => $"{start}-"),
        Position.Select(count => $"-{count}"));

    private static Gen<int> Position => Gen.OneOf(Gen.Int[0, 20], Gen.Int[Size - 20, Size + 20], Gen.Int[0, Size]);

    private const int Size = 70_000;

    [Fact]
    public async Task Pages_of_any_length_from_anywhere_are_the_sorted_list_without_gap_or_repetition()
    {
        var cases = 0;
        await Gen.Select(TagNames.Array[1, 30], Gen.Int[1, 12], TagNames).SampleAsync(
            async (tags, length, last) =>
            {
                var repository = $"{Repository}/{Interlocked.Increment(ref cases)}";
                var config = RegistryClient.RandomBytes(10);
                await Client.PushBlobAsync(repository, config);
                var manifest = Manifests.Image(config, []);
                var query = string.Join('&', tags.Distinct().Select(tag => "tag=" + tag));
                using (var push = await Client.PushManifestAsync(repository, $"{RegistryClient.DigestOf(manifest)}?{query}", manifest))
                {
                    Assert.Equal(HttpStatusCode.Created, push.StatusCode);
                }

                var walked = new List<string>();
                for (var next = $"/v2/{repository}/tags/list?n={length}&last={last}"; next.Length > 0;)
                {
                    using var answer = await Client.SendAsync("GET", next);
                    var document = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
                    var page = document["tags"]!.AsArray().Select(tag => tag!.GetValue<string>()).ToList();
                    Assert.True(page.Count <= length);
                    walked.AddRange(page);
                    var link = Header(answer, "Link");
                    next = link.Length == 0 ? "" : link[1..link.IndexOf('>', StringComparison.Ordinal)];
                }

                Assert.Equal(tags.Distinct().Where(tag => string.CompareOrdinal(tag, last) > 0).Order(StringComparer.Ordinal), walked);
            },
            iter: 100,
            threads: Threads);
    }

    [Theory]
    [InlineData(Size)]
    [InlineData(1000)]
    public async Task Any_ranges_get_their_bytes_and_no_others(int size)
    {
        var content = RegistryClient.RandomBytes(size);
        var digest = await Client.PushBlobAsync(Repository, content);
        await Ranges.Array[1, 5].SampleAsync(
            async ranges =>
            {
                using var answer = await Client.SendAsync(
                    "GET",
                    $"/v2/{Repository}/blobs/{digest}",
                    headers: [("Range", "bytes=" + string.Join(',', ranges))]);
                var selected = ranges.Select(range => Resolve(range, size)).Where(range => range.Length > 0).ToList();
                if (selected.Count == 0)
                {
                    Assert.Equal(HttpStatusCode.RequestedRangeNotSatisfiable, answer.StatusCode);
                    Assert.Equal($"bytes */{size}", Header(answer, "Content-Range"));
                    return;
                }

                Assert.Equal(HttpStatusCode.PartialContent, answer.StatusCode);
                var body = await answer.Content.ReadAsByteArrayAsync();
                Assert.Equal(body.Length, answer.Content.Headers.ContentLength);
                var parts = answer.Content.Headers.ContentType?.MediaType == "multipart/byteranges"
                    ? PullBlobTests.Parts(body, answer.Content.Headers.ContentType.Parameters.Single().Value!)
                    : [(Header(answer, "Content-Range"), body)];
                var (expected, sent) = (new bool[size], new bool[size]);
                selected.ForEach(range => Array.Fill(expected, value: true, range.Start, range.Length));
                foreach (var (range, bytes) in parts)
                {
                    var start = int.Parse(range["bytes ".Length..range.IndexOf('-', StringComparison.Ordinal)]);
                    Assert.Equal($"bytes {start}-{start + bytes.Length - 1}/{size}", range);
                    Assert.Equal(content[start..(start + bytes.Length)], bytes);
                    Array.Fill(sent, value: true, start, bytes.Length);
                }

                Assert.Equal(expected, sent);
            },
            iter: 150,
            threads: Threads);
    }

    [Fact]
    public async Task An_upload_follows_its_model_for_any_sequence_of_requests()
    {
        var steps = Gen.OneOf(
            Gen.Int[0, 70_000].Select(length => new UploadStep("stream", length)),
            Gen.Select(Gen.Int[1, 70_000], Gen.Frequency((3, Gen.Const(0)), (1, Gen.Int[-5, 5]), (1, Gen.Const(5000))))
                .Select((length, shift) => new UploadStep("chunk", length, shift)),
            Gen.Const(new UploadStep("status")),
            Gen.Int[0, 40_000].Select(length => new UploadStep("finish wrong", length)),
            Gen.Int[0, 40_000].Select(length => new UploadStep("finish", length)),
            Gen.Const(new UploadStep("cancel")));
        await steps.Array[1, 8].SampleAsync(
            async sequence =>
            {
                var upload = new ModelUpload(Client, Repository);
                await upload.BeginAsync();
                foreach (var step in sequence)
                {
                    await upload.DoAsync(step);
                }
            },
            iter: 120,
            threads: Threads);
    }

    private static (int Start, int Length) Resolve(string range, int size)
    {
        var dash = range.IndexOf('-', StringComparison.Ordinal);
        if (dash == 0)
        {
            var count = Math.Min(int.Parse(range[1..]), size);
            return (size - count, count);
        }

        var start = int.Parse(range[..dash]);
        var end = dash == range.Length - 1 ? size - 1 : Math.Min(int.Parse(range[(dash + 1)..]), size - 1);
        return (start, Math.Max(0, end - start + 1));
    }

    /// <summary>One request of a client to an upload.</summary>
    /// <param name="What">Its kind.</param>
    /// <param name="Length">The number of its bytes.</param>
    /// <param name="Shift">The distance of its offset from the session's offset.</param>
    public sealed record UploadStep(string What, int Length = 0, int Shift = 0);

    /// <summary>An upload and its model: the state that the specification demands.</summary>
    private sealed class ModelUpload(RegistryClient client, string repository)
    {
        private readonly List<byte> _content = [];
        private string _location = "";
        private Digest? _finished;
        private bool _isCancelled;
        private bool _isStored;

        private bool IsOver => _isCancelled || _finished is not null;

        public async Task BeginAsync() => _location = await client.StartUploadAsync(repository);

        public Task DoAsync(UploadStep step) => step.What switch
        {
            "stream" => SendAsync(RegistryClient.RandomBytes(step.Length), range: null),
            "chunk" => SendAsync(RegistryClient.RandomBytes(step.Length), step.Shift),
            "status" => StatusAsync(),
            "cancel" => CancelAsync(),
            var finish => FinishAsync(RegistryClient.RandomBytes(step.Length), isRight: finish == "finish"),
        };

        private async Task SendAsync(byte[] bytes, int? range)
        {
            var start = Math.Max(0, _content.Count + (range ?? 0));
            (string, string)[] headers = range is null ? [] : [("Content-Range", $"{start}-{start + bytes.Length - 1}")];
            using var answer = await client.SendAsync("PATCH", _location, bytes, headers);
            if (IsOver)
            {
                Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
            }
            else if (start != _content.Count)
            {
                Assert.Equal(HttpStatusCode.RequestedRangeNotSatisfiable, answer.StatusCode);
                AssertProgress(answer);
            }
            else
            {
                Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
                _content.AddRange(bytes);
                _isStored = true;
                AssertProgress(answer);
            }
        }

        private async Task StatusAsync()
        {
            using var answer = await client.SendAsync("GET", _location);
            Assert.Equal(IsOver ? HttpStatusCode.NotFound : HttpStatusCode.NoContent, answer.StatusCode);
            if (!IsOver)
            {
                AssertProgress(answer);
            }
        }

        private async Task CancelAsync()
        {
            using var answer = await client.SendAsync("DELETE", _location);
            Assert.Equal(IsOver ? HttpStatusCode.NotFound : HttpStatusCode.NoContent, answer.StatusCode);
            _isCancelled |= !IsOver;
        }

        private async Task FinishAsync(byte[] last, bool isRight)
        {
            var content = (byte[])[.. _content, .. last];
            var digest = RegistryClient.DigestOf(isRight ? content : Encoding.UTF8.GetBytes("something else"));
            using var answer = await client.SendAsync("PUT", $"{_location}?digest={digest}", last);
            if (IsOver)
            {
                Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
                return;
            }

            Assert.Equal(isRight ? HttpStatusCode.Created : HttpStatusCode.BadRequest, answer.StatusCode);
            _isStored |= content.Length > 32 * 1024;
            if (isRight)
            {
                // A small blob that came with its digest leaves the session unstored, so that the session can be used again (end-6).
                _finished = _isStored ? digest : null;
                Assert.Equal(content, await client.GetBytesAsync($"/v2/{repository}/blobs/{digest}"));
            }
        }

        private void AssertProgress(HttpResponseMessage answer) =>
            Assert.Equal($"0-{Math.Max(0, _content.Count - 1)}", Header(answer, "Range"));
    }
}
