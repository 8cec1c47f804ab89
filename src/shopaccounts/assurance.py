"""Which policies a shop takes that has to meet a standard, and where a shop's own policies are weaker than one.

There are five profiles. ``shop-default`` is for shops that answer to nobody but their customers; the others are named
after a level of OWASP ASVS 5.0.0 or of NIST SP 800-63B-4. A profile is a set of policies with a name. A shop may change
any of them: ``deviations`` then tells what it does less than a standard's profile, in the standard's own numbering, and
``check`` refuses what no exception could justify.
"""

import math
from collections.abc import Callable
from datetime import timedelta
from operator import ge, le
from types import MappingProxyType
from typing import Any, Final

import attrs

from shopaccounts.kernel.limits import Wait, Window
from shopaccounts.kernel.policy import Deviation, require
from shopaccounts.passwords import BreachPolicy, OnOutage, PasswordPolicy, PasswordRule
from shopaccounts.recovery import CasePolicy
from shopaccounts.settings import Adapters, Policies
from shopaccounts.signin import (
    ActingScope,
    AttemptPolicy,
    IdleReauth,
    ImpersonationPolicy,
    RenewalPolicy,
    SessionPolicy,
    StepUpPolicy,
)

__all__ = ["AssuranceProfile"]

_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_EIGHT: Final = 8
_NEVER: Final = timedelta.max


@attrs.frozen(kw_only=True)
class AssuranceProfile:
    """Every policy of a shop, by the name of the standard that they were chosen for.

    Change what your shop needs with ``attrs.evolve(profile, policies=attrs.evolve(profile.policies, ...))``.

    Args:
        name: ``shop-default``, ``asvs-l1``, ``asvs-l2``, ``nist-aal1`` or ``nist-aal2``.
        policies: Give them to ``ShopAccounts(policies=...)``.
    """

    name: str
    policies: Policies

    @classmethod
    def named(cls, name: str) -> "AssuranceProfile":
        """Answer a profile as the library ships it.

        Raises:
            BadPolicy: There is no profile of that name.
        """
        require(name in _PROFILES, f"there is no profile {name!r}, but {', '.join(_PROFILES)}")
        return cls(name=name, policies=_PROFILES[name]())

    @classmethod
    def shop_default(cls) -> "AssuranceProfile":
        """Answer the profile for shops that answer to nobody but their customers: every policy's defaults."""
        return cls.named("shop-default")

    def with_eight_characters(self) -> "AssuranceProfile":
        """Answer this profile with passwords of 8 characters, which ASVS 6.2.1 allows and NIST 3.1.1.2(1) doesn't."""
        shorter = attrs.evolve(self.policies.passwords, min_single_factor=_EIGHT)
        return attrs.evolve(self, policies=attrs.evolve(self.policies, passwords=shorter))

    def asvs_l3_overlay(self) -> "AssuranceProfile":
        """Answer this profile with what ASVS asks for at its third level: a session stays with its browser."""
        pinned = attrs.evolve(self.policies.sessions, pin_agent=True)
        return attrs.evolve(self, policies=attrs.evolve(self.policies, sessions=pinned))

    def check(self, adapters: Adapters) -> None:
        """Refuse, at start-up, what this profile forbids and adapters that it can't do without.

        Args:
            adapters: Those that the shop is built with.

        Raises:
            BadPolicy: Hashes that protect nobody, secrets that may travel unencrypted, leaked passwords to be refused
                with no list to ask; in a standard's profile also reminders of a password's age, and security questions.
        """
        passwords, transport = self.policies.passwords, self.policies.transport
        require(not passwords.hashing.for_tests, "a hash for tests protects nobody's password")
        require(transport.require_secure, "secrets travel over TLS [ASVS 12.2.1, NIST 5.1]")
        listed = passwords.breach is None or adapters.breached_passwords is not None
        require(listed, "leaked passwords are refused, but Adapters(breached_passwords=...) is missing")
        if self.name in _STANDARDS:
            age = "no standard's profile reminds people of a password's age [NIST 3.1.1.2(6), ASVS 6.2.10]"
            require(passwords.remind_after is None, age)
            asked = "no standard's profile asks security questions [NIST 3.1.1.2(8), ASVS 6.4.2]"
            require(not self.policies.questions.enabled, asked)

    def deviations(self, standard: str) -> tuple[Deviation, ...]:
        """Answer every value that is weaker than in the profile of a standard.

        Args:
            standard: ``asvs-l1``, ``asvs-l2``, ``nist-aal1`` or ``nist-aal2``.

        Returns:
            Each with the standard's requirement, or with "house" where the standard leaves the value to the shop.

        Raises:
            BadPolicy: There is no such standard.
        """
        require(standard in _STANDARDS, f"there is no standard {standard!r}, but {', '.join(_STANDARDS)}")
        asked = _PROFILES[standard]()
        found = ((row, row.value(self.policies), row.value(asked)) for row in _ROWS)
        return tuple(
            Deviation(row.rule(standard), f"{row.what}: {_said(ours)}, asked for {_said(theirs)}")
            for row, ours, theirs in found
            if not row.enough(ours, theirs)
        )


