"""Judging a password that somebody typed: at the door, and again when it matters.

A try is charged before the password is looked at, and the same work is done where there is none to compare with. Who
has to decide again, because somebody else was faster, doesn't guess again. A disabled password matches nothing.

A failure counts against its network and the realm, and against the account where the shop disables passwords: after so
many in a row the password is no way in, until its owner resets it. The account isn't stopped by that, and its owner is
told. [NIST SP 800-63B-4 3.2.2]
"""

from datetime import datetime
from typing import TypeAlias

import attrs

from shopaccounts.customers import CUSTOMERS, Customer, Notices
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import Present
from shopaccounts.kernel.record import Bring, Change
from shopaccounts.kernel.request import RequestContext
from shopaccounts.passwords import (
    PASSWORDS,
    BreachVerdict,
    Caretaker,
    Hasher,
    Match,
    PasswordRecord,
    Prepared,
    Unchecked,
)
from shopaccounts.signin.devices import recognise
from shopaccounts.signin.events import AttackSuspected, PasswordDisabled
from shopaccounts.signin.model import DEVICES
from shopaccounts.signin.throttling import Attempts, bucket

__all__ = ["AlreadyJudged", "Judged", "PasswordCheck"]


@attrs.frozen(kw_only=True)
class Judged:
    """What came of a try.

    Args:
        ok: It is the password, and the password is a way in.
        rehash: Its hash is to be made anew.
        tries: How many tries there were on its counter since the last success, this one among them.
        breach: Whether it was seen in leaked data, where that was to be looked up.
    """

    ok: bool
    rehash: bool
    tries: int
    breach: BreachVerdict = attrs.field(factory=Unchecked)


AlreadyJudged: TypeAlias = dict[tuple[str, int], Judged]
"""What came of comparing, by whose password and its version."""


@attrs.frozen(kw_only=True)
class PasswordCheck:
    """Compares passwords, and counts."""

    desk: Desk
    hasher: Hasher
    attempts: Attempts
    notices: Notices
    caretaker: Caretaker

    async def judge(
        self,
        subject: str,
        record: PasswordRecord | None,
        typed: Prepared | None,
        context: RequestContext,
        judged: AlreadyJudged,
        *,
        look_up: bool = False,
    ) -> Judged:
        """Charge one try on *subject* and compare; *look_up* asks whether a right one has leaked.

        Raises:
            Throttled: Too many tries.
            TryLater: The counters or the hasher are not available.
        """
        against = (subject, record.version if record else 0)
        if against not in judged:
            tries = await self.attempts.charge(subject, context.network, self.desk.now())
            match = await self._compare(record, typed)
            usable = record is not None and not record.is_disabled
            looked_up = record if look_up and match.ok else None
            breach = await self.caretaker.look_up(looked_up, typed) if looked_up else Unchecked()
            judged[against] = Judged(ok=match.ok and usable, rehash=match.rehash, tries=tries, breach=breach)
        return judged[against]

    @property
    def bring(self) -> tuple[Bring, ...]:
        """What ``is_current`` needs to be read along with the session."""
        return (PASSWORDS.via("account"), DEVICES.via("account"))

    async def is_current(self, here: Present, typed: Prepared | None, context: RequestContext) -> bool:
        """Charge one try, and tell whether that is the password of whoever is signed in.

        Raises:
            Throttled: Too many tries.
            TryLater: The counters or the hasher are not available.
        """
        now, record = self.desk.now(), here[PASSWORDS]
        subject = bucket(here.account, recognise(here[DEVICES], context.device, now), here.security.stamps)
        verdict = await self.judge(subject, record, typed, context, AlreadyJudged())
        if record is None or not verdict.ok:
            await self.desk.record(await self.failed(here.account, here[CUSTOMERS], record, context, now))
            return False
        await self.succeeded(subject, record)
        return True

    async def failed(
        self,
        tried: str,
        customer: Customer | None,
        record: PasswordRecord | None,
        context: RequestContext,
        now: datetime,
    ) -> Change:
        """Count a failure, and answer the part of a change that follows from it.

        Args:
            tried: The account, or what was typed where there is none.
            customer: Whose account it is.
            record: Their password.
            context: Where the request came from.
            now: When.
        """
        await self.attempts.failed(context.network, now)
        failures = await self.attempts.attack(now)
        alarm = (AttackSuspected(at=now, failures=failures),) if failures else ()
        part = Change(events=self.desk.tell(*alarm))
        is_worn_out = await self.attempts.is_worn_out(_row_of(record) if record else tried, now)
        if customer is None or record is None or record.is_disabled or not is_worn_out:
            return part
        return part | await self._disabled(customer, record, now)

    async def succeeded(self, subject: str, record: PasswordRecord) -> None:
        """Forget the tries on the counter that was charged."""
        await self.attempts.succeeded(subject)
        await self.attempts.is_fresh_again(_row_of(record))

    async def _compare(self, record: PasswordRecord | None, typed: Prepared | None) -> Match:
        """Compare passwords, or do the same work where there is none to compare with."""
        if record is None:
            await got(self.hasher.spend(typed))
            return Match(ok=False)
        return await got(self.hasher.verify(record.stored, typed, record.id))

    async def _disabled(self, customer: Customer, record: PasswordRecord, now: datetime) -> Change:
        disabled = Change(
            writes=(PASSWORDS.change(record, attrs.evolve(record, is_disabled=True)),),
            events=self.desk.tell(PasswordDisabled(at=now, account=customer.id)),
        )
        key = f"password_disabled {customer.id} {record.version}"
        return disabled | await self.notices.about(customer, "signin.password_disabled", key, now)


def _row_of(record: PasswordRecord) -> str:
    """Answer under what failures in a row are counted: a new password begins a new row."""
    return f"{record.id} {record.set_at.isoformat()}"
