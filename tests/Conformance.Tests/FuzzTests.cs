using System.Globalization;
using System.Text;

namespace Granary.Conformance.Tests;

/// <summary>No request of a client causes a 5xx or a hang.</summary>
public sealed class FuzzTests(RegistryFixture fixture) : RegistryTest(fixture)
{
    private static readonly string[] Methods = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "BREW"];
    private static readonly string[] Pieces =
    [
        "v2", "_catalog", "_oci", "ext", "discover", "blobs", "uploads", "manifests", "tags", "list", "referrers", "library", "app",
        "..", ".", "", "%2F", "%2e%2e",
        "%00", "%ff", "latest", "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", "sha512:00",
        "sha256%3A00", "A", "é", "\u0001", "a b", ";",
        new string('a', 300),
    ];

    private static readonly string[] Queries =
    [
        "", "?n=-1", "?n=9999999999999", "?n=1&last=%ff", "?digest=sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        "?digest=x", "?mount=x&from=y",
        "?mount=sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        "?tag=a&tag=..", "?artifactType=%", "?last=" + "x", "?&&&===", "?digest-algorithm=sha999",
    ];

    private static readonly string[] Headers =
    [
        "", "Range: bytes=0-", "Range: bytes=9-1,,,", "Content-Range: 0-5", "Content-Range: 5-0", "If-None-Match: *",
        "If-Match: \"", "If-None-Match: W/\"x\", y", "Accept: ;q=,*",
        "Content-Type: application/vnd.oci.image.manifest.v1+json", "Expect: 100-continue", "Content-Type: \u00e9",
    ];

    private static readonly string[] Bodies =
    [
        "", "{}", "[]", "{\"schemaVersion\":2,\"layers\":[],\"config\":{}}", "null", "\u0000\u0001",
        "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"\\ud800\"}]}",
        "{\"a\":" + "1",
    ];

    [Fact]
    public async Task No_request_made_of_strange_parts_makes_the_server_fail()
    {
        // The seed is fixed, so that a failure can be reproduced.
        var random = new Random(20_260_801);
        var requests = Enumerable.Range(0, 3000).Select(_ => Make(random)).ToArray();
        var failures = new List<string>();
        await Parallel.ForEachAsync(requests, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (request, _) =>
        {
            var answer = await Client.SendRawAsync(request);
            var status = answer.Length > 12 ? int.Parse(answer.AsSpan(9, 3), CultureInfo.InvariantCulture) : 0;
            if (status is 0 or >= 500)
            {
                lock (failures)
                {
                    failures.Add($"{request}\n → {answer}");
                }
            }
        });

        Assert.Empty(failures);
    }

    private static string Make(Random random)
    {
        var path = new StringBuilder(random.Next(10) == 0 ? "" : "/v2");
        for (var i = random.Next(1, 7); i > 0; i--)
        {
            path.Append('/').Append(Pick(random, Pieces));
        }

        var target = path.ToString().Replace(" ", "%20", StringComparison.Ordinal) + Pick(random, Queries);
        var body = Pick(random, Bodies);
        var header = Pick(random, Headers);
        return $"{Pick(random, Methods)} {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
            + $"{(header.Length > 0 ? header + "\r\n" : "")}Content-Length: {body.Length}\r\n\r\n{body}";
    }

    private static string Pick(Random random, string[] from) => from[random.Next(from.Length)];
}
