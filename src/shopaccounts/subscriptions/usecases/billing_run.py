"""The billing run: everything that has become due, a page at a time.

The rules, in plain English:

* What is worked on is a billing account: whoever claims the first of its subscriptions that is due takes the others
  along, so that balance and shared invoices are decided once. A large account takes several pages.
* A page is claimed, decided without looking anything up, and recorded at once. No gateway and no mail is in it.
* Correct it is by two things alone: a cycle can be billed once, and a subscription that somebody else changed meanwhile
  is decided anew. Claims only keep workers out of each other's way, and lapse.
* A subscription that can't be decided is set aside, tried again later and at last handed to a person. The others go on.
* A cycle that is on file already, though its subscription doesn't know, isn't billed again: see ``standing``. Where it
  is on file otherwise than it would be billed now, the subscription is handed to a person at once.
* When nothing is due any more, accounts are looked after that have no next invoice for what waits: see ``last_bills``.
* So it may be run at any time, twice, by many workers, and after any crash.
* Where the clock was set back nothing is planned, and the report says so, until it has caught up.
"""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Final

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.money import Currency, Money
from shopaccounts.kernel.ports import Claimed, DueWork
from shopaccounts.kernel.record import Change, ClaimGuard, PageResult
from shopaccounts.kernel.time import ClockWentBack
from shopaccounts.subscriptions.billing.usage_billing import may_ask
from shopaccounts.subscriptions.boxes.filing import NOTHING_ON_FILE, BoxesOnFile, boxes_on_file
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.errors import InvoiceKeyClash
from shopaccounts.subscriptions.events import SubscriptionHeld
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.failures import BillingFailure, failed
from shopaccounts.subscriptions.model import ACCOUNTS, SUBSCRIPTIONS, BillingAccount, Hold, Subscription
from shopaccounts.subscriptions.office.beside import waiting_beside
from shopaccounts.subscriptions.office.counting import NOT_METERED, Counted, Reading
from shopaccounts.subscriptions.office.doubling import NO_DOUBLES, doubles_on_file
from shopaccounts.subscriptions.office.filing import filed, new_ids
from shopaccounts.subscriptions.office.known import Known, Lookups, PriceList
from shopaccounts.subscriptions.office.last_run import RunClock
from shopaccounts.subscriptions.office.standing import behind, on_file, require_agreed
from shopaccounts.subscriptions.office.voided import NONE_VOIDED, voided_on_file
from shopaccounts.subscriptions.papers.documents import INVOICES, BilledCycle, CycleEnd, Invoice
from shopaccounts.subscriptions.planning.planner import plan
from shopaccounts.subscriptions.planning.taxes import rates_for
from shopaccounts.subscriptions.planning.writing_up import PaperFacts, Papers, write_up
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.ports import Taxes, Usage
from shopaccounts.subscriptions.scheduled import NOTHING_SCHEDULED
from shopaccounts.subscriptions.states import Lifecycle
from shopaccounts.subscriptions.usecases.last_bills import LastBills

__all__ = ["BillingRun", "RunReport"]

log = logging.getLogger("shopaccounts")

FAILED: Final = "planning_failed"
"""The code of a hold because a subscription could not be decided so often."""
CLASH: Final = "invoice_key_clash"
"""The code of a hold because a cycle is on file already, with another period, currency or total."""


@attrs.frozen(kw_only=True)
class RunReport:
    """What a billing run did; it tells nothing about any person.

    Args:
        pages: How many pages were worked on.
        subscriptions: How many subscriptions were decided and recorded.
        invoices: How many invoices were written.
        amounts: What they come to, for each currency.
        lapsed: How many cycles lapsed.
        held: How many subscriptions wait for a person now.
        stale: How many were changed by somebody else meanwhile; they come again.
        failures: Those that could not be decided.
        duration: How long it took.
        clock_was: What the clock had shown before it was set back, so that nothing was planned; None where it wasn't.
    """

    pages: int = 0
    subscriptions: int = 0
    invoices: int = 0
    amounts: tuple[Money, ...] = ()
    lapsed: int = 0
    held: int = 0
    stale: int = 0
    failures: tuple[BillingFailure, ...] = ()
    duration: timedelta = timedelta(0)
    clock_was: datetime | None = None

    def __add__(self, more: "RunReport") -> "RunReport":
        sums = {money.currency: money for money in self.amounts}
        for money in more.amounts:
            sums[money.currency] = sums[money.currency] + money if money.currency in sums else money
        return RunReport(
            pages=self.pages + more.pages,
            subscriptions=self.subscriptions + more.subscriptions,
            invoices=self.invoices + more.invoices,
            amounts=tuple(sums[currency] for currency in sorted(sums)),
            lapsed=self.lapsed + more.lapsed,
            held=self.held + more.held,
            stale=self.stale + more.stale,
            failures=self.failures + more.failures,
            duration=self.duration + more.duration,
            clock_was=self.clock_was or more.clock_was,
        )


