"""What is going to happen: charges, boxes, the end of a trial, phases, new prices, planned changes, letters, the end.

The rules, in plain English:

* The future is computed by the same rules that will make it: the planner is asked what it would do at each instant at
  which something is due, one after the other. So what a customer is shown is what the customer will be charged.
* The letters that will announce it are foretold as well, since a new price holds only for those who were told in time.
  What the customer has said to a new price stands; who is asked and hasn't answered counts as silent.
* Boxes are shown on their days, but for those that the customer has left out.
* What still waits for a bill when all of the account's subscriptions are over, is shown as the last bill.
* Taxes, and whose law holds, are those of today; what a meter will count nobody knows: such a charge is shown as open.
* The future is cut: at a day, or after so many things.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from enum import Enum
from itertools import islice, takewhile
from types import MappingProxyType
from typing import Final

import attrs

from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.events import Event
from shopaccounts.kernel.money import Money, Rate
from shopaccounts.kernel.time import instant_of, local_date, start_of_day
from shopaccounts.subscriptions.announcing.foretelling import Foretelling
from shopaccounts.subscriptions.announcing.last_bills import Neighbour, Neighbours
from shopaccounts.subscriptions.boxes.listing import Delivery, OpenBoxes, boxes_ahead
from shopaccounts.subscriptions.charges.metering import Asked
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.due import next_due, projected
from shopaccounts.subscriptions.events import (
    BillingDayMoved,
    FrequencyChanged,
    PlanChanged,
    PriceChanged,
    QuantityChanged,
    SubscriptionActivated,
    SubscriptionCanceled,
    SubscriptionExpired,
    SubscriptionPaused,
    SubscriptionResumed,
    TrialConverted,
    TrialLapsed,
    TrialStarted,
)
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.laws.notice_rules import NoticeTrigger
from shopaccounts.subscriptions.model import BillingAccount, Subscription
from shopaccounts.subscriptions.notices.agenda import NoticeAgenda
from shopaccounts.subscriptions.papers.lines import LineDraft
from shopaccounts.subscriptions.planning.beginning import first_paid
from shopaccounts.subscriptions.planning.planner import plan
from shopaccounts.subscriptions.planning.rounds import with_papers
from shopaccounts.subscriptions.planning.writing_up import PaperFacts, Papers, write_up
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.ports import MethodFacts
from shopaccounts.subscriptions.states import Lifecycle

__all__ = [
    "MOST_AHEAD",
    "NO_OTHERS",
    "BoxesAhead",
    "OtherSubscriptions",
    "Upcoming",
    "UpcomingKind",
    "next_charge",
    "upcoming",
]

MOST_AHEAD: Final = 100
"""So many things ahead are shown at most."""
_MOST_STEPS: Final = 2 * MOST_AHEAD
"""Not everything that becomes due is shown, and some subscriptions never cost anything."""


class UpcomingKind(Enum):
    """What is going to happen."""

    START = "start"
    CHARGE = "charge"
    TRIAL_END = "trial_end"
    PHASE = "phase"
    PRICE = "price"
    CHANGE = "change"
    PAUSE = "pause"
    RESUME = "resume"
    NOTICE = "notice"
    DELIVERY = "delivery"
    END = "end"


@attrs.frozen(kw_only=True)
class Upcoming:
    """Something that is going to happen.

    Args:
        at: When.
        kind: What.
        amount: What is charged then, taxes included; None where nothing is, or nobody knows how much.
        lines: What it is for.
        is_open: Whether usage comes on top that nobody knows yet.
        announces: Of a letter, what it is about; None for all else.
        box: Which box comes; None for all else.
    """

    at: datetime
    kind: UpcomingKind
    amount: Money | None = None
    lines: tuple[LineDraft, ...] = ()
    is_open: bool = False
    announces: NoticeTrigger | None = None
    box: Delivery | None = None


@attrs.frozen
class BoxesAhead:
    """What is known of a subscription's boxes.

    Args:
        since: From when on they are shown.
        on_record: What is on record of them.
    """

    since: datetime
    on_record: OpenBoxes

    def before(self, stop: datetime, subscription: Subscription) -> Iterator[Upcoming]:
        """Answer the boxes that come before the day of an instant."""
        zone = subscription.zone
        first, end = local_date(self.since, zone), local_date(stop, zone)
        for box in boxes_ahead(subscription, self.on_record, first, end):
            yield Upcoming(at=start_of_day(box.on, zone), kind=UpcomingKind.DELIVERY, box=box)


@attrs.frozen
class OtherSubscriptions:
    """The other subscriptions of an account that are to be billed: what waits may join their bills.

    Args:
        facts: They, each with what is known of it.
        are_all: Whether there are no more of them.
    """

    facts: tuple[tuple[Subscription, Facts], ...]
    are_all: bool = True

    def beside(
        self, subscription: Subscription, rates: Mapping[tuple[str, date], tuple[Rate, ...]], policy: SubscriptionPolicy
    ) -> Neighbours:
        """Answer those that go on beside one."""
        each = [Neighbour(one, facts) for one, facts in self.facts if one.id != subscription.id]
        return Neighbours(each=each, are_all=self.are_all, rates=rates, policy=policy)


NO_OTHERS: Final = OtherSubscriptions(())
"""That an account has no other subscription that is to be billed."""

_KINDS: Final[Mapping[type[Event], UpcomingKind]] = MappingProxyType(
    {
        TrialStarted: UpcomingKind.START,
        SubscriptionActivated: UpcomingKind.START,
        TrialConverted: UpcomingKind.TRIAL_END,
        TrialLapsed: UpcomingKind.END,
        SubscriptionCanceled: UpcomingKind.END,
        SubscriptionExpired: UpcomingKind.END,
        SubscriptionPaused: UpcomingKind.PAUSE,
        SubscriptionResumed: UpcomingKind.RESUME,
        PlanChanged: UpcomingKind.CHANGE,
        QuantityChanged: UpcomingKind.CHANGE,
        FrequencyChanged: UpcomingKind.CHANGE,
        BillingDayMoved: UpcomingKind.CHANGE,
        PriceChanged: UpcomingKind.PRICE,
    }
)


class _RatesOfToday(Mapping[tuple[str, date], tuple[Rate, ...]]):
    """The rates of each category, whatever the day."""

    def __init__(self, by_category: Mapping[str, tuple[Rate, ...]]) -> None:
        self._by_category = by_category

    def __getitem__(self, key: tuple[str, date]) -> tuple[Rate, ...]:
        return self._by_category[key[0]]

    def __iter__(self) -> Iterator[tuple[str, date]]:
        return iter(())

    def __len__(self) -> int:
        return 0


def upcoming(
    subscription: Subscription,
    account: BillingAccount,
    facts: Facts,
    policy: SubscriptionPolicy,
    *,
    rates: Mapping[str, tuple[Rate, ...]] | None = None,
    agenda: NoticeAgenda | None = None,
    method: MethodFacts | None = None,
    others: OtherSubscriptions = NO_OTHERS,
    boxes: BoxesAhead | None = None,
    until: datetime | None = None,
    count: int = 12,
) -> tuple[Upcoming, ...]:
    """Answer what is going to happen to a subscription, in order.

    Args:
        subscription: Which; one whose first invoice is open is shown as if it will be paid.
        account: Who pays.
        facts: What is known besides: changes of price and what the customer said to them, where the customer is.
        policy: How the shop bills.
        rates: The tax rates of each category, as of today.
        agenda: What the customer was told lately, and when somebody looks next; None for somebody whom no letter
            reaches.
        method: What is known of the payment method.
        others: The account's other subscriptions.
        boxes: What is known of its boxes; None leaves them out.
        until: Up to when; None for as long as *count* lasts.
        count: How many things at most, 1 to 100.

    Raises:
        InvalidInput: *count* is out of bounds.
    """
    if type(count) is not int or not 1 <= count <= MOST_AHEAD:
        raise InvalidInput(field="count", reason="range")
    ahead = _ahead(subscription, account, facts, policy, _RatesOfToday(rates or {}), agenda, method, others, boxes)
    wanted = takewhile(lambda one: until is None or one.at <= until, ahead)
    return tuple(islice(wanted, count))


def next_charge(
    subscription: Subscription,
    account: BillingAccount,
    facts: Facts,
    policy: SubscriptionPolicy,
    *,
    rates: Mapping[str, tuple[Rate, ...]],
    agenda: NoticeAgenda | None,
    method: MethodFacts | None,
    others: OtherSubscriptions = NO_OTHERS,
) -> Upcoming | None:
    """Answer the next charge of a subscription, None if none is to come soon.

    Args:
        subscription: Which.
        account: Who pays.
        facts: What is known besides.
        policy: How the shop bills.
        rates: The tax rates of each category, as of today.
        agenda: What the customer was told lately, None for somebody whom no letter reaches.
        method: What is known of the payment method.
        others: The account's other subscriptions.
    """
    ahead = _ahead(subscription, account, facts, policy, _RatesOfToday(rates), agenda, method, others)
    return next((one for one in islice(ahead, MOST_AHEAD) if one.kind is UpcomingKind.CHARGE), None)


def _ahead(
    subscription: Subscription,
    account: BillingAccount,
    facts: Facts,
    policy: SubscriptionPolicy,
    rates: Mapping[tuple[str, date], tuple[Rate, ...]],
    agenda: NoticeAgenda | None,
    method: MethodFacts | None,
    others: OtherSubscriptions,
    boxes: BoxesAhead | None = None,
) -> Iterator[Upcoming]:
    """Let the planner do what is due, one instant after the other, and letters and boxes go out in between."""
    neighbours = others.beside(subscription, rates, policy)
    facts = attrs.evolve(facts, measured=Asked(), pending=account.pending)
    written = PaperFacts(rates=rates, method=account.payment_method, invoices=facts.invoices)
    letters = Foretelling(agenda=agenda, method=method, rates=rates, policy=policy) if agenda else None
    was = subscription.created_at
    if subscription.lifecycle is Lifecycle.INCOMPLETE:
        subscription = projected(first_paid(subscription, was).subscription, policy)
    if account.settle_at is not None:
        yield from _last(neighbours, subscription, account, account.settle_at)
    for _ in range(_MOST_STEPS):
        due = next_due(subscription, policy)
        if due is None:
            return
        between: list[Upcoming] = []
        if letters is not None:
            told = letters.before(due.at, subscription, account, facts)
            between += [Upcoming(at=one.at, kind=UpcomingKind.NOTICE, announces=one.trigger) for one in told]
            facts = attrs.evolve(facts, notices=letters.sent)
        if boxes is not None:
            between += boxes.before(due.at, subscription)
            boxes = attrs.evolve(boxes, since=max(boxes.since, due.at))
        yield from sorted(between, key=lambda one: one.at)
        if neighbours.each:
            mine = Neighbour(subscription, facts)
            account = neighbours.until(due.at, account, mine)
            subscription, facts = mine.subscription, attrs.evolve(mine.facts, pending=account.pending)
            written = attrs.evolve(written, invoices=facts.invoices, beside=neighbours.subscriptions)
        decision = plan(subscription, facts, policy, due.at)
        papers = write_up(account, [decision], written, policy, due.at, lambda key: key)
        yield from _phases(subscription, was, due.at)
        yield from _told(decision, due.at)
        yield from _charges(papers, due.at)
        neighbours.remember(papers)
        subscription, account, was = papers.subscriptions[0], papers.account, due.at
        yield from _last(neighbours, subscription, account, was)
        facts = with_papers(facts, papers)
        written = attrs.evolve(written, invoices=facts.invoices)


def _last(
    neighbours: Neighbours, subscription: Subscription, account: BillingAccount, at: datetime
) -> Iterator[Upcoming]:
    papers = neighbours.last_bill(subscription, account, at)
    return _charges(papers, at) if papers else iter(())


def _charges(papers: Papers, at: datetime) -> Iterator[Upcoming]:
    metered = any(line.meter for one in papers.subscriptions for line in one.lines)
    for invoice in papers.invoices:
        yield Upcoming(at=at, kind=UpcomingKind.CHARGE, amount=invoice.due, lines=invoice.lines, is_open=metered)


def _told(decision: Decision, at: datetime) -> Iterator[Upcoming]:
    for event in decision.events:
        if (kind := _KINDS.get(type(event))) is not None:
            yield Upcoming(at=at, kind=kind)


def _phases(subscription: Subscription, since: datetime, until: datetime) -> Iterator[Upcoming]:
    """Answer the phases that begin between two instants, but for the first and what follows a trial."""
    anchor = subscription.segments[-1].cycle.anchor
    for before, phase in zip(subscription.terms.phases, subscription.terms.phases[1:], strict=False):
        begins = instant_of(phase.start, anchor.at, anchor.zone)
        if since < begins <= until and (subscription.trial is None or before is not subscription.terms.phases[0]):
            yield Upcoming(at=begins, kind=UpcomingKind.PHASE)
