"""Which amounts a notice names: what the planner would bill if it were asked at that moment.

The rules, in plain English:

* The amount is that of the invoice that will be written, taxes and discounts and all: the same rules write it, and it
  is not recorded.
* For a new price it is asked twice: with it and without it.
"""

from datetime import datetime, timedelta
from typing import Final

import attrs

from shopaccounts.kernel.money import Money
from shopaccounts.subscriptions.charges.metering import Asked
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.laws.notice_rules import NoticeFacts, NoticeRule, NoticeTrigger
from shopaccounts.subscriptions.laws.notices import SentNotice, notice_window
from shopaccounts.subscriptions.model import BillingAccount, Subscription
from shopaccounts.subscriptions.notices.checks import debited, part_of
from shopaccounts.subscriptions.notices.occasions import Occasion, notice_of
from shopaccounts.subscriptions.planning.planner import plan
from shopaccounts.subscriptions.planning.taxes import RatesOf
from shopaccounts.subscriptions.planning.writing_up import PaperFacts, write_up
from shopaccounts.subscriptions.plans.offers import CatchUpMode
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.pricing import PriceAnswer, Reply, answer_id

__all__ = ["amount_of", "foreseen", "if_agreed"]

_MOST_STEPS: Final = 100


def foreseen(subscription: Subscription, occasion: Occasion, facts: Facts, policy: SubscriptionPolicy) -> Decision:
    """Answer what will be decided up to an occasion, if nothing else happens before it.

    Args:
        subscription: Whose.
        occasion: What is announced.
        facts: What the planner is told.
        policy: How the shop bills.
    """
    facts = attrs.evolve(facts, measured=Asked())
    decision, at = Decision(subscription=subscription), occasion.at
    for _ in range(_MOST_STEPS):
        due = decision.subscription.due_at
        if due is None or due > at or decision.subscription.billed_to > occasion.index:
            break
        decision = decision.then(plan(decision.subscription, facts, policy, due, mode=CatchUpMode.EACH))
    return decision


def amount_of(
    decision: Decision,
    occasion: Occasion,
    account: BillingAccount,
    rates: RatesOf,
    facts: Facts,
    policy: SubscriptionPolicy,
) -> Money:
    """Answer what a subscription will cost at an occasion, taxes included; of a debit, what is left to be paid.

    Args:
        decision: What will be decided up to then.
        occasion: What is announced.
        account: Who pays.
        rates: The rates of taxes, as of today.
        facts: What the planner was told.
        policy: How the shop bills.
    """
    id = decision.subscription.id
    nothing = Money.zero(decision.subscription.currency)
    paper = PaperFacts(rates=rates, method=account.payment_method, invoices=facts.invoices)
    papers = write_up(account, [decision], paper, policy, occasion.at, lambda key: key)
    keys = {bill.key for bill in decision.bills if any(one.cycle.index == occasion.index for one in bill.cycles)}
    amount = nothing
    for invoice in papers.invoices:
        if invoice.key in keys:
            part = part_of(invoice, id)
            amount += debited(part, invoice.due) if occasion.trigger is NoticeTrigger.PRE_DEBIT else part
    return amount


def if_agreed(
    subscription: Subscription, occasion: Occasion, facts: Facts, rules: tuple[NoticeRule, ...], now: datetime
) -> Facts:
    """Answer the facts as they will be when a customer was told of a new price in time, and agreed.

    Args:
        subscription: Whose.
        occasion: The new price.
        facts: What is known.
        rules: The notices that it takes.
        now: This instant.
    """
    change = occasion.change
    if change is None:
        return facts
    agreed = PriceAnswer(
        id=answer_id(subscription.id, change.id),
        realm=subscription.realm,
        store=subscription.store,
        subscription=subscription.id,
        change=change.id,
        reply=Reply.ACCEPTED,
        answered_at=now,
        notice="",
    )
    others = tuple(one for one in facts.price_answers if one.change != change.id)
    sent = tuple(_as_sent(subscription, occasion, rule) for rule in rules)
    return attrs.evolve(facts, price_answers=(*others, agreed), notices=(*facts.notices, *sent))


def _as_sent(subscription: Subscription, occasion: Occasion, rule: NoticeRule) -> SentNotice:
    """Answer a notice as if it were sent just in time."""
    in_time = notice_window(rule, occasion.at, subscription.zone).late_from - timedelta.resolution
    return notice_of(subscription, occasion, rule, NoticeFacts(), in_time)