# --- The profiles ----------------------------------------------------------------------------------------------------


def _asvs_l1() -> Policies:
    return Policies(passwords=PasswordPolicy(min_single_factor=_EIGHT))


def _asvs_l2() -> Policies:
    return Policies(
        passwords=_REFUSING,
        sessions=SessionPolicy(idle=_HOUR, absolute=_DAY, remembers=False),
        step_up=StepUpPolicy().within(5 * _MINUTE),
        cases=_BY_TWO_FACTORS,
        impersonation=_LOOKING,
    )


def _nist_aal1() -> Policies:
    return Policies(
        passwords=_REFUSING,
        sessions=SessionPolicy(idle=_DAY, absolute=30 * _DAY, remembers=False),
        step_up=StepUpPolicy().within(5 * _MINUTE),
        attempts=_DISABLING,
        cases=_BY_TWO_FACTORS,
        impersonation=_LOOKING,
    )


def _nist_aal2() -> Policies:
    sessions = SessionPolicy(idle=_HOUR, absolute=_DAY, remembers=False, idle_reauth=IdleReauth.ANY_FACTOR)
    nobody = ImpersonationPolicy(scopes=frozenset())
    return attrs.evolve(_nist_aal1(), sessions=sessions, impersonation=nobody)


_REFUSING: Final = PasswordPolicy(breach=BreachPolicy(on_outage=OnOutage.REFUSE))
_BY_TWO_FACTORS: Final = CasePolicy(mailbox_by_recovery_address=None)
_LOOKING: Final = ImpersonationPolicy(scopes=frozenset({ActingScope.READ_ONLY}))
_DISABLING: Final = AttemptPolicy(
    password=Wait(free=5, base=timedelta(seconds=30), cap=_HOUR, forget_after=None, disable_after=100)
)
_STANDARDS: Final = ("asvs-l1", "asvs-l2", "nist-aal1", "nist-aal2")
_PROFILES: Final = MappingProxyType(
    {
        "shop-default": Policies,
        "asvs-l1": _asvs_l1,
        "asvs-l2": _asvs_l2,
        "nist-aal1": _nist_aal1,
        "nist-aal2": _nist_aal2,
    }
)


# --- What is compared ------------------------------------------------------------------------------------------------


@attrs.frozen
class _Row:
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


def _wait_of(what: str, wait: Callable[[CasePolicy], timedelta | None]) -> _Row:
    """Answer the row of a way back in that waits; one that isn't offered waits for ever."""
    return _Row(what, lambda p: wait(p.cases) or _NEVER, ge, "6.4.4", "4.2.1.2", "4.2.2.2")


def _a_day(window: Window) -> float:
    return window.limit * (_DAY / window.per)


