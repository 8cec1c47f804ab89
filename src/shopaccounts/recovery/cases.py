"""Getting back in without the second factor or the mailbox: the life of a case, and who can say no.

* Nothing is a case before its proofs are complete. An account has one open case of a kind at a time.
* While it waits, every address that the shop knows hears of it, at once and day after day. Then it is ready for a
  while.
* Completing asks for the proofs again: a case is no credential, and it never gives a session, a password or a code.
* Whoever can read a notice, or is signed in, can cancel it. So does whoever uses the second factor that is said to be
  lost. That is final, and for a day no other can be opened.
* Whatever ends the account's sessions, and an account that is stopped or closed, blocks it.
* What state a case is in is judged by the time and the account as they are. Whoever sweeps only tells.

[NIST SP 800-63B-4 4.2; OWASP ASVS 6.4.4; OWASP Forgot Password Cheat Sheet]
"""

from datetime import datetime, timedelta
from enum import Enum
from types import MappingProxyType
from typing import Final

import attrs

from shopaccounts.customers import AccountStatus, Customer
from shopaccounts.kernel.codes import Challenge
from shopaccounts.kernel.contact import EmailAddress
from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.kernel.personal import Category, OnErase, described, impersonal, personal
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.security import AccountSecurity, Stamp, Stamps
from shopaccounts.kernel.tickets import Purpose, Refusals, Ticket
from shopaccounts.recovery.errors import (
    CaseClosed,
    CaseNotReady,
    ResetLinkExpired,
    ResetLinkInvalid,
    ResetLinkStale,
    ResetLinkUsed,
)
from shopaccounts.recovery.policy import CasePolicy
from shopaccounts.recovery.proof_sets import CaseKind, Evidence, Shown
from shopaccounts.signin import Authenticators, CodeUse

__all__ = [
    "CANCEL_RECOVERY",
    "CASES",
    "CASE_CODE",
    "CASE_STEPS",
    "RECOVERY_CODE",
    "RECOVERY_HOLDER",
    "RECOVER_MAILBOX",
    "CaseState",
    "CaseTrigger",
    "Helper",
    "RecoveryCase",
    "account_key",
    "advanced",
    "as_of",
    "check_completable",
    "check_open",
    "is_cooling_down",
    "opened",
    "takes_agent",
    "told",
]

_REFUSALS: Final = Refusals(ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale)
_DEPENDS_ON: Final = frozenset({Stamp.ACCOUNT, Stamp.PASSWORD, Stamp.CONTACTS, Stamp.FACTORS})
RECOVER_MAILBOX: Final = Purpose("recover_mailbox", "rmb", _DEPENDS_ON, _REFUSALS)
"""Proves the new mailbox."""
RECOVERY_HOLDER: Final = Purpose("recovery_holder", "rch", _DEPENDS_ON, _REFUSALS)
"""Knows the browser again that opened a case."""
CANCEL_RECOVERY: Final = Purpose("cancel_recovery", "crc", frozenset(), _REFUSALS)
"""Ends a case, from any notice, without signing in; it depends on no stamp, so that nobody takes it away."""
CASE_CODE: Final = CodeUse(
    handle=Purpose("case_code", "csc", _DEPENDS_ON, _REFUSALS), template="recovery.factor_case_code"
)
"""Codes that vouch for an owner, to be typed while they are at it: at a half-done sign-in, or in a session."""
RECOVERY_CODE: Final = "recovery_code"
"""What the code is for that goes to the recovery addresses."""
_KEPT: Final = timedelta(days=400)


class CaseState(Enum):
    """How far a case got; one that is requested is none yet."""

    REQUESTED = "requested"
    WAITING = "waiting"
    READY = "ready"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    BLOCKED = "blocked"


class CaseTrigger(Enum):
    """What can happen to a case."""

    OPEN = "open"
    BE_READY = "be_ready"
    COMPLETE = "complete"
    CANCEL = "cancel"
    EXPIRE = "expire"
    BLOCK = "block"


_OPEN: Final = frozenset({CaseState.WAITING, CaseState.READY})
_LIVE: Final = _OPEN | {CaseState.REQUESTED}
_ENDS: Final = {
    CaseTrigger.CANCEL: CaseState.CANCELLED,
    CaseTrigger.EXPIRE: CaseState.EXPIRED,
    CaseTrigger.BLOCK: CaseState.BLOCKED,
}

