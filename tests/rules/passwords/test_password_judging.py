"""Will this password do?"""

import sys
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shopaccounts.kernel.assurance import Level
from shopaccounts.kernel.secret import Secret
from shopaccounts.passwords import (
    Acceptable,
    Finding,
    FindingCode,
    Fingerprints,
    GuidanceKey,
    PasswordContext,
    PasswordPolicy,
    PasswordRule,
    PersonalWords,
    Prepared,
    ShopWords,
    Unacceptable,
    judge,
    prepare,
)
from shopaccounts.passwords.judging import breached

POLICY = PasswordPolicy(common_list=Fingerprints.of(["correct horse battery staple"]), context_words=("Glühwurm",))
ABOUT = PasswordContext(
    shop=ShopWords(names=("Lampenhaus",), domains=("lampenhaus.example",)),
    person=PersonalWords(emails=("anna.bauer@posteo.example",), given_name="Anna"),
)
MULTI = attrs.evolve(ABOUT, can_reach=Level.MULTI)
ANIMALS = "".join(chr(0x1F400 + place * place % 61) for place in range(300))
ANY_TEXT = st.text(st.characters(), max_size=1024)


def found(
    text: str, about: PasswordContext = ABOUT, policy: PasswordPolicy = POLICY
) -> dict[FindingCode, dict[str, Any]]:
    verdict = judge(Prepared(Secret(text)), about, policy)
    return (
        {finding.code: dict(finding.facts) for finding in verdict.findings} if isinstance(verdict, Unacceptable) else {}
    )


def guidance(text: str, about: PasswordContext = ABOUT) -> set[GuidanceKey]:
    verdict = judge(prepare(text), about, POLICY)
    assert isinstance(verdict, Unacceptable)
    return {key for finding in verdict.findings for key in finding.guidance}


@pytest.mark.proves("PAS-10")
def test_a_few_words_make_a_good_password() -> None:
    assert judge(prepare("winter teapot balcony"), ABOUT, POLICY) == Acceptable(meets_single_factor_minimum=True)


@pytest.mark.proves("PAS-11")
def test_a_short_password_is_told_how_many_characters_are_missing() -> None:
    assert found("winter teapot") == {FindingCode.TOO_SHORT: {"min": 15, "missing": 2}}
    assert found("winter teapot b") == {}
    assert found("teapot!", MULTI) == {FindingCode.TOO_SHORT: {"min": 8, "missing": 1}}


@pytest.mark.proves("PAS-10")
def test_a_short_password_is_accepted_where_a_second_factor_stands_beside_it_and_marked_as_short() -> None:
    assert judge(prepare("teapot b"), MULTI, POLICY) == Acceptable(meets_single_factor_minimum=False)
    assert judge(prepare("winter teapot b"), MULTI, POLICY) == Acceptable(meets_single_factor_minimum=True)


@pytest.mark.proves("PAS-3")
@pytest.mark.parametrize("text", ["winter teapot " * 19, ANIMALS], ids=["words", "animals"])
def test_a_password_of_256_characters_is_read_and_a_longer_one_refused(text: str) -> None:
    assert found(text[:256]) == {}
    assert found(text[:257]) == {FindingCode.TOO_LONG: {"max": 256, "max_bytes": 1024}}


@pytest.mark.proves("PAS-3")
def test_a_password_over_1024_bytes_is_refused_however_many_characters_a_shop_reads() -> None:
    generous = attrs.evolve(POLICY, max_length=1024)
    assert found(ANIMALS[:256], policy=generous) == {}
    assert found(ANIMALS[:256] + "a", policy=generous) == {FindingCode.TOO_LONG: {"max": 1024, "max_bytes": 1024}}


@pytest.mark.proves("PAS-4", "PAS-11")
def test_characters_that_may_not_be_there_are_told_by_their_places_only() -> None:
    assert found("winter\u200bteapot\tbalcony") == {FindingCode.CHARACTERS_NOT_ALLOWED: {"positions": "6,13"}}


