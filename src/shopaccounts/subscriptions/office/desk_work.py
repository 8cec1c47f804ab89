"""What every decision about a subscription has in common: loading what it needs, and recording what it leads to.

The rules, in plain English:

* A customer's subscription is found by the customer as well: another's doesn't exist.
* What has become due by now is decided and written up first, so that nothing jumps over a renewal that nobody has
  billed yet, and so that what is billed can be taken back.
* One decision is one change: subscription, account, invoices, payments and events, all or nothing. Somebody who was
  faster is noticed, and it is decided anew.
* A preview is the same decision, not recorded.
* A request that brings a key is done once under it; asked again it answers what it led to, as that stands by then.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.record import Change
from shopaccounts.subscriptions.billing.usage_billing import may_ask
from shopaccounts.subscriptions.boxes.filing import boxes_on_file
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.due import projected
from shopaccounts.subscriptions.errors import SubscriptionUnknown
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.model import ACCOUNTS, SUBSCRIPTIONS, BillingAccount, Subscription
from shopaccounts.subscriptions.office.beside import waiting_beside
from shopaccounts.subscriptions.office.counting import Counted, Reading
from shopaccounts.subscriptions.office.doubling import doubles_on_file
from shopaccounts.subscriptions.office.filing import filed, names_of, new_ids, papers_named
from shopaccounts.subscriptions.office.known import Known, Lookups, PriceList
from shopaccounts.subscriptions.office.voided import voided_on_file
from shopaccounts.subscriptions.papers.documents import INVOICES, CreditTo, Invoice
from shopaccounts.subscriptions.payments.intents import INTENTS, IntentState, PaymentIntent, Purpose
from shopaccounts.subscriptions.planning.planner import plan
from shopaccounts.subscriptions.planning.rounds import joined, with_papers
from shopaccounts.subscriptions.planning.taxes import rates_for
from shopaccounts.subscriptions.planning.writing_up import PaperFacts, Papers, write_up
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.ports import Plans, Taxes, Usage
from shopaccounts.subscriptions.requests import NO_KEY, Asked, KeptRequest, Request, asked_by, once, remembered

__all__ = ["Besides", "Case", "Done", "FreshPayments", "Office", "Rule"]

ATTEMPTS = 3
_MOST_PAYMENTS = 500
_NOBODYS = "-"
_NOTHING_KNOWN = Known()


@attrs.frozen(kw_only=True)
class Case:
    """A subscription that something is decided about, and what has to be known.

    Args:
        subscription: As it is when everything that was due is decided.
        account: Who pays.
        facts: What rules are told.
        now: This instant.
    """

    subscription: Subscription
    account: BillingAccount
    facts: Facts
    now: datetime


Rule = Callable[[Case], Decision | Awaitable[Decision]]
"""Decides about a subscription; what it needs beyond the case it may load."""


@attrs.frozen(kw_only=True)
class Done:
    """What an operation led to, or in a preview would lead to.

    Args:
        subscription: As it is now.
        papers: What was written: invoices, credit notes, payments, entries.
    """

    subscription: Subscription
    papers: Papers


@attrs.define
class Besides:
    """What a rule wants recorded besides its decision; the last time that it decided counts."""

    change: Change = attrs.field(factory=Change)


@attrs.frozen(kw_only=True)
class _File:
    """What is on file of a subscription: as it is stored, who pays, what is known, and the invoices that were read.

    Others of the account are on it whose lines wait for an invoice.
    """

    stored: Subscription
    account: BillingAccount
    known: Known
    beside: Mapping[str, Subscription]
    invoices: dict[str, Invoice] = attrs.field(factory=dict)


class FreshPayments(Protocol):
    """Tries payments that were just written down.

    Promises:
        1. It is called only when everything is recorded, and comes back whatever the gateway does.
    """

    def try_now(self, invoice: str) -> Awaitable[PaymentIntent | None]:
        """Try the payment of an invoice; answer it as it is now."""
        ...


Part = Change | Callable[[Done], Change | Awaitable[Change]]
"""What is recorded together with a decision."""


@attrs.frozen(kw_only=True)
class Office:
    """Loads, decides by a rule, and records.

    Args:
        desk: Whose books.
        plans: What is sold.
        taxes: Which rates hold.
        policy: How the shop bills.
        usage: Who counts what is used.
        lookups: Knows changes of price, and what was announced.
        payments: Tries at once what a customer's own operation has to be paid; None leaves it to the work that is due.
    """

    desk: Desk
    plans: Plans
    taxes: Taxes
    policy: SubscriptionPolicy
    usage: Usage
    lookups: Lookups | None = None
    payments: FreshPayments | None = None

    async def conclude(
        self,
        customer: CustomerId | None,
        id: str,
        rule: Rule,
        *,
        part: Part | None = None,
        request: Request = NO_KEY,
    ) -> Done:
        """Decide about a subscription by a rule, and record what that leads to.

        Args:
            customer: Whose it is; None for the shop's own people and for work that nobody asked for.
            id: Which subscription.
            rule: What to decide.
            part: What is recorded with it; it may be told what it is recorded with.
            request: What the customer asks for; with a key it is done once under that.

        Raises:
            SubscriptionUnknown: There is none, or it is another customer's.
            RequestIdReused: Something else was asked for under the key.
            Rejected: As the rule says.
        """
        asked = asked_by(self.desk, customer or "", id, request)

        async def work() -> Done:
            return await self._recorded(customer, id, rule, part, asked)

        async def decide() -> Done:
            return await once(self.desk, asked, work, self._again)

        done = await self.desk.retrying(decide, ATTEMPTS, on_taken=True)
        return await self._paid_at_once(done, self.payments) if customer is not None and self.payments else done

    async def conclude_once(self, id: str, rule: Rule, part: Part) -> Done:
        """Decide about a subscription by a rule, and record that; whoever is overtaken decides all of it anew.

        For work that nobody is signed in for, and that has more to decide than this.

        Args:
            id: Which subscription.
            rule: What to decide.
            part: What is recorded with it; it may be told what it is recorded with.

        Raises:
            SubscriptionUnknown: There is none.
            StaleWrite, Taken: Somebody was faster; nothing is recorded.
            Rejected: As the rule says.
        """
        return await self._recorded(None, id, rule, part, None)

    async def _recorded(
        self, customer: CustomerId | None, id: str, rule: Rule, part: Part | None, asked: Asked | None
    ) -> Done:
        done, change = await self._decided(customer, id, rule)
        more = await got(part(done)) if callable(part) else part
        change |= remembered(self.desk, asked, names_of(done.papers))
        await self.desk.record(change | more if more is not None else change)
        return done

    async def _paid_at_once(self, done: Done, payments: FreshPayments) -> Done:
        """Try what a customer's operation has to be paid, now that it is recorded and the customer is there."""
        charges = [one for one in done.papers.intents if _waits_to_be_tried(one)]
        if not charges:
            return done
        tried = {one.id: await payments.try_now(one.invoice) or one for one in charges}
        found = await got(self.desk.records.find(SUBSCRIPTIONS, done.subscription.id))
        invoices = await got(self.desk.records.pick(INVOICES, [one.id for one in done.papers.invoices]))
        intents = tuple(tried.get(one.id, one) for one in done.papers.intents)
        papers = attrs.evolve(done.papers, intents=intents, invoices=tuple(invoices))
        return Done(subscription=found.it if found else done.subscription, papers=papers)

    async def _again(self, kept: KeptRequest) -> Done:
        """Answer what a request led to that was carried out before, as it is now."""
        found = await got(self.desk.records.find(SUBSCRIPTIONS, kept.subject, bring=(ACCOUNTS.via("account"),)))
        if found is None or (account := found[ACCOUNTS]) is None:
            raise SubscriptionUnknown
        papers = await papers_named(self.desk.records, kept.led_to, found.it, account)
        return Done(subscription=found.it, papers=papers)

    async def preview(self, customer: CustomerId | None, id: str, rule: Rule) -> Done:
        """Answer what ``conclude`` would lead to now; nothing is recorded.

        Args:
            customer: Whose it is; None for the shop's own people.
            id: Which subscription.
            rule: What to decide.

        Raises:
            SubscriptionUnknown: There is none, or it is another customer's.
            Rejected: As the rule says.
        """
        return (await self.desk.retrying(lambda: self._decided(customer, id, rule), ATTEMPTS))[0]

    async def _decided(self, customer: CustomerId | None, id: str, rule: Rule) -> tuple[Done, Change]:
        now = self.desk.now()
        found = await got(self.desk.records.find(SUBSCRIPTIONS, id, bring=(ACCOUNTS.via("account"),)))
        if found is None or found.it.store != self.desk.scope.store:
            raise SubscriptionUnknown
        if customer is not None and found.it.customer != customer:
            raise SubscriptionUnknown
        stored, account = found.it, found[ACCOUNTS]
        if account is None:
            msg = f"subscription {id} has no billing account"
            raise Defect(msg)
        beside = await waiting_beside(self.desk.records, [account], {id})
        file = _File(stored=stored, account=account, known=await self._known(stored, account, now), beside=beside)
        file.invoices.update(await self._live(stored))
        method = stored.payment_method or account.payment_method
        facts = Facts(has_method=method is not None, invoices=dict(file.invoices), pending=account.pending)
        facts = file.known.facts(stored, facts)

        async def decided(counted: Counted) -> Papers:
            return await self._in_rounds(file, counted.told(facts), rule, now)

        reading = Reading(self.desk.records, self.usage)
        counted = await reading.counted({id: decided} if may_ask(stored) else {})
        papers = await decided(counted)
        boxes = await boxes_on_file(self.desk.records, papers.subscriptions, {stored.id: stored}, now)
        doubles = await doubles_on_file(self.desk.records, [(papers.account, papers.subscriptions)])
        change = filed(
            self.desk,
            papers,
            account=account,
            subscriptions={stored.id: stored},
            invoices=file.invoices,
            agendas=file.known.agendas,
            meters=counted.meters,
            boxes=boxes,
            doubles=doubles,
            beside=file.beside,
            voided=await voided_on_file(self.desk.records, [papers]),
        )
        return Done(subscription=papers.subscriptions[0], papers=papers), change

    async def _in_rounds(self, file: _File, facts: Facts, rule: Rule, now: datetime) -> Papers:
        """Write up what is due, until nothing is, and then what a rule decides on top of that."""
        one, account, papers = file.stored, file.account, None
        while (due := plan(one, facts, self.policy, now)).is_written:
            written = await self._written(file, due, account, facts, now)
            one, account, papers = written.subscriptions[0], written.account, joined(papers, written)
            facts = with_papers(facts, written)
        case = Case(subscription=due.subscription, account=account, facts=facts, now=now)
        decision = due.then(await got(rule(case)))
        decision = attrs.evolve(decision, subscription=projected(decision.subscription, self.policy))
        return joined(papers, await self._written(file, decision, account, facts, now))

    async def _written(
        self, file: _File, decision: Decision, account: BillingAccount, facts: Facts, now: datetime
    ) -> Papers:
        """Write up what a round has decided."""
        named = await self._named(decision, facts.invoices)
        file.invoices.update(named)
        rates = await rates_for(self.taxes, [decision], {account.id: account})
        paper_facts = PaperFacts(
            intents=await self._payments_of(decision),
            rates=rates.get(account.id, {}),
            method=account.payment_method,
            invoices={**facts.invoices, **named},
            watched=file.known.watched([file.stored], {account.id: account}, self.policy),
            beside=file.beside,
        )
        return write_up(account, [decision], paper_facts, self.policy, now, new_ids(self.desk))

    async def _known(self, stored: Subscription, account: BillingAccount, now: datetime) -> Known:
        """Look up what the bills depend on that are due by now; nothing while none is."""
        if self.lookups is None or stored.due_at is None or stored.due_at > now:
            return _NOTHING_KNOWN
        changes = await self.lookups.prices(PriceList(), now)
        return await self.lookups.known([stored], {account.id: account}, changes)

    async def with_prices(self, case: Case) -> Facts:
        """Answer the facts of a case with the changes of price that were announced, for what begins later.

        Args:
            case: Whose.
        """
        if self.lookups is None:
            return case.facts
        one, account = case.subscription, case.account
        changes = await self.lookups.prices(PriceList(), case.now)
        return (await self.lookups.known([one], {account.id: account}, changes)).facts(one, case.facts)

    async def _live(self, subscription: Subscription) -> Mapping[str, Invoice]:
        """Answer the invoices of the time that isn't over."""
        ids = [live.invoice for live in subscription.live]
        return await self._picked(ids)

    async def _picked(self, ids: Sequence[str]) -> Mapping[str, Invoice]:
        return {invoice.id: invoice for invoice in await got(self.desk.records.pick(INVOICES, ids))}

    async def _named(self, decision: Decision, invoices: Mapping[str, Invoice]) -> Mapping[str, Invoice]:
        """Answer the invoices that a decision takes back or voids, and that aren't known yet."""
        named = {*decision.voids, *(back.invoice for back in decision.credits)} - invoices.keys()
        return await self._picked(sorted(named)) if named else {}

    async def _payments_of(self, decision: Decision) -> Mapping[str, tuple[PaymentIntent, ...]]:
        """Answer the payments of the invoices that are paid back."""
        refunded = dict.fromkeys(back.invoice for back in decision.credits if back.to is CreditTo.REFUND)
        records = self.desk.records
        return {id: (await got(records.rows(INTENTS, "invoice", id, None, _MOST_PAYMENTS))).items for id in refunded}

    async def bring_up_to_date(self, customer: CustomerId | None, id: str) -> None:
        """Record what has become due of a subscription, so that what follows finds it on paper and can take it back.

        Args:
            customer: Whose it is; another's is left alone. None for the shop's own people.
            id: Which subscription.
        """
        found = await got(self.desk.records.find(SUBSCRIPTIONS, id))
        if found is None or (customer is not None and found.it.customer != customer):
            return
        if found.it.due_at is not None and found.it.due_at <= self.desk.now():
            await self.conclude(None, id, lambda case: Decision(subscription=case.subscription))

    async def record_alone(self, part: Callable[[], Awaitable[Change]]) -> None:
        """Record something that concerns no subscription, with as much looking up as if it did.

        Args:
            part: What is recorded; it is asked for when everything was looked up.
        """
        await got(self.desk.records.find(SUBSCRIPTIONS, _NOBODYS, bring=(ACCOUNTS.via("account"),)))
        await self._picked((_NOBODYS,))
        await self.desk.record(await part())


def _waits_to_be_tried(intent: PaymentIntent) -> bool:
    return intent.purpose is Purpose.CHARGE and intent.state is IntentState.READY
