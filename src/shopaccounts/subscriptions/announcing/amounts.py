"""Which amounts a notice names: what the planner would bill if it were asked at that moment.

The rules, in plain English:

* The amount is that of the invoice that will be written, taxes and discounts and all: the same rules write it, and it
  is not recorded.
* What is due before it is on paper first, so that a change in between gives back what will have been billed by then.
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
from shopaccounts.subscriptions.planning.rounds import joined, with_papers
from shopaccounts.subscriptions.planning.taxes import RatesOf
from shopaccounts.subscriptions.planning.writing_up import PaperFacts, Papers, write_up
from shopaccounts.subscriptions.plans.offers import CatchUpMode
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.pricing import PriceAnswer, Reply, answer_id

__all__ = ["Foreseen", "amount_of", "foreseen", "if_agreed"]

_MOST_STEPS: Final = 100


@attrs.frozen
class Foreseen:
    """What will be decided up to an occasion, and what that comes to on paper; None where nothing is due before."""

    decision: Decision
    papers: Papers | None


def foreseen(
    subscription: Subscription,
    occasion: Occasion,
    account: BillingAccount,
    rates: RatesOf,
    facts: Facts,
    policy: SubscriptionPolicy,
) -> Foreseen:
    """Answer what will be decided up to an occasion, if nothing else happens before it.

    Args:
        subscription: Whose.
        occasion: What is announced.
        account: Who pays.
        rates: The rates of taxes, as of today; none, to find out which ones it takes.
        facts: What the planner is told.
        policy: How the shop bills.
    """
    facts = attrs.evolve(facts, measured=Asked())
    decision, papers = Decision(subscription=subscription), None
    for _ in range(_MOST_STEPS):
        due = decision.subscription.due_at
        if due is None or due > occasion.at or decision.subscription.billed_to > occasion.index:
            break
        step = plan(decision.subscription, facts, policy, due, mode=CatchUpMode.EACH)
        paper = PaperFacts(rates=rates, method=account.payment_method, invoices=facts.invoices)
        written = write_up(account, [step], paper, policy, due, lambda key: key)
        decision = decision.then(attrs.evolve(step, subscription=written.subscriptions[0]))
        account, facts, papers = written.account, with_papers(facts, written), joined(papers, written)
    return Foreseen(decision, papers)


def amount_of(ahead: Foreseen, occasion: Occasion) -> Money:
    """Answer what a subscription will cost at an occasion, taxes included; of a debit, what is left to be paid.

    Args:
        ahead: What will be decided up to then.
        occasion: What is announced.
    """
    one, bills = ahead.decision.subscription, ahead.decision.bills
    keys = {bill.key for bill in bills if any(each.cycle.index == occasion.index for each in bill.cycles)}
    amount = Money.zero(one.currency)
    for invoice in ahead.papers.invoices if ahead.papers else ():
        if invoice.key in keys:
            part = part_of(invoice, one.id)
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
