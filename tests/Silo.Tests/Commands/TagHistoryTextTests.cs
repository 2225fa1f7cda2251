using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;
using Granary.Silo.Commands;

namespace Granary.Silo.Tests.Commands;

/// <summary>The history of a tag as 'granary tag history' prints it.</summary>
public sealed class TagHistoryTextTests
{
    private static readonly DateTimeOffset Time = new(2026, 11, 26, 18, 31, 28, 500, TimeSpan.FromHours(1));
    private static readonly Digest One = Digest.Compute(DigestAlgorithm.Sha256, [1]);
    private static readonly Digest Two = Digest.Compute(DigestAlgorithm.Sha512, [2]);
    private static readonly TagName App = new(RepositoryName.Parse("app"), Tag.Parse("v1"));

    [Fact]
    public void Each_move_is_a_line_and_the_last_line_leads_to_older_ones()
    {
        var history = new TagHistory(
            One,
            [
                Entry(1000, ChangeKind.Tagged, Two, One, ChangeCause.Undo, peer: "10.0.0.1", agent: "granary/0.1.0"),
                Entry(999, ChangeKind.Pushed, One, Two, peer: "::1", agent: "docker/28.0 go/1.24", keptUntil: Time.AddDays(7)),
                Entry(99, ChangeKind.Pushed, null, One, isHere: true),
            ],
            new LogPosition(98, 1),
            IsCut: true);

        Assert.Equal(
            [
                "1000.0  2026-11-26T17:31:28Z  moved 7bb7c8d1a2c1 → 4bf5122f3445 (undo)  10.0.0.1 \"granary/0.1.0\"  gone",
                "999.0   2026-11-26T17:31:28Z  pushed 4bf5122f3445 → 7bb7c8d1a2c1        ::1 \"docker/28.0 go/1.24\"  kept until " +
                "2026-12-03T17:31:28Z",
                "99.0    2026-11-26T17:31:28Z  pushed none → 4bf5122f3445",
                "Older moves: granary tag history app:v1 --before 98.1",
            ],
            TagHistoryText.Lines(App, history).Select(line => line.Replace(Short(Two), "7bb7c8d1a2c1", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_deletion_is_never_gone_and_a_cut_history_says_so()
    {
        var history = new TagHistory(
            Current: null,
            [
                Entry(4, ChangeKind.Deleted, One, null, ChangeCause.Collection),
                Entry(3, ChangeKind.Tagged, null, One),
                Entry(2, ChangeKind.Untagged, One, null, ChangeCause.Delete, peer: "10.0.0.1"),
            ],
            Next: null,
            IsCut: true);

        Assert.Equal(
            [
                "4.0  2026-11-26T17:31:28Z  manifest deleted 4bf5122f3445 → none (collection)",
                "3.0  2026-11-26T17:31:28Z  tagged none → 4bf5122f3445                         gone",
                "2.0  2026-11-26T17:31:28Z  tag deleted 4bf5122f3445 → none                    10.0.0.1",
                "Older moves were removed after history.retention.",
            ],
            TagHistoryText.Lines(App, history));
        Assert.Empty(TagHistoryText.Lines(App, new TagHistory(Current: null, [], Next: null, IsCut: false)));
    }

    [Fact]
    public void An_undo_says_where_the_tag_points_and_how_to_undo_that()
    {
        Assert.Equal(
            [$"app:v1 points at {Two} again (before: {One}).", "To undo this, run 'granary tag undo app:v1' again."],
            TagHistoryText.Lines(App, new TagUndone(One, Two, new LogPosition(5, 0))));
        Assert.Equal(
            [
                $"app:v1 points at {Two} again (before: there was no such tag).",
                "To remove the tag again, send DELETE /v2/app/manifests/v1 to the registry.",
            ],
            TagHistoryText.Lines(App, new TagUndone(From: null, Two, new LogPosition(5, 0))));
        Assert.Equal(
            [$"app:v1 points at {Two} already; nothing was changed."],
            TagHistoryText.Lines(App, new TagUndone(Two, Two, Line: null)));
    }

    private static string Short(Digest digest) => digest.Encoded[..12].ToString();

    private static TagHistoryEntry Entry(
        long version,
        ChangeKind kind,
        Digest? from,
        Digest? to,
        ChangeCause cause = ChangeCause.Push,
        string? peer = null,
        string? agent = null,
        bool isHere = false,
        DateTimeOffset? keptUntil = null)
    {
        var line = new LogLine
        {
            Position = new LogPosition(version, 0),
            Kind = kind,
            Origin = new CommandOrigin { RequestId = Guid.Empty, Cause = cause, Peer = peer, UserAgent = agent },
            Time = Time,
            Previous = from,
            Digest = to,
        };
        return new TagHistoryEntry(line, isHere || keptUntil is not null, keptUntil);
    }
}
