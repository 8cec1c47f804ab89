"""From one customer to another: what a billing account holds passes whole.

The rules, in plain English:

* When two records turn out to be one person, or a guest opens an account, everything passes to the record that stays:
  subscriptions, papers, payments, boxes, what waits for an invoice, and the balance with its entries.
* Of a paper nothing changes but whose it is: number, days and amounts stay.
* The account that stays keeps its own zone, billing day and way to pay. What it has none of it takes over. A
  subscription that another method paid goes on being paid by that one.
* Who has two live subscriptions of one group of plans then keeps both. The one that came is marked, and a clerk finds
  it: nobody but the customer knows whether that is meant. Those that were marked as its doubles are now doubles of the
  one that was there.
* A trial that one of them had, both had; and of a campaign they have what both have.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from shopaccounts.kernel.ids import CustomerId, StoreId
from shopaccounts.kernel.money import Money
from shopaccounts.subscriptions.lifecycle.campaigns import CampaignUse, campaign_id
from shopaccounts.subscriptions.lifecycle.doubles import is_marked
from shopaccounts.subscriptions.lifecycle.trials import TrialUse, trial_uses
from shopaccounts.subscriptions.model import BillingAccount, Subscription, account_id
from shopaccounts.subscriptions.states import ENDED

__all__ = [
    "account_of",
    "both_campaigns",
    "is_one_of_its_group",
    "joined_accounts",
    "moved_campaign",
    "moved_subscription",
    "moved_trial",
    "relinked",
    "with_marked",
]


def account_of(source: BillingAccount, customer: CustomerId) -> BillingAccount:
    """Answer the account of somebody who has none yet and takes another over.

    Args:
        source: The account that is taken over.
        customer: Who takes it over.
    """
    empty = attrs.evolve(source, balances=(), pending=(), doubled=(), passes_to=None)
    return attrs.evolve(empty, id=account_id(source.store, customer), customer=customer, version=1)


def joined_accounts(source: BillingAccount, target: BillingAccount) -> tuple[BillingAccount, BillingAccount]:
    """Answer both accounts when all that the one holds has passed to the other.

    Args:
        source: Whose amounts pass on.
        target: Who gets them.
    """
    sums = {money.currency: money for money in target.balances}
    for money in source.balances:
        sums[money.currency] = sums.get(money.currency, Money.zero(money.currency)) + money
    grown = attrs.evolve(
        target,
        balances=tuple(sums.values()),
        pending=target.pending + source.pending,
        billing_day=target.billing_day if target.billing_day is not None else source.billing_day,
        payment_method=target.payment_method or source.payment_method,
        method_removed=target.method_removed and source.payment_method is None,
        settle_at=min((at for at in (source.settle_at, target.settle_at) if at is not None), default=None),
        doubled=target.doubled + source.doubled,
    )
    return attrs.evolve(source, balances=(), pending=(), settle_at=None, doubled=(), passes_to=target.customer), grown


def moved_subscription(
    one: Subscription, source: BillingAccount, target: BillingAccount, held: Mapping[str, str]
) -> Subscription:
    """Answer a subscription that belongs to another customer now.

    Args:
        one: Which.
        source: The account that it was in.
        target: The account that it is in now.
        held: The live subscription that holds a group of plans there, by that group.
    """
    other = held.get(one.terms.group) if is_one_of_its_group(one) else None
    return attrs.evolve(
        one,
        account=target.id,
        customer=target.customer,
        payment_method=_still_paid_by(one, source, target),
        holds_group=one.holds_group and other is None,
        doubles=other or one.doubles,
    )


def is_one_of_its_group(one: Subscription) -> bool:
    """Tell whether a live subscription holds its group of plans, or is marked as a double of the one that does."""
    return (one.holds_group or bool(one.doubles)) and one.lifecycle not in ENDED


def with_marked(account: BillingAccount, moved: Iterable[Subscription]) -> BillingAccount:
    """Answer an account that knows which of the subscriptions that came to it are marked.

    Args:
        account: To which they came.
        moved: As they are now.
    """
    marked = (one.id for one in moved if is_marked(one))
    return attrs.evolve(account, doubled=tuple(dict.fromkeys((*account.doubled, *marked))))


def _still_paid_by(one: Subscription, source: BillingAccount, target: BillingAccount) -> str | None:
    """Answer the method of its own that a subscription has after that: what paid it goes on."""
    paid = one.payment_method or source.payment_method
    return None if paid == target.payment_method else paid


def moved_trial(use: TrialUse, of: tuple[str, ...], source: CustomerId, target: CustomerId, store: StoreId) -> TrialUse:
    """Answer a trial as one that another customer had.

    Args:
        use: Which.
        of: What may have been tried: the group of plans, or the plan.
        source: Who had it.
        target: Who counts as having had it.
        store: The storefront.
    """
    for tried in of:
        if trial_uses(store, source, None, tried) == (use.id,):
            return attrs.evolve(use, id=trial_uses(store, target, None, tried)[0], customer=target)
    return attrs.evolve(use, customer=target)


def moved_campaign(use: CampaignUse, target: CustomerId) -> CampaignUse:
    """Answer what another customer has of a campaign now."""
    return attrs.evolve(use, id=campaign_id(use.store, target, use.code), customer=target, version=1)


def both_campaigns(one: CampaignUse, other: CampaignUse) -> CampaignUse:
    """Answer what somebody has of a campaign who has what both had."""
    return attrs.evolve(one, subscriptions=tuple(dict.fromkeys((*one.subscriptions, *other.subscriptions))))


def relinked(row: Any, source: BillingAccount, target: BillingAccount) -> Any:
    """Answer anything that names a customer or a billing account as belonging to another one.

    Args:
        row: An entity of any of the books.
        source: Whose it was.
        target: Whose it is now.
    """
    names = {source.id: target.id, source.customer: target.customer}
    held = {field.name: getattr(row, field.name) for field in attrs.fields(type(row))}
    return attrs.evolve(row, **{name: names[id] for name, id in held.items() if isinstance(id, str) and id in names})
