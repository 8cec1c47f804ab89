"""Which characters a new password may hold."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.passwords.freeform import refused_positions

pytestmark = pytest.mark.proves("PAS-4")


@pytest.mark.parametrize(
    "welcome",
    [
        "".join(map(chr, range(0x20, 0x7F))),
        "Übergrößenträger",
        "крепкий орешек",
        "正しい馬電池",
        "ｗｉｄｅ ﬁne ① ² ½",
        "€ £ ¬ ± ← ☃ 👍 👍🏽 🇩🇪",
        "नमस्ते",
        "l·l",
        "͵α",
        "א׳ ב״",
        "カ・か",
        "漢・",
        "क्\u200dष",
        "क्\u200cष",
        "می\u200cخواهم",
        "بِ\u0650\u200c\u0650ب",
        "٠١٢",
        "۰۱۲",
        "ß ς ۽ ۾ ་ 〇",
    ],
    ids=ascii,
)
def test_what_people_can_see_and_type_is_welcome(welcome: str) -> None:
    assert refused_positions(welcome) == ()


@pytest.mark.parametrize(
    ("refused", "positions"),
    [
        ("a\tb\nc\x7f\x85", (1, 3, 5, 6)),
        ("zero\u200bwidth", (4,)),
        ("\ufeffmark", (0,)),
        ("soft\u00adhyphen", (4,)),
        ("bidi\u202e\u2066", (4, 5)),
        ("heart ❤\ufe0f", (7,)),
        ("👩\u200d🚀", (1,)),
        ("flag 🏴\U000e0067\U000e007f", (6, 7)),
        ("\ue000\U000f0000", (0, 1)),
        ("\ufdd0\uffff\U0010ffff", (0, 1, 2)),
        ("\u0378", (0,)),
        ("\ud800", (0,)),
        ("\u1100\u1161\u11a8", (0, 1, 2)),
        ("\ua960\ud7b0\u115f\u3164\uffa0", (0, 1, 2, 3, 4)),
        ("line\u2028paragraph\u2029", (4, 14)),
        ("\u0640\u07fa\u302e\u3031\u303b", (0, 1, 2, 3, 4)),
        ("\u034f\u180b\u17b4", (0, 1, 2)),
        ("a·l l·a ·l l·", (1, 5, 8, 12)),
        ("͵a ͵", (0, 3)),
        ("׳ a״", (0, 3)),
        ("a・", (1,)),
        ("a\u200cb", (1,)),
        ("\u200cب", (0,)),
        ("ب\u200c", (1,)),
        ("ا\u200cب", (1,)),
        ("\u200dक्", (0,)),
        ("٠ ۱", (0, 2)),
    ],
    ids=ascii,
)
def test_what_nobody_sees_or_what_stands_out_of_place_is_refused_where_it_stands(
    refused: str, positions: tuple[int, ...]
) -> None:
    assert refused_positions(refused) == positions


@given(st.text(max_size=40))
def test_controls_private_unassigned_and_format_characters_are_never_welcome(text: str) -> None:
    hidden = {
        at for at, character in enumerate(text) if unicodedata.category(character) in {"Cc", "Co", "Cn", "Cs", "Zl"}
    }
    assert hidden <= set(refused_positions(text))


@given(
    st.text(
        st.characters(categories=["Lu", "Ll", "Nd", "Po"], max_codepoint=0x58F, exclude_characters="·\u0375"),
        max_size=40,
    )
)
def test_letters_digits_and_punctuation_of_european_scripts_are_welcome(text: str) -> None:
    assert refused_positions(text) == ()
