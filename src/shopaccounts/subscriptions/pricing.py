"""New prices: who pays them, from when on, and who does not.

The rules, in plain English:

* A price change says what the new prices are, from which day on, whether they are for new customers alone, and whether
  customers are asked.
* A subscription moves to the new price at the first beginning of a period that is not before that day, and for which
  every notice was sent in time: the shop's own, and those that the law asks for. What is billed keeps its price.
* Where a notice was not sent in time, the old price stays for that period, and the shop is told why.
* A lower price needs no notice and no consent. A price that was locked, and an introductory price, stay until they end.
* A price rises by no more than the shop's cap, if it has one.
* A customer who is asked to agree and does not answer keeps the old price, or leaves at the end of the period, as the
  shop wants it. A customer who may object and does, leaves at the end of the period, whatever minimum was agreed.
* An answer is kept with its time and with the notice that asked. The same answer again changes nothing. Once the new
  price holds there is nothing left to answer.
"""

from collections.abc import Iterable
from datetime import date, datetime
from enum import Enum
from typing import Final, TypeAlias

import attrs

from shopaccounts.kernel.ids import RealmId, StoreId
from shopaccounts.kernel.money import Money, Rate
from shopaccounts.kernel.personal import described, impersonal
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.time import Zone, require_day
from shopaccounts.subscriptions.errors import PriceChangeOver
from shopaccounts.subscriptions.laws.notice_rules import NoticeRule
from shopaccounts.subscriptions.laws.notices import SentNotice, notice_window
from shopaccounts.subscriptions.marks import AN_ID
from shopaccounts.subscriptions.plans.checks import require_plan
from shopaccounts.subscriptions.plans.tariffs import Graduated, Packages, Tariff, Volume, charge, require_prices
from shopaccounts.subscriptions.policy.pricing import OnSilence, PricePolicy

__all__ = [
    "PRICE_ANSWERS",
    "PRICE_CHANGES",
    "AppliesTo",
    "CancelsAtPeriodEnd",
    "Consent",
    "Deferral",
    "Deferred",
    "KeepsOld",
    "Moves",
    "PriceAnswer",
    "PriceChange",
    "PriceDecision",
    "PriceMoment",
    "Reply",
    "answer_id",
    "answer_price_change",
    "decide_price_change",
    "may_move_from",
    "require_within_cap",
]


_MOST: Final = 1_000_000


class AppliesTo(Enum):
    """Whose prices change: those of new customers alone, or those of running subscriptions as they renew."""

    NEW_ONLY = "new_only"
    AT_RENEWAL = "at_renewal"


class Consent(Enum):
    """Whether customers are asked: not at all, they may object, or they have to agree."""

    NOT_NEEDED = "not_needed"
    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"


class Reply(Enum):
    """What a customer says to a new price."""

    ACCEPTED = "accepted"
    DECLINED = "declined"


class Deferral(Enum):
    """Why a subscription stays at the old price for a period, though the change has come."""

    NOTICE = "notice"
    LOCKED = "locked"
    INTRO = "intro"


@described(data_class="subscription", default=impersonal("ids, choices, times"))
@attrs.frozen(kw_only=True)
class PriceChange:
    """New prices of a plan, announced for a day.

    Args:
        plan: Whose.
        plan_version: The version of the plan that is sold at the new prices.
        prices: The new price of the plan's own line, one for each currency.
        effective_on: The first local day on which they can hold.
        applies_to: For whom.
        consent: Whether customers are asked.
        announced_at: When the shop decided so.
        announced_by: The agent who announced it.
        reason: Why, as that agent put it.

    Raises:
        BadPlan: There is no price, two in one currency, or one in a currency that went out of use.
        TypeError: *effective_on* is a datetime.
    """

    id: str = attrs.field(metadata=AN_ID)
    realm: RealmId
    store: StoreId
    version: int = 1
    plan: str = attrs.field(metadata=impersonal("the shop's own offer"))
    plan_version: str = attrs.field(metadata=impersonal("the shop's own offer"))
    prices: tuple[Tariff, ...] = attrs.field(metadata=impersonal("the shop's own offer"))
    effective_on: date = attrs.field(metadata=impersonal("the shop's own offer"))
    applies_to: AppliesTo = AppliesTo.AT_RENEWAL
    consent: Consent = Consent.NOT_NEEDED
    announced_at: datetime
    announced_by: str = attrs.field(default="", metadata=AN_ID)
    reason: str = attrs.field(default="", metadata=impersonal("the shop's own words"))

    def __attrs_post_init__(self) -> None:
        require_day(self.effective_on)
        require_plan(bool(require_prices("a price change", self.prices)), "a price change has a price")


