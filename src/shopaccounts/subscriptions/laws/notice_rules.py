"""What a rule about notices says: who gets one before or after what, when, with which facts, and what hangs on it.

The rules, in plain English:

* A rule is data. A law that changes is a row that ends and another one that begins; a shop adds rows of its own.
* A row holds on its first day and no longer on its last.
* When a notice may be sent is said by two distances from what it announces: so many days, months or hours.
* Whom it concerns is said by numbers and closed choices: how long the first term is, how long the trial, by what the
  customer pays. Nothing in a row is code.
* A row names the law and where it stands, and the day on which somebody last read it there.
"""

from datetime import date
from enum import Enum
from typing import Final, Self

import attrs

from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.policy import require
from shopaccounts.kernel.time import require_day

__all__ = [
    "Applies",
    "ContractFacts",
    "LawRow",
    "NoticeEffect",
    "NoticeFact",
    "NoticeFacts",
    "NoticeRule",
    "NoticeTrigger",
    "Offset",
    "OffsetUnit",
]

_DAYS_IN_YEAR: Final = 365
_LONGEST_MONTH: Final = 31
_MONTHS_IN_YEAR: Final = 12
_HOURS_IN_DAY: Final = 24
_CLOCK_CHANGE: Final = 1
_UNEVEN_MONTHS: Final = 2


class NoticeTrigger(Enum):
    """What a notice is about; it counts from there.

    ``TERM_END`` is the last day on which a customer may refuse that a fixed term is renewed; ``ANNUAL`` is the day on
    which the contract began, each year; ``PAYMENT_METHOD_EXPIRING`` is the next charge that the method will not see.
    """

    RENEWAL = "renewal"
    TRIAL_END = "trial_end"
    INTRO_END = "intro_end"
    PRICE_CHANGE = "price_change"
    PRE_DEBIT = "pre_debit"
    TERM_END = "term_end"
    ANNUAL = "annual"
    PAYMENT_METHOD_EXPIRING = "payment_method_expiring"
    CANCEL_RECEIPT = "cancel_receipt"
    WITHDRAWAL_RECEIPT = "withdrawal_receipt"


class NoticeEffect(Enum):
    """What happens where a notice was not sent in time: it is told, the charge waits, or the old price stays."""

    FLAG = "flag"
    BLOCKS_CHARGE = "blocks_charge"
    DEFERS_CHANGE = "defers_change"


class NoticeFact(Enum):
    """What a notice has to say."""

    PRODUCT = "product"
    AMOUNT = "amount"
    NEXT_DATE = "next_date"
    INTERVAL = "interval"
    HOW_TO_CANCEL = "how_to_cancel"
    CONTACT = "contact"
    PRICE_BEFORE = "price_before"
    PRICE_AFTER = "price_after"
    STATEMENT = "statement"
    RECEIVED_AT = "received_at"


@attrs.frozen(kw_only=True)
class NoticeFacts:
    """What a notice said, as it is kept.

    Args:
        product: What is sold.
        amount: What will be charged, taxes included.
        next_date: The local day of what is announced.
        interval: How often it is charged.
        how_to_cancel: The address of the page on which the customer cancels.
        contact: A phone number or postal address of the shop, where the rule asks for one.
        price_before: The price until now.
        price_after: The price from then on.
        statement: Id of the customer's statement that a receipt is about.
    """

    product: str = ""
    amount: Money | None = None
    next_date: date | None = None
    interval: Interval | None = None
    how_to_cancel: str = ""
    contact: str = ""
    price_before: Money | None = None
    price_after: Money | None = None
    statement: str = ""

    def missing(self, wanted: frozenset[NoticeFact]) -> frozenset[NoticeFact]:
        """Answer which of the *wanted* facts are not given; the time of receipt is when a notice is sent."""
        kept = wanted - {NoticeFact.RECEIVED_AT}
        return frozenset(fact for fact in kept if getattr(self, fact.value) in {None, ""})


class OffsetUnit(Enum):
    """What a distance counts: local days, calendar months, or hours on the clock."""

    DAYS = "days"
    MONTHS = "months"
    HOURS = "hours"


@attrs.frozen
class Offset:
    """How long before its trigger a notice is sent: ``Offset.days(15)``.

    Args:
        count: How many; 0 is the day, or the instant, of the trigger itself.
        unit: Of what.

    Raises:
        BadPolicy: *count* is negative or no whole number.
    """

    count: int
    unit: OffsetUnit

    def __attrs_post_init__(self) -> None:
        require(type(self.count) is int and self.count >= 0, "a notice is sent 0 or more days before its trigger")

    @classmethod
    def days(cls, count: int) -> Self:
        """Answer the distance of *count* local days."""
        return cls(count, OffsetUnit.DAYS)

    @classmethod
    def months(cls, count: int) -> Self:
        """Answer the distance of *count* calendar months."""
        return cls(count, OffsetUnit.MONTHS)

    @classmethod
    def hours(cls, count: int) -> Self:
        """Answer the distance of *count* hours."""
        return cls(count, OffsetUnit.HOURS)

    @property
    def shortest(self) -> int:
        """How many hours it is at least, whatever the months and the clocks do."""
        if self.unit is OffsetUnit.HOURS:
            return self.count
        days = self.count * _DAYS_IN_YEAR // _MONTHS_IN_YEAR - _UNEVEN_MONTHS if self._in_months else self.count
        return days * _HOURS_IN_DAY - _CLOCK_CHANGE

    @property
    def longest(self) -> int:
        """How many hours it is at most, whatever the months and the clocks do."""
        if self.unit is OffsetUnit.HOURS:
            return self.count
        days = self.count * (_DAYS_IN_YEAR + 1) // _MONTHS_IN_YEAR + _UNEVEN_MONTHS if self._in_months else self.count
        return days * _HOURS_IN_DAY + _CLOCK_CHANGE

    @property
    def _in_months(self) -> bool:
        return self.unit is OffsetUnit.MONTHS

    def reaches(self, latest: "Offset") -> bool:
        """Tell whether this distance is never shorter than *latest*, in any month and in any zone."""
        if self.unit is latest.unit:
            return self.count >= latest.count
        return self.shortest >= latest.longest