@attrs.define
class _Page:
    """What one page is about, as far as it has come."""

    now: datetime
    claims: Mapping[str, Claimed[Subscription]]
    subscriptions: Mapping[str, Subscription]
    accounts: Mapping[str, BillingAccount]
    invoices: Mapping[str, Invoice]
    known: Known
    beside: Mapping[str, Subscription]
    failures: list[tuple[Subscription, Exception]]
    counted: Counted = NOT_METERED
    boxes: BoxesOnFile = NOTHING_ON_FILE
    doubles: Mapping[str, Subscription] = NO_DOUBLES
    voided: Mapping[str, BilledCycle] = NONE_VOIDED


@attrs.frozen(kw_only=True)
class BillingRun:
    """Bills everything that has become due.

    Args:
        desk: Whose books.
        work: Who hands out what is due.
        taxes: Which rates hold.
        policy: How the shop bills.
        lookups: Knows changes of price, and what was announced.
        usage: Who counts what is used.
    """

    desk: Desk
    work: DueWork
    taxes: Taxes
    policy: SubscriptionPolicy
    lookups: Lookups
    usage: Usage

    async def run_billing(
        self, *, limit: int | None = None, max_pages: int | None = None, worker: WorkerId
    ) -> RunReport:
        """Bill what is due, page by page, until nothing is left.

        Args:
            limit: How many subscriptions a page has at most; by default what the policy says.
            max_pages: After how many pages to stop.
            worker: Who works.
        """
        report, prices, clock = RunReport(), PriceList(), RunClock(self.desk)
        while max_pages is None or report.pages < max_pages:
            page = await self._page(limit or self.policy.running.limit, worker, prices, clock)
            if page is None:
                break
            report += page
            if page.clock_was is not None:
                break
        return report

    async def _page(self, limit: int, worker: WorkerId, prices: PriceList, clock: RunClock) -> RunReport | None:
        try:
            began = await clock.page_begins()
        except ClockWentBack as back:
            return RunReport(clock_was=back.was)
        claims = await got(self.work.claim_due(SUBSCRIPTIONS, began, limit, self.policy.running.lease, worker))
        if not claims:
            return await self._last_bills(limit, worker)
        page = await self._loaded(claims, began, limit, prices)
        page.counted = await self._counted(page)
        decisions = self._decided(page)
        written: Sequence[Papers] = await self._written(page, decisions)
        after = [one for papers in written for one in papers.subscriptions]
        page.boxes = await boxes_on_file(self.desk.records, after, page.subscriptions, page.now)
        ends = ((papers.account, papers.subscriptions) for papers in written)
        page.doubles = await doubles_on_file(self.desk.records, ends)
        page.voided = await voided_on_file(self.desk.records, written)
        desk = self.desk.by_itself
        changes = [self._change(page, papers, desk) for papers in written]
        results = await clock.record(began, changes)
        if PageResult.STALE in results:
            written, results = await self._gone_on(page, decisions, written, results)
        failures = await self._set_aside(page)
        await self._free(page, written, results, failures)
        return _report(written, results, failures, self.desk.now() - began)

    async def _last_bills(self, limit: int, worker: WorkerId) -> RunReport | None:
        began = self.desk.now()
        page = await LastBills(desk=self.desk, work=self.work, policy=self.policy).page(limit, worker)
        return None if page is None else _report(*page, (), self.desk.now() - began)

    async def _loaded(
        self, claims: Sequence[Claimed[Subscription]], now: datetime, limit: int, prices: PriceList
    ) -> _Page:
        """Load the accounts that were claimed: what is due of them, and what a decision about that needs."""
        held = sorted({claim.item.account for claim in claims})
        due = await got(self.work.due_in(SUBSCRIPTIONS, "account", held, now, limit))
        accounts = await got(self.desk.records.pick(ACCOUNTS, held))
        looked_at = sorted({live.invoice for one in due if _looks_back(one) for live in one.live})
        invoices = await got(self.desk.records.pick(INVOICES, looked_at)) if looked_at else ()
        by_id = {one.id: one for one in accounts}
        known = await self.lookups.known(due, by_id, await self.lookups.prices(prices, now))
        return _Page(
            now=now,
            claims={claim.item.id: claim for claim in claims},
            subscriptions={one.id: one for one in due},
            accounts=by_id,
            invoices={one.id: one for one in invoices},
            known=known,
            beside=await waiting_beside(self.desk.records, accounts, {one.id for one in due}),
            failures=[],
        )

    def _decided(self, page: _Page) -> list[Decision]:
        """Decide each subscription by itself; one that can't be decided stops no other."""
        decisions = []
        for one in page.subscriptions.values():
            try:
                decisions.append(self._planned(page, one, page.counted))
            except Exception as failure:  # noqa: BLE001  (whatever it is, the others are billed)
                page.failures.append((one, failure))
                page.beside = {**page.beside, one.id: one}
        return decisions

    async def _counted(self, page: _Page) -> Counted:
        """Ask what meters counted for those who have some."""
        metered = {one.id: partial(self._planned, page, one) for one in page.subscriptions.values() if may_ask(one)}
        return await Reading(self.desk.records, self.usage).counted(metered)

    def _planned(self, page: _Page, one: Subscription, counted: Counted) -> Decision:
        account = page.accounts[one.account]
        facts = Facts(
            has_method=(one.payment_method or account.payment_method) is not None,
            invoices=page.invoices,
            pending=account.pending,
        )
        return plan(one, counted.told(page.known.facts(one, facts)), self.policy, page.now)

    async def _written(self, page: _Page, decisions: Sequence[Decision]) -> list[Papers]:
        """Write up what was decided, account by account."""
        rates = await rates_for(self.taxes, decisions, page.accounts)
        by_account = groupby(
            sorted(decisions, key=lambda one: one.subscription.account), key=lambda one: one.subscription.account
        )
        papers = []
        for id, mine in by_account:
            account, its = page.accounts[id], list(mine)
            stored = [page.subscriptions[one.subscription.id] for one in its]
            try:
                facts = PaperFacts(
                    rates=rates.get(id, {}),
                    method=account.payment_method,
                    invoices=page.invoices,
                    watched=page.known.watched(stored, page.accounts, self.policy),
                    beside=page.beside,
                )
                papers.append(write_up(account, its, facts, self.policy, page.now, new_ids(self.desk)))
            except Exception as failure:  # noqa: BLE001  (whatever it is, the others are billed)
                page.failures += [(page.subscriptions[one.subscription.id], failure) for one in its]
        return papers

    def _change(self, page: _Page, papers: Papers, desk: Desk) -> Change:
        return filed(
            desk,
            papers,
            account=page.accounts[papers.account.id],
            subscriptions=page.subscriptions,
            invoices=page.invoices,
            agendas=page.known.agendas,
            meters=page.counted.meters,
            boxes=page.boxes,
            doubles=page.doubles,
            beside=page.beside,
            voided=page.voided,
            claims=_guards(page.claims[one.id] for one in papers.subscriptions if one.id in page.claims),
        )

    async def _gone_on(
        self, page: _Page, decisions: Sequence[Decision], written: Sequence[Papers], results: Sequence[str]
    ) -> tuple[Sequence[Papers], Sequence[str]]:
        """Let those of a page go on that were refused because a cycle of theirs is on file; the others come again.

        Which of them somebody else has billed meanwhile shows when this is recorded: they have another version then.
        """
        stale = [papers for papers, result in zip(written, results, strict=True) if result == PageResult.STALE]
        refused = {one.id for papers in stale for one in papers.subscriptions}
        mine = [one for one in decisions if one.subscription.id in refused]
        standing = await on_file(self.desk.records, mine)
        planned = {row.id: row for papers in stale for row in papers.cycles}
        agreed: list[Decision] = []
        for one in mine:
            its = standing.of(one)
            try:
                require_agreed(its, planned)
            except InvoiceKeyClash as clash:
                page.failures.append((page.subscriptions[one.subscription.id], clash))
            else:
                agreed += [behind(one, standing, page.now)] if its else []
        apart = refused.difference(one.subscription.id for one in agreed)
        page.beside = {**page.beside, **{id: page.subscriptions[id] for id in apart}}
        more = await self._written(page, agreed) if agreed else []
        changes = [self._change(page, papers, self.desk.by_itself) for papers in more]
        recorded = await got(self.desk.records.record_page(changes)) if changes else ()
        gone_on = {one.id for papers in more for one in papers.subscriptions} | {one.id for one, _ in page.failures}
        left = [_without(papers, gone_on) for papers in written]
        return (*left, *more), (*results, *recorded)

    async def _set_aside(self, page: _Page) -> tuple[BillingFailure, ...]:
        """Try what failed again later; after some failures a person has to look at it, and at a clash at once.

        What is to be held and was changed by somebody else meanwhile has not failed: it is decided anew.
        """
        failures = []
        for one, failure in page.failures:
            claim = page.claims.get(one.id)
            told = failed(one.id, failure, claim.attempts if claim else 0, page.now)
            ours = _guards([claim] if claim else ())
            if told.next_try is None and not await self._hold(one, failure, page.now, ours):
                continue
            failures.append(told)
            log.error("subscription %s can't be billed: %s", one.id, told.code, exc_info=failure)
            if claim and told.next_try is not None:
                await got(self.work.release(SUBSCRIPTIONS, [claim], told.next_try))
        return tuple(failures)

    async def _hold(
        self, subscription: Subscription, why: Exception, now: datetime, claims: tuple[ClaimGuard, ...]
    ) -> bool:
        """Leave a subscription to a person, unless it was changed meanwhile; answer whether it is held."""
        code = CLASH if isinstance(why, InvoiceKeyClash) else FAILED
        held = attrs.evolve(subscription, hold=Hold(since=now, code=code), due_at=None)
        told = SubscriptionHeld(at=now, account=held.customer, subscription=held.id, reason=code)
        held_back = Change(
            writes=(SUBSCRIPTIONS.change(subscription, held),), claims=claims, events=self.desk.by_itself.tell(told)
        )
        return await got(self.desk.records.record_page([held_back])) == (PageResult.RECORDED,)

    async def _free(
        self, page: _Page, written: Sequence[Papers], results: Sequence[str], failures: Sequence[BillingFailure]
    ) -> None:
        """Give back at once what is claimed and wasn't decided after all; what was recorded is free with its record.

        That is the rest of a large account, and what somebody else changed meanwhile.
        """
        decided = {
            one.id
            for papers, result in zip(written, results, strict=True)
            for one in papers.subscriptions
            if result != PageResult.STALE
        }
        done = decided | {one.subscription for one in failures}
        left = [claim for id, claim in page.claims.items() if id not in done]
        if left:
            await got(self.work.release(SUBSCRIPTIONS, left, None))


