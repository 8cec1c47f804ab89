"""Deciding about payments, a page at a time: loading what decisions need, and recording what they lead to.

The rules, in plain English:

* Whatever a page of decisions needs is read in a number of statements that doesn't grow with it.
* Each payment is recorded whole or not at all. Who loses against somebody faster is decided anew, on what is there now.
* One payment that can't be decided stops no other.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final, TypeVar

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.messages import Message
from shopaccounts.kernel.ports import DueWork
from shopaccounts.kernel.record import Book, Change, ClaimGuard, Entity, PageResult, Write
from shopaccounts.subscriptions.boxes.filing import BoxesOnFile, boxes_on_file, woken
from shopaccounts.subscriptions.collecting.dossiers import Dossier, Note, Outcome, Unsettled, owed
from shopaccounts.subscriptions.collecting.dunning_letters import DunningLetters
from shopaccounts.subscriptions.collecting.outcomes import after_its_time
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.due import projected
from shopaccounts.subscriptions.model import ACCOUNTS, SUBSCRIPTIONS, BillingAccount, Subscription
from shopaccounts.subscriptions.office.beside import waiting_beside
from shopaccounts.subscriptions.office.doubling import doubles_on_file
from shopaccounts.subscriptions.office.filing import filed, new_ids
from shopaccounts.subscriptions.papers.documents import INVOICES, Invoice, InvoiceState
from shopaccounts.subscriptions.payments.intents import INTENTS, PaymentIntent
from shopaccounts.subscriptions.planning.taxes import rates_for
from shopaccounts.subscriptions.planning.writing_up import PaperFacts, write_up
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.ports import Taxes
from shopaccounts.subscriptions.states import Collection

__all__ = ["Casework", "Verdict"]

log = logging.getLogger("shopaccounts")
T = TypeVar("T", bound=Entity)
Verdict = Callable[[Dossier, datetime], Outcome | None]
"""Decides about one invoice, at an instant; None if there is nothing to record."""
_UNCLAIMED: Final = MappingProxyType[str, ClaimGuard]({})
_AT_ONCE: Final = 1000
_PAGE: Final = 500
_ROUNDS: Final = 8
"""How often one is decided anew: many webhooks and workers may meet at one account."""


@attrs.frozen(kw_only=True)
class Casework:
    """Loads dossiers, and records what was decided about them.

    Args:
        desk: Whose books.
        work: Who hands out what is due.
        taxes: Which rates hold for what is billed at an end.
        policy: How the shop bills and chases.
        letters: Writes what customers are told.
    """

    desk: Desk
    work: DueWork
    taxes: Taxes
    policy: SubscriptionPolicy
    letters: DunningLetters

    # Deciding

    async def conclude(
        self, verdicts: Mapping[str, Verdict], tried: Mapping[str, int], claims: Mapping[str, ClaimGuard] = _UNCLAIMED
    ) -> tuple[str, ...]:
        """Decide about a page of invoices and record that; who loses or can't be decided is tried again alone.

        Args:
            verdicts: What to decide, by the ids of invoices.
            tried: The number of the last intent of each, as far as is known.
            claims: Those on the invoices themselves; each ends when its invoice is written.

        Returns:
            The invoices that can't be decided.
        """
        failed = []
        try:
            left = await self._page(verdicts, tried, claims)
        except Exception:
            log.exception("a page of payments can't be decided at once")
            left = tuple(verdicts)
        for invoice in left:
            try:
                await self.decide(invoice, verdicts[invoice])
            except Exception:
                log.exception("what became of a payment of invoice %s can't be decided", invoice)
                failed.append(invoice)
        return tuple(failed)

    async def decide(self, invoice: str, verdict: Verdict) -> bool:
        """Decide about one invoice and record that; answer whether there was anything to record.

        Args:
            invoice: Which.
            verdict: What to decide.

        Raises:
            Rejected: As the decision says.
            StaleWrite: Somebody else was faster each time.
        """

        async def once() -> bool:
            now = self.desk.now()
            dossiers = await self.load([invoice])
            outcome = verdict(dossiers[invoice], now) if invoice in dossiers else None
            if outcome is None:
                return False
            ((_, change),) = await self._changes([(dossiers[invoice], outcome)], now)
            await self.desk.record(change)
            return True

        return await self.desk.retrying(once, _ROUNDS, on_taken=True)

    async def _page(
        self, verdicts: Mapping[str, Verdict], tried: Mapping[str, int], claims: Mapping[str, ClaimGuard]
    ) -> tuple[str, ...]:
        """Record a page; answer the invoices that lost."""
        now = self.desk.now()
        dossiers = await self.load(list(verdicts), tried)
        decided = [(one, verdicts[id](one, now)) for id, one in dossiers.items()]
        changes = await self._changes([(one, outcome) for one, outcome in decided if outcome], now)
        claimed = [change | Change(claims=(claims[id],)) if id in claims else change for id, change in changes]
        results = await got(self.desk.records.record_page(claimed)) if changes else ()
        return tuple(id for (id, _), result in zip(changes, results, strict=True) if result != PageResult.RECORDED)

    async def look_after(self, limit: int, worker: WorkerId) -> int:
        """Look after one page of invoices whose time has come without a payment; answer how many there were.

        Those that can't be decided come again when the claim on them lapses.

        Args:
            limit: How many at most.
            worker: Who works.
        """
        claims = await got(self.work.claim_due(INVOICES, self.desk.now(), limit, self.policy.running.lease, worker))
        verdicts: dict[str, Verdict] = {
            claim.item.id: lambda dossier, now: after_its_time(dossier, self.policy, now) for claim in claims
        }
        guards = {claim.item.id: ClaimGuard(INVOICES, claim.item.id, claim.fence) for claim in claims}
        await self.conclude(verdicts, dict.fromkeys(verdicts, 2 * self.policy.dunning.max_attempts), guards)
        return len(claims)

    async def tell(
        self, account: BillingAccount, notes: Sequence[Note], about: Sequence[Subscription], now: datetime
    ) -> tuple[Message, ...]:
        """Answer the letters that say some things to an account's customer.

        Args:
            account: Whose.
            notes: What is to be said.
            about: The subscriptions that it is about.
            now: This instant.
        """
        readers = await self.letters.readers([account] if notes else [])
        return await self.letters.about(notes, readers.get(account.customer), {one.id: one for one in about}, now)

    # Loading

    async def load(self, ids: Sequence[str], tried: Mapping[str, int] | None = None) -> Mapping[str, Dossier]:
        """Answer the dossiers of some invoices, by their ids.

        Args:
            ids: Those of the invoices.
            tried: The number of the last intent of each, as far as is known; None to look it up.
        """
        invoices = await self._pick(INVOICES, ids)
        accounts = {one.id: one for one in await self._pick(ACCOUNTS, (one.account for one in invoices))}
        wanted = (id for invoice in invoices for id in invoice.subscriptions)
        subscriptions = {one.id: one for one in await self._pick(SUBSCRIPTIONS, wanted)}
        overdue = (id for one in subscriptions.values() if one.past_due for id in one.past_due.invoices)
        others = {one.id: one for one in await self._pick(INVOICES, overdue)}
        intents = await self._intents([invoice.id for invoice in invoices], tried)
        return {
            invoice.id: await self._dossier(
                invoice,
                intents[invoice.id],
                accounts[invoice.account],
                {id: subscriptions[id] for id in invoice.subscriptions if id in subscriptions},
                others,
            )
            for invoice in invoices
        }

    async def _dossier(
        self,
        invoice: Invoice,
        intents: tuple[PaymentIntent, ...],
        account: BillingAccount,
        subscriptions: Mapping[str, Subscription],
        others: Mapping[str, Invoice],
    ) -> Dossier:
        unpaid = any(one.collection is Collection.UNPAID for one in subscriptions.values())
        small = bool(self.policy.dunning.min_amount)
        unsettled = await self.unsettled(account) if unpaid or small else ()
        return Dossier(
            account=account,
            invoice=invoice,
            intents=intents,
            subscriptions=subscriptions,
            owed=frozenset(id for id, one in others.items() if id != invoice.id and not owed(one).is_zero),
            others=tuple(one for one in unsettled if one.invoice.id != invoice.id and _is_open(one.invoice)),
            drafts=tuple(one.invoice for one in unsettled if one.invoice.state is InvoiceState.DRAFT),
        )

    async def unsettled(self, account: BillingAccount) -> tuple[Unsettled, ...]:
        """Answer what an account has open, and the drafts that it has."""
        rows = await got(self.desk.records.rows(INVOICES, "unsettled", account.id, None, _PAGE))
        return tuple([Unsettled(invoice=one, intents=await self.intents_of(one.id)) for one in rows.items])

    async def _intents(
        self, invoices: Sequence[str], tried: Mapping[str, int] | None
    ) -> Mapping[str, tuple[PaymentIntent, ...]]:
        if tried is None:
            return {id: await self.intents_of(id) for id in invoices}
        ids = (f"{id}:{number}" for id in invoices for number in range(1, tried[id] + 1))
        found = await self._pick(INTENTS, ids)
        by_number = sorted(found, key=lambda intent: intent.attempt)
        return {id: tuple(intent for intent in by_number if intent.invoice == id) for id in invoices}

    async def intents_of(self, invoice: str) -> tuple[PaymentIntent, ...]:
        """Answer everything that was tried to have an invoice paid, and what was paid back."""
        rows = await got(self.desk.records.rows(INTENTS, "invoice", invoice, None, _PAGE))
        return tuple(sorted(rows.items, key=lambda intent: intent.attempt))

    async def _pick(self, book: Book[T], ids: Iterable[str]) -> list[T]:
        unique = sorted(set(ids))
        pages = [unique[at : at + _AT_ONCE] for at in range(0, len(unique), _AT_ONCE)]
        return [one for page in pages for one in await got(self.desk.records.pick(book, page))]

    # Recording

    async def _changes(self, decided: Sequence[tuple[Dossier, Outcome]], now: datetime) -> list[tuple[str, Change]]:
        """Answer the change that records each outcome, with the invoice that it is about."""
        accounts = {dossier.account.id: dossier.account for dossier, _ in decided}
        ready = [_moved(dossier, outcome, self.policy) for dossier, outcome in decided]
        rates = await rates_for(self.taxes, [one for decisions in ready for one in decisions], accounts)
        told = [dossier.account for dossier, outcome in decided if outcome.notes]
        readers = await self.letters.readers(told)
        boxes = await self._boxes(decided, ready, now)
        after = [[one.subscription for one in decisions] for decisions in ready]
        pairs = zip((dossier.account for dossier, _ in decided), after, strict=True)
        doubles = await doubles_on_file(self.desk.records, pairs)
        writing = [dossier.account for (dossier, _), decisions in zip(decided, ready, strict=True) if _bills(decisions)]
        beside = await waiting_beside(self.desk.records, writing, ())
        changes = []
        for (dossier, outcome), decisions in zip(decided, ready, strict=True):
            facts = PaperFacts(
                rates=rates.get(dossier.account.id, {}),
                method=dossier.account.payment_method,
                invoices=outcome.invoices,
                intents={dossier.invoice.id: dossier.intents},
                beside=beside,
            )
            change = self._filed(dossier, outcome, decisions, facts, now, boxes, doubles)
            reader = readers.get(dossier.account.customer)
            letters = await self.letters.about(outcome.notes, reader, dossier.subscriptions, now)
            changes.append((dossier.invoice.id, change | Change(messages=letters)))
        return changes

    def _filed(
        self,
        dossier: Dossier,
        outcome: Outcome,
        decisions: Sequence[Decision],
        facts: PaperFacts,
        now: datetime,
        boxes: BoxesOnFile,
        doubles: Mapping[str, Subscription],
    ) -> Change:
        papers = write_up(outcome.account, decisions, facts, self.policy, now, new_ids(self.desk))
        before = {dossier.invoice.id: dossier.invoice, **{draft.id: draft for draft in dossier.drafts}}
        after = {**outcome.invoices, **{one.id: one for one in papers.changed}}
        papers = attrs.evolve(
            papers,
            changed=tuple(one for id, one in after.items() if one != before[id]),
            entries=(*outcome.entries, *papers.entries),
            events=(*outcome.events, *papers.events),
        )
        desk = self.desk.by_itself
        change = filed(
            desk,
            papers,
            account=dossier.account,
            subscriptions=dossier.subscriptions,
            invoices=before,
            boxes=boxes,
            doubles=doubles,
            beside=facts.beside,
        )
        others = dossier.subscriptions.keys() - {one.id for one in papers.subscriptions}
        return change | Change(writes=tuple(_intents(dossier, outcome))) | woken(boxes, sorted(others), now)

    async def _boxes(
        self, decided: Sequence[tuple[Dossier, Outcome]], ready: Sequence[Sequence[Decision]], now: datetime
    ) -> BoxesOnFile:
        """Look up which boxes wait for the money that has come."""
        after = [one.subscription for decisions in ready for one in decisions]
        stored = {id: one for dossier, _ in decided for id, one in dossier.subscriptions.items()}
        paid = {id for dossier, outcome in decided if _is_paid(dossier, outcome) for id in dossier.subscriptions}
        return await boxes_on_file(self.desk.records, after, stored, now, paid=paid)


def _is_paid(dossier: Dossier, outcome: Outcome) -> bool:
    now = outcome.invoices.get(dossier.invoice.id, dossier.invoice)
    return now.state is InvoiceState.PAID and dossier.invoice.state is not InvoiceState.PAID


def _is_open(invoice: Invoice) -> bool:
    return invoice.state is InvoiceState.OPEN


def _moved(dossier: Dossier, outcome: Outcome, policy: SubscriptionPolicy) -> list[Decision]:
    """Answer the decisions that change anything, each with the time at which its subscription next wants work."""
    changed = (one for one in outcome.decisions if one.subscription != dossier.subscriptions[one.subscription.id])
    return [attrs.evolve(one, subscription=projected(one.subscription, policy)) for one in changed]


def _bills(decisions: Iterable[Decision]) -> bool:
    return any(one.bills for one in decisions)


def _intents(dossier: Dossier, outcome: Outcome) -> Iterable[Write]:
    """Write what became of payments, and those that follow."""
    known = {one.id: one for one in dossier.intents}
    known |= {one.id: one for other in dossier.others for one in other.intents}
    for id, intent in outcome.intents.items():
        if id not in known:
            yield INTENTS.add(intent)
        elif intent != known[id]:
            yield INTENTS.change(known[id], intent)
