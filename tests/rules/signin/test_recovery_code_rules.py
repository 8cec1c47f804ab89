"""Recovery codes as rules: how they look and are read, whose they are, and that each is spent once."""

import re
from datetime import UTC, datetime, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.chance import CROCKFORD
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.vault import Key, KeyState
from shopaccounts.signin.factor_policy import RecoveryCodePolicy
from shopaccounts.signin.factors.recovery_codes import (
    canonical_recovery_code,
    draw_recovery_codes,
    recovery_code_mac,
    replaced_recovery_code,
    spent_recovery_code,
)
from shopaccounts.testing.doubles import ScriptedEntropy

NOW = datetime(2031, 1, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
ANN, BEA = AccountId("ann"), AccountId("bea")
POLICY = RecoveryCodePolicy()
KEY = Key(id="1" * 32, secret=Secret(b"k" * 32), state=KeyState.ACTIVE)
OLDER = Key(id="2" * 32, secret=Secret(b"o" * 32), state=KeyState.READING)
HABITS = (str.lower, str.upper, lambda t: t.replace("-", ""), lambda t: t.replace("-", " "), lambda t: f"  {t} -")
MISREAD = st.sampled_from([("0", "O"), ("0", "o"), ("1", "I"), ("1", "l"), ("1", "L"), ("1", "i")])


def drawn(account=ANN, key=KEY, seed="codes"):
    return draw_recovery_codes(account, POLICY, key, ScriptedEntropy(seed), NOW)


def spend(codes, shown, account=ANN, keys=(KEY, OLDER), now=LATER):
    typed = canonical_recovery_code(shown)
    return spent_recovery_code(codes, account, typed, keys, now) if typed else None


@pytest.mark.proves("SIG-40")
def test_a_set_is_of_ten_different_codes_of_six_groups_of_four() -> None:
    codes = drawn()
    texts = [code.reveal() for code in codes.shown]
    assert len(set(texts)) == len(codes.kept.codes) == codes.kept.left == 10
    assert all(re.fullmatch(f"[{CROCKFORD}]{{4}}(-[{CROCKFORD}]{{4}}){{5}}", text) for text in texts)
    assert POLICY.bits == 24 * 5 >= 112


@pytest.mark.proves("SIG-40", "SIG-43")
def test_what_is_kept_shows_no_code_and_nothing_prints_one() -> None:
    codes = drawn()
    kept = f"{codes!r} {codes.kept!r} {attrs.asdict(codes.kept)}"
    assert not any(code.reveal() in kept or code.reveal().replace("-", "") in kept for code in codes.shown)


@pytest.mark.proves("SIG-40")
@given(st.integers(0, 9), st.sampled_from(HABITS), MISREAD)
def test_case_blanks_hyphens_and_signs_that_look_alike_make_no_difference(
    place: int, habit: object, misread: tuple[str, str]
) -> None:
    assert callable(habit)
    codes = drawn()
    text = codes.shown[place].reveal()
    assert spend(codes.kept, habit(text).replace(*misread)) == spend(codes.kept, text) is not None


@pytest.mark.proves("SIG-40")
@pytest.mark.parametrize("typed", [None, 7, b"AAAA", "", " - ", "UUUU", "ÄAAA", "０000", "A" * 201, "A\nB", "A_B"])
def test_what_can_be_no_code_is_none(typed: object) -> None:
    assert canonical_recovery_code(typed) is None


@pytest.mark.proves("SIG-41")
def test_a_code_is_spent_once_and_the_others_stay() -> None:
    codes = drawn()
    after = spend(codes.kept, codes.shown[3].reveal())
    assert after is not None
    assert after.left == 9
    assert after.codes[3].spent_at == LATER
    assert spend(after, codes.shown[3].reveal()) is None
    assert all(spend(after, code.reveal()) for place, code in enumerate(codes.shown) if place != 3)


@pytest.mark.proves("SIG-41")
@given(st.lists(st.integers(0, 9), max_size=40))
def test_every_code_is_spent_at_most_once_in_any_order(order: list[int]) -> None:
    codes = drawn()
    kept, used = codes.kept, set[int]()
    for place in order:
        after = spend(kept, codes.shown[place].reveal())
        assert (after is None) == (place in used)
        used.add(place)
        kept = after or kept
        assert kept.left == 10 - len(used)


@pytest.mark.proves("SIG-41")
def test_another_accounts_code_is_wrong() -> None:
    codes = drawn()
    assert all(spend(codes.kept, code.reveal(), account=BEA) is None for code in codes.shown)
    assert all(spend(drawn(BEA).kept, code.reveal(), account=BEA) for code in drawn(BEA).shown)


@pytest.mark.proves("SIG-40")
def test_a_digest_is_keyed_and_belongs_to_one_account_and_code() -> None:
    macs = {
        recovery_code_mac(key.secret, account, code)
        for key in (KEY, OLDER)
        for account in (ANN, BEA, AccountId("ann\0A"))
        for code in ("A", "B", "AA")
    }
    assert len(macs) == 18


@pytest.mark.proves("SIG-40")
def test_codes_under_an_older_key_count_until_that_key_is_gone() -> None:
    codes = drawn(key=OLDER)
    assert spend(codes.kept, codes.shown[0].reveal())
    assert spend(codes.kept, codes.shown[0].reveal(), keys=(KEY,)) is None


@pytest.mark.proves("SIG-42")
def test_a_fresh_code_takes_the_place_of_the_one_that_was_used() -> None:
    codes = drawn()
    used = spend(codes.kept, codes.shown[3].reveal())
    assert used
    replaced = replaced_recovery_code(used, ANN, POLICY, KEY, ScriptedEntropy("fresh"))
    assert replaced.kept.left == 10
    assert [one == other for one, other in zip(replaced.kept.codes, codes.kept.codes, strict=True)].count(False) == 1
    (fresh,) = replaced.shown
    assert spend(replaced.kept, fresh.reveal())
    assert spend(replaced.kept, codes.shown[3].reveal()) is None
