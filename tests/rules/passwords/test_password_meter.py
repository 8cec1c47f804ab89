"""The meter guides and never decides."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.passwords import (
    Fingerprints,
    GuidanceKey,
    PasswordContext,
    PasswordPolicy,
    PasswordRule,
    ShopWords,
    prepare,
    rate,
)

POLICY = PasswordPolicy(common_list=Fingerprints.of(["correct horse battery staple"]))
ABOUT = PasswordContext(shop=ShopWords(names=("Lampenhaus",)))

pytestmark = pytest.mark.proves("PAS-17")


def score(text: str) -> int:
    return rate(prepare(text), ABOUT, POLICY).score


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("teapot!", 0),
        ("teapot b", 1),
        ("teapot balc", 1),
        ("teapot balco", 2),
        ("winter teapot", 2),
        ("winter teapot!", 2),
        ("winter teapot b", 3),
        ("winter teapot balco", 3),
        ("winter teapot balcon", 4),
        ("winter teapot balcony lantern", 4),
        ("correct horse battery staple", 0),
        ("Lampenhaus-2031-Lampenhaus", 0),
        ("abcdefghijklmnopqrstuvwxyz", 0),
        ("lamplamplamplamplamp", 0),
        ("teapottttttttttttttttttttttt", 0),
        ("tea 1234567890 abcdefgh", 1),
        ("tea 9876543210 hgfedcba", 1),
    ],
)
def test_the_score_follows_what_is_surprising(text: str, expected: int) -> None:
    assert score(text) == expected


@given(st.text(max_size=80))
def test_rating_always_answers_the_same_from_0_to_4_and_helps_below_4(text: str) -> None:
    if "\ud800" <= max(text, default="") <= "\udfff":
        return
    strength = rate(prepare(text), ABOUT, POLICY)
    assert strength == rate(prepare(text), ABOUT, POLICY)
    assert strength.score in range(5)
    assert bool(strength.guidance) == (strength.score < 4)


def test_a_guessable_password_is_told_why_each_advice_once() -> None:
    strength = rate(prepare("Lampenhaus Lampenhaus"), ABOUT, POLICY)
    assert strength.guidance == (GuidanceKey.AVOID_SHOP_NAME, GuidanceKey.CHOOSE_UNRELATED_WORDS)
    assert rate(prepare("teapot b"), ABOUT, POLICY).guidance == (GuidanceKey.ADD_LENGTH, GuidanceKey.USE_SEVERAL_WORDS)


def test_the_meter_looks_at_words_and_lists_even_where_the_policy_does_not() -> None:
    lax = PasswordPolicy(
        rules=(PasswordRule.LENGTH, PasswordRule.CHARACTERS, PasswordRule.HISTORY), common_list=POLICY.common_list
    )
    assert rate(prepare("correct horse battery staple"), ABOUT, lax).score == 0