@pytest.mark.proves("PAS-12")
def test_a_common_password_is_refused_as_a_whole_only() -> None:
    assert found("Correct Horse Battery Staple") == {FindingCode.COMMON: {}}
    assert found("correct horse battery staple!") == {}


@pytest.mark.proves("PAS-11", "PAS-13")
@pytest.mark.parametrize(
    ("text", "kind", "instead"),
    [
        ("lamplamplamplamp", "repeat", GuidanceKey.AVOID_REPEATS),
        ("abcdefghijklmnop", "run", GuidanceKey.AVOID_SEQUENCES),
        ("qwertyuiopasdfghjkl", "keyboard", GuidanceKey.AVOID_SEQUENCES),
        ("14.    02.   1984", "date", GuidanceKey.AVOID_OWN_DETAILS),
    ],
)
def test_a_simple_movement_is_named(text: str, kind: str, instead: GuidanceKey) -> None:
    assert found(text) == {FindingCode.PATTERN: {"kind": kind}}
    assert instead in guidance(text)


@pytest.mark.proves("PAS-14", "PAS-11")
@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("Lampenhaus-2031-Lampenhaus", {GuidanceKey.AVOID_SHOP_NAME}),
        ("Glühwurm Glühwurm 1", {GuidanceKey.AVOID_SHOP_NAME}),
        ("anna bauer 123456789", {GuidanceKey.AVOID_OWN_DETAILS}),
        ("anna@lampenhaus 1234", {GuidanceKey.AVOID_OWN_DETAILS, GuidanceKey.AVOID_SHOP_NAME}),
    ],
)
def test_leaning_on_words_of_shop_or_person_is_told_without_the_word(text: str, keys: set[GuidanceKey]) -> None:
    assert found(text) == {FindingCode.CONTEXT_WORD: {}}
    assert guidance(text) == keys | {GuidanceKey.CHOOSE_UNRELATED_WORDS}


@pytest.mark.proves("PAS-14")
def test_the_shops_name_with_enough_of_something_else_is_fine() -> None:
    assert found("lampenhaus winter teapot") == {}


@pytest.mark.proves("PAS-11")
def test_the_current_and_an_earlier_password_are_refused() -> None:
    assert found("winter teapot balcony", attrs.evolve(ABOUT, is_current=True)) == {FindingCode.SAME_AS_CURRENT: {}}
    assert found("winter teapot balcony", attrs.evolve(ABOUT, was_used_before=True)) == {FindingCode.USED_BEFORE: {}}


@pytest.mark.proves("PAS-11")
@pytest.mark.parametrize(
    ("count", "band"), [(1, 1), (9, 1), (10, 10), (99, 10), (100, 100), (999, 100), (1000, 1000), (37_000_000, 1000)]
)
def test_how_often_a_password_leaked_is_told_by_magnitude(count: int, band: int) -> None:
    finding = breached(count)
    assert (finding.code, dict(finding.facts)) == (FindingCode.BREACHED, {"count_band": band})
    assert finding.guidance[:2] == (GuidanceKey.SEEN_IN_BREACH_ELSEWHERE, GuidanceKey.CHANGE_IT_THERE_TOO)


@pytest.mark.proves("PAS-10")
def test_everything_that_is_wrong_is_said_at_once() -> None:
    policy = PasswordPolicy(common_list=Fingerprints.of(["anna"]))
    about = attrs.evolve(ABOUT, is_current=True, was_used_before=True)
    assert list(found("anna", about, policy)) == [
        FindingCode.TOO_SHORT,
        FindingCode.COMMON,
        FindingCode.CONTEXT_WORD,
        FindingCode.SAME_AS_CURRENT,
        FindingCode.USED_BEFORE,
    ]
    assert list(found("\t" * 300)) == [FindingCode.TOO_LONG, FindingCode.CHARACTERS_NOT_ALLOWED, FindingCode.PATTERN]


