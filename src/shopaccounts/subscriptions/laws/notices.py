"""Notices that a law, a card scheme or the shop asks for: when they are due, and what it means that one was not sent.

The rules, in plain English:

* A notice has a window. Where its rule counts days or months, the window is of local days, the first and the last of
  them included, counted back from the local day of what it announces. Where it counts hours, it is of instants.
* A notice is never in time once what it announces has happened.
* A rule concerns a contract by where its customer is on the day of what is announced, and by what the rule itself
  says. If two rules concern it, there are two notices; one letter may serve both.
* A notice is sent once for each thing that it announces. If that is moved before the notice was sent, the notice moves
  with it. If it is moved afterwards, the notice still counts where it lies in the new window; else there is a new one.
* What was not sent in time was missed: then it is told, or the charge waits until the customer has had the notice for
  as long as the rule wants, or the old price stays.
* Where a charge waits for a notice, the notice has to name the amount that is charged.
* What a customer agreed to is kept as long as the laws want, and while the contract runs.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final, TypeAlias

import attrs

from shopaccounts.kernel.canonical import canonical
from shopaccounts.kernel.ids import RealmId, StoreId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.personal import Category, OnErase, described, impersonal, personal
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.time import Zone, add_months, local_date, require_instant, start_of_day
from shopaccounts.subscriptions.laws.notice_rules import (
    ContractFacts,
    NoticeEffect,
    NoticeFacts,
    NoticeRule,
    NoticeTrigger,
    Offset,
    OffsetUnit,
)
from shopaccounts.subscriptions.laws.rows import EvidenceRule, in_force
from shopaccounts.subscriptions.marks import AN_ID

__all__ = [
    "SENT_NOTICES",
    "Held",
    "InTime",
    "Judgement",
    "Missed",
    "NotYet",
    "NoticeKey",
    "SentNotice",
    "Window",
    "amount_differs",
    "charge_after",
    "due_notices",
    "judge",
    "notice_due_at",
    "notice_window",
    "rules_for",
    "terms_evidence_until",
]

_EVIDENCE: Final = OnErase.keep("evidence of what was announced")

_ONE_DAY: Final = timedelta(days=1)
_MOMENT: Final = timedelta.resolution
_MONTHS_IN_YEAR: Final = 12


@attrs.frozen(kw_only=True)
class Window:
    """When a notice is in time.

    Args:
        earliest: The first local day, or the first instant, on which it may be sent; None for any time before.
        latest: The last local day, or the last instant.
        opens_at: The first instant at which it may be sent, None for any time before.
        late_from: The first instant at which it is late.
    """

    earliest: date | None
    latest: date
    opens_at: datetime | None
    late_from: datetime

    def contains(self, at: datetime) -> bool:
        """Tell whether a notice that was sent at *at* was in time."""
        return (self.opens_at is None or self.opens_at <= at) and at < self.late_from


@attrs.frozen(kw_only=True)
class NoticeKey:
    """What makes a notice the same notice.

    Args:
        subscription: Whose.
        rule: Which rule asks for it.
        instance: What it announces, by a name that stays when that is moved: a cycle, a trial, a price change.
        trigger_at: When that is to happen, as the notice says.
    """

    subscription: str
    rule: str
    instance: str
    trigger_at: datetime

    @property
    def text(self) -> str:
        """The same as one text, under which a store keeps it unique."""
        return canonical([self.subscription, self.rule, self.instance, require_instant(self.trigger_at).isoformat()])


@described(data_class="subscription", default=impersonal("ids and times"))
@attrs.frozen(kw_only=True)
class SentNotice:
    """A notice that was sent, and what it said; it is never changed.

    Args:
        subscription: Whose.
        rule: The rule that asked for it.
        instance: What it announces, by a name that stays when that is moved.
        trigger_at: When that is to happen, as the notice says.
        sent_at: When it was sent.
        facts: What it said.
    """

    id: str = attrs.field(metadata=AN_ID)
    realm: RealmId
    store: StoreId
    version: int = 1
    subscription: str = attrs.field(metadata=AN_ID)
    rule: str = attrs.field(metadata=impersonal("a rule of the library or the shop"))
    instance: str = attrs.field(metadata=AN_ID)
    trigger_at: datetime
    sent_at: datetime
    facts: NoticeFacts = attrs.field(metadata=personal("subscription", Category.PURCHASE, on_erase=_EVIDENCE))

    @property
    def key(self) -> NoticeKey:
        """What makes it this notice."""
        return NoticeKey(
            subscription=self.subscription, rule=self.rule, instance=self.instance, trigger_at=self.trigger_at
        )


SENT_NOTICES: Final = Book(
    name="sent_notices",
    of=SentNotice,
    unique={"notice": lambda notice: (notice.key.text,)},
    groups={"subscription": lambda notice: notice.subscription},
    order=lambda notice: notice.sent_at,
)
"""Every notice that was sent, for good."""


@attrs.frozen
class InTime:
    """The notice was sent in time, or its charge has waited for long enough."""


@attrs.frozen
class NotYet:
    """There is still time to send it."""


@attrs.frozen
class Missed:
    """It was not sent in time. ``frees`` tells whether the customer may leave at any time for that."""

    frees: bool = False


@attrs.frozen
class Held:
    """The charge waits ``until`` then; None: until a notice is sent."""

    until: datetime | None = None


Judgement: TypeAlias = InTime | NotYet | Missed | Held


def notice_window(rule: NoticeRule, trigger_at: datetime, zone: Zone) -> Window:
    """Answer when a notice is in time.

    Args:
        rule: Which notice.
        trigger_at: When happens what it announces.
        zone: Whose local days count: the billing account's.

    Raises:
        TypeError: *trigger_at* has no zone of its own.
        DateOutOfRange: The window lies before the year 1.
    """
    trigger = require_instant(trigger_at)
    latest, late_from = _latest(rule.latest, trigger, zone)
    earliest, opens_at = (None, None) if rule.earliest is None else _earliest(rule.earliest, trigger, zone)
    return Window(earliest=earliest, latest=latest, opens_at=opens_at, late_from=min(late_from, trigger + _MOMENT))


def _earliest(offset: Offset, trigger: datetime, zone: Zone) -> tuple[date, datetime]:
    if offset.unit is OffsetUnit.HOURS:
        at = trigger - timedelta(hours=offset.count)
        return at, at
    day = _days_before(offset, local_date(trigger, zone))
    return day, start_of_day(day, zone)


def _latest(offset: Offset, trigger: datetime, zone: Zone) -> tuple[date, datetime]:
    if offset.unit is OffsetUnit.HOURS:
        at = trigger - timedelta(hours=offset.count)
        return at, at + _MOMENT
    day = _days_before(offset, local_date(trigger, zone))
    return day, start_of_day(day + _ONE_DAY, zone)


def _days_before(offset: Offset, day: date) -> date:
    if offset.unit is OffsetUnit.MONTHS:
        return add_months(day, -offset.count)
    return day - offset.count * _ONE_DAY


def notice_due_at(window: Window, known_at: datetime) -> datetime:
    """Answer from when on a notice that is not sent yet can be sent.

    Args:
        window: When it is in time.
        known_at: Since when the shop has known what it announces.
    """
    return known_at if window.opens_at is None else max(window.opens_at, known_at)


def rules_for(
    rules: Iterable[NoticeRule], jurisdiction: str, on: date, trigger: NoticeTrigger, facts: ContractFacts
) -> tuple[NoticeRule, ...]:
    """Answer every rule that asks for a notice, in the order given.

    Args:
        rules: Those that the shop follows, from its ``NoticePolicy``.
        jurisdiction: Where the customer is on that day, such as ``US-CA`` or ``FR``; empty where it is unknown.
        on: The local day of what is announced.
        trigger: What that is.
        facts: What of the contract decides.

    Raises:
        TypeError: *on* is a datetime.
    """
    concerned = (rule for rule in rules if trigger in rule.triggers and rule.applies.holds_for(facts))
    return in_force(concerned, jurisdiction, on)


def due_notices(
    rules: Iterable[NoticeRule],
    sent: Iterable[SentNotice],
    trigger_at: datetime,
    zone: Zone,
    now: datetime,
    amount: Money | None = None,
) -> tuple[NoticeRule, ...]:
    """Answer of which rules a notice should go out now: one letter may serve them all.

    What is late goes out all the same while what it announces has not happened; and while a charge waits for it, at any
    time. A charge that comes to another amount than its notice said gets a new one.

    Args:
        rules: Those that ``rules_for`` answered.
        sent: What was sent about this very thing, under its ``instance``.
        trigger_at: When happens what is announced.
        zone: Whose local days count.
        now: When the question is asked.
        amount: What is charged, where that is known.
    """
    known = tuple(sent)
    return tuple(rule for rule in rules if _is_due(rule, known, trigger_at, zone, now, amount))


def _is_due(
    rule: NoticeRule,
    sent: tuple[SentNotice, ...],
    trigger_at: datetime,
    zone: Zone,
    now: datetime,
    amount: Money | None,
) -> bool:
    window = notice_window(rule, trigger_at, zone)
    is_open = window.opens_at is None or window.opens_at <= now
    waits = rule.effect is NoticeEffect.BLOCKS_CHARGE
    if not is_open or (now > trigger_at and not waits):
        return False
    return not _sent_at(rule, sent, window, amount if now >= trigger_at else None)


def _sent_at(
    rule: NoticeRule, sent: Iterable[SentNotice], window: Window, amount: Money | None
) -> tuple[datetime, ...]:
    """Answer when notices of a rule were sent, without those that came too early or name a wrong amount."""
    named = amount if rule.effect is NoticeEffect.BLOCKS_CHARGE else None
    return tuple(
        notice.sent_at
        for notice in sent
        if notice.rule == rule.id
        and (window.opens_at is None or window.opens_at <= notice.sent_at)
        and (named is None or not amount_differs(notice, named))
    )


def amount_differs(notice: SentNotice, amount: Money) -> bool:
    """Tell whether a notice named another amount than the one that is charged; one that named none does not."""
    return notice.facts.amount is not None and notice.facts.amount != amount


def judge(
    rule: NoticeRule,
    sent: Iterable[SentNotice],
    trigger_at: datetime,
    zone: Zone,
    now: datetime,
    amount: Money | None = None,
) -> Judgement:
    """Answer what it means that a notice was sent when it was, or was not.

    Args:
        rule: Which notice.
        sent: What was sent about this very thing, under its ``instance``; notices of other rules are passed over.
        trigger_at: When it happens.
        zone: Whose local days count.
        now: When the question is asked.
        amount: What is charged, where that is known; a charge that waits for its notice waits for one that names it.
    """
    window = notice_window(rule, trigger_at, zone)
    sent_at = _sent_at(rule, sent, window, amount)
    if any(window.contains(at) for at in sent_at):
        return InTime()
    if rule.effect is not NoticeEffect.BLOCKS_CHARGE:
        return NotYet() if now < min(window.late_from, trigger_at) else Missed(rule.missed_frees)
    if not sent_at:
        return NotYet() if now < trigger_at else Held()
    until = charge_after(rule, min(sent_at), zone)
    return InTime() if until <= now else Held(until)


def charge_after(rule: NoticeRule, sent_at: datetime, zone: Zone) -> datetime:
    """Answer until when a charge waits for which a notice is sent late: until that notice is old enough.

    Args:
        rule: Which notice.
        sent_at: When it is sent.
        zone: Whose local days count.

    Raises:
        DateOutOfRange: That instant lies beyond the year 9999.
    """
    lead = rule.latest
    if lead.unit is OffsetUnit.HOURS:
        return sent_at + timedelta(hours=lead.count)
    told = local_date(sent_at, zone)
    day = told + lead.count * _ONE_DAY if lead.unit is OffsetUnit.DAYS else add_months(told, lead.count)
    while _days_before(lead, day) < told:  # a month later is clamped to the end of a short month
        day += _ONE_DAY
    return max(start_of_day(day, zone), sent_at)


def terms_evidence_until(accepted_on: date, ended_on: date | None, rules: Iterable[EvidenceRule]) -> date | None:
    """Answer until when the record is kept that a customer agreed to the terms.

    Args:
        accepted_on: The local day of the consent.
        ended_on: The local day on which the contract ended, None while it runs.
        rules: Those that concern the customer.

    Returns:
        The last day; None while the contract runs, since it is kept at least that long.

    Raises:
        DateOutOfRange: It lies beyond the year 9999.
    """
    if ended_on is None:
        return None
    kept = [ended_on]
    for rule in rules:
        kept.append(add_months(accepted_on, rule.years_from_consent * _MONTHS_IN_YEAR))
        kept.append(add_months(ended_on, rule.years_after_end * _MONTHS_IN_YEAR))
    return max(kept)
