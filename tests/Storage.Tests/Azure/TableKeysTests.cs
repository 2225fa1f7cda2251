using System.Buffers;
using CsCheck;
using Granary.Storage.Azure.Tables;

namespace Granary.Storage.Tests.Azure;

public sealed class TableKeysTests
{
    private static readonly Gen<string> AnyKey = Gen.String[Gen.Char[' ', '~'], 1, 6];

    // Few characters, so that prefixes and equal beginnings are frequent.
    private static readonly Gen<string> SimilarKey = Gen.String[Gen.Char[" ,-./0:;=@AZ[\\]^_az~!+"], 1, 4];

    private static readonly SearchValues<char> Forbidden = SearchValues.Create("/\\#?'% \"");

    private static readonly Gen<string> Key = Gen.OneOf(AnyKey, SimilarKey);

    [Fact]
    public void A_code_has_the_order_of_its_key() =>
        Gen.Select(Key, Key).Sample((one, other) =>
            Math.Sign(string.CompareOrdinal(one, other))
            == Math.Sign(string.CompareOrdinal(TableKeys.Encode(one), TableKeys.Encode(other))));

    [Fact]
    public void The_code_of_a_prefix_is_a_prefix_and_no_other_code_begins_with_it() =>
        Gen.Select(Key, Key).Sample((prefix, key) =>
            key.StartsWith(prefix, StringComparison.Ordinal)
            == TableKeys.Encode(key).StartsWith(TableKeys.Encode(prefix), StringComparison.Ordinal));

    [Fact]
    public void A_key_is_read_from_its_code() => Key.Sample(key => TableKeys.Decode(TableKeys.Encode(key)) == key);

    [Fact]
    public void A_code_has_only_characters_that_a_table_and_a_filter_take() =>
        Key.Sample(key => TableKeys.Encode(key).AsSpan().IndexOfAny(Forbidden) < 0);

    [Fact]
    public void The_end_of_a_prefix_is_above_what_begins_with_it_and_not_above_what_follows() =>
        Gen.Select(Key, Key).Sample((prefix, key) =>
        {
            var isBelow = string.CompareOrdinal(TableKeys.Encode(key), TableKeys.EndOf(TableKeys.Encode(prefix))) < 0;
            return isBelow == (key.StartsWith(prefix, StringComparison.Ordinal) || string.CompareOrdinal(key, prefix) < 0);
        });

    [Fact]
    public void A_bound_of_any_characters_has_its_place_among_the_codes() =>
        Gen.Select(Key, Gen.String[Gen.Char['\u0001', '\u0200'], 0, 4]).Sample((key, bound) =>
        {
            // Characters that no key has may become equal to each other, never to those of a key.
            var order = Math.Sign(string.CompareOrdinal(key, bound));
            return order == Math.Sign(string.CompareOrdinal(TableKeys.Encode(key), TableKeys.EncodeBound(bound)));
        });

    [Fact]
    public void Head_and_redo_rows_are_below_all_codes() =>
        Key.Sample(key =>
            string.CompareOrdinal(TableKeys.Head, TableKeys.RedoPrefix) < 0
            && string.CompareOrdinal(RedoLog.KeyOf("ffffffffffffffffffffffff", 99_999), TableKeys.FirstCode) < 0
            && string.CompareOrdinal(TableKeys.FirstCode, TableKeys.Encode(key)) < 0);

    [Fact]
    public void Frequent_keys_stay_readable() =>
        Assert.Equal("man.sha256:0a1b+c-d_e", TableKeys.Encode("man/sha256:0a1b-c.d_e"));

    [Theory]
    [InlineData("")]
    [InlineData("é")]
    [InlineData("line\n")]
    [InlineData("\u007f")]
    public void A_key_that_is_not_printable_is_refused(string key) =>
        Assert.Throws<ArgumentException>(() => TableKeys.Encode(key));

    [Fact]
    public void A_code_that_is_too_long_is_refused()
    {
        Assert.Equal(TableKeys.MaxLength, TableKeys.Encode(new string('k', 512)).Length);
        Assert.Throws<ArgumentException>(() => TableKeys.Encode(new string('k', 513)));
        Assert.Throws<ArgumentException>(() => TableKeys.Encode(new string('@', 257)));
    }
}
