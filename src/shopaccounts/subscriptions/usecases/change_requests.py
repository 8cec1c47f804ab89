"""What is asked for when somebody changes a subscription, and what it answers."""

from collections.abc import Awaitable, Callable
from datetime import date

import attrs

from shopaccounts.subscriptions.changing.changes import When
from shopaccounts.subscriptions.changing.quoting import ChangeQuote
from shopaccounts.subscriptions.changing.wanting import product_wish, quantity_wish, removal_wish
from shopaccounts.subscriptions.guards import Operation
from shopaccounts.subscriptions.model import BillingAccount, Subscription
from shopaccounts.subscriptions.office.desk_work import Case
from shopaccounts.subscriptions.papers.documents import CreditNote, Invoice
from shopaccounts.subscriptions.plans.offers import PlanVersion
from shopaccounts.subscriptions.policy.changes import Preset
from shopaccounts.subscriptions.requests import Request
from shopaccounts.subscriptions.scheduled import Wish

__all__ = [
    "ChangeRequest",
    "Changed",
    "How",
    "Said",
    "Wanted",
    "product_request",
    "quantity_request",
    "removal_request",
]


@attrs.frozen(kw_only=True)
class How:
    """How something is changed.

    Args:
        when: On which local day, now, or where what is paid ends; None for what goes with the price.
        preset: How it is priced; None for the shop's way.
    """

    when: date | When | None = None
    preset: Preset | None = None


@attrs.frozen(kw_only=True)
class Changed:
    """A subscription after a change, or in a preview as it would be, and what was written.

    Args:
        subscription: As it is now.
        invoices: New ones.
        notes: New credit notes.
        account: With its balance, and what waits for the next invoice.
        quote: What the change costs; None where no money moves, and where it was asked for before.
    """

    subscription: Subscription
    invoices: tuple[Invoice, ...]
    notes: tuple[CreditNote, ...]
    account: BillingAccount
    quote: ChangeQuote | None


Wanted = Callable[[Case, date], Awaitable[tuple[Wish, PlanVersion | None]]]
"""Answers what is wanted from a local day on, and the plan if it is another one."""


@attrs.frozen(kw_only=True)
class ChangeRequest:
    """What somebody asks for.

    Args:
        operation: What it is.
        wanted: What it asks for.
        body: The same as plain values, so that it is known again.
        how: How.
    """

    operation: Operation
    wanted: Wanted
    body: dict[str, object]
    how: How

    def under(self, key: str) -> Request:
        """Answer the same as plain values, under a key of the caller's; empty for none."""
        when = self.how.when
        said = {
            "when": when.value if isinstance(when, When) else when.isoformat() if when else "",
            "preset": self.how.preset.value if self.how.preset else "",
        }
        return Request(self.operation.value, key, self.body | said)


@attrs.define
class Said:
    """What was said while it was decided; the last time counts."""

    quote: ChangeQuote | None = None


def quantity_request(quantity: int, line: str, how: How) -> ChangeRequest:
    """Answer the request for more or less of a line."""

    async def wanted(_case: Case, _day: date) -> tuple[Wish, PlanVersion | None]:
        return quantity_wish(quantity, line), None

    body: dict[str, object] = {"quantity": quantity, "line": line}
    return ChangeRequest(operation=Operation.CHANGE_QUANTITY, wanted=wanted, body=body, how=how)


def removal_request(key: str, how: How) -> ChangeRequest:
    """Answer the request to have an add-on no more."""

    async def wanted(_case: Case, _day: date) -> tuple[Wish, PlanVersion | None]:
        return removal_wish(key), None

    return ChangeRequest(operation=Operation.REMOVE_ADD_ON, wanted=wanted, body={"key": key}, how=how)


def product_request(product: str, line: str, how: How) -> ChangeRequest:
    """Answer the request for another product on a line."""

    async def wanted(case: Case, _day: date) -> tuple[Wish, PlanVersion | None]:
        return product_wish(case.subscription, product, line), None

    body: dict[str, object] = {"product": product, "line": line}
    return ChangeRequest(operation=Operation.SWAP_PRODUCT, wanted=wanted, body=body, how=how)