def _guards(claims: Iterable[Claimed[Subscription]]) -> tuple[ClaimGuard, ...]:
    return tuple([ClaimGuard(SUBSCRIPTIONS, claim.item.id, claim.fence) for claim in claims])


def _without(papers: Papers, gone: Collection[str]) -> Papers:
    """Answer papers that leave some subscriptions out, so that these are counted where they are recorded."""
    left = tuple(one for one in papers.subscriptions if one.id not in gone)
    return papers if left == papers.subscriptions else attrs.evolve(papers, subscriptions=left)


def _looks_back(subscription: Subscription) -> bool:
    """Tell whether deciding a subscription may void or take back something that was billed before."""
    return subscription.lifecycle is Lifecycle.INCOMPLETE or subscription.scheduled != NOTHING_SCHEDULED


def _report(
    written: Sequence[Papers], results: Sequence[str], failures: tuple[BillingFailure, ...], duration: timedelta
) -> RunReport:
    recorded = [papers for papers, result in zip(written, results, strict=True) if result == PageResult.RECORDED]
    invoices = [invoice for papers in recorded for invoice in papers.invoices]
    sums: Counter[Currency] = Counter()
    for invoice in invoices:
        sums[invoice.currency] += invoice.total.minor
    subscriptions = [one for papers in recorded for one in papers.subscriptions]
    return RunReport(
        pages=1,
        subscriptions=len(subscriptions),
        invoices=len(invoices),
        amounts=tuple(Money(sums[currency], currency) for currency in sorted(sums)),
        lapsed=sum(cycle.ended is CycleEnd.LAPSED for papers in recorded for cycle in papers.cycles),
        held=sum(one.hold is not None for one in subscriptions) + sum(one.next_try is None for one in failures),
        stale=sum(len(papers.subscriptions) for papers in written) - len(subscriptions),
        failures=failures,
        duration=duration,
    )