CASE_STEPS: Final = MappingProxyType[tuple[CaseState, CaseTrigger], CaseState](
    {
        (CaseState.REQUESTED, CaseTrigger.OPEN): CaseState.WAITING,
        (CaseState.WAITING, CaseTrigger.BE_READY): CaseState.READY,
        (CaseState.READY, CaseTrigger.COMPLETE): CaseState.COMPLETED,
        **{(state, trigger): end for state in _LIVE for trigger, end in _ENDS.items()},
    }
)
"""The whole life of a case."""


@described(data_class="security", default=impersonal("times"))
@attrs.frozen
class Helper:
    """An agent who had a part in a case."""

    agent: str = attrs.field(metadata=impersonal("the host's id of an agent"))
    reason: str = attrs.field(repr=False, metadata=personal("security", Category.CONTENT, on_erase=OnErase.BLANK))
    at: datetime


@described(data_class="security", default=impersonal("ids, times, states"))
@attrs.frozen(kw_only=True)
class RecoveryCase:
    """Somebody who lost what they sign in with, and wants to go on without it or by something else.

    Args:
        id: The selector of its texts.
        email: The new address; None where only a second factor was lost.
        lost: The ids of the second factors and passkeys that are said to be lost.
        proofs: What opens it.
        session: The public id of the session that asked; empty where agents did.
        since: When that session began, or the agent asked.
        stamps: Of the account at the request; once one has moved, the case is blocked.
        earliest_at: When it can be completed; None before it is open.
        expires_at: When its state ends by itself.
        tell_at: When somebody is to hear of it again.
        link: Proves the new mailbox.
        challenge: The code that went to the recovery addresses.
        holder: The browser that opened it.
        evidence: What an agent checked.
        helpers: The agents, in the order in which they had a part.
    """

    id: str
    realm: RealmId
    version: int = 1
    account: AccountId
    kind: CaseKind
    state: CaseState = CaseState.REQUESTED
    email: EmailAddress | None = None
    lost: frozenset[str] = attrs.field(default=frozenset(), metadata=impersonal("opaque ids"))
    proofs: tuple[Shown, ...] = ()
    session: str = attrs.field(default="", metadata=impersonal("an opaque id"))
    since: datetime
    stamps: Stamps
    started_at: datetime
    opened_at: datetime | None = None
    earliest_at: datetime | None = None
    expires_at: datetime
    tell_at: datetime | None = None
    ended_at: datetime | None = None
    link: Ticket | None = None
    challenge: Challenge | None = None
    holder: Ticket | None = None
    evidence: tuple[Evidence, ...] = ()
    helpers: tuple[Helper, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether it holds its account's place for a case of its kind."""
        return self.state in _OPEN


def account_key(account: AccountId, kind: CaseKind) -> str:
    """Answer the key by which the cases of a kind are found that an account has."""
    return f"{account} {kind.value}"


def _keep_until(case: RecoveryCase) -> datetime | None:
    """Answer when a case may go: over a year after its end, a mere request with its link."""
    if case.is_open:
        return None
    if case.opened_at is None:
        return case.expires_at
    return case.ended_at + _KEPT if case.ended_at else None


CASES = Book(
    name="recovery_cases",
    of=RecoveryCase,
    unique={"open_recovery_case": lambda c: [account_key(c.account, c.kind)] if c.is_open else []},
    groups={
        "account": lambda c: c.account,
        "asked": lambda c: account_key(c.account, c.kind),
        "cancelled": lambda c: account_key(c.account, c.kind) if c.state is CaseState.CANCELLED else None,
    },
    order=lambda c: c.started_at,
    due=lambda c: c.tell_at if c.is_open else None,
    keep_until=_keep_until,
    personal=True,
)


def advanced(case: RecoveryCase, trigger: CaseTrigger, now: datetime) -> RecoveryCase:
    """Answer *case* after *trigger*.

    Raises:
        CaseClosed: The table has no such step.
    """
    target = CASE_STEPS.get((case.state, trigger))
    if target is None:
        raise CaseClosed(case.state.value)
    if target in _LIVE:
        return attrs.evolve(case, state=target)
    return attrs.evolve(case, state=target, ended_at=now, tell_at=None)


def as_of(
    case: RecoveryCase,
    customer: Customer | None,
    security: AccountSecurity | None,
    now: datetime,
    own: Authenticators | None = None,
) -> RecoveryCase:
    """Answer what time, and what happened to the account, have made of a case.

    Args:
        case: As it is stored.
        customer: Its account as it is now, None if that is gone.
        security: Likewise.
        now: When.
        own: What the account has enrolled, where a case for a lost second factor is looked at.
    """
    if case.state not in _LIVE:
        return case
    found_at = _found_again(case, own)
    if found_at is not None:
        return advanced(case, CaseTrigger.CANCEL, found_at)
    active = customer is not None and customer.status is AccountStatus.ACTIVE
    if not active or security is None or security.stamps.moved(case.stamps, _DEPENDS_ON):
        return advanced(case, CaseTrigger.BLOCK, now)
    if now >= case.expires_at:
        return advanced(case, CaseTrigger.EXPIRE, now)
    if case.state is CaseState.WAITING and case.earliest_at is not None and now >= case.earliest_at:
        return advanced(case, CaseTrigger.BE_READY, now)
    return case


def _found_again(case: RecoveryCase, own: Authenticators | None) -> datetime | None:
    """Answer when something was used that is said to be lost; None if it wasn't."""
    if case.kind is not CaseKind.FACTOR or case.opened_at is None or own is None:
        return None
    factors = (factor.last_used_at for factor in own.factors if factor.id in case.lost)
    passkeys = (passkey.last_used_at for passkey in own.passkeys if passkey.id in case.lost)
    codes = own.recovery_codes
    used = (*factors, *passkeys, codes.last_used_at if codes else None)
    return max((at for at in used if at is not None and at > case.opened_at), default=None)


def opened(
    case: RecoveryCase, proofs: frozenset[Shown], wait: timedelta, policy: CasePolicy, now: datetime
) -> RecoveryCase:
    """Answer a request whose proofs are complete as a case that waits.

    Raises:
        CaseClosed: It is none that could be opened.
    """
    begun = attrs.evolve(
        advanced(case, CaseTrigger.OPEN, now),
        proofs=tuple(sorted(proofs, key=lambda what: what.value)),
        opened_at=now,
        earliest_at=now + wait,
        expires_at=now + wait + policy.ready_for,
    )
    return told(begun if wait else advanced(begun, CaseTrigger.BE_READY, now), policy, now)


def told(case: RecoveryCase, policy: CasePolicy, now: datetime) -> RecoveryCase:
    """Answer an open case of which everybody was just told, with when to tell again."""
    ends = case.earliest_at if case.state is CaseState.WAITING and case.earliest_at else case.expires_at
    return attrs.evolve(case, tell_at=min(now + policy.tell_every, ends))


def check_open(case: RecoveryCase) -> None:
    """Refuse a case that isn't open.

    Raises:
        CaseClosed: It isn't.
    """
    if not case.is_open:
        raise CaseClosed(case.state.value)


def check_completable(case: RecoveryCase) -> None:
    """Refuse a case that can't be completed now.

    Raises:
        CaseClosed: It is over, or was never opened.
        CaseNotReady: It has to wait.
    """
    check_open(case)
    if case.state is CaseState.WAITING and case.earliest_at is not None:
        raise CaseNotReady(case.earliest_at)


def takes_agent(case: RecoveryCase, policy: CasePolicy) -> bool:
    """Tell whether one of the shop's people still has to vouch before a case can be completed."""
    by_mailbox = case.kind is CaseKind.FACTOR and Shown.PHONE_CODE not in case.proofs
    return by_mailbox and policy.factor_by_mailbox_takes_agent and not case.helpers


def is_cooling_down(cancelled: RecoveryCase | None, policy: CasePolicy, now: datetime) -> bool:
    """Tell whether a case was cancelled so lately that no other may be opened."""
    return cancelled is not None and cancelled.ended_at is not None and now - cancelled.ended_at < policy.reopen_after
