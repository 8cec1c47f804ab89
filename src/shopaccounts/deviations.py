"""What is compared where a shop's policies are held against a standard's: one row for each value that a shop can set.

A row tells where the value stands, when it is strong enough, and which requirement wants it: by the number of OWASP
ASVS 5.0.0 or of NIST SP 800-63B-4, or "house" where the standard leaves it to the shop.
"""

import math
from collections.abc import Callable
from datetime import timedelta
from operator import ge, le
from typing import Any, Final

import attrs

from shopaccounts.kernel.limits import Wait, Window
from shopaccounts.passwords import OnOutage, PasswordRule
from shopaccounts.providers import AutoLink
from shopaccounts.recovery import CasePolicy, SecondFactorAt
from shopaccounts.settings import Policies
from shopaccounts.signin import CodeWay, FactorKind, IdleReauth, RenewalPolicy, SecondFactorMode, StepUpPolicy

__all__ = ["ROWS", "Row", "links_by_address", "said"]

_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)
_MINUTE: Final = timedelta(minutes=1)
_NEVER: Final = timedelta.max
_NO_TIME: Final = timedelta(0)
_BY_MAIL: Final = frozenset({CodeWay.EMAIL_CODE, CodeWay.EMAIL_LINK})
_BY_PHONE: Final = frozenset({CodeWay.SMS_CODE, CodeWay.VOICE})


@attrs.frozen
class Row:
    """One value that a shop can set weaker than a standard's profile.

    Args:
        what: The value, as a person reads it.
        value: Where it stands.
        enough: Whether the first value is as strong as the second.
        asvs, nist: The requirement, where the standard has one.
        aal2: The requirement of NIST's second level, where it is another.
    """

    what: str
    value: Callable[[Policies], Any]
    enough: Callable[[Any, Any], bool]
    asvs: str = ""
    nist: str = ""
    aal2: str = ""

    def rule(self, standard: str) -> str:
        """Answer the requirement in the standard's own numbering."""
        if standard.startswith("asvs"):
            return f"ASVS {self.asvs}" if self.asvs else "house"
        section = (self.aal2 if standard == "nist-aal2" else "") or self.nist
        return f"NIST {section}" if section else "house"


def _has(rule: PasswordRule) -> Callable[[Policies], bool]:
    return lambda policies: rule in policies.passwords.rules


def _refuses_unchecked(policies: Policies) -> bool:
    breach = policies.passwords.breach
    return breach is not None and breach.on_outage is OnOutage.REFUSE


def _asks_at_sign_in(policies: Policies) -> bool:
    breach = policies.passwords.breach
    return breach is not None and breach.at_sign_in


def _remembered(policies: Policies) -> tuple[timedelta, timedelta]:
    sessions = policies.sessions
    return sessions.lives(remembered=True) if sessions.remembers else (timedelta(0), timedelta(0))


def _reuse_grace(policies: Policies) -> timedelta:
    renewal = policies.sessions.renewal or RenewalPolicy()
    return renewal.reuse_grace


def _oldest_proof(policies: Policies) -> timedelta:
    rules = policies.step_up.rules
    return max(rules[operation].max_age if operation in rules else _NEVER for operation in StepUpPolicy().rules)


def _weaker_operations(policies: Policies) -> int:
    rules, usual = policies.step_up.rules, StepUpPolicy().rules
    return sum(operation in rules and rules[operation].level < need.level for operation, need in usual.items())


def _requires_a_second(policies: Policies) -> bool:
    return policies.second_factor.mode is SecondFactorMode.REQUIRED


def _takes_mail_steps(policies: Policies) -> bool:
    return policies.second_factor.offers(FactorKind.EMAIL_STEP)


def _opens(ways: frozenset[CodeWay]) -> Callable[[Policies], bool]:
    return lambda policies: bool(ways & policies.code_sign_in.ways)


def links_by_address(policies: Policies) -> bool:
    """Tell whether some provider opens accounts that its customers haven't linked, by the address alone."""
    return any(config.auto_link is AutoLink.BOTH_VERIFIED for config in policies.providers.enabled)


def _asks_for_user(policies: Policies) -> bool:
    return policies.passkeys is None or policies.passkeys.user_verification != "discouraged"