@described(data_class="subscription", default=impersonal("ids, replies, times"))
@attrs.frozen(kw_only=True)
class PriceAnswer:
    """What a customer said to a price change.

    Args:
        subscription: For which subscription.
        change: To which change.
        reply: Yes or no.
        answered_at: When.
        notice: Id of the notice that asked.
    """

    id: str = attrs.field(metadata=AN_ID)
    realm: RealmId
    store: StoreId
    version: int = 1
    subscription: str = attrs.field(metadata=AN_ID)
    change: str = attrs.field(metadata=AN_ID)
    reply: Reply
    answered_at: datetime
    notice: str = attrs.field(metadata=AN_ID)


PRICE_CHANGES: Final = Book(
    name="price_changes",
    of=PriceChange,
    groups={"store": lambda change: change.store if change.applies_to is AppliesTo.AT_RENEWAL else None},
    order=lambda change: change.announced_at,
)
"""Changes of price; those of running subscriptions are listed by their store."""
PRICE_ANSWERS: Final = Book(
    name="price_answers", of=PriceAnswer, groups={"subscription": lambda answer: answer.subscription}
)
"""What customers said to them."""


@attrs.frozen
class Moves:
    """The period is billed at the new price, and so are those after it."""


@attrs.frozen
class KeepsOld:
    """The change is not for this subscription, has not come yet, or has no consent: the price stays."""


@attrs.frozen
class Deferred:
    """The change has come, and the price stays for this period all the same.

    Args:
        reason: Why.
        rule: The rule whose notice was not sent in time, if that is why.
    """

    reason: Deferral
    rule: str = ""


@attrs.frozen
class CancelsAtPeriodEnd:
    """The subscription ends where the period would begin, whatever minimum was agreed."""


PriceDecision: TypeAlias = Moves | KeepsOld | Deferred | CancelsAtPeriodEnd


@attrs.frozen(kw_only=True)
class PriceMoment:
    """The beginning of a period, at which a subscription may move to a new price.

    Args:
        starts_on: Its first local day.
        starts_at: When it begins.
        zone: The billing account's.
        before: What a whole period costs at the old price.
        after: What it costs at the new one.
        locked_until: The first local day on which a locked price may change, None where none is locked.
        intro_until: The first local day after the introductory price, None where none runs.
        reply: What the customer said, None for nothing.
    """

    starts_on: date
    starts_at: datetime
    zone: Zone
    before: Money
    after: Money
    locked_until: date | None = None
    intro_until: date | None = None
    reply: Reply | None = None


def decide_price_change(
    change: PriceChange,
    moment: PriceMoment,
    rules: Iterable[NoticeRule],
    sent: Iterable[SentNotice],
    policy: PricePolicy,
) -> PriceDecision:
    """Answer what a price change means for the period that begins.

    Args:
        change: Which change.
        moment: The beginning of a period that is not billed yet.
        rules: Those of the law on price changes that concern the customer on that day; the shop's own is added.
        sent: What was sent about this change.
        policy: What the shop wants.
    """
    if change.applies_to is AppliesTo.NEW_ONLY or moment.starts_on < change.effective_on:
        return KeepsOld()
    if _is_before(moment.starts_on, moment.locked_until):
        return Deferred(Deferral.LOCKED)
    if _is_before(moment.starts_on, moment.intro_until):
        return Deferred(Deferral.INTRO)
    if change.consent is Consent.OPT_OUT and moment.reply is Reply.DECLINED:
        return CancelsAtPeriodEnd()
    return (
        Moves()
        if moment.after <= moment.before
        else _decide_increase(change, moment, (policy.rule, *rules), sent, policy)
    )


def _is_before(day: date, end: date | None) -> bool:
    return end is not None and day < end


def _decide_increase(
    change: PriceChange,
    moment: PriceMoment,
    rules: Iterable[NoticeRule],
    sent: Iterable[SentNotice],
    policy: PricePolicy,
) -> PriceDecision:
    unserved = _without_notice(rules, tuple(sent), moment)
    if unserved is not None:
        return Deferred(Deferral.NOTICE, unserved.id)
    if change.consent is not Consent.OPT_IN or moment.reply is Reply.ACCEPTED:
        return Moves()
    return KeepsOld() if policy.on_silence is OnSilence.KEEP_OLD else CancelsAtPeriodEnd()


