"""The passwords that everybody tries first."""

import hashlib
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.passwords import BUILT_IN, Fingerprints
from shopaccounts.passwords import common as module

SHIPPED = files("shopaccounts.passwords").joinpath("data", "common_passwords.bin").read_bytes()
LISTED = ["password", "iloveyou", "trustno1", "12345678", "passwordpassword", "qazwsxedcrfvtgb", "123456789987654321"]

pytestmark = pytest.mark.proves("PAS-12")


def entries(tier: bytes) -> list[bytes]:
    return [tier[start : start + 8] for start in range(0, len(tier), 8)]


def test_the_shipped_list_has_at_least_three_thousand_entries_in_each_tier() -> None:
    short, long = Fingerprints(SHIPPED).counts
    assert (short, long) == (11_000, 3_536)
    assert min(short, long) >= 3_000


def test_the_shipped_list_costs_at_most_120_kilobytes_and_holds_no_more_than_it_says() -> None:
    short, long = Fingerprints(SHIPPED).counts
    assert len(SHIPPED) == 8 + 8 * (short + long) <= 120_000


def test_each_tier_of_the_shipped_list_is_sorted_and_without_doubles() -> None:
    short, _ = Fingerprints(SHIPPED).counts
    for tier in (SHIPPED[8 : 8 + 8 * short], SHIPPED[8 + 8 * short :]):
        assert entries(tier) == sorted(set(entries(tier)))


def test_an_entry_is_the_first_eight_bytes_of_sha_256_of_the_folded_password() -> None:
    short, _ = Fingerprints(SHIPPED).counts
    assert hashlib.sha256(b"password").digest()[:8] in entries(SHIPPED[8 : 8 + 8 * short])
    assert hashlib.sha256(b"passwordpassword").digest()[:8] in entries(SHIPPED[8 + 8 * short :])


@pytest.mark.parametrize("listed", LISTED)
def test_a_frequent_password_is_on_the_list_in_any_letter_case(listed: str) -> None:
    assert BUILT_IN.holds(listed)
    assert BUILT_IN.holds(listed.upper())


@pytest.mark.parametrize("listed", LISTED)
def test_only_the_whole_password_is_looked_up(listed: str) -> None:
    assert not BUILT_IN.holds(f"{listed} and teapot")
    assert not BUILT_IN.holds(f" {listed} ")


def test_the_list_is_read_on_first_use_and_only_once() -> None:
    module._shipped.cache_clear()
    assert "loaded" not in repr(BUILT_IN)
    assert module._shipped.cache_info().currsize == 0
    BUILT_IN.holds("winter teapot")
    BUILT_IN.holds("summer teapot")
    assert (module._shipped.cache_info().misses, module._shipped.cache_info().hits) == (1, 1)


@given(st.lists(st.text(max_size=20), max_size=30), st.text(max_size=20))
def test_a_list_holds_exactly_what_it_was_made_of(listed: list[str], other: str) -> None:
    made = Fingerprints.of(listed)
    assert all(made.holds(password) and made.holds(password.casefold()) for password in listed)
    folded = {module._folded(password) for password in listed}
    assert made.holds(other) == (module._folded(other) in folded)
    assert sum(made.counts) == len(folded)


def test_composed_and_decomposed_entries_are_one() -> None:
    assert Fingerprints.of(["cafe\u0301 noir"]).holds("CAF\u00c9 noir")


def test_an_empty_list_holds_nothing() -> None:
    assert not Fingerprints.of([]).holds("")
    assert not Fingerprints.of([]).holds("a password of many letters")