def _waits(at: str, failures: str, wait: Callable[[Policies], Wait], asvs: str) -> tuple[Row, ...]:
    """Answer the rows of something that can be guessed at."""
    after, forgotten = f" after {failures}" if at else "", f"{failures} are forgotten after"
    return (
        Row(f"guesses{at} without a wait", lambda p: wait(p).free, le, asvs, "3.2.2"),
        Row(f"first wait{after}", lambda p: wait(p).base, ge, asvs, "3.2.2"),
        Row(f"longest wait{after}", lambda p: wait(p).cap, ge, asvs, "3.2.2"),
        Row(forgotten, lambda p: wait(p).forget_after or _NEVER, ge, asvs, "3.2.2"),
    )


def _wait_of(what: str, wait: Callable[[CasePolicy], timedelta | None]) -> Row:
    """Answer the row of a way back in that waits; one that isn't offered waits for ever."""

    def waited(policies: Policies) -> timedelta:
        time = wait(policies.cases)
        return _NEVER if time is None else time

    return Row(what, waited, ge, "6.4.4", "4.2.1.2", "4.2.2.2")


def _takes_agent(policies: Policies) -> bool:
    return policies.cases.factor_by_mailbox_takes_agent or policies.cases.factor_by_mailbox is None


def _a_day(window: Window) -> float:
    return window.limit * (_DAY / window.per)


