import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.chance import CROCKFORD, LETTERS, Entropy, SystemEntropy, same
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.secret import same as secret_same
from shopaccounts.testing.doubles import ScriptedEntropy

NOON = datetime(2031, 3, 1, 12, tzinfo=UTC)
EVERY_BYTE = bytes(range(256))
steps = st.lists(st.timedeltas(-timedelta(days=400), timedelta(days=400)), max_size=30)


def scripted(*blocks: bytes) -> Entropy:
    """Dice that show these bytes, block by block, whatever is asked for."""
    rest = iter(blocks)
    return Entropy(lambda _: next(rest))


class TestCodes:
    @pytest.mark.proves("KER-205")
    @pytest.mark.parametrize(
        ("draw", "alphabet", "fair"),
        [(Entropy.digits, "0123456789", 250), (Entropy.letters, LETTERS, 240), (Entropy.base32, CROCKFORD, 256)],
        ids=["digits", "letters", "base32"],
    )
    def test_each_character_has_the_same_share_of_the_bytes_and_the_rest_is_thrown_away(self, draw, alphabet, fair):
        drawn = draw(scripted(EVERY_BYTE), fair)
        assert {drawn.count(character) for character in alphabet} == {fair // len(alphabet)}
        assert set(drawn) == set(alphabet)

    @pytest.mark.proves("KER-205")
    def test_a_byte_beyond_the_last_full_round_is_drawn_again_not_taken_modulo(self):
        assert scripted(bytes([250, 255, 7]), bytes([251, 1]), bytes([2])).digits(3) == "712"
        assert scripted(bytes([240, 255]), bytes([0, 19])).letters(2) == "BZ"

    @pytest.mark.proves("KER-205")
    def test_letters_form_no_words_and_are_hard_to_mishear(self):
        assert LETTERS == "BCDFGHJKLMNPQRSTVWXZ"

    @pytest.mark.proves("KER-205")
    def test_base_32_leaves_out_what_looks_like_something_else(self):
        assert not set("ILOU") & set(CROCKFORD)
        assert len(CROCKFORD) == len(set(CROCKFORD)) == 32

    @pytest.mark.proves("KER-205")
    @given(st.integers(0, 40))
    def test_a_code_has_as_many_characters_as_asked_for(self, count):
        dice = SystemEntropy()
        assert re.fullmatch(rf"[0-9]{{{count}}}", dice.digits(count))
        assert re.fullmatch(rf"[{LETTERS}]{{{count}}}", dice.letters(count))


class TestTokens:
    @pytest.mark.proves("KER-205")
    @pytest.mark.parametrize(("bits", "length"), [(128, 22), (160, 27), (256, 43), (129, 23)])
    def test_a_token_is_base64url_text_of_that_many_bits(self, bits, length):
        asked: list[int] = []

        def source(count):
            asked.append(count)
            return b"\xfb\xff" * count

        dice = Entropy(source)
        assert re.fullmatch(r"[A-Za-z0-9_-]+", dice.token(bits))
        assert asked == [-(-bits // 8)]
        assert len(SystemEntropy().token(bits)) == length

    @pytest.mark.proves("KER-205")
    @pytest.mark.parametrize("bits", [0, 64, 122, 127])
    def test_a_token_that_could_be_guessed_is_refused(self, bits):
        with pytest.raises(Defect, match="guessed"):
            SystemEntropy().token(bits)

    @pytest.mark.proves("KER-205")
    def test_the_system_draws_something_else_each_time(self):
        dice = SystemEntropy()
        assert len({dice.token(128) for _ in range(100)}) == 100
        assert dice.raw(16) != dice.raw(16)

    def test_a_fraction_lies_between_zero_and_one(self):
        assert scripted(bytes(6)).fraction() == 0.0
        assert scripted(b"\x80" + bytes(5)).fraction() == 0.5
        assert scripted(b"\xff" * 6).fraction() < 1.0

    @pytest.mark.proves("KER-204")
    def test_the_word_for_comparing_secrets_is_found_beside_the_dice_too(self):
        assert same is secret_same


class TestIds:
    @pytest.mark.proves("KER-193")
    def test_an_id_is_a_uuid_of_version_7_with_the_milliseconds_in_front(self):
        at = datetime(2031, 3, 1, 12, 0, 0, 678_999, tzinfo=UTC)
        id = UUID(ScriptedEntropy().new_id(at))
        assert (id.version, id.variant) == (7, "specified in RFC 4122")
        assert id.int >> 80 == int(datetime(2031, 3, 1, 12, tzinfo=UTC).timestamp()) * 1000 + 678

    @pytest.mark.proves("KER-193")
    def test_an_id_holds_74_random_bits(self):
        lowest = UUID(scripted(bytes(10)).new_id(NOON)).int
        highest = UUID(scripted(b"\xff" * 10).new_id(NOON)).int
        assert highest ^ lowest == (0xFFF << 64) | ((1 << 62) - 1)

    @pytest.mark.proves("KER-193")
    @pytest.mark.parametrize("at", [datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)])
    def test_an_id_has_its_form_in_every_year(self, at):
        assert UUID(ScriptedEntropy().new_id(at)).version == 7

    @pytest.mark.proves("KER-193", "KER-192")
    @given(steps, st.text("ab", max_size=3))
    def test_ids_only_grow_however_the_clock_steps(self, steps, seed):
        dice, now, ids = ScriptedEntropy(seed), NOON, []
        for step in [timedelta(0), *steps]:
            now += step
            ids.append(dice.new_id(now))
        assert all(a < b for a, b in pairwise(ids))
        assert all(UUID(id).version == 7 for id in ids)

    @pytest.mark.proves("KER-193")
    @given(st.text("ab", min_size=1, max_size=3))
    def test_two_processes_forked_from_one_go_on_with_different_ids_while_the_clock_is_behind(self, seed):
        family = []
        for child in ("", seed):
            dice = ScriptedEntropy("parent")
            dice.new_id(NOON)
            dice._seed += child.encode()
            family.append({dice.new_id(NOON - timedelta(seconds=1)) for _ in range(20)})
        assert not family[0] & family[1]

    @pytest.mark.proves("KER-193")
    def test_a_time_without_a_zone_makes_no_id(self):
        with pytest.raises(TypeError):
            ScriptedEntropy().new_id(datetime(2031, 3, 1))  # noqa: DTZ001  (what must be refused)
