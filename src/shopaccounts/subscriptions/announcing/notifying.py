"""Notices go out: everything that a law, a card scheme or the shop itself wants announced, a page at a time.

The rules, in plain English:

* Each subscription has an agenda that says when somebody looks next. Whoever looks sends what can be sent by then, and
  writes down when to look again.
* A letter is recorded with the notice that it is, and with the agenda: of two workers one sends, and a crash before
  that leaves nothing.
* One letter serves every rule that asks for it at that moment.
* A charge that waits for its notice is made when that notice is old enough.
* Somebody whom no mail reaches is not counted as told. It is tried again the next day.
* So it may be run at any time, twice, and by many workers.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Final

import attrs

from shopaccounts.customers import CUSTOMERS, Customer
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.events import Event
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.messages import Message
from shopaccounts.kernel.ports import Claimed, DueWork
from shopaccounts.kernel.record import Change, ClaimGuard, PageResult, Write
from shopaccounts.kernel.time import local_date
from shopaccounts.subscriptions.announcing.amounts import Foreseen, amount_of, foreseen
from shopaccounts.subscriptions.announcing.letters import NoticeLetters
from shopaccounts.subscriptions.announcing.looks import (
    ABOUT_CHARGES,
    DueLetter,
    Look,
    letters_for_charges,
    look_again,
    look_at,
    whose,
)
from shopaccounts.subscriptions.changing.price_moves import concerning
from shopaccounts.subscriptions.due import renewal_due
from shopaccounts.subscriptions.events import NoticeSent, TrialEnding
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.laws.notice_rules import NoticeFacts, NoticeTrigger
from shopaccounts.subscriptions.laws.notices import SENT_NOTICES, SentNotice, charge_after
from shopaccounts.subscriptions.model import ACCOUNTS, SUBSCRIPTIONS, BillingAccount, Subscription
from shopaccounts.subscriptions.notices.agenda import NOTICE_AGENDAS, NoticeAgenda, WaitingCharge, with_sent
from shopaccounts.subscriptions.notices.occasions import Occasion, contract_facts, notice_of, occasions
from shopaccounts.subscriptions.office.known import Lookups, PriceList, method_of
from shopaccounts.subscriptions.papers.documents import INVOICES, Invoice
from shopaccounts.subscriptions.payments.intents import INTENTS, IntentState, PaymentIntent
from shopaccounts.subscriptions.planning.taxes import RatesOf, rates_for
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.ports import MethodFacts, Taxes
from shopaccounts.subscriptions.pricing import PriceAnswer, PriceChange
from shopaccounts.subscriptions.scheduled import NOTHING_SCHEDULED

__all__ = ["BillingNotices", "NoticeReport"]

log = logging.getLogger("shopaccounts")

_LEASE: Final = timedelta(minutes=5)
_TRY_AGAIN: Final = timedelta(hours=1)
_NO_RATES: Final[RatesOf] = MappingProxyType({})


@attrs.frozen(kw_only=True)
class NoticeReport:
    """What a run of notices did; it tells nothing about any person.

    Args:
        pages: How many pages were worked on.
        looked_at: How many subscriptions were looked at.
        sent: How many notices went out; one letter may be several.
        missed: How many were found to have been missed.
        unreachable: How many could not be sent, since no mail reaches the customer.
        stale: How many subscriptions somebody else was faster with; they come again.
        failed: How many could not be looked at; they come again later.
    """

    pages: int = 0
    looked_at: int = 0
    sent: int = 0
    missed: int = 0
    unreachable: int = 0
    stale: int = 0
    failed: int = 0

    def __add__(self, more: "NoticeReport") -> "NoticeReport":
        return NoticeReport(
            pages=self.pages + more.pages,
            looked_at=self.looked_at + more.looked_at,
            sent=self.sent + more.sent,
            missed=self.missed + more.missed,
            unreachable=self.unreachable + more.unreachable,
            stale=self.stale + more.stale,
            failed=self.failed + more.failed,
        )


@attrs.frozen(kw_only=True)
class _Page:
    """What the looks of a page have in common."""

    now: datetime
    changes: tuple[PriceChange, ...]
    subscriptions: Mapping[str, Subscription]
    accounts: Mapping[str, BillingAccount]
    invoices: Mapping[str, Invoice]
    answers: Mapping[str, tuple[PriceAnswer, ...]]
    methods: Mapping[str, MethodFacts]


@attrs.frozen(kw_only=True)
class _Desk:
    """What the letters of a page depend on."""

    customers: Mapping[str, Customer]
    rates: Mapping[str, RatesOf]
    intents: Mapping[str, PaymentIntent]


@attrs.frozen(kw_only=True)
class _Sent:
    """What one letter leads to."""

    notices: tuple[SentNotice, ...] = ()
    letters: tuple[Message, ...] = ()
    events: tuple[Event, ...] = ()
    unreachable: int = 0

    def __add__(self, more: "_Sent") -> "_Sent":
        return _Sent(
            notices=self.notices + more.notices,
            letters=self.letters + more.letters,
            events=self.events + more.events,
            unreachable=self.unreachable + more.unreachable,
        )


@attrs.frozen(kw_only=True)
class BillingNotices:
    """Sends what is to be announced about subscriptions.

    Args:
        desk: Whose books.
        work: Who hands out what is due.
        letters: Writes them.
        taxes: Which rates hold.
        policy: Which laws the shop follows, and of what it reminds.
        lookups: Knows changes of price, places and payment methods.
    """

    desk: Desk
    work: DueWork
    letters: NoticeLetters
    taxes: Taxes
    policy: SubscriptionPolicy
    lookups: Lookups

    async def run_notices(self, *, limit: int = 500, max_pages: int | None = None, worker: WorkerId) -> NoticeReport:
        """Send what can be sent now, page by page, until nothing is left.

        Args:
            limit: How many subscriptions a page has at most; 1 to 500.
            max_pages: After how many pages to stop.
            worker: Who works.
        """
        report, prices = NoticeReport(), PriceList()
        while max_pages is None or report.pages < max_pages:
            page = await self._page(limit, worker, prices)
            if page is None:
                break
            report += page
        return report

    async def _page(self, limit: int, worker: WorkerId, prices: PriceList) -> NoticeReport | None:
        now = self.desk.now()
        claims = await got(self.work.claim_due(NOTICE_AGENDAS, now, limit, _LEASE, worker))
        if not claims:
            return None
        page = await self._loaded(claims, await self.lookups.prices(prices, now), now)
        looks = await self._looks(claims, page)
        desk = await self._prepared(looks)
        sent = [await self._sent(look, desk, now) for look in looks]
        fences = {claim.item.id: ClaimGuard(NOTICE_AGENDAS, claim.item.id, claim.fence) for claim in claims}
        changes = [
            self._change(look, one, desk, now) | Change(claims=(fences[look.agenda.id],))
            for look, one in zip(looks, sent, strict=True)
        ]
        results = tuple(await got(self.desk.records.record_page(changes))) if changes else ()
        done = [n for n, result in enumerate(results) if result == PageResult.RECORDED]
        return NoticeReport(
            pages=1,
            looked_at=len(done),
            sent=sum(len(sent[n].notices) for n in done),
            missed=sum(len(looks[n].missed) for n in done),
            unreachable=sum(sent[n].unreachable for n in done),
            stale=len(results) - len(done),
            failed=len(claims) - len(looks),
        )

    # Looking

    async def _loaded(
        self, claims: Sequence[Claimed[NoticeAgenda]], changes: tuple[PriceChange, ...], now: datetime
    ) -> _Page:
        found = await got(self.desk.records.pick(SUBSCRIPTIONS, sorted(claim.item.id for claim in claims)))
        accounts = await got(self.desk.records.pick(ACCOUNTS, sorted({one.account for one in found})))
        by_id = {one.id: one for one in accounts}
        priced = {one.id: mine for one in found if changes and (mine := concerning(one, changes))}
        back = sorted({live.invoice for one in found if one.scheduled != NOTHING_SCHEDULED for live in one.live})
        invoices = await got(self.desk.records.pick(INVOICES, back)) if back else ()
        return _Page(
            now=now,
            changes=changes,
            subscriptions={one.id: one for one in found},
            accounts=by_id,
            invoices={one.id: one for one in invoices},
            answers=await self.lookups.answers(priced),
            methods=await self.lookups.methods(found, by_id),
        )

    async def _looks(self, claims: Sequence[Claimed[NoticeAgenda]], page: _Page) -> list[Look]:
        """Look at each subscription by itself; one that can't be looked at stops no other, and is tried again."""
        looks = []
        for claim in claims:
            try:
                look = await self._look(claim.item, page)
                for due in look.due:
                    self._foreseen(look, due, _NO_RATES)
            except Exception:
                log.exception("subscription %s can't be looked at for its notices", claim.item.id)
                await got(self.work.release(NOTICE_AGENDAS, [claim], page.now + _TRY_AGAIN))
            else:
                looks.append(look)
        return looks

    async def _look(self, agenda: NoticeAgenda, page: _Page) -> Look:
        one = page.subscriptions[agenda.id]
        account = page.accounts[one.account]
        method = method_of(one, account)
        details, has_method = page.methods.get(method or ""), method is not None
        facts = Facts(
            has_method=has_method,
            invoices=page.invoices,
            pending=account.pending,
            price_changes=page.changes,
            price_answers=page.answers.get(one.id, ()),
            notices=agenda.sent,
        )
        found: dict[Occasion, Facts] = {}
        places: dict[date, str] = {}
        for occasion in occasions(one, facts, self.policy, details, page.now):
            day = local_date(occasion.at, one.zone)
            if day not in places:
                places[day] = await got(self.lookups.jurisdictions.of(account.id, day))
            found[occasion] = attrs.evolve(facts, place=places[day])
        look = Look(agenda=agenda, subscription=one, account=account)
        contract = contract_facts(one, details, has_method=has_method)
        look = look_at(look, found, contract, self.policy, page.now)
        return attrs.evolve(look, due=look.due + letters_for_charges(look, self.policy, facts))

    # Writing

    async def _prepared(self, looks: Sequence[Look]) -> _Desk:
        """Look up what letters depend on: who gets them, which rates hold, and which payments wait."""
        writing = [look for look in looks if look.due]
        people = sorted({look.subscription.customer for look in writing})
        customers = await got(self.desk.records.pick(CUSTOMERS, people)) if people else ()
        waiting = sorted({charge.intent for look in looks for charge in look.agenda.waiting})
        intents = await got(self.desk.records.pick(INTENTS, waiting)) if waiting else ()
        ahead = [one for look in writing for due in look.due for one in self._foreseen(look, due, _NO_RATES)]
        decisions = [one.decision for one in ahead]
        rates = await rates_for(self.taxes, decisions, {look.account.id: look.account for look in writing})
        return _Desk(
            customers={one.id: one for one in customers}, rates=rates, intents={one.id: one for one in intents}
        )

    def _foreseen(self, look: Look, due: DueLetter, rates: RatesOf) -> list[Foreseen]:
        if due.waiting is not None:
            return []
        one, occasion, account = look.subscription, due.occasion, look.account
        return [foreseen(one, occasion, account, rates, facts, self.policy) for facts in _with_and_without(due)]

    async def _sent(self, look: Look, desk: _Desk, now: datetime) -> _Sent:
        sent = _Sent()
        for due in look.due:
            if due.waiting is None or _still_waits(desk.intents.get(due.waiting.intent)):
                sent += await self._letter(look, due, desk, now)
        return sent

    async def _letter(self, look: Look, due: DueLetter, desk: _Desk, now: datetime) -> _Sent:
        one, occasion = look.subscription, due.occasion
        facts = self._facts(look, due, desk)
        if facts is None:
            return _Sent()
        notices = tuple(notice_of(one, occasion, rule, facts, now) for rule in due.rules)
        customer = desk.customers.get(one.customer)
        letters = await self.letters.write(customer, one, occasion, facts, notices[0].id, now)
        if not letters:
            return _Sent(unreachable=len(notices))
        about = whose(one)
        events: list[Event] = [
            NoticeSent(at=now, rule=each.rule, trigger_at=each.trigger_at, notice=each.id, **about) for each in notices
        ]
        if occasion.trigger is NoticeTrigger.TRIAL_END:
            events.append(TrialEnding(at=now, account=one.customer, subscription=one.id, ends_at=occasion.at))
        return _Sent(notices=notices, letters=letters, events=tuple(events))

    def _facts(self, look: Look, due: DueLetter, desk: _Desk) -> NoticeFacts | None:
        """Answer what a letter says; None where there is nothing to say, since nothing is charged."""
        one, occasion = look.subscription, due.occasion
        if due.waiting is not None:
            amounts = [due.waiting.amount]
        else:
            rates = desk.rates.get(look.account.id, {})
            amounts = [amount_of(ahead, occasion) for ahead in self._foreseen(look, due, rates)]
        if occasion.trigger in ABOUT_CHARGES and amounts[0].is_zero:
            return None
        before = amounts[1] if occasion.change else None
        return self.letters.facts(one, occasion, amounts[0], before, renewal_due(one, self.policy) or occasion.at)

    def _change(self, look: Look, sent: _Sent, desk: _Desk, now: datetime) -> Change:
        """Answer what is recorded about one subscription: its notices, its agenda, and the charges that go on."""
        told = {(each.rule, each.instance) for each in sent.notices}
        waiting, moved = self._moved(look, desk, told, now)
        writes = [*map(SENT_NOTICES.add, sent.notices), *moved]
        agenda = attrs.evolve(
            with_sent(look.agenda, sent.notices, now),
            due_at=look_again(look, self.policy, now),
            looked_at=now,
            waiting=waiting,
        )
        writes.append(NOTICE_AGENDAS.change(look.agenda, agenda))
        told_of = self.desk.by_itself.tell(*look.missed, *sent.events)
        return Change(writes=tuple(writes), events=told_of, messages=sent.letters)

    def _moved(
        self, look: Look, desk: _Desk, told: set[tuple[str, str]], now: datetime
    ) -> tuple[tuple[WaitingCharge, ...], list[Write]]:
        """Answer what goes on waiting, and the payments that are made when all their notices are old enough."""
        rules = {rule.id: rule for rule in self.policy.notices.rules}
        by_intent: dict[str, list[WaitingCharge]] = {}
        for charge in look.agenda.waiting:
            if _still_waits(desk.intents.get(charge.intent)):
                by_intent.setdefault(charge.intent, []).append(charge)
        waiting: list[WaitingCharge] = []
        moved: list[Write] = []
        for id, charges in by_intent.items():
            left = [one for one in charges if (one.rule, one.notice) not in told]
            if left:
                waiting += left
                continue
            at = max(charge_after(rules[one.rule], now, look.subscription.zone) for one in charges)
            moved.append(INTENTS.change(desk.intents[id], attrs.evolve(desk.intents[id], due_at=at)))
        return tuple(waiting), moved


def _with_and_without(due: DueLetter) -> tuple[Facts, ...]:
    """Answer with which facts the planner is asked: for a new price, with it and without it."""
    if due.occasion.change is None:
        return (due.facts,)
    return due.facts, attrs.evolve(due.facts, price_changes=())


def _still_waits(intent: PaymentIntent | None) -> bool:
    """Tell whether a payment waits for a notice: one that the customer has made meanwhile doesn't."""
    return intent is not None and intent.state is IntentState.READY and intent.due_at is None