def _without_notice(
    rules: Iterable[NoticeRule], sent: tuple[SentNotice, ...], moment: PriceMoment
) -> NoticeRule | None:
    """Answer the first rule of which no notice was sent in time."""
    for rule in rules:
        window = notice_window(rule, moment.starts_at, moment.zone)
        if not any(notice.rule == rule.id and window.contains(notice.sent_at) for notice in sent):
            return rule
    return None


def may_move_from(
    change: PriceChange, told_on: date, policy: PricePolicy, *, locked_until: date | None, intro_until: date | None
) -> date:
    """Answer the first local day on which a period has to begin for a subscription to move to a higher price.

    Its first period from that day on is the one that notices announce.

    Args:
        change: Which change.
        told_on: The local day on which the shop's notice was sent, or can be sent at the earliest.
        policy: How long before that has to be.
        locked_until: The first local day on which a locked price may change, None where none is locked.
        intro_until: The first local day after the introductory price, None where none runs.
    """
    days = (change.effective_on, require_day(told_on) + policy.min_notice, locked_until, intro_until)
    return max(day for day in days if day is not None)


def answer_price_change(
    change: PriceChange,
    subscription: str,
    reply: Reply,
    *,
    notice: str,
    earlier: PriceAnswer | None,
    closes_at: datetime,
    now: datetime,
) -> PriceAnswer:
    """Answer what is kept of a customer's answer; the same answer again is the one that is kept already.

    Until the new price holds, customers may change their minds.

    Args:
        change: To which change.
        subscription: For which subscription.
        reply: Yes or no.
        notice: Id of the notice that asked.
        earlier: What the customer said before, None for nothing.
        closes_at: When the period begins that would have the new price.
        now: When the customer answers.

    Raises:
        PriceChangeOver: Nobody is asked, or it is too late.
    """
    if earlier is not None and earlier.reply is reply:
        return earlier
    is_asked = change.applies_to is AppliesTo.AT_RENEWAL and change.consent is not Consent.NOT_NEEDED
    if not is_asked or now >= closes_at:
        raise PriceChangeOver
    if earlier is not None:
        return attrs.evolve(earlier, reply=reply, answered_at=now, notice=notice)
    return PriceAnswer(
        id=answer_id(subscription, change.id),
        realm=change.realm,
        store=change.store,
        subscription=subscription,
        change=change.id,
        reply=reply,
        answered_at=now,
        notice=notice,
    )


def answer_id(subscription: str, change: str) -> str:
    """Answer the id of the one answer that a subscription has to a price change."""
    return f"{subscription} {change}"


def require_within_cap(old: Iterable[Tariff], new: Iterable[Tariff], policy: PricePolicy) -> None:
    """Demand that no quantity gets dearer by more than the shop's cap; currencies that are new are free.

    Between two steps of a tariff the ratio of two prices only rises or only falls, so that the steps tell it all.

    Args:
        old: The prices until now, one for each currency.
        new: The new ones.
        policy: Whose cap.

    Raises:
        BadPlan: A price rises by more; from nothing, every price does.
    """
    if policy.cap is None:
        return
    before = {tariff.currency: tariff for tariff in old}
    for after in new:
        if (was := before.get(after.currency)) is not None:
            for quantity in _steps(was) | _steps(after):
                _require_rise(charge(was, quantity), charge(after, quantity), policy.cap)


def _require_rise(before: Money, after: Money, cap: Rate) -> None:
    within = after.minor * cap.denominator <= before.minor * (cap.denominator + cap.numerator)
    require_plan(within, f"the price rises from {before} to {after}, more than the cap allows")


def _steps(tariff: Tariff) -> frozenset[int]:
    """Answer quantities at which a tariff changes its course, the smallest and the largest of all among them."""
    match tariff:
        case Packages(size=size):
            steps = [size]
        case Graduated(tiers=tiers) | Volume(tiers=tiers):
            steps = [tier.up_to for tier in tiers if tier.up_to is not None]
        case _:
            steps = []
    return frozenset({1, _MOST, *steps, *(step + 1 for step in steps)})