@attrs.frozen(kw_only=True)
class ContractFacts:
    """What of a contract decides which rules concern it.

    Args:
        initial_term: For how long the customer is bound at first, or the first period that is paid for.
        renewal_term: For how long it is renewed each time, None where it is not renewed by itself.
        interval: How often it is charged.
        trial_days: How many local days the trial or the introductory price lasts.
        method: By what kind of method the customer pays, such as ``card`` or ``upi``; empty for none.
        consumer: Whether the customer is a consumer.
    """

    initial_term: Interval | None = None
    renewal_term: Interval | None = None
    interval: Interval | None = None
    trial_days: int = 0
    method: str = ""
    consumer: bool = True


@attrs.frozen(kw_only=True)
class Applies:
    """Whom a rule concerns: every condition that is set has to hold.

    Args:
        initial_months: The first term has so many months or more; 0 for any.
        renewal_over_months: It is renewed by itself, each time for more than so many months; None for any.
        interval_months: It is charged every so many months or less often; 0 for any.
        trial_over_days: The trial or introductory price lasts for more than so many days; 0 for any.
        methods: The customer pays by one of these; empty for any.
        renews: It is renewed by itself.
        consumers_only: The customer is a consumer.
    """

    initial_months: int = 0
    renewal_over_months: int | None = None
    interval_months: int = 0
    trial_over_days: int = 0
    methods: frozenset[str] = frozenset()
    renews: bool = False
    consumers_only: bool = False

    def holds_for(self, facts: ContractFacts) -> bool:
        """Tell whether a contract with these facts is concerned.

        A length in days counts as so many months at 365 days a year, and as longer than a month from 32 days on.
        """
        return (
            (not self.initial_months or _is_at_least(facts.initial_term, self.initial_months))
            and (not self.interval_months or _is_at_least(facts.interval, self.interval_months))
            and (self.renewal_over_months is None or _is_longer(facts.renewal_term, self.renewal_over_months))
            and (not self.trial_over_days or facts.trial_days > self.trial_over_days)
            and (not self.methods or facts.method in self.methods)
            and (not self.renews or facts.renewal_term is not None)
            and (not self.consumers_only or facts.consumer)
        )


def _is_at_least(length: Interval | None, months: int) -> bool:
    if length is None:
        return False
    if length.total_months:
        return length.total_months >= months
    return length.total_days * _MONTHS_IN_YEAR >= months * _DAYS_IN_YEAR


def _is_longer(length: Interval | None, months: int) -> bool:
    if length is None:
        return False
    if length.total_months:
        return length.total_months > months
    return length.total_days > months * _LONGEST_MONTH


@attrs.frozen(kw_only=True)
class LawRow:
    """A rule that holds somewhere, from a day to a day, and says where it stands.

    Args:
        id: The name under which it is cited; later versions of one rule may share it.
        jurisdiction: Where it holds: a country (``DE``), a part of one (``US-CA``), ``EU``, or empty for everywhere.
        law: What it is called.
        source: Where to read it.
        valid_from: The first day it holds.
        valid_until: The first day it no longer holds, None until further notice.
        reviewed_on: When somebody last compared it with its source.

    Raises:
        BadPolicy: A name is missing, or it ends before it begins.
        TypeError: A day is a datetime.
    """

    id: str
    jurisdiction: str
    law: str
    source: str
    valid_from: date = attrs.field(validator=lambda _row, _field, day: require_day(day))
    valid_until: date | None = None
    reviewed_on: date = attrs.field(validator=lambda _row, _field, day: require_day(day))

    def __attrs_post_init__(self) -> None:
        require(bool(self.id and self.law and self.source), "a rule has a name, a law and a source")
        if self.valid_until is not None:
            require(require_day(self.valid_until) > self.valid_from, f"{self.id} ends after it begins")

    def holds_on(self, day: date) -> bool:
        """Tell whether the row is in force on *day*.

        Raises:
            TypeError: *day* is a datetime.
        """
        return self.valid_from <= require_day(day) and (self.valid_until is None or day < self.valid_until)


@attrs.frozen(kw_only=True)
class NoticeRule(LawRow):
    """A notice that a law, a card scheme or the shop itself asks for.

    Args:
        triggers: What it is about.
        earliest: How long before it may be sent at the earliest, None for any time.
        latest: How long before it has to be sent at the latest.
        applies: Which contracts it concerns.
        facts: What it has to say.
        effect: What happens where it was not sent in time.
        missed_frees: Whether a customer who did not get it may leave at any time.

    Raises:
        BadPolicy: Its latest lies before its earliest, or it is about nothing.
    """

    triggers: frozenset[NoticeTrigger]
    earliest: Offset | None = None
    latest: Offset
    applies: Applies = Applies()
    facts: frozenset[NoticeFact] = frozenset()
    effect: NoticeEffect = NoticeEffect.FLAG
    missed_frees: bool = False

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        require(bool(self.triggers), f"{self.id} is about nothing")
        in_order = self.earliest is None or self.earliest.reaches(self.latest)
        require(in_order, f"{self.id} would have to be sent before it may be")
