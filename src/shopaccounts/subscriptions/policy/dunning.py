"""What a shop may decide about payments that fail."""

from collections.abc import Iterable
from datetime import time, timedelta
from enum import Enum
from itertools import pairwise
from typing import Self

import attrs
from attrs.validators import deep_iterable, instance_of, optional

from shopaccounts.kernel.money import Money
from shopaccounts.kernel.policy import require

__all__ = ["CountFrom", "DunningPolicy", "OnExhausted", "OnMethodChange", "RetryPlan"]

_NOTHING = timedelta(0)


class CountFrom(Enum):
    """From which failure the waits of a plan count."""

    PREVIOUS = "previous"
    FIRST = "first"


class OnExhausted(Enum):
    """What becomes of a subscription whose invoice nobody paid."""

    CANCEL = "cancel"
    """It ends, and the invoice is given up."""
    MARK_UNPAID = "mark_unpaid"
    """It runs on without entitlement; its renewals are drafts."""
    PAUSE = "pause"
    """It pauses until the invoice is paid."""
    KEEP = "keep"
    """Nothing: a person decides."""


class OnMethodChange(Enum):
    """Which open invoices are tried at once when the customer names another payment method."""

    ALL = "all"
    """All, if the customer agreed to their total; otherwise one."""
    CURRENT = "current"
    """The one of the period that runs."""
    OLDEST = "oldest"
    """The one that waits longest."""
    NONE = "none"
    """None: they wait for their next retry."""


@attrs.frozen(kw_only=True)
class RetryPlan:
    """When a failed payment is tried again. ``after_previous`` and ``after_first`` make one.

    Args:
        count_from: Whether each wait counts from the failure before it, or all from the first.
        waits: How long after that each retry is made; none at all is a plan too.
        at_local_time: The wall time of the customer's day to which each retry is moved, never to an earlier moment;
            None leaves it where it is.

    Why these defaults:
        at_local_time: as it comes: the hour of the first failure is as good as another.

    Raises:
        BadPolicy: A wait isn't above zero, waits from the first failure don't ascend, or the wall time has a zone.
    """

    count_from: CountFrom = attrs.field(validator=instance_of(CountFrom))
    waits: tuple[timedelta, ...] = attrs.field(validator=deep_iterable(instance_of(timedelta), instance_of(tuple)))
    at_local_time: time | None = attrs.field(default=None, validator=optional(instance_of(time)))

    def __attrs_post_init__(self) -> None:
        require(all(wait > _NOTHING for wait in self.waits), "each wait before a retry is longer than nothing")
        if self.count_from is CountFrom.FIRST:
            ascends = all(earlier < later for earlier, later in pairwise(self.waits))
            require(ascends, "waits that count from the first failure ascend")
        require(self.at_local_time is None or self.at_local_time.tzinfo is None, "a wall time has no zone of its own")

    @classmethod
    def after_previous(cls, gaps: Iterable[timedelta], *, at_local_time: time | None = None) -> Self:
        """Answer a plan in which each gap counts from the failure before."""
        return cls(count_from=CountFrom.PREVIOUS, waits=tuple(gaps), at_local_time=at_local_time)

    @classmethod
    def after_first(cls, offsets: Iterable[timedelta], *, at_local_time: time | None = None) -> Self:
        """Answer a plan in which each offset counts from the first failure."""
        return cls(count_from=CountFrom.FIRST, waits=tuple(offsets), at_local_time=at_local_time)

    @property
    def length(self) -> timedelta:
        """How long after the first failure the last retry is made, if each is made when planned."""
        if self.count_from is CountFrom.PREVIOUS:
            return sum(self.waits, _NOTHING)
        return self.waits[-1] if self.waits else _NOTHING


def _days(*days: int) -> tuple[timedelta, ...]:
    return tuple(timedelta(days=count) for count in days)


