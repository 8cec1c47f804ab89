"""What all acts of clerks have in common: who may, why, once, and what is kept of it."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import Rejected, StaleWrite, Taken
from shopaccounts.kernel.ports import Position
from shopaccounts.kernel.receipts import body_hash, request_key
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.staff import Permission, Staff
from shopaccounts.subscriptions.desk.acts import CLERK_ACTS, ActKind, ClerkAct
from shopaccounts.subscriptions.errors import RequestIdReused
from shopaccounts.subscriptions.model import SUBSCRIPTIONS, BillingAccount, Subscription
from shopaccounts.subscriptions.papers.documents import (
    BALANCE_ENTRIES,
    CREDIT_NOTES,
    INVOICES,
    BalanceEntry,
    CreditNote,
    Invoice,
)
from shopaccounts.subscriptions.payments.intents import INTENTS, PaymentIntent
from shopaccounts.subscriptions.planning.writing_up import Papers

__all__ = ["ActPage", "Acted", "Clerks", "Errand", "written"]


@attrs.frozen(kw_only=True)
class Acted:
    """What an act of a clerk led to.

    Args:
        act: What is kept of it.
        subscription: The one that it was done to, or that it made, as it is now; None where there is none.
        invoices: The one that it was done to, and those that were written for it.
        notes: The credit notes that were written for it.
        payments: The payments and refunds that were written for it.
        entries: What the balance got or gave.
    """

    act: ClerkAct
    subscription: Subscription | None
    invoices: tuple[Invoice, ...]
    notes: tuple[CreditNote, ...]
    payments: tuple[PaymentIntent, ...]
    entries: tuple[BalanceEntry, ...]


@attrs.frozen(kw_only=True)
class ActPage:
    """Some acts, the newest first; ``after`` leads to the next page, None at the end."""

    acts: tuple[ClerkAct, ...]
    after: Position | None


@attrs.frozen(kw_only=True)
class Errand:
    """An act that a clerk is about to do: who, why, and what was asked for."""

    id: str
    kind: ActKind
    subject: str
    asked: str
    agent: str
    reason: str


@attrs.frozen(kw_only=True)
class Clerks:
    """Lets clerks act, and keeps what they did.

    Args:
        desk: Whose books.
        staff: Who may do what.
    """

    desk: Desk
    staff: Staff

    async def errand(
        self, kind: ActKind, subject: str, reason: str, request_id: str, asked: Mapping[str, Any] | None = None
    ) -> Errand:
        """Answer what a clerk is about to do, if they may.

        Args:
            kind: What.
            subject: To what.
            reason: Why.
            request_id: A key of the clerk's; empty for none.
            asked: What else was asked for, as plain values.

        Raises:
            Forbidden: Nobody, or somebody who may not.
            InvalidInput: No reason, or what can't be a key.
        """
        duty = await self.staff.require(Permission.BILLING, reason)
        return Errand(
            id=self._id(kind, duty.agent, request_id),
            kind=kind,
            subject=subject,
            asked=body_hash(f"subscriptions.{kind.value}", {"subject": subject, **(asked or {})}),
            agent=duty.agent,
            reason=duty.reason,
        )

    def _id(self, kind: ActKind, agent: str, request: str) -> str:
        if not request:
            return self.desk.entropy.new_id(self.desk.now())
        made_of = "\0".join((self.desk.scope.store, kind.value, agent, request_key(request)))
        return hashlib.sha256(made_of.encode()).hexdigest()[:32]

    async def once(self, errand: Errand, work: Callable[[], Awaitable[object]]) -> Acted:
        """Do something once; asked again under the same key, answer what it led to.

        Args:
            errand: What is done.
            work: Does it, and records the act with it.

        Raises:
            RequestIdReused: The key was used for something else.
            Rejected: As *work* says.
        """
        act = await self._done(errand)
        if act is None:
            try:
                await work()
            except (StaleWrite, Taken, Rejected):
                if await self._done(errand) is None:
                    raise
            act = await self._done(errand)
        assert act is not None  # noqa: S101  (whatever is done is recorded with its act)
        return await self._acted(act)

    async def _done(self, errand: Errand) -> ClerkAct | None:
        found = await got(self.desk.records.find(CLERK_ACTS, errand.id))
        if found is None:
            return None
        if found.it.asked != errand.asked:
            raise RequestIdReused
        return found.it

    def kept(
        self,
        errand: Errand,
        account: BillingAccount,
        before: Mapping[str, str],
        after: Mapping[str, str],
        documents: tuple[str, ...] = (),
    ) -> Change:
        """Answer what is recorded of an act, together with its effect.

        Args:
            errand: What is done.
            account: Whose account it concerns.
            before: What stood there.
            after: What stands there now.
            documents: The ids of what is written for it.
        """
        act = ClerkAct(
            id=errand.id,
            realm=account.realm,
            store=account.store,
            kind=errand.kind,
            account=account.id,
            customer=account.customer,
            subject=errand.subject,
            asked=errand.asked,
            agent=errand.agent,
            reason=errand.reason,
            at=self.desk.now(),
            before=before,
            after=after,
            documents=documents,
        )
        return Change(writes=(CLERK_ACTS.add(act),))

    async def _acted(self, act: ClerkAct) -> Acted:
        """Answer what an act led to, as it is now, numbers included."""
        records, ids = self.desk.records, (act.subject, *act.documents)
        subscriptions = await got(records.pick(SUBSCRIPTIONS, ids))
        return Acted(
            act=act,
            subscription=subscriptions[0] if subscriptions else None,
            invoices=await got(records.pick(INVOICES, ids)),
            notes=await got(records.pick(CREDIT_NOTES, ids)),
            payments=await got(records.pick(INTENTS, ids)),
            entries=await got(records.pick(BALANCE_ENTRIES, ids)),
        )


def written(papers: Papers) -> tuple[str, ...]:
    """Answer the ids of the documents among papers."""
    made = (papers.invoices, papers.notes, papers.intents, papers.entries)
    return tuple(one.id for group in made for one in group)
