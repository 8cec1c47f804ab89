"""Codes of authenticator apps as rules: which step counts, that it counts once, and the text that sets an app up."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.adapters.totp import PyotpTotp
from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.signin.authenticators import FactorKind
from shopaccounts.signin.factor_policy import (
    RecoveryCodePolicy,
    SecondFactorMode,
    SecondFactorPolicy,
    TotpAlgorithm,
    TotpParameters,
    TotpPolicy,
)
from shopaccounts.signin.factors.totp import (
    Accepted,
    NotAccepted,
    WhyNotAccepted,
    judge_totp,
    otpauth_uri,
    secret_text,
    step_at,
)

POLICY = TotpPolicy()
SECRET = Secret(b"12345678901234567890")
AT = datetime(2031, 5, 4, 10, 0, 40, tzinfo=UTC)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


def code_of(step):
    return pyotp.TOTP(secret_text(SECRET).reveal()).generate_otp(step)


def give(code, last_step, now, policy=POLICY):
    """Judge a code as it is typed."""
    window = {"past": policy.past_steps, "future": policy.future_steps}
    matched = PyotpTotp().matching_step(SECRET, code, now, policy.parameters, **window)
    return judge_totp(matched, last_step, step_at(now, policy.parameters.period), policy)


@pytest.mark.proves("SIG-35", "SIG-36")
def test_a_code_of_the_step_before_counts_once_and_never_after_a_newer_one() -> None:
    assert step_at(AT, 30) == 64521841
    assert give(code_of(64521840), -1, AT) == Accepted(64521840)
    later = datetime(2031, 5, 4, 10, 1, 5, tzinfo=UTC)
    assert step_at(later, 30) == 64521842
    assert give(code_of(64521841), 64521840, later) == Accepted(64521841)
    for last_step in (64521840, 64521841):
        assert isinstance(give(code_of(64521840), last_step, later), NotAccepted)
    still_in_its_window = AT + timedelta(seconds=5)
    assert give(code_of(64521840), 64521840, still_in_its_window) == NotAccepted(WhyNotAccepted.REPLAYED)
    assert give(code_of(64521840), 64521841, still_in_its_window) == NotAccepted(WhyNotAccepted.REPLAYED)


@pytest.mark.proves("SIG-35")
@given(st.integers(0, 10**8), st.integers(-5, 5), st.integers(0, 2), st.integers(0, 2))
def test_a_step_counts_within_its_window_and_not_outside(now_step: int, off: int, past: int, future: int) -> None:
    policy = TotpPolicy(past_steps=past, future_steps=future)
    judged = judge_totp(now_step + off, -10, now_step, policy)
    within = -past <= off <= future
    assert judged == (Accepted(now_step + off) if within else NotAccepted(WhyNotAccepted.OUTSIDE_WINDOW))


@pytest.mark.proves("SIG-35", "SIG-36")
def test_a_wrong_code_belongs_to_no_step() -> None:
    assert judge_totp(None, -1, 5, POLICY) == NotAccepted(WhyNotAccepted.WRONG)


@pytest.mark.proves("SIG-36")
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(-3, 3)), max_size=60), st.integers(0, 2), st.integers(0, 2))
def test_the_steps_that_one_factor_accepts_strictly_increase(
    tries: list[tuple[int, int]], past: int, future: int
) -> None:
    policy, last, accepted = TotpPolicy(past_steps=past, future_steps=future), -1, []
    for now_step, off in tries:
        judged = judge_totp(now_step + off, last, now_step, policy)
        if isinstance(judged, Accepted):
            last = judged.step
            accepted.append(last)
    assert accepted == sorted(set(accepted))


@pytest.mark.proves("SIG-35")
@given(st.integers(0, 10**10), st.sampled_from([15, 30, 60, 120]), st.integers(0, 999_999))
def test_a_step_is_the_whole_number_of_periods_since_1970(seconds: int, period: int, micros: int) -> None:
    now = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds, microseconds=micros)
    assert step_at(now, period) == seconds // period


@pytest.mark.proves("SIG-38")
def test_the_text_that_sets_an_app_up_leaves_out_what_every_app_expects() -> None:
    uri = otpauth_uri(SECRET, "Lampen & Haus: Süd", "n•••@l.example", TotpParameters()).reveal()
    assert uri == (
        "otpauth://totp/Lampen%20%26%20Haus%3A%20S%C3%BCd:n%E2%80%A2%E2%80%A2%E2%80%A2%40l.example"
        "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Lampen%20%26%20Haus%3A%20S%C3%BCd"
    )


@pytest.mark.proves("SIG-38")
@given(NAMES, NAMES, st.sampled_from(TotpAlgorithm), st.sampled_from([6, 7, 8]), st.sampled_from([15, 30, 60]))
def test_an_app_reads_back_what_it_was_set_up_with(
    issuer: str, account: str, algorithm: TotpAlgorithm, digits: int, period: int
) -> None:
    made = TotpParameters(digits=digits, period=period, algorithm=algorithm)
    parts = urlsplit(otpauth_uri(SECRET, issuer, account, made).reveal())
    assert (parts.scheme, parts.netloc, parts.fragment) == ("otpauth", "totp", "")
    prefix, colon, name = parts.path[1:].partition(":")
    assert (unquote(prefix), colon, unquote(name)) == (issuer, ":", account)
    said = parse_qs(parts.query, strict_parsing=True)
    assert said.pop("secret") == [secret_text(SECRET).reveal()]
    assert said.pop("issuer") == [issuer]
    usual = {"algorithm": ["SHA1"], "digits": ["6"], "period": ["30"]}
    assert all(said[key] != usual[key] for key in said)
    expected = {"algorithm": [algorithm.value], "digits": [str(digits)], "period": [str(period)]}
    assert {**usual, **said} == expected


@pytest.mark.proves("SIG-38", "SIG-39")
def test_neither_the_text_nor_the_secret_shows_itself() -> None:
    shown = f"{otpauth_uri(SECRET, 'a', 'b', TotpParameters())!r} {secret_text(SECRET)}"
    assert "GEZD" not in shown


@pytest.mark.proves("SIG-35")
@pytest.mark.parametrize(
    "wrong",
    [
        {"digits": 5},
        {"digits": 9},
        {"period": timedelta(seconds=14)},
        {"period": timedelta(seconds=121)},
        {"period": timedelta(milliseconds=30_500)},
        {"secret_bits": 104},
        {"secret_bits": 161},
        {"past_steps": -1},
        {"past_steps": 3},
        {"future_steps": -1},
        {"future_steps": 3},
    ],
    ids=str,
)
def test_codes_that_apps_or_standards_do_not_allow_are_a_bad_policy(wrong: dict[str, object]) -> None:
    with pytest.raises(BadPolicy):
        TotpPolicy(**wrong)  # type: ignore[arg-type]  # each is one field


@pytest.mark.proves("SIG-35")
def test_codes_are_of_six_digits_and_thirty_seconds_with_one_step_on_each_side() -> None:
    assert POLICY.parameters == TotpParameters(digits=6, period=30, algorithm=TotpAlgorithm.SHA1)
    assert (POLICY.secret_bits, POLICY.past_steps, POLICY.future_steps) == (160, 1, 1)


@pytest.mark.proves("SIG-40")
@pytest.mark.parametrize(
    "wrong", [{"count": 0}, {"count": 33}, {"bits": 100}, {"bits": 125}, {"low_mark": -1}, {"low_mark": 11}], ids=str
)
def test_recovery_codes_that_can_be_guessed_or_never_run_low_are_a_bad_policy(wrong: dict[str, int]) -> None:
    with pytest.raises(BadPolicy):
        RecoveryCodePolicy(**wrong)  # type: ignore[arg-type]  # each is one field


@pytest.mark.proves("SIG-33")
def test_texts_that_need_something_stronger_beside_them_are_not_offered_alone() -> None:
    with pytest.raises(BadPolicy):
        SecondFactorPolicy(kinds=frozenset({FactorKind.SMS, FactorKind.RECOVERY_CODES}))
    SecondFactorPolicy(kinds=frozenset({FactorKind.SMS}), sms_needs_alternative=False)
    SecondFactorPolicy(kinds=frozenset({FactorKind.SMS, FactorKind.PASSKEY}))


@pytest.mark.proves("SIG-34")
def test_a_shop_that_demands_a_second_factor_offers_one_beyond_the_mailbox() -> None:
    mailbox = frozenset({FactorKind.EMAIL_STEP, FactorKind.RECOVERY_CODES})
    with pytest.raises(BadPolicy):
        SecondFactorPolicy(mode=SecondFactorMode.REQUIRED, kinds=mailbox)
    SecondFactorPolicy(mode=SecondFactorMode.REQUIRED, kinds=mailbox | {FactorKind.TOTP})
    SecondFactorPolicy(kinds=mailbox)