@pytest.mark.proves("PAS-6")
def test_a_password_of_other_than_ascii_is_accepted_with_a_word_of_warning() -> None:
    accepted = judge(prepare("Übergrößenträger"), ABOUT, POLICY)
    assert accepted == Acceptable(meets_single_factor_minimum=True, guidance=(GuidanceKey.UNICODE_MAY_DIFFER,))
    assert judge(prepare("winter\u3000teapot balcony"), ABOUT, POLICY) == Acceptable(meets_single_factor_minimum=True)


@pytest.mark.proves("PAS-10")
def test_a_rule_that_the_policy_leaves_out_finds_nothing() -> None:
    kept = (PasswordRule.LENGTH, PasswordRule.CHARACTERS, PasswordRule.HISTORY)
    for text in ("correct horse battery staple", "lamplamplamplamp", "Lampenhaus-2031-Lampenhaus"):
        assert found(text) != {}
        assert found(text, policy=attrs.evolve(POLICY, rules=kept)) == {}


@pytest.mark.proves("PAS-10")
@given(ANY_TEXT, st.sampled_from([ABOUT, MULTI]))
@settings(max_examples=60)
def test_judging_always_answers_and_always_the_same_and_never_shows_the_password(
    text: str, about: PasswordContext
) -> None:
    candidate = Prepared(Secret(text))
    verdict = judge(candidate, about, POLICY)
    assert judge(candidate, about, POLICY) == verdict
    if isinstance(verdict, Unacceptable):
        assert verdict.findings
        assert all(finding.guidance for finding in verdict.findings)
        shown = {value for finding in verdict.findings for value in finding.facts.values() if isinstance(value, str)}
        assert all(
            value in {"repeat", "run", "keyboard", "date"} or value.replace(",", "").isdigit() for value in shown
        )


@pytest.mark.proves("PAS-10")
@given(ANY_TEXT, st.characters(exclude_categories=["Cs"]))
@settings(max_examples=60)
def test_adding_a_character_never_makes_a_password_too_short(text: str, more: str) -> None:
    assume(text.isprintable())
    before, after = prepare(text[:300]), prepare(text[:300] + more)
    assume(len(after) > len(before))  # else it has become one with the character before it
    if FindingCode.TOO_SHORT not in found(before.text.reveal()):
        assert FindingCode.TOO_SHORT not in found(after.text.reveal())


def steps(work: Callable[[], object]) -> int:
    """How many functions, of Python and of C, *work* calls."""
    count = 0

    def counted(_frame: Any, event: str, _arg: Any) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.proves("PAS-10")
@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "ab",
        "1",
        "\u200b",
        "·",
        "l·",
        "カ・",
        "\u30fb",
        "ب\u200c",
        "\u0650\u200c",
        "٠",
        "۱",
        "lampenhaus",
        "l4mp3nhau5",
        "é",
        "👍",
        "14.02.",
        "\ud800",
    ],
    ids=ascii,
)
def test_the_work_of_judging_grows_no_faster_than_the_password(unit: str) -> None:
    def work(length: int) -> int:
        candidate = Prepared(Secret((unit * length)[:length]))
        return steps(lambda: judge(candidate, ABOUT, POLICY))

    work(10)  # tables that are made once
    assert work(1024) <= 4 * work(256) + 100
    assert work(1024) <= 60 * 1024


@pytest.mark.proves("PAS-11")
def test_a_finding_always_has_guidance_and_its_facts_stay() -> None:
    with pytest.raises(ValueError, match="guidance"):
        Finding(FindingCode.COMMON, {}, ())
    facts: dict[str, int | str] = {"min": 15}
    finding = Finding(FindingCode.TOO_SHORT, facts, (GuidanceKey.ADD_LENGTH,))
    facts["min"] = 8
    assert finding.facts["min"] == 15
    with pytest.raises(TypeError):
        finding.facts["min"] = 8  # type: ignore[index]