@attrs.frozen(kw_only=True)
class DunningPolicy:
    """How failed payments are chased, and what becomes of a subscription that nobody pays.

    Args:
        retries: When a payment is tried again.
        max_attempts: How often an invoice is tried at most, the first attempt included.
        max_age: How long after the first failure an invoice is tried at most.
        max_declines: After so many declines it is not tried any more.
        grace: How long after the first failure the customer keeps what was subscribed, however retries go.
        on_exhausted: What happens when an invoice is not tried any more.
        on_method_change: Which open invoices a new payment method is tried on.
        renew_while_past_due: Whether renewals are billed while an invoice is overdue. None: what is digital renews,
            what is shipped waits, so that boxes don't pile up.
        min_amount: For each currency, the total overdue of an account below which nothing is tried on its own; it is
            tried together with the next invoice.
        resume_on_recovery: Whether a subscription that was paused for its debt runs again once that is paid.

    Why these defaults:
        retries: 1, 3, 7 and 14 days after the first failure: two weeks is the window that Stripe recommends.
        max_attempts: 15, the number of re-attempts that Visa allows in 30 days (20 since May 2025); the first attempt
            counts here, to be on the safe side.
        max_age: 30 days, the span of that same limit.
        max_declines: 8, the number of tries that Stripe recommends.
        grace: 14 days: as long as retries go on, nobody loses access over a card that will work tomorrow; house rule.
        on_exhausted: cancel: no debt grows for something that nobody pays for; house rule.
        on_method_change: all of them, but only to a total that the customer saw: people were charged several times at
            once for cycles they had forgotten (reports to solidus_subscriptions).
        renew_while_past_due: by what is sold: an unpaid box costs the shop, an unpaid login doesn't; house rule.
        min_amount: none: what a gateway charges for a try is the shop's to know.
        resume_on_recovery: yes: who has paid gets what was paid for; house rule.

    Raises:
        BadPolicy: A limit isn't above zero, retries go beyond ``max_age``, or a currency has two least amounts.
    """

    retries: RetryPlan = attrs.field(
        default=RetryPlan.after_first(_days(1, 3, 7, 14)), validator=instance_of(RetryPlan)
    )
    max_attempts: int = attrs.field(default=15, validator=instance_of(int))
    max_age: timedelta = attrs.field(default=timedelta(days=30), validator=instance_of(timedelta))
    max_declines: int = attrs.field(default=8, validator=instance_of(int))
    grace: timedelta = attrs.field(default=timedelta(days=14), validator=instance_of(timedelta))
    on_exhausted: OnExhausted = attrs.field(default=OnExhausted.CANCEL, validator=instance_of(OnExhausted))
    on_method_change: OnMethodChange = attrs.field(default=OnMethodChange.ALL, validator=instance_of(OnMethodChange))
    renew_while_past_due: bool | None = attrs.field(default=None, validator=optional(instance_of(bool)))
    min_amount: tuple[Money, ...] = attrs.field(
        default=(), validator=deep_iterable(instance_of(Money), instance_of(tuple))
    )
    resume_on_recovery: bool = attrs.field(default=True, validator=instance_of(bool))

    def __attrs_post_init__(self) -> None:
        require(self.max_attempts >= 1, "an invoice is tried once at least")
        require(self.max_declines >= 1, "an invoice is declined once before it is given up")
        require(self.max_age > _NOTHING, "max_age is longer than nothing")
        require(self.grace >= _NOTHING, "grace ends after the first failure")
        require(self.retries.length <= self.max_age, "no retry lies beyond max_age")
        require(all(least.minor > 0 for least in self.min_amount), "a least amount is more than nothing")
        currencies = {least.currency for least in self.min_amount}
        require(len(currencies) == len(self.min_amount), "a currency has one least amount")

    @classmethod
    def eight_days(cls) -> Self:
        """Answer three retries, each 8 days after the failure before: what Kill Bill does unless told otherwise."""
        return cls(retries=RetryPlan.after_previous(_days(8, 8, 8)))

    def renews_while_past_due(self, *, ships: bool) -> bool:
        """Tell whether a subscription is billed on while an invoice of it is overdue.

        Args:
            ships: Whether it sends goods.
        """
        return not ships if self.renew_while_past_due is None else self.renew_while_past_due

    def is_worth_retrying(self, overdue: Money) -> bool:
        """Tell whether so much overdue is tried on its own."""
        return all(overdue >= least for least in self.min_amount if least.currency == overdue.currency)
