"""The rules said beforehand, and a password to who wants none of their own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.assurance import Level
from shopaccounts.kernel.chance import CROCKFORD
from shopaccounts.kernel.secret import Secret
from shopaccounts.passwords import (
    Acceptable,
    FindingCode,
    GuidanceKey,
    PasswordContext,
    PasswordPolicy,
    PasswordRule,
    describe,
    judge,
    prepare,
    suggest,
)
from shopaccounts.testing.doubles import ScriptedEntropy

pytestmark = pytest.mark.proves("PAS-18")


def test_the_guide_says_the_lengths_that_are_judged_by() -> None:
    guide = describe(PasswordPolicy(), Level.SINGLE)
    assert (guide.minimum, guide.maximum) == (15, 256)
    assert describe(PasswordPolicy(), Level.MULTI).minimum == 8


def test_the_guide_names_every_reason_for_which_a_password_can_be_refused() -> None:
    assert describe(PasswordPolicy(), Level.SINGLE).refused == (
        FindingCode.TOO_SHORT,
        FindingCode.TOO_LONG,
        FindingCode.CHARACTERS_NOT_ALLOWED,
        FindingCode.COMMON,
        FindingCode.PATTERN,
        FindingCode.CONTEXT_WORD,
        FindingCode.SAME_AS_CURRENT,
    )
    assert FindingCode.USED_BEFORE in describe(PasswordPolicy(history=3), Level.SINGLE).refused


def test_the_guide_leaves_out_what_the_policy_leaves_out() -> None:
    lax = PasswordPolicy(rules=(PasswordRule.LENGTH, PasswordRule.CHARACTERS, PasswordRule.HISTORY))
    guide = describe(lax, Level.SINGLE)
    assert FindingCode.COMMON not in guide.refused
    assert guide.guidance == (GuidanceKey.USE_SEVERAL_WORDS, GuidanceKey.USE_PASSWORD_MANAGER)


def test_the_input_tells_browsers_and_password_managers_the_rules_and_cuts_nothing_off() -> None:
    assert describe(PasswordPolicy(), Level.SINGLE).html == {
        "minlength": "15",
        "maxlength": "1024",
        "autocomplete": "new-password",
        "passwordrules": "minlength: 15; maxlength: 256; allowed: ascii-printable;",
    }


def test_a_suggestion_has_four_groups_of_five_characters_that_are_hard_to_misread() -> None:
    groups = suggest(ScriptedEntropy("a")).reveal().split("-")
    assert [len(group) for group in groups] == [5, 5, 5, 5]
    assert set("".join(groups)) <= set(CROCKFORD)
    assert isinstance(suggest(ScriptedEntropy("a")), Secret)


@given(st.text(max_size=8))
def test_every_suggestion_is_another_and_is_accepted(seed: str) -> None:
    dice = ScriptedEntropy(ascii(seed))
    one, other = suggest(dice), suggest(dice)
    assert one != other
    assert isinstance(judge(prepare(one), PasswordContext(), PasswordPolicy()), Acceptable)
