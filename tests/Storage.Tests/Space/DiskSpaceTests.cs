using Granary.Protocol.Units;
using Granary.Storage.Space;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Storage.Tests.Space;

/// <summary>The rules of the reserve, over a file system whose sizes the test sets.</summary>
public sealed class DiskSpaceTests : IDisposable
{
    private const long MB = 1_000_000;
    private const long Reserve = 10 * MB;
    private const long Ballast = Reserve / 4;

    private readonly TemporaryDirectory _directory = new();
    private readonly FakeTimeProvider _time = new();
    private readonly List<SpaceChange> _changes = [];
    private readonly DiskSpace _space;
    private long _free = 100 * MB;

    public DiskSpaceTests()
    {
        // The blocks of the ballast are not free.
        _space = new DiskSpace(_directory.Path, new ByteSize(Reserve), _time, () => (1000 * MB, Math.Max(0, _free - BallastLength())));
        _space.MakeBallast();
        _space.Watch((change, _) => _changes.Add(change));
    }

    public void Dispose()
    {
        _space.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public void A_push_that_fits_above_the_reserve_is_allowed_and_a_larger_one_is_not()
    {
        using var allowance = _space.Allow(80 * MB);

        var error = Assert.Throws<OutOfSpaceException>(() => _space.Allow(10 * MB));
        Assert.Equal(StorageFault.Full, error.Fault);
        Assert.Contains("10 MB", error.Message, StringComparison.Ordinal);
        Assert.Contains("97.5 MB are free", error.Message, StringComparison.Ordinal);
        Assert.Contains("storage.reserve", error.Message, StringComparison.Ordinal);
        Assert.Contains("granary gc run", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_push_returns_the_room_that_it_did_not_use()
    {
        _space.Allow(80 * MB).Dispose();

        using var again = _space.Allow(80 * MB);
    }

    [Fact]
    public void Two_pushes_of_unknown_length_do_not_use_up_the_reserve_together()
    {
        using var one = _space.Allow(0);
        using var other = _space.Allow(0);
        var (written, refused) = (0L, 0);
        for (var length = 64_000L; refused == 0; length += 64_000)
        {
            foreach (var allowance in new[] { one, other })
            {
                try
                {
                    allowance.Cover(length);
                    (written, _free) = (written + 64_000, _free - 64_000);
                }
                catch (OutOfSpaceException)
                {
                    refused++;
                }
            }
        }

        Assert.InRange(_free - Ballast, Reserve, Reserve + (3 * MB));
        Assert.InRange(written, 80 * MB, 90 * MB);
    }

    [Fact]
    public void Written_bytes_are_not_counted_twice()
    {
        using var first = _space.Allow(60 * MB);
        for (var length = 64_000L; length <= 60 * MB; length += 64_000)
        {
            first.Cover(length);
            _free -= 64_000;
        }

        // 100 - 2.5 of ballast - 10 of reserve - 60 written.
        using var second = _space.Allow(25 * MB);
    }

    [Fact]
    public void A_disk_that_another_program_fills_ends_a_long_push()
    {
        using var allowance = _space.Allow(0);
        allowance.Cover(5 * MB);

        _free = 15 * MB;

        Assert.Throws<OutOfSpaceException>(() => allowance.Cover(12 * MB));
    }

    [Fact]
    public void Small_pushes_share_a_measurement()
    {
        var measurements = 0;
        using var space = new DiskSpace(
            _directory.Path,
            new ByteSize(Reserve),
            _time,
            () => (1000 * MB, measurements++ >= 0 ? 100 * MB : 0));
        var before = measurements;

        for (var i = 0; i < 1000; i++)
        {
            space.Allow(1000).Dispose();
        }

        Assert.Equal(before, measurements);
        _time.Advance(TimeSpan.FromSeconds(1));
        space.Allow(1000).Dispose();
        Assert.Equal(before + 1, measurements);
    }

    [Fact]
    public void Refusals_are_reported_once_and_so_is_their_end()
    {
        _free = 12 * MB;
        for (var i = 0; i < 10; i++)
        {
            Assert.Throws<OutOfSpaceException>(() => _space.Allow(MB));
        }

        Assert.False(_space.GetReport().AcceptsPushes);
        Assert.Equal([SpaceChange.PushesRefused], _changes);
        _time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal([SpaceChange.PushesRefused], _changes);

        _free = 50 * MB;
        Assert.True(_space.GetReport().AcceptsPushes);
        _space.Allow(MB).Dispose();
        _time.Advance(TimeSpan.FromSeconds(5));

        Assert.Equal([SpaceChange.PushesRefused, SpaceChange.PushesAccepted], _changes);
    }

    [Fact]
    public void A_push_that_is_too_large_does_not_stop_other_pushes()
    {
        Assert.Throws<OutOfSpaceException>(() => _space.Allow(1000 * MB));

        Assert.True(_space.GetReport().AcceptsPushes);
        Assert.Empty(_changes);
    }

    [Fact]
    public void A_released_ballast_counts_as_reserve_until_it_is_made_again()
    {
        Assert.Equal(Ballast, BallastLength());
        _free = 13 * MB;

        Assert.True(_space.ReleaseBallast());
        Assert.False(_space.ReleaseBallast());

        Assert.Equal(0, BallastLength());
        Assert.Equal(Reserve + Ballast, _space.GetReport().Reserve);
        Assert.Throws<OutOfSpaceException>(() => _space.Allow(MB));

        _time.Advance(TimeSpan.FromSeconds(5));

        Assert.Equal(Ballast, BallastLength());
        Assert.Equal([SpaceChange.BallastReleased, SpaceChange.PushesRefused, SpaceChange.BallastMade], _changes);
    }

    [Fact]
    public void Without_a_reserve_no_push_is_refused_and_no_ballast_is_made()
    {
        using var space = new DiskSpace(_directory.Path, new ByteSize(0), _time, () => (1000 * MB, 0));
        space.MakeBallast();

        using var allowance = space.Allow(long.MaxValue);
        allowance.Cover(long.MaxValue);

        Assert.True(space.GetReport().AcceptsPushes);
        Assert.Equal(0, BallastLength());
    }

    private long BallastLength()
    {
        var ballast = new DirectoryInfo(_directory.Combine("ballast"));
        return ballast.Exists ? ballast.GetFiles().Sum(file => file.Length) : 0;
    }
}
