"""The same keys always mean the same password."""

import pickle
import unicodedata
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.secret import Secret
from shopaccounts.passwords import Prepared, prepare, prepare_to_verify

TYPED = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
SPACES = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2007\u2009\u200a\u202f\u205f\u3000"


def text_of(raw: object) -> str:
    return prepare(raw).text.reveal()


@pytest.mark.proves("PAS-2")
@pytest.mark.parametrize("space", SPACES, ids=ascii)
def test_every_kind_of_space_is_the_plain_space(space: str) -> None:
    assert text_of(f"winter{space}teapot") == "winter teapot"


@pytest.mark.proves("PAS-2")
@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  two spaces at each end  ", "  two spaces at each end  "),
        ("UPPER and lower", "UPPER and lower"),
        ("tab\tstays a tab", "tab\tstays a tab"),
        ("ﬁne ① ｗｉｄｅ ²", "ﬁne ① ｗｉｄｅ ²"),
        ("cafe\u0301", "caf\u00e9"),
        ("A\u030angstro\u0308m \u212b", "\u00c5ngstr\u00f6m \u00c5"),
        ("x" * 1024, "x" * 1024),
    ],
)
def test_nothing_else_is_changed_but_the_spelling(typed: str, kept: str) -> None:
    assert text_of(typed) == kept


@pytest.mark.proves("PAS-3")
def test_length_counts_code_points_of_the_composed_form() -> None:
    assert len(prepare("cafe\u0301")) == len(prepare("caf\u00e9")) == 4
    assert len(prepare("👍🏽")) == 2
    assert prepare("cafe\u0301") == prepare("caf\u00e9")


@pytest.mark.proves("PAS-2")
@given(TYPED)
def test_preparing_twice_changes_nothing_more(typed: str) -> None:
    once = text_of(typed)
    assert text_of(once) == once


@pytest.mark.proves("PAS-2")
@given(TYPED, TYPED)
def test_two_spellings_are_one_password_exactly_if_only_spaces_and_composition_differ(one: str, other: str) -> None:
    def reference(typed: str) -> str:
        spaced = "".join(" " if unicodedata.category(character) == "Zs" else character for character in typed)
        return unicodedata.normalize("NFC", spaced)

    assert (prepare(one) == prepare(other)) == (reference(one) == reference(other))
    assert prepare(one) == prepare(unicodedata.normalize("NFD", one))
    assert prepare(one) == prepare(one.replace(" ", "\u3000"))


@pytest.mark.proves("PAS-2", "KER-201")
@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (None, "type"),
        (b"winter teapot", "type"),
        (12345678, "type"),
        (True, "type"),
        (["winter teapot"], "type"),
        ({"password": "winter teapot"}, "type"),
        (Secret(b"winter teapot"), "type"),
        ("x" * 1025, "too_long"),
        ("\U0001d160" * 400, "too_long"),
        ("winter \ud800 teapot", "characters"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_what_is_no_text_or_far_too_long_is_invalid_input(raw: Any, reason: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        prepare(raw)
    assert (refused.value.field, refused.value.reason) == ("password", reason)
    assert prepare_to_verify(raw) is None


@pytest.mark.proves("KER-201")
def test_a_subclass_of_str_is_copied_to_plain_text() -> None:
    class Sly(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "another"

    assert type(text_of(Sly("winter teapot"))) is str
    assert text_of(Sly("winter teapot")) == "winter teapot"


@pytest.mark.proves("PAS-5")
@pytest.mark.parametrize(
    "odd", ["\u200b", "a\0b", "\ue000", "\u0378", "\u1100", "x" * 1024, " "], ids=lambda odd: ascii(odd)[:9]
)
def test_checking_an_existing_password_never_asks_what_characters_it_holds(odd: str) -> None:
    assert prepare_to_verify(odd) == prepare(odd)


@pytest.mark.proves("PAS-5")
def test_nothing_typed_is_no_password() -> None:
    assert prepare_to_verify("") is None
    assert len(prepare("")) == 0


@pytest.mark.proves("PAS-5", "PAS-3")
@given(TYPED)
def test_choosing_and_checking_read_the_same(typed: str) -> None:
    assume(typed)
    assert prepare_to_verify(typed) == prepare(typed)
    assert prepare_to_verify(Secret(typed)) == prepare(typed)


@pytest.mark.proves("KER-202")
def test_a_prepared_password_is_never_shown_hashed_or_pickled() -> None:
    prepared = prepare("winter teapot balcony")
    assert "teapot" not in f"{prepared!r} {prepared}"
    with pytest.raises(TypeError):
        hash(prepared)
    with pytest.raises(TypeError):
        pickle.dumps(prepared)
    assert prepared == Prepared(Secret("winter teapot balcony"))
