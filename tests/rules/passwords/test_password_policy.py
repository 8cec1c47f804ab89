"""What a shop may decide about passwords."""

from typing import Any

import attrs
import pytest

from shopaccounts.kernel.assurance import Level
from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.passwords import Argon2Profile, PasswordPolicy, PasswordRule


def test_the_default_is_the_shops_profile() -> None:
    policy = PasswordPolicy()
    assert policy == PasswordPolicy.shop_default()
    assert (policy.min_single_factor, policy.min_with_second_factor, policy.max_length) == (15, 8, 256)
    assert policy.rules == tuple(PasswordRule)
    assert policy.context_words == ()
    assert policy.history == 0
    assert policy.hashing == Argon2Profile.owasp_46mib()
    assert policy.deviations == ()


@pytest.mark.proves("PAS-1")
@pytest.mark.parametrize(
    "values",
    [
        {"min_single_factor": 7},
        {"min_with_second_factor": 7},
        {"min_single_factor": 12, "min_with_second_factor": 13},
        {"max_length": 63},
        {"max_length": 1025},
        {"min_single_factor": 65, "max_length": 64},
        {"history": 11},
        {"history": -1},
        {"rules": ()},
        {"rules": tuple(rule for rule in PasswordRule if rule is not PasswordRule.LENGTH)},
        {"rules": tuple(rule for rule in PasswordRule if rule is not PasswordRule.CHARACTERS)},
        {"rules": tuple(rule for rule in PasswordRule if rule is not PasswordRule.HISTORY)},
        {"rules": (*PasswordRule, PasswordRule.LENGTH)},
        {"rules": (*PasswordRule, "one_digit")},
        {"rules": (*PasswordRule, str.isalnum)},
    ],
    ids=str,
)
def test_values_that_break_a_rule_of_security_are_refused_at_start_up(values: dict[str, Any]) -> None:
    with pytest.raises(BadPolicy):
        PasswordPolicy(**values)


@pytest.mark.proves("PAS-1")
@pytest.mark.parametrize(
    "values",
    [
        {"min_single_factor": 8, "min_with_second_factor": 8},
        {"max_length": 64},
        {"max_length": 1024},
        {"history": 10},
        {"rules": (PasswordRule.LENGTH, PasswordRule.CHARACTERS, PasswordRule.HISTORY)},
    ],
    ids=str,
)
def test_values_at_the_edge_are_accepted(values: dict[str, Any]) -> None:
    PasswordPolicy(**values)


@pytest.mark.proves("PAS-1")
def test_there_is_no_way_to_ask_for_kinds_of_characters_expiry_or_hints() -> None:
    fields = set(attrs.fields_dict(PasswordPolicy))
    assert fields == {
        "min_single_factor",
        "min_with_second_factor",
        "max_length",
        "rules",
        "common_list",
        "context_words",
        "breach",
        "history",
        "hashing",
        "pepper",
        "remind_after",
    }
    assert {rule.value for rule in PasswordRule} == {"length", "characters", "common", "pattern", "context", "history"}


@pytest.mark.parametrize(
    "values",
    [
        {"min_single_factor": "15"},
        {"max_length": 256.0},
        {"rules": [PasswordRule.LENGTH]},
        {"context_words": "lamp"},
        {"context_words": (4,)},
        {"history": None},
        {"hashing": "owasp_46mib"},
    ],
    ids=str,
)
def test_a_value_of_the_wrong_type_is_a_type_error(values: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        PasswordPolicy(**values)


@pytest.mark.proves("PAS-1")
def test_eight_characters_is_a_named_profile_that_says_what_it_does_not_meet() -> None:
    policy = PasswordPolicy.eight_characters()
    assert policy.min_single_factor == 8
    assert [deviation.rule for deviation in policy.deviations] == ["NIST 3.1.1.2(1)"]


def test_each_rule_that_is_left_out_is_told_as_a_deviation() -> None:
    kept = (PasswordRule.LENGTH, PasswordRule.CHARACTERS, PasswordRule.HISTORY)
    deviations = PasswordPolicy(rules=kept).deviations
    assert [deviation.rule for deviation in deviations] == ["ASVS 6.2.4", "NIST 3.1.1.2", "ASVS 6.2.11"]


def test_the_minimum_depends_on_whether_the_account_reaches_multi() -> None:
    policy = PasswordPolicy()
    assert [policy.minimum(level) for level in Level] == [15, 15, 8]


@pytest.mark.proves("PAS-1")
@pytest.mark.parametrize(
    ("memory", "passes", "lanes"),
    [
        (47_103, 1, 1),
        (19_455, 2, 1),
        (12_287, 3, 1),
        (12_287, 10, 1),
        (262_145, 1, 1),
        (47_104, 0, 1),
        (47_104, 11, 1),
        (47_104, 1, 0),
        (47_104, 1, 17),
    ],
)
def test_a_hash_that_is_too_cheap_or_too_dear_is_refused(memory: int, passes: int, lanes: int) -> None:
    with pytest.raises(BadPolicy):
        Argon2Profile(memory_kib=memory, passes=passes, lanes=lanes)


@pytest.mark.parametrize(
    ("memory", "passes", "lanes"), [(47_104, 1, 1), (19_456, 2, 1), (12_288, 3, 1), (12_288, 10, 16), (262_144, 1, 16)]
)
def test_a_hash_at_the_floor_or_at_the_cap_is_accepted(memory: int, passes: int, lanes: int) -> None:
    Argon2Profile(memory_kib=memory, passes=passes, lanes=lanes)


def test_the_named_costs_are_those_of_their_sources() -> None:
    named = (Argon2Profile.owasp_46mib(), Argon2Profile.owasp_19mib(), Argon2Profile.rfc9106_low_memory())
    costs = [(profile.memory_kib, profile.passes, profile.lanes) for profile in named]
    assert costs == [(47_104, 1, 1), (19_456, 2, 1), (65_536, 3, 4)]
    assert not any(profile.for_tests for profile in named)


@pytest.mark.proves("PAS-1")
def test_the_cost_for_tests_is_marked_as_such_and_still_a_possible_one() -> None:
    assert Argon2Profile.tests_only().for_tests
    with pytest.raises(BadPolicy):
        Argon2Profile(memory_kib=8, passes=1, lanes=2, for_tests=True)
