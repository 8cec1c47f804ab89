"""What is planned for a subscription, and what is different about single cycles of it.

The rules, in plain English:

* There is at most one planned end, change, pause and resume. A second of one kind replaces the first.
* At one instant the end goes first, then the change, the pause, the resume, and the bill last.
* What is different about a cycle stands under the number of that cycle, and holds for no other.
"""

from datetime import date, datetime
from enum import Enum
from typing import Final

import attrs

from shopaccounts.kernel.personal import Category, OnErase, personal
from shopaccounts.subscriptions.cycles.schedules import BillingDay
from shopaccounts.subscriptions.plans.agreed import SubscribedLine, Terms
from shopaccounts.subscriptions.plans.offers import PLAN_LINE, Term

__all__ = [
    "NOTHING_SCHEDULED",
    "Aspect",
    "CancelAt",
    "ChangeAt",
    "Override",
    "OverrideKind",
    "PauseAt",
    "ResumeAt",
    "Scheduled",
    "Wish",
]


class Aspect(Enum):
    """What of a subscription a wish is about; a later wish about the same aspect of a line replaces an earlier one."""

    PLAN = "plan"
    QUANTITY = "quantity"
    ADD = "add"
    REMOVE = "remove"
    PRODUCT = "product"
    BILLING_DAY = "billing_day"


class OverrideKind(Enum):
    """What is different about one cycle."""

    SKIP = "skip"
    MOVE = "move"
    EDIT = "edit"


@attrs.frozen(kw_only=True)
class Wish:
    """One thing that a customer wants different.

    Args:
        aspect: What of it.
        key: Of which line.
        quantity: The new quantity.
        line: The new line, or the line with its new product.
        terms: The new plan.
        term: How long the new plan is agreed for, None for one that can be left at any boundary.
        offers: What else the new plan sells: its add-ons, each with one unit, and its meters.
        billing_day: The new billing day.
    """

    aspect: Aspect
    key: str = PLAN_LINE
    quantity: int | None = None
    line: SubscribedLine | None = None
    terms: Terms | None = None
    term: Term | None = None
    offers: tuple[SubscribedLine, ...] = ()
    billing_day: BillingDay | None = None


@attrs.frozen(kw_only=True)
class CancelAt:
    """The end of a subscription that is planned.

    Args:
        at: When it ends.
        asked_at: When the customer said so.
        reason: Why, as a word of the shop's own list.
        comment: What the customer said besides; it stands in no event and in no log.
        charge_remainder: Whether it ends within a minimum that was agreed, for what that costs.
    """

    at: datetime
    asked_at: datetime
    reason: str = ""
    comment: str = attrs.field(
        default="", repr=False, metadata=personal("subscription", Category.CONTENT, on_erase=OnErase.NULL)
    )
    charge_remainder: bool = False


@attrs.frozen(kw_only=True)
class ChangeAt:
    """A change that is planned; it is priced when it happens."""

    at: datetime
    wishes: tuple[Wish, ...]
    preset: str


@attrs.frozen(kw_only=True)
class PauseAt:
    """A pause that is planned: until a time, or for so many cycles, or as long as the shop allows."""

    at: datetime
    until: datetime | None = None
    cycles: int | None = None
    left_open: bool = False


@attrs.frozen(kw_only=True)
class ResumeAt:
    """The end of a pause that is planned."""

    at: datetime


@attrs.frozen(kw_only=True)
class Scheduled:
    """What is planned for a subscription: at most one of each."""

    cancel: CancelAt | None = None
    change: ChangeAt | None = None
    pause: PauseAt | None = None
    resume: ResumeAt | None = None


NOTHING_SCHEDULED: Final = Scheduled()


@attrs.frozen(kw_only=True)
class Override:
    """What is different about one cycle.

    Args:
        kind: Left out, moved, or with other content.
        index: Which cycle.
        on: The day to which its beginning is moved.
        lines: What it holds instead.
        made_on: The local day on which the customer wanted it so.
    """

    kind: OverrideKind
    index: int
    on: date | None = None
    lines: tuple[SubscribedLine, ...] = ()
    made_on: date