_AT_RESET: Final = ("6.4.3", "4.2.2.2")
ROWS: Final = (
    Row("shortest password", lambda p: p.passwords.min_single_factor, ge, "6.2.1", "3.1.1.2(1)"),
    Row("common passwords are refused", _has(PasswordRule.COMMON), ge, "6.2.4", "3.1.1.2"),
    Row("simple patterns are refused", _has(PasswordRule.PATTERN), ge, "", "3.1.1.2"),
    Row("words of shop and person are refused", _has(PasswordRule.CONTEXT), ge, "6.2.11", "3.1.1.2"),
    Row("leaked passwords are refused", lambda p: p.passwords.breach is not None, ge, "6.2.12", "3.1.1.2"),
    Row("leaks are looked for at sign-in", _asks_at_sign_in, ge, "", "3.1.1.2(6)"),
    Row("unchecked passwords are refused", _refuses_unchecked, ge, "16.5.3", "3.1.1.2"),
    Row("passwords may grow old", lambda p: p.passwords.remind_after is None, ge, "6.2.10", "3.1.1.2(6)"),
    Row("questions are not asked", lambda p: not p.questions.enabled, ge, "6.4.2", "3.1.1.2(8)"),
    Row("hashes are dear", lambda p: not p.passwords.hashing.for_tests, ge, "11.4.2", "3.1.1.2"),
    *_waits("", "failures", lambda p: p.attempts.password, "6.3.1"),
    Row("failures that disable", lambda p: p.attempts.password.disable_after or math.inf, le, "", "3.2.2"),
    *_waits(" at a second step", "wrong second steps", lambda p: p.attempts.factor, "6.6.3"),
    *_waits(" at a sign-in code", "wrong sign-in codes", lambda p: p.code_sign_in.waits, "6.6.3"),
    Row("answers to a sign-in code", lambda p: p.code_sign_in.tries, le, "6.6.3", "3.1.3.2"),
    Row("a second factor is asked of everybody", _requires_a_second, ge, "6.3.3", "", "2.2"),
    Row("the mailbox is a second step", _takes_mail_steps, le, "6.3.6", "3.1.3.1"),
    Row("texts need a stronger step", lambda p: p.second_factor.sms_needs_alternative, ge, "6.6.1", "3.2.9"),
    Row("a new factor ends sessions", lambda p: p.second_factor.end_other_sessions, ge, "7.4.3"),
    Row("passkeys ask for their user", _asks_for_user, ge, "6.3.3", "3.1.7.2"),
    Row("accounts are linked by their address", links_by_address, le, "6.8.1"),
    Row("earlier codes of an app that count", lambda p: p.totp.past_steps, le, "6.5.5"),
    Row("later codes of an app that count", lambda p: p.totp.future_steps, le, "6.5.5"),
    Row("a recovery code that was used is replaced", lambda p: p.recovery_codes.replace_used, ge, "", "4.2.1.1"),
    Row("the mailbox opens accounts", _opens(_BY_MAIL), le, "6.3.6", "3.1.3.1"),
    Row("a phone opens accounts", _opens(_BY_PHONE), le, "", "3.1.3.3"),
    Row("a device stands for the second step for", lambda p: p.devices.trusted_for or _NO_TIME, le, "", "5.1"),
    Row("free failures of a network", lambda p: p.attempts.network.free, le, "6.3.1", "3.2.2"),
    Row("mails to a mailbox, by the hourly rate a day", lambda p: _a_day(p.sends.mailbox_hourly), le, "2.4.1"),
    Row("mails to a mailbox a day", lambda p: _a_day(p.sends.mailbox_daily), le, "2.4.1"),
    Row("texts to a phone, by the hourly rate a day", lambda p: _a_day(p.sends.phone_hourly), le, "2.4.1"),
    Row("texts to a phone a day", lambda p: _a_day(p.sends.phone_daily), le, "2.4.1"),
    Row("mails for a network a day", lambda p: _a_day(p.sends.network_hourly), le, "2.4.1"),
    Row("registrations of a network a day", lambda p: _a_day(p.registration.attempts_per_network), le, "2.4.1"),
    Row("idle sessions end after", lambda p: p.sessions.idle, le, "7.3.1", "2.1.3", "2.2.3"),
    Row("sessions end after", lambda p: p.sessions.absolute, le, "7.3.2", "2.1.3", "2.2.3"),
    Row("who wants to stays signed in without a visit for", lambda p: _remembered(p)[0], le, "7.3.1", "5.1"),
    Row("who wants to stays signed in for", lambda p: _remembered(p)[1], le, "7.3.2", "5.1"),
    Row("idle sessions are over", lambda p: p.sessions.idle_reauth is IdleReauth.FULL, ge, "7.3.1", "2.1.3", "2.2.3"),
    Row("sessions at once", lambda p: p.sessions.max_sessions, le, "7.1.2"),
    Row("a renewed value works again for", _reuse_grace, le, "10.4.5"),
    Row("proofs for what matters are younger than", _oldest_proof, le, "7.5.1", "4.1.2.1"),
    Row("operations below their level", _weaker_operations, le, "7.5.1", "4.1.2.1"),
    Row("a reset takes the second factor", lambda p: p.resets.second_factor_at is SecondFactorAt.RESET, ge, *_AT_RESET),
    _wait_of("a lost second factor waits, by two methods", lambda cases: cases.factor_by_two_methods),
    _wait_of("a lost second factor waits, by the mailbox", lambda cases: cases.factor_by_mailbox),
    Row("a lost second factor takes an agent, by the mailbox", _takes_agent, ge, "6.4.4"),
    _wait_of("a lost mailbox waits, by two factors", lambda cases: cases.mailbox_by_two_factors),
    _wait_of("a lost mailbox waits, by a recovery address", lambda cases: cases.mailbox_by_recovery_address),
    _wait_of("a lost mailbox waits, by a phone", lambda cases: cases.mailbox_by_phone),
    _wait_of("who lost everything waits, by two agents", lambda cases: cases.everything_by_agents),
    Row("a recovered account is held for", lambda p: p.cases.hold_after, ge),
    Row("a changed address can be taken back for", lambda p: p.contact_changes.undo_window, ge),
    Row("a changed address holds the account for", lambda p: p.contact_changes.hold_after, ge),
    Row("ways in which agents act for customers", lambda p: len(p.impersonation.scopes), le),
    Row("secrets travel over TLS", lambda p: p.transport.require_secure, ge, "12.2.1", "5.1"),
    Row("even on the own machine", lambda p: not p.transport.allow_loopback, ge, "12.2.1", "5.1"),
)


def said(value: Any) -> str:
    """Answer a value as a person reads it."""
    match value:
        case bool():
            return "yes" if value else "no"
        case timedelta():
            return "never" if value == _NEVER else _span(value)
        case _:
            return "never" if value == math.inf else f"{value:g}"


def _span(value: timedelta) -> str:
    """Answer a time in the largest unit that fits it."""
    if not value:
        return "none"
    units = {"day": _DAY, "hour": _HOUR, "minute": _MINUTE, "second": timedelta(seconds=1)}
    unit, size = next((item for item in units.items() if value >= item[1]), ("second", units["second"]))
    count = value / size
    return f"{count:g} {unit}{'' if count == 1 else 's'}"
