"""Judging what a customer answers as a second step, or as a fresh proof: one place for every kind of answer.

A try is charged on the counter of what is tried, before it is looked at. Who has to decide again, because somebody else
was faster, isn't charged again; what is used up is looked at again. A failure counts against its network too, and where
the shop disables what fails too often in a row, it is no second step any more until its owner enrols it anew. Success
clears the counter that was charged and no other, once the sign-in is complete.
[NIST SP 800-63B-4 3.2.2; OWASP ASVS 6.6.3]
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol, TypeAlias

import attrs

from shopaccounts.customers import Customer, Notices
from shopaccounts.kernel.assurance import KIND_OF, Method, Proof
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.limits import Wait
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import AccountSecurity
from shopaccounts.passwords import PasswordRecord, prepare_to_verify
from shopaccounts.signin.answers import Answer, PasswordAnswer
from shopaccounts.signin.authenticators import AUTHENTICATORS, Authenticators
from shopaccounts.signin.devices import recognise
from shopaccounts.signin.errors import WayNotOffered
from shopaccounts.signin.events import FactorDisabled
from shopaccounts.signin.model import KnownDevices
from shopaccounts.signin.proving import AlreadyJudged, PasswordCheck
from shopaccounts.signin.throttling import Attempts, bucket

__all__ = ["FactorCheck", "Memory", "Proven", "Prover", "Tried", "Wrong"]


@attrs.frozen(kw_only=True)
class Tried:
    """Who answers, and what the answer is held against.

    Args:
        own: What the account has enrolled.
        devices: The browsers that the account knows.
        bound: What the answer is for, as ``progress`` or ``session`` and its id.
        context: Where the answer came from.
    """

    customer: Customer
    security: AccountSecurity
    own: Authenticators | None
    password: PasswordRecord | None
    devices: KnownDevices | None
    bound: str
    context: RequestContext

    @property
    def account(self) -> AccountId:
        """Whose account it is."""
        return self.customer.id


@attrs.frozen(kw_only=True)
class Proven:
    """The answer was right.

    Args:
        proof: What it proves.
        own: What the account has enrolled, after this use.
        used: The factor, passkey or link that was used; empty where it is none of these.
        part: What else it uses up.
        handed_out: A recovery code in place of the one that was used.
        counted: Whose counter was charged, and for which method.
        password: The account's password, where that was the answer.
    """

    proof: Proof
    own: Authenticators | None = None
    used: str = ""
    part: Change = attrs.field(factory=Change)
    handed_out: Secret[str] | None = None
    counted: tuple[str, Method] | None = None
    password: PasswordRecord | None = None


@attrs.frozen(kw_only=True)
class Wrong:
    """The answer was wrong.

    Args:
        used: The factor or passkey that it was an answer of, as far as that can be told.
        part: What follows from it all the same.
    """

    used: str = ""
    part: Change = attrs.field(factory=Change)


class Prover(Protocol):
    """Judges one kind of answer."""

    def limit(self, tried: Tried, answer: Any) -> tuple[str, Method, Wait]:
        """Answer whose counter a try is charged on, for which method, and how long it makes wait."""
        ...

    async def prove(self, tried: Tried, answer: Any) -> Proven | Wrong:
        """Judge an answer that has been charged; what it uses up is in the part, or in the row."""
        ...


Memory: TypeAlias = dict[Any, Any]
"""What was charged and compared already while one request is decided, however often it is decided anew."""


@attrs.frozen(kw_only=True)
class FactorCheck:
    """Judges answers of every kind, and counts."""

    desk: Desk
    attempts: Attempts
    passwords: PasswordCheck
    notices: Notices
    provers: Mapping[type, Prover]

    async def judge(self, tried: Tried, answer: Answer, memory: Memory) -> Proven | Wrong:
        """Charge one try and judge the answer; the caller stores what follows from it, right or wrong.

        Raises:
            WayNotOffered: The shop has no such thing.
            Throttled: Too many tries.
            TryLater: The counters or the hasher are not available.
        """
        if isinstance(answer, PasswordAnswer):
            return await self._by_password(tried, answer, memory)
        prover = self.provers.get(type(answer))
        if prover is None:
            raise WayNotOffered(type(answer).__name__)
        subject, method, rule = prover.limit(tried, answer)
        if (subject, method) not in memory:
            memory[subject, method] = await self.attempts.charge(
                subject, tried.context.network, self.desk.now(), authenticator=method, rule=rule
            )
        outcome = await prover.prove(tried, answer)
        if isinstance(outcome, Proven):
            return attrs.evolve(outcome, counted=(subject, method))
        return await self._failed(tried, subject, outcome, memory)

    def used_up(self, own: Authenticators | None, proven: Proven) -> Change:
        """Answer the part of a change that a right answer uses up; *own* is what the account had enrolled before."""
        if own is None or proven.own is None or proven.own == own:
            return proven.part
        return proven.part | Change(writes=(AUTHENTICATORS.change(own, proven.own),))

    async def succeeded(self, proven: Proven) -> None:
        """Forget the tries on the counter that was charged; to be called when all that was asked for is given."""
        if proven.counted is None:
            return
        subject, method = proven.counted
        if proven.password is not None:
            await self.passwords.succeeded(subject, proven.password)
        else:
            await self.attempts.succeeded(subject, authenticator=method)
            await self.attempts.is_fresh_again(subject)

    async def _by_password(self, tried: Tried, answer: PasswordAnswer, memory: Memory) -> Proven | Wrong:
        now, record = self.desk.now(), tried.password
        subject = bucket(tried.account, recognise(tried.devices, tried.context.device, now), tried.security.stamps)
        judged: AlreadyJudged = memory.setdefault("passwords", {})
        typed = prepare_to_verify(answer.password)
        verdict = await self.passwords.judge(subject, record, typed, tried.context, judged)
        if record is None or not verdict.ok:
            part = await self.passwords.failed(tried.account, tried.customer, record, tried.context, now)
            return Wrong(part=part)
        proof, counted = _proof(Method.PASSWORD, now), (subject, Method.PASSWORD)
        return Proven(proof=proof, own=tried.own, counted=counted, password=record)

    async def _failed(self, tried: Tried, subject: str, wrong: Wrong, memory: Memory) -> Wrong:
        """Count a failure once, and answer it with what follows from it."""
        now, own = self.desk.now(), tried.own
        if ("failed", subject) not in memory:
            await self.attempts.failed(tried.context.network, now)
            memory["failed", subject] = await self.attempts.is_worn_out(subject, now)
        if own is None or not wrong.used or not memory["failed", subject]:
            return wrong
        disabled = _disabled(own, wrong.used)
        if disabled == own:
            return wrong
        return attrs.evolve(wrong, part=wrong.part | await self._disable(tried, own, disabled, wrong.used, now))

    async def _disable(
        self, tried: Tried, own: Authenticators, disabled: Authenticators, used: str, now: datetime
    ) -> Change:
        part = Change(
            writes=(AUTHENTICATORS.change(own, disabled),),
            events=self.desk.tell(FactorDisabled(at=now, account=tried.account, factor=used)),
        )
        key = f"factor_disabled {used} {own.version}"
        return part | await self.notices.about(tried.customer, "signin.factor_disabled", key, now)


def _proof(method: Method, now: datetime) -> Proof:
    return Proof(method=method, kind=KIND_OF[method], at=now)


def _disabled(own: Authenticators, used: str) -> Authenticators:
    return attrs.evolve(
        own,
        factors=tuple(attrs.evolve(one, is_disabled=one.is_disabled or one.id == used) for one in own.factors),
        passkeys=tuple(attrs.evolve(one, is_disabled=one.is_disabled or one.id == used) for one in own.passkeys),
    )
