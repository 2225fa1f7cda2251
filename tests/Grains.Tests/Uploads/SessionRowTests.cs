using Granary.Grains.Uploads;
using Granary.Protocol;
using Granary.Protocol.Hashing;

namespace Granary.Grains.Tests.Uploads;

public sealed class SessionRowTests
{
    // Releases before the states Orphaned and Renounced read version 1. They refuse version 2 instead of taking such a session for a
    // cancelled one.
    [Theory]
    [InlineData(SessionState.Open, 1)]
    [InlineData(SessionState.Sealed, 1)]
    [InlineData(SessionState.Cancelled, 1)]
    [InlineData(SessionState.Orphaned, 2)]
    [InlineData(SessionState.Renounced, 2)]
    internal void A_session_has_the_oldest_row_version_that_knows_its_state(SessionState state, byte version) =>
        Assert.Equal(version, Row(state).Encode().Span[0]);

    [Theory]
    [InlineData(SessionState.Open)]
    [InlineData(SessionState.Orphaned)]
    internal void A_row_of_either_version_is_read_as_it_was_written(SessionState state) =>
        Assert.Equal(Row(state), SessionRow.Decode(Row(state).Encode()));

    // A release in between wrote version 2 for all states.
    [Fact]
    public void A_row_of_version_2_is_read_in_every_state()
    {
        var value = Row(SessionState.Open).Encode().ToArray();
        value[0] = 2;

        Assert.Equal(Row(SessionState.Open), SessionRow.Decode(value));
    }

    // Only a gateway that cannot read bytes back records a hash, so that the rows of an embedded registry stay as they were.
    [Fact]
    public void A_session_with_a_hash_has_version_3_and_keeps_it()
    {
        using var hash = ResumableHash.Create(DigestAlgorithm.Sha512);
        hash.Append(new byte[100]);
        var row = Row(SessionState.Open) with { Hash = hash.Export() };

        var decoded = SessionRow.Decode(row.Encode());

        Assert.Equal(3, row.Encode().Span[0]);
        Assert.Equal(row.Hash.Bytes.ToArray(), decoded.Hash!.Bytes.ToArray());
        Assert.Equal(Row(SessionState.Open), decoded with { Hash = null });
    }

    private static SessionRow Row(SessionState state) => new()
    {
        State = state,
        Object = ObjectId.FromRandom(new byte[16]),
        Epoch = 3,
        IsClaimed = true,
        Offset = 100,
        Algorithm = DigestAlgorithm.Sha256,
        IssuedAt = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero),
        Touched = new DateTimeOffset(2026, 1, 2, 0, 0, 0, TimeSpan.Zero),
        Digest = Commands.DigestOf("content"),
        Deadline = new DateTimeOffset(2026, 1, 2, 1, 0, 0, TimeSpan.Zero),
    };
}