_ROWS: Final = (
    _Row("shortest password", lambda p: p.passwords.min_single_factor, ge, "6.2.1", "3.1.1.2(1)"),
    _Row("common passwords are refused", _has(PasswordRule.COMMON), ge, "6.2.4", "3.1.1.2"),
    _Row("simple patterns are refused", _has(PasswordRule.PATTERN), ge, "", "3.1.1.2"),
    _Row("words of shop and person are refused", _has(PasswordRule.CONTEXT), ge, "6.2.11", "3.1.1.2"),
    _Row("leaked passwords are refused", lambda p: p.passwords.breach is not None, ge, "6.2.12", "3.1.1.2"),
    _Row("leaks are looked for at sign-in", _asks_at_sign_in, ge, "", "3.1.1.2(6)"),
    _Row("unchecked passwords are refused", _refuses_unchecked, ge, "16.5.3", "3.1.1.2"),
    _Row("passwords may grow old", lambda p: p.passwords.remind_after is None, ge, "6.2.10", "3.1.1.2(6)"),
    _Row("questions are not asked", lambda p: not p.questions.enabled, ge, "6.4.2", "3.1.1.2(8)"),
    _Row("hashes are dear", lambda p: not p.passwords.hashing.for_tests, ge, "11.4.2", "3.1.1.2"),
    _Row("guesses without a wait", lambda p: p.attempts.password.free, le, "6.3.1", "3.2.2"),
    _Row("first wait", lambda p: p.attempts.password.base, ge, "6.3.1", "3.2.2"),
    _Row("longest wait", lambda p: p.attempts.password.cap, ge, "6.3.1", "3.2.2"),
    _Row("failures are forgotten after", lambda p: p.attempts.password.forget_after or _NEVER, ge, "6.3.1", "3.2.2"),
    _Row("failures that disable", lambda p: p.attempts.password.disable_after or math.inf, le, "", "3.2.2"),
    _Row("free failures of a network", lambda p: p.attempts.network.free, le, "6.3.1", "3.2.2"),
    _Row("mails to a mailbox, by the hourly rate a day", lambda p: _a_day(p.sends.mailbox_hourly), le, "2.4.1"),
    _Row("mails to a mailbox a day", lambda p: _a_day(p.sends.mailbox_daily), le, "2.4.1"),
    _Row("mails for a network a day", lambda p: _a_day(p.sends.network_hourly), le, "2.4.1"),
    _Row("registrations of a network a day", lambda p: _a_day(p.registration.attempts_per_network), le, "2.4.1"),
    _Row("idle sessions end after", lambda p: p.sessions.idle, le, "7.3.1", "2.1.3", "2.2.3"),
    _Row("sessions end after", lambda p: p.sessions.absolute, le, "7.3.2", "2.1.3", "2.2.3"),
    _Row("who wants to stays signed in without a visit for", lambda p: _remembered(p)[0], le, "7.3.1", "5.1"),
    _Row("who wants to stays signed in for", lambda p: _remembered(p)[1], le, "7.3.2", "5.1"),
    _Row("idle sessions are over", lambda p: p.sessions.idle_reauth is IdleReauth.FULL, ge, "7.3.1", "2.1.3", "2.2.3"),
    _Row("sessions at once", lambda p: p.sessions.max_sessions, le, "7.1.2"),
    _Row("a renewed value works again for", _reuse_grace, le, "10.4.5"),
    _Row("proofs for what matters are younger than", _oldest_proof, le, "7.5.1", "4.1.2.1"),
    _Row("operations below their level", _weaker_operations, le, "7.5.1", "4.1.2.1"),
    _wait_of("a lost mailbox waits, by two factors", lambda cases: cases.mailbox_by_two_factors),
    _wait_of("a lost mailbox waits, by a recovery address", lambda cases: cases.mailbox_by_recovery_address),
    _wait_of("who lost everything waits, by two agents", lambda cases: cases.everything_by_agents),
    _Row("a recovered account is held for", lambda p: p.cases.hold_after, ge),
    _Row("a changed address can be taken back for", lambda p: p.contact_changes.undo_window, ge),
    _Row("a changed address holds the account for", lambda p: p.contact_changes.hold_after, ge),
    _Row("ways in which agents act for customers", lambda p: len(p.impersonation.scopes), le),
    _Row("secrets travel over TLS", lambda p: p.transport.require_secure, ge, "12.2.1", "5.1"),
    _Row("even on the own machine", lambda p: not p.transport.allow_loopback, ge, "12.2.1", "5.1"),
)


def _said(value: Any) -> str:
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
