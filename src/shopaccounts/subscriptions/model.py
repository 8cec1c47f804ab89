"""The subscription, and the billing account it belongs to.

The rules, in plain English:

* A subscription holds facts: what was agreed, from where its cycles count, up to where it is billed, what is planned,
  what was set aside. The next billing day is no fact. It is computed, and kept only so that a worker finds it.
* Its history is a tuple of segments. Whatever moves the billing day adds one; old ones never change.
* A billing account is one customer's purse in one store: zone, billing day, payment method, balance, and amounts that
  wait for the next invoice.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from enum import Enum
from typing import Any, Final

import attrs

from shopaccounts.kernel.evolving import but
from shopaccounts.kernel.ids import CustomerId, RealmId, StoreId
from shopaccounts.kernel.money import Currency, Money
from shopaccounts.kernel.personal import Category, OnErase, described, impersonal, personal
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.time import Zone, local_date
from shopaccounts.subscriptions.cycles.schedules import Segment, SegmentReason
from shopaccounts.subscriptions.cycles.segments import NOTHING_MOVED, service_period_of
from shopaccounts.subscriptions.marks import AN_ID, KEPT
from shopaccounts.subscriptions.papers.documents import LineDraft, PendingLine, TaxMode
from shopaccounts.subscriptions.plans.agreed import PrepaidCycles, RunningTerm, SubscribedLine, Terms, Trial
from shopaccounts.subscriptions.plans.delivery_schedule import DeliverySegment
from shopaccounts.subscriptions.plans.discounts import AppliedDiscount
from shopaccounts.subscriptions.scheduled import NOTHING_SCHEDULED, Override, OverrideKind, Scheduled
from shopaccounts.subscriptions.states import ENDED, Collection, Lifecycle

__all__ = [
    "ACCOUNTS",
    "SUBSCRIPTIONS",
    "BillingAccount",
    "CollectionMode",
    "CutLine",
    "Hold",
    "LiveInvoice",
    "Parting",
    "PastDue",
    "Pause",
    "PauseReason",
    "Replaced",
    "Subscription",
    "account_id",
    "group_key",
    "reference_key",
]

_DAYS: Final = OnErase.keep("the days of its papers begin there")
_AGREED: Final = personal("subscription", Category.PURCHASE, on_erase=KEPT)


class CollectionMode(Enum):
    """How an account's invoices are paid."""

    AUTOMATIC = "automatic"
    SEND_INVOICE = "send_invoice"


class PauseReason(Enum):
    """Who or what paused a subscription."""

    ASKED = "asked"
    TRIAL = "trial"
    UNPAID = "unpaid"


@attrs.frozen(kw_only=True)
class Pause:
    """A pause that runs.

    Args:
        since: From when on.
        until: When it ends by itself; None: when the customer or a payment ends it.
        reason: Who or what paused it.
        days_left: How many paid days it interrupted, and didn't give back.
        credited: Whether it gave them back.
        left_open: Whether nobody said when it ends, so that it lasts as long as the shop allows.
    """

    since: datetime
    until: datetime | None
    reason: PauseReason
    days_left: int = 0
    credited: bool = False
    left_open: bool = False


@attrs.frozen(kw_only=True)
class PastDue:
    """What is overdue: since when, and whether the end of the grace was told."""

    since: datetime
    invoices: tuple[str, ...]
    grace_told: bool = False


@attrs.frozen(kw_only=True)
class Hold:
    """Why a subscription waits for a decision of the shop; ``periods`` are those that it is about."""

    since: datetime
    code: str
    periods: tuple[int, ...] = ()


@attrs.frozen(kw_only=True)
class Parting:
    """Why a subscription ended.

    Args:
        reason: A word of the shop's own list, or ``involuntary``, ``withdrawal``.
        comment: What the customer said besides; it stands in no event and in no log.
        voluntary: Whether the customer wanted it.
        invoices: Those that nobody paid, where that ended it.
    """

    reason: str = ""
    comment: str = attrs.field(
        default="", repr=False, metadata=personal("subscription", Category.CONTENT, on_erase=OnErase.NULL)
    )
    voluntary: bool = True
    invoices: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class CutLine:
    """A line that is paid later and that a change replaced within a cycle: it is billed with that cycle.

    Args:
        line: What it was.
        start: The first day on which it was so.
        end: The day from which on it wasn't.
        until: The instant from which on it wasn't, of a metered line that a change replaced.
    """

    line: SubscribedLine
    start: date
    end: date
    until: datetime | None = None


