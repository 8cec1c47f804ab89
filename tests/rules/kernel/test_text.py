import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.errors import InvalidInput, Kind
from shopaccounts.kernel.text import CAPS, require_locale, require_text

UNSEEN = ["\0", "\n", "\r", "\x7f", "\x85", "\u00ad", "\u200b", "\u202e", "\ufeff", "\u2028", "\u2029", "\U000e0001"]


class Shouting(str):
    """A text that lies about itself."""

    __slots__ = ()

    def __str__(self) -> str:
        return "something else"

    def __len__(self) -> int:
        return 1


class TestTypes:
    @pytest.mark.proves("KER-201")
    @pytest.mark.parametrize("value", [b"ann", None, ["ann"], ("ann",), {"ann": 1}, 5, 1.5, True, object(), str])
    def test_what_is_no_text_is_refused(self, value):
        with pytest.raises(InvalidInput) as refusal:
            require_text(value, "identifier")
        assert (refusal.value.field, refusal.value.reason) == ("identifier", "type")
        assert refusal.value.kind is Kind.INVALID

    @pytest.mark.proves("KER-201")
    def test_a_text_of_a_class_of_its_own_becomes_plain_text(self):
        plain = require_text(Shouting("ann"), "identifier")
        assert plain == "ann"
        assert type(plain) is str

    @pytest.mark.proves("KER-201")
    def test_a_text_that_lies_about_its_length_is_measured_anyway(self):
        with pytest.raises(InvalidInput):
            require_text(Shouting("a" * 65), "label")


class TestLengths:
    @pytest.mark.proves("KER-201")
    @pytest.mark.parametrize(
        ("field", "cap"),
        [("identifier", 320), ("phone", 40), ("password", 1024), ("code", 64), ("token", 128), ("label", 64)],
    )
    def test_each_field_has_its_longest_text_in_characters(self, field, cap):
        assert CAPS[field] == cap
        assert require_text("\U0001f411" * cap, field) == "\U0001f411" * cap
        with pytest.raises(InvalidInput) as refusal:
            require_text("a" * (cap + 1), field)
        assert (refusal.value.field, refusal.value.reason) == (field, "too_long")

    @pytest.mark.proves("KER-201")
    def test_the_length_is_checked_before_anything_else_is_looked_at(self):
        with pytest.raises(InvalidInput) as refusal:
            require_text("\ud800" * 10_000, "code")
        assert refusal.value.reason == "too_long"

    @pytest.mark.proves("KER-201")
    def test_any_other_field_says_its_own_cap(self):
        assert require_text("abc", "nickname", cap=3) == "abc"
        with pytest.raises(InvalidInput):
            require_text("abcd", "nickname", cap=3)
        with pytest.raises(KeyError):
            require_text("abc", "nickname")


class TestCharacters:
    @pytest.mark.proves("KER-201")
    @pytest.mark.parametrize("printable", [True, False])
    @pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\udc80c"], ids=ascii)
    def test_half_of_a_surrogate_pair_is_refused_everywhere(self, text, printable):
        with pytest.raises(InvalidInput) as refusal:
            require_text(text, "password", printable=printable)
        assert refusal.value.reason == "characters"

    @pytest.mark.proves("KER-201")
    @pytest.mark.parametrize("character", UNSEEN, ids=ascii)
    def test_what_could_end_or_bend_a_line_is_refused_in_what_reaches_a_header(self, character):
        with pytest.raises(InvalidInput):
            require_text(f"Ann{character}Bcc: all", "label")
        assert require_text(f"Ann{character}", "label", printable=False) == f"Ann{character}"

    @pytest.mark.proves("KER-201")
    @given(st.text(st.characters(), max_size=40))
    def test_a_text_passes_unchanged_or_is_refused_for_a_character_that_may_not_be_there(self, text):
        categories = {unicodedata.category(character) for character in text}
        if categories & {"Cc", "Cf", "Cs", "Zl", "Zp"}:
            with pytest.raises(InvalidInput):
                require_text(text, "label")
        else:
            assert require_text(text, "label") == text

    @pytest.mark.proves("KER-201")
    def test_the_refusal_doesnt_repeat_the_text(self):
        with pytest.raises(InvalidInput) as refusal:
            require_text("my secret\n", "label")
        assert "my secret" not in repr(refusal.value) + str(refusal.value)


class TestLocales:
    @pytest.mark.proves("KER-201")
    @pytest.mark.parametrize("tag", ["en", "de", "pt-BR", "pt_BR", "zh-Hant-TW", "gsw"])
    def test_a_language_tag_passes(self, tag):
        assert require_locale(tag) == tag

    @pytest.mark.proves("KER-201")
    @pytest.mark.parametrize(
        "tag", ["", "e", "english", "en-", "-en", "en US", "en\n", "../en", "en-x", "ԁe", None, "en" * 20]
    )
    def test_anything_else_is_refused(self, tag):
        with pytest.raises(InvalidInput) as refusal:
            require_locale(tag)
        assert refusal.value.field == "locale"
