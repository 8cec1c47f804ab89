"""What is asked for when somebody changes a subscription, and how it is known again.

The rules, in plain English:

* A request with a key of the caller's choice changes something once: asked again, it answers what it led to. The same
  key with another request is refused.
"""

from collections.abc import Awaitable, Callable
from datetime import date

import attrs

from shopaccounts.kernel.receipts import body_hash, request_key
from shopaccounts.subscriptions.changing.changes import When
from shopaccounts.subscriptions.changing.quoting import ChangeQuote
from shopaccounts.subscriptions.changing.wanting import product_wish, quantity_wish, removal_wish
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.errors import RequestIdReused
from shopaccounts.subscriptions.guards import Operation
from shopaccounts.subscriptions.model import AskedChange, BillingAccount, Subscription
from shopaccounts.subscriptions.office.desk_work import Case
from shopaccounts.subscriptions.papers.documents import CreditNote, Invoice
from shopaccounts.subscriptions.plans.offers import PlanVersion
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.changes import Preset
from shopaccounts.subscriptions.scheduled import Wish

__all__ = [
    "ChangeRequest",
    "Changed",
    "How",
    "Said",
    "Wanted",
    "asked_before",
    "asked_under",
    "product_request",
    "quantity_request",
    "remembering",
    "removal_request",
]

_COMMAND = "subscriptions.change"


@attrs.frozen(kw_only=True)
class How:
    """How something is changed.

    Args:
        when: On which local day, now, or where what is paid ends; None for what goes with the price.
        preset: How it is priced; None for the shop's way.
        request_id: A key of the caller's choice, 1 to 128 printable ASCII characters: asked again with it, nothing is
            changed twice. None without.
    """

    when: date | When | None = None
    preset: Preset | None = None
    request_id: str | None = None


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


@attrs.define
class Said:
    """What was said while it was decided; the last time counts."""

    quote: ChangeQuote | None = None
    again: str = ""


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


def asked_under(id: str, wish: ChangeRequest) -> AskedChange | None:
    """Answer the digests by which a request is known again; None without a key."""
    how = wish.how
    if how.request_id is None:
        return None
    when = how.when.value if isinstance(how.when, When) else how.when.isoformat() if how.when else ""
    body = {
        "operation": wish.operation.value,
        "when": when,
        "preset": how.preset.value if how.preset else "",
        **wish.body,
    }
    key = body_hash(_COMMAND, {"subscription": id, "key": request_key(how.request_id)})
    return AskedChange(key, body_hash(_COMMAND, body), "")


def asked_before(subscription: Subscription, asked: AskedChange | None) -> AskedChange | None:
    """Answer what was asked for before under the same key; None if nothing was.

    Raises:
        RequestIdReused: The key was used for another change.
    """
    if asked is None:
        return None
    before = next((one for one in subscription.asked if one.request == asked.request), None)
    if before is not None and before.body != asked.body:
        raise RequestIdReused
    return before


def remembering(decision: Decision, asked: AskedChange | None, policy: SubscriptionPolicy) -> Decision:
    """Let a subscription remember under which key it was changed, and what was billed for that."""
    if asked is None:
        return decision
    operation = decision.bills[0].key if decision.bills else f"{asked.request}/nothing"
    known = (*decision.subscription.asked, attrs.evolve(asked, operation=operation))
    kept = known[-policy.changes.max_changes_per_day :]
    return attrs.evolve(decision, subscription=attrs.evolve(decision.subscription, asked=kept))