@attrs.frozen(kw_only=True)
class Replaced:
    """What a change of one day took back of a line: a change that restores it on that day gives exactly that again.

    Args:
        on: The first day that was taken back.
        key: Which line.
        was: What the rest of it was, from that day on.
        backs: What was taken back.
        waited: Lines that waited for an invoice, as they were before.
    """

    on: date
    key: str
    was: tuple[LineDraft, ...]
    backs: tuple[LineDraft, ...]
    waited: tuple[PendingLine, ...] = ()


@attrs.frozen(kw_only=True)
class LiveInvoice:
    """An invoice with lines of a period that isn't over: what a change takes back of."""

    invoice: str
    until: date


@described(data_class="subscription", default=impersonal("ids, states, counters, times, amounts"))
@attrs.frozen(kw_only=True, slots=False)  # without slots it is made in half the time
class Subscription:
    """One agreement with one customer: what comes again, and what is to be paid for it.

    Args:
        id: Opaque and sortable by time.
        realm: The pool of customers.
        store: The storefront.
        version: How often it was written.
        account: The billing account.
        customer: Whose it is.
        request: What was asked for when it was made, as a digest; empty where nobody asked.
        holds_group: Whether the customer can't have another of the same group of plans.
        doubles: The other live one of its group, which holds that, where two customers' records became one; empty for
            none.
        currency: Of every amount, for life.
        terms: What was agreed.
        lines: The plan's line and the add-ons.
        segments: From where its cycles count, and counted before.
        delivery_segments: From where its deliveries count, and counted before; empty where nothing is delivered.
        ship_to: The id of the address that its boxes go to.
        lifecycle: Whether it runs.
        collection: Whether it is paid.
        scheduled: What is planned.
        overrides: What is different about single cycles.
        billed_to: Number of the first cycle that isn't billed in advance.
        arrears_to: Number of the first cycle that isn't billed in arrears.
        usage_to: Number of the first cycle whose usage isn't billed.
        late_usage_at: When it is asked for the last time what was reported late, after the last bill of usage; None
            where a bill is to come, or nothing is left to ask.
        prepaid: The last cycles that were paid at once, or those that it is to begin with; None where the next one is
            billed by itself.
        spent: What the running cycle cost in advance, after discounts; kept only where there is a minimum.
        cut: Lines in arrears that ended within a cycle and wait for its end.
        discounts: What makes it cheaper.
        first_payment_by: Until when its first invoice waits to be paid.
        setup_fee_due: Whether the fee for setting up is still to be charged.
        trial: Its trial, once it has one.
        pause: The pause that runs.
        pauses: The local days on which the pauses of the last year began that the customer asked for.
        resumed_on: The local day on which the last of those ended.
        term: Its term, None for one that can be left at any boundary.
        payment_method: The method that pays it, None for the account's.
        live: Invoices of which a change would take back.
        past_due: What is overdue.
        hold: Why it waits.
        change_seq: How many changes were made.
        changed_on: The local days of the last changes, for the daily limit.
        replaced: What the changes of the last such day took back.
        converted_on: When time was last turned into other time.
        price_locked_until: The day before which its price stays.
        created_at: When it was made.
        ended_at: When it ended.
        parting: Why it ended.
        reference: How the customer's papers name it, besides its id; empty where they don't.
        begun_on_wish: Whether the customer expressly wished that it begin before the time for withdrawing is over.
        told_of_withdrawal: Whether the customer was told about the right to withdraw.
        due_at: When it next wants work; computed, never the input of anything.
    """

    id: str = attrs.field(metadata=AN_ID)
    realm: RealmId
    store: StoreId
    version: int = 1
    account: str = attrs.field(metadata=AN_ID)
    customer: CustomerId
    request: str = attrs.field(default="", metadata=impersonal("a digest"))
    holds_group: bool = True
    doubles: str = attrs.field(default="", metadata=AN_ID)
    currency: Currency
    terms: Terms = attrs.field(metadata=_AGREED)
    lines: tuple[SubscribedLine, ...] = attrs.field(metadata=_AGREED)
    segments: tuple[Segment, ...] = attrs.field(metadata=_AGREED)
    delivery_segments: tuple[DeliverySegment, ...] = attrs.field(default=(), metadata=_AGREED)
    ship_to: str = attrs.field(default="", metadata=personal("subscription", Category.LOCATION))
    lifecycle: Lifecycle
    collection: Collection = Collection.OK
    scheduled: Scheduled = attrs.field(default=NOTHING_SCHEDULED, metadata=_AGREED)
    overrides: tuple[Override, ...] = attrs.field(default=(), metadata=_AGREED)
    billed_to: int = 0
    arrears_to: int = 0
    usage_to: int = 0
    late_usage_at: datetime | None = None
    prepaid: PrepaidCycles | None = None
    spent: Money | None = None
    cut: tuple[CutLine, ...] = attrs.field(default=(), metadata=_AGREED)
    discounts: tuple[AppliedDiscount, ...] = attrs.field(default=(), metadata=_AGREED)
    first_payment_by: datetime | None = None
    setup_fee_due: bool = False
    trial: Trial | None = None
    pause: Pause | None = None
    pauses: tuple[date, ...] = attrs.field(default=(), metadata=_AGREED)
    resumed_on: date | None = attrs.field(default=None, metadata=_AGREED)
    term: RunningTerm | None = None
    payment_method: str | None = attrs.field(default=None, metadata=personal("subscription", Category.FINANCIAL))
    live: tuple[LiveInvoice, ...] = attrs.field(default=(), metadata=_AGREED)
    past_due: PastDue | None = attrs.field(default=None, metadata=_AGREED)
    hold: Hold | None = attrs.field(default=None, metadata=_AGREED)
    change_seq: int = 0
    changed_on: tuple[date, ...] = attrs.field(default=(), metadata=_AGREED)
    replaced: tuple[Replaced, ...] = attrs.field(default=(), metadata=_AGREED)
    converted_on: date | None = attrs.field(default=None, metadata=_AGREED)
    price_locked_until: date | None = attrs.field(default=None, metadata=_AGREED)
    created_at: datetime
    ended_at: datetime | None = None
    parting: Parting | None = attrs.field(default=None, metadata=_AGREED)
    reference: str = attrs.field(default="", metadata=personal("subscription", Category.IDENTITY))
    begun_on_wish: bool = False
    told_of_withdrawal: bool = True
    due_at: datetime | None = None

    @property
    def moved(self) -> Mapping[int, date]:
        """The boundaries that stand on other days than scheduled, by the number of the cycle that begins there."""
        if not self.overrides:
            return NOTHING_MOVED
        return {each.index: each.on for each in self.overrides if each.kind is OverrideKind.MOVE and each.on}

    @property
    def zone(self) -> Zone:
        """Where its days begin."""
        return self.segments[-1].cycle.anchor.zone

    @property
    def plan_line(self) -> SubscribedLine:
        """The line that is the plan itself."""
        return self.lines[0]

    @property
    def paid_from(self) -> int:
        """The number of the first cycle after a trial, or of the one in which that ends; 0 without a trial."""
        if self.trial is None:
            return 0
        for segment in self.segments:
            if segment.reason is SegmentReason.TRIAL_END:
                return segment.first_index
        first = self.segments[0]
        ends_on = local_date(self.trial.ends_at, first.cycle.anchor.zone)
        return max(first.cycle.index_on(ends_on) - first.shift, 0)

    def begins_on(self, index: int) -> date:
        """Answer the local day on which a cycle begins, as far as is known now.

        Args:
            index: Which cycle.
        """
        return service_period_of(self.segments, index, moved=self.moved).start

    def but(self, **changes: Any) -> "Subscription":
        """Answer the subscription with other values in some fields, as ``attrs.evolve`` does, in a tenth of its time.

        Raises:
            TypeError: It has no such field.
        """
        return but(self, **changes)


