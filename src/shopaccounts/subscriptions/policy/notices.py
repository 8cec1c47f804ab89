"""What a shop reminds its subscribers of, and which laws it follows."""

from datetime import date
from functools import cached_property
from typing import Final

import attrs

from shopaccounts.kernel.policy import require
from shopaccounts.subscriptions.laws.notice_rules import (
    Applies,
    NoticeEffect,
    NoticeFact,
    NoticeRule,
    NoticeTrigger,
    Offset,
)
from shopaccounts.subscriptions.laws.rows import NOTICE_RULES

__all__ = ["NoticePolicy", "house_rule"]

_SINCE: Final = date(1970, 1, 1)
_REVIEWED: Final = date(2026, 11, 22)
_LONGEST: Final = 60
_ALL: Final = Applies()
_FACTS: Final = frozenset(
    {NoticeFact.PRODUCT, NoticeFact.AMOUNT, NoticeFact.NEXT_DATE, NoticeFact.INTERVAL, NoticeFact.HOW_TO_CANCEL}
)


def house_rule(
    id: str,
    *triggers: NoticeTrigger,
    latest: Offset,
    earliest: Offset | None = None,
    applies: Applies = _ALL,
    effect: NoticeEffect = NoticeEffect.FLAG,
) -> NoticeRule:
    """Answer a notice that a shop sends of its own accord, wherever the customer is.

    Args:
        id: Its name; those of the library begin with ``shop.``.
        triggers: What it is about.
        latest: How long before it has to be sent at the latest.
        earliest: How long before it may be sent at the earliest, None for any time.
        applies: Which contracts it concerns.
        effect: What happens where it was not sent in time.

    Raises:
        BadPolicy: Its latest lies before its earliest.
    """
    return NoticeRule(
        id=id,
        jurisdiction="",
        law="the shop's own",
        source="house",
        valid_from=_SINCE,
        reviewed_on=_REVIEWED,
        triggers=frozenset(triggers),
        earliest=earliest,
        latest=latest,
        applies=applies,
        facts=_FACTS,
        effect=effect,
    )


@attrs.frozen(kw_only=True)
class NoticePolicy:
    """Which notices go out.

    Args:
        trial_reminder_days: So many local days before a trial or an introductory price ends; None for none.
        renewal_reminder_days: So many local days before a renewal; None for none.
        renewal_reminder_from: Renewals are reminded of where the charge comes this seldom or more seldom, in months.
        method_reminder_days: So many local days before the first charge after the payment method expires; None for
            none.
        laws: The rules of laws and card schemes that the shop follows. A shop adds rows, ends some, or leaves some out.

    Why these defaults:
        trial_reminder_days: 7; Visa wants at least 7 days before the first charge after a trial or introductory price.
        renewal_reminder_days: 7, as for trials; of the house.
        renewal_reminder_from: half a year; of the house, since who pays monthly needs no reminder.
        method_reminder_days: 7; of the house.
        laws: all that is shipped; each row names its source.

    Raises:
        BadPolicy: A reminder comes less than a day or more than 60 days before, or two rows of one name hold at once.
    """

    trial_reminder_days: int | None = 7
    renewal_reminder_days: int | None = 7
    renewal_reminder_from: int = 6
    method_reminder_days: int | None = 7
    laws: tuple[NoticeRule, ...] = NOTICE_RULES

    def __attrs_post_init__(self) -> None:
        for days in (self.trial_reminder_days, self.renewal_reminder_days, self.method_reminder_days):
            require(days is None or 1 <= days <= _LONGEST, "a reminder comes 1 to 60 days before")
        require(self.renewal_reminder_from >= 0, "renewals are reminded of from so many months on")
        for position, rule in enumerate(self.rules):
            twice = any(_overlap(rule, other) for other in self.rules[:position])
            require(not twice, f"two rules {rule.id} hold at once")

    @cached_property
    def rules(self) -> tuple[NoticeRule, ...]:
        """All that goes out: what laws ask for, then what the shop adds."""
        seldom = Applies(interval_months=self.renewal_reminder_from, renews=True)
        offer = (NoticeTrigger.TRIAL_END, NoticeTrigger.INTRO_END)
        wanted = (
            ("shop.trial_reminder", offer, self.trial_reminder_days, _ALL),
            ("shop.renewal_reminder", (NoticeTrigger.RENEWAL,), self.renewal_reminder_days, seldom),
            ("shop.method_reminder", (NoticeTrigger.PAYMENT_METHOD_EXPIRING,), self.method_reminder_days, _ALL),
        )
        reminders = (
            house_rule(id, *triggers, earliest=Offset.days(days), latest=Offset.days(1), applies=applies)
            for id, triggers, days, applies in wanted
            if days is not None
        )
        return (*self.laws, *reminders)


def _overlap(one: NoticeRule, other: NoticeRule) -> bool:
    return one.id == other.id and (one.holds_on(other.valid_from) or other.holds_on(one.valid_from))
