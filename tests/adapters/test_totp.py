"""The codes of authenticator apps against the published vectors, and each trap of the package that makes them."""

import base64
import os
import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.adapters.totp import PyotpTotp
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.secret import Secret
from shopaccounts.signin.factor_policy import TotpAlgorithm, TotpParameters
from shopaccounts.signin.factors.totp import step_at

CODES = PyotpTotp()
USUAL = TotpParameters()
TWENTY = b"12345678901234567890"
SECRETS = {
    TotpAlgorithm.SHA1: TWENTY,
    TotpAlgorithm.SHA256: b"12345678901234567890123456789012",
    TotpAlgorithm.SHA512: b"1234567890123456789012345678901234567890123456789012345678901234",
}
HOTP = ("755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489")
TOTP = (
    (59, "94287082", "46119246", "90693936"),
    (1111111109, "07081804", "68084774", "25091201"),
    (1111111111, "14050471", "67062674", "99943326"),
    (1234567890, "89005924", "91819424", "93441116"),
    (2000000000, "69279037", "90698825", "38618901"),
    (20000000000, "65353130", "77737706", "47863826"),
)
SHARES = 910_737
"""The first step of this secret whose code is that of the next one too."""
NOW = datetime(2031, 5, 4, 10, 0, 40, tzinfo=UTC)


def at(seconds):
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def code_of(step, secret=TWENTY):
    return pyotp.TOTP(base64.b32encode(secret).decode()).generate_otp(step)


def matching(code, *, now=NOW, secret=TWENTY, made=USUAL, past=1, future=1):
    return CODES.matching_step(Secret(secret), code, now, made, past=past, future=future)


@pytest.mark.proves("ADA-206")
@pytest.mark.parametrize(("counter", "code"), list(enumerate(HOTP)))
def test_the_codes_are_those_of_rfc_4226_appendix_d(counter: int, code: str) -> None:
    assert matching(code, now=at(counter * 30), past=0, future=0) == counter


@pytest.mark.proves("ADA-206")
@pytest.mark.parametrize(("seconds", "sha1", "sha256", "sha512"), TOTP)
def test_the_codes_are_those_of_rfc_6238_appendix_b(seconds: int, sha1: str, sha256: str, sha512: str) -> None:
    for algorithm, code in zip(TotpAlgorithm, (sha1, sha256, sha512), strict=True):
        made = TotpParameters(digits=8, algorithm=algorithm)
        given_one = {"now": at(seconds), "secret": SECRETS[algorithm], "made": made, "past": 0, "future": 0}
        assert matching(code, **given_one) == seconds // 30
        others = {one: SECRETS[one] for one in TotpAlgorithm if one is not algorithm}
        assert all(matching(code, **{**given_one, "secret": secret}) is None for secret in others.values())


@pytest.mark.proves("ADA-206")
@pytest.mark.parametrize("steps", range(-4, 5))
@pytest.mark.parametrize(("past", "future"), [(0, 0), (1, 0), (0, 1), (1, 1), (2, 1), (0, 2)])
def test_each_side_of_the_window_is_its_own(steps: int, past: int, future: int) -> None:
    step = step_at(NOW, 30) + steps
    assert matching(code_of(step), past=past, future=future) == (step if -past <= steps <= future else None)


@pytest.mark.proves("ADA-206")
def test_digits_of_other_scripts_that_the_package_would_fold_match_nothing() -> None:
    code = code_of(step_at(NOW, 30))
    wide = code.translate({ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789"})
    assert pyotp.TOTP(base64.b32encode(TWENTY).decode()).verify(wide, for_time=int(NOW.timestamp()))
    assert matching(code) is not None
    assert matching(wide) is None


@pytest.mark.proves("ADA-206")
def test_what_is_no_text_of_exactly_that_many_digits_matches_nothing() -> None:
    code = code_of(step_at(NOW, 30))
    others: tuple[Any, ...] = (int(code), code.encode(), f" {code}", f"{code}\n", f"{code}0", code[1:], "", None)
    assert [matching(other) for other in others] == [None] * len(others)


@pytest.mark.proves("ADA-206")
def test_a_code_that_begins_with_zeros_matches() -> None:
    assert code_of(36).startswith("00")
    assert matching(code_of(36), now=at(36 * 30)) == 36


@pytest.mark.proves("ADA-206")
def test_of_steps_that_share_a_code_the_last_is_answered_so_that_it_can_not_be_used_twice() -> None:
    assert code_of(SHARES) == code_of(SHARES + 1)
    assert matching(code_of(SHARES), now=at(SHARES * 30)) == SHARES + 1


@pytest.mark.proves("ADA-206")
def test_a_wrong_code_is_answered_and_not_raised() -> None:
    steps = range(step_at(NOW, 30) - 1, step_at(NOW, 30) + 2)
    wrong = next(code for code in ("000000", "111111", "222222", "333333") if code not in map(code_of, steps))
    assert matching(wrong) is None


@pytest.mark.proves("ADA-206", "SIG-35")
@given(st.integers(0, 4_000_000_000), st.integers(-14 * 60, 14 * 60))
def test_the_time_zone_of_a_time_makes_no_difference(seconds: int, minutes: int) -> None:
    elsewhere = at(seconds).astimezone(timezone(timedelta(minutes=minutes)))
    assert step_at(elsewhere, 30) == seconds // 30
    assert matching(code_of(seconds // 30), now=elsewhere, past=0, future=0) == seconds // 30


@pytest.mark.proves("ADA-206", "SIG-35")
def test_neither_the_wall_clock_nor_its_zone_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object) -> float:
        pytest.fail("the clock was asked")

    monkeypatch.setattr(time, "time", asked)
    monkeypatch.setitem(os.environ, "TZ", "Pacific/Kiritimati")
    assert matching(code_of(step_at(NOW, 30))) == step_at(NOW, 30)


@pytest.mark.proves("ADA-206")
@pytest.mark.parametrize("count", [0, 1, 13])
def test_a_secret_below_112_bits_is_a_defect_that_does_not_show_it(count: int) -> None:
    with pytest.raises(Defect) as refused:
        matching("123456", secret=b"s" * count)
    assert "ss" not in str(refused.value)
    assert refused.value.__cause__ is refused.value.__context__ is None


@pytest.mark.proves("ADA-206")
def test_parameters_that_no_app_knows_are_a_defect() -> None:
    with pytest.raises(Defect):
        matching("123456", made=TotpParameters(period=121))


@pytest.mark.proves("ADA-206")
def test_before_the_first_step_there_is_none() -> None:
    assert matching(code_of(0), now=at(0)) == 0
    assert matching(code_of(1), now=at(0)) == 1