@described(data_class="billing", default=impersonal("ids, times, amounts"))
@attrs.frozen(kw_only=True)
class BillingAccount:
    """One customer's purse in one store.

    Args:
        id: Made of the store and the customer, so that each customer has one in a store.
        realm: The pool of customers.
        store: The storefront.
        version: How often it was written.
        customer: Whose it is.
        zone: Where the customer's days begin.
        billing_day: The day of the month on which everything is billed together, once there is one.
        payment_method: The method that pays, as the host names it; None for none.
        method_removed: Whether what paid was taken away: charges fail until something else pays.
        collection_mode: Paid automatically, or on an invoice.
        tax_mode: On which side of tax prices are quoted to this customer.
        tax_profile: What the tax port needs to know, such as a region; the library only hands it on.
        locale: The language that the customer reads.
        balances: What the shop owes the customer, an amount for each currency; none is below zero.
        pending: Amounts that wait for the next invoice in their currency.
        settle_at: When somebody looks whether a next invoice is to come for what waits; None where nobody has to.
        doubled: The ids of its subscriptions that are marked as doubles of another one.
        passes_to: To whom all of it is passing, while that isn't done; None otherwise.
        created_at: When it was made.
    """

    id: str = attrs.field(metadata=AN_ID)
    realm: RealmId
    store: StoreId
    version: int = 1
    customer: CustomerId
    zone: Zone = attrs.field(metadata=personal("billing", Category.LOCATION, on_erase=_DAYS))
    billing_day: int | None = None
    payment_method: str | None = attrs.field(default=None, metadata=personal("billing", Category.FINANCIAL))
    method_removed: bool = False
    collection_mode: CollectionMode = CollectionMode.AUTOMATIC
    tax_mode: TaxMode = TaxMode.EXCLUSIVE
    tax_profile: Mapping[str, str] = attrs.field(factory=dict, metadata=personal("billing", Category.LOCATION))
    locale: str = attrs.field(default="en", metadata=personal("billing", Category.PREFERENCE))
    balances: tuple[Money, ...] = ()
    pending: tuple[PendingLine, ...] = attrs.field(default=(), metadata=_AGREED)
    settle_at: datetime | None = None
    doubled: tuple[str, ...] = attrs.field(default=(), metadata=AN_ID)
    passes_to: CustomerId | None = None
    created_at: datetime

    def balance(self, currency: Currency) -> Money:
        """Answer what the shop owes the customer in one currency."""
        return next((money for money in self.balances if money.currency == currency), Money.zero(currency))


def account_id(store: StoreId, customer: CustomerId) -> str:
    """Answer the id of the one billing account that a customer has in a store."""
    return f"{store}/{customer}"


def _place(subscription: Subscription) -> tuple[str, int] | None:
    """Answer the lane of the account and the time in it: whoever claims an account's first due item has the account."""
    due = subscription.due_at
    return None if due is None else (subscription.account, int(due.timestamp() * 1_000_000))


def group_key(account: str, group: str) -> str:
    """Answer the key that an account's one live subscription of a group of plans holds."""
    return f"{account}/{group}"


def _group_held(subscription: Subscription) -> Iterable[str]:
    live = subscription.holds_group and subscription.lifecycle not in ENDED
    return (group_key(subscription.account, subscription.terms.group),) if live else ()


def reference_key(store: StoreId, reference: str) -> str:
    """Answer the key under which a subscription is found by what a customer's papers call it."""
    return f"{store}/{reference.strip().casefold()}"


def _references(subscription: Subscription) -> Iterable[str]:
    return (reference_key(subscription.store, subscription.reference),) if subscription.reference else ()


def _doubled(subscription: Subscription) -> str | None:
    """Answer the queue of those that a clerk looks at because their customer has two of a group."""
    live = subscription.doubles and subscription.lifecycle not in ENDED
    return subscription.store if live else None


ACCOUNTS = Book(
    name="billing_accounts",
    of=BillingAccount,
    groups={"customer": lambda account: account.customer},
    due=lambda account: account.settle_at,
)
SUBSCRIPTIONS = Book(
    name="subscriptions",
    of=Subscription,
    unique={"live_plan_group": _group_held, "reference": _references},
    groups={
        "account": lambda subscription: subscription.account,
        "customer": lambda s: s.customer,
        "doubled": _doubled,
    },
    order=lambda subscription: subscription.created_at,
    due=lambda subscription: subscription.due_at,
    lane=_place,
)
