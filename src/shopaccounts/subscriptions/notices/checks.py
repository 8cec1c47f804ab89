"""What it means for a charge that a notice which the law asks for was sent, or wasn't.

The rules, in plain English:

* It is asked when the invoice is written, since only then the amount is known.
* A notice that was missed is told, and the charge is made.
* Where a law makes the charge wait, it waits until its notice is old enough; and where no notice was sent, or one that
  named another amount, until one is.
* The first invoice of a subscription needs no notice: its customer is there.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.money import Money, total
from shopaccounts.kernel.time import Zone
from shopaccounts.subscriptions.decision import Bill
from shopaccounts.subscriptions.events import BillingEvent, NoticeAmountDiffers, NoticeMissed
from shopaccounts.subscriptions.laws.notice_rules import NoticeRule, NoticeTrigger
from shopaccounts.subscriptions.laws.notices import Held, Missed, SentNotice, judge
from shopaccounts.subscriptions.notices.agenda import WaitingCharge
from shopaccounts.subscriptions.notices.occasions import Occasion, cycle_instance
from shopaccounts.subscriptions.papers.documents import Invoice, InvoiceKind
from shopaccounts.subscriptions.payments.intents import PaymentIntent

__all__ = ["Verdict", "WaitsFor", "Watched", "debited", "judged", "on_invoice", "part_of"]


@attrs.frozen(kw_only=True)
class Watched:
    """What a subscription has to be told by law before it is charged, and what it was told.

    Args:
        subscription: Whose.
        customer: Whose it is.
        account: The billing account.
        zone: Where its days begin.
        rules: Each rule, with what it is about.
        expected: What there was to announce when the decision was taken.
        sent: What was sent.
    """

    subscription: str
    customer: CustomerId
    account: str
    zone: Zone
    rules: tuple[tuple[NoticeTrigger, NoticeRule], ...]
    expected: tuple[Occasion, ...]
    sent: tuple[SentNotice, ...]


@attrs.frozen
class WaitsFor:
    """A charge waits until a notice of a rule is sent."""

    rule: str
    instance: str
    trigger_at: datetime


@attrs.frozen(kw_only=True)
class Verdict:
    """What notices mean for a charge.

    Args:
        until: When it is made at the earliest, None for at once.
        waits_for: The notices that it waits for.
        events: What is told.
    """

    until: datetime | None = None
    waits_for: tuple[WaitsFor, ...] = ()
    events: tuple[BillingEvent, ...] = ()

    def __add__(self, more: "Verdict") -> "Verdict":
        both = [at for at in (self.until, more.until) if at is not None]
        return Verdict(
            until=max(both, default=None),
            waits_for=self.waits_for + more.waits_for,
            events=self.events + more.events,
        )


def judged(watched: Watched, index: int, at: datetime, amount: Money, due: Money, now: datetime) -> Verdict:
    """Answer what notices mean for the charge of a cycle.

    Args:
        watched: What was to be said.
        index: The number of the cycle.
        at: When the charge became due.
        amount: What the subscription costs then, taxes included.
        due: What is left of the invoice to be charged.
        now: This instant.
    """
    verdict = Verdict()
    for occasion, rule in _asked(watched, index, at):
        if occasion.trigger is not NoticeTrigger.PRE_DEBIT:
            verdict += _of_one(watched, occasion, rule, amount, now)
        elif (debit := debited(amount, due)).minor:
            verdict += _of_one(watched, occasion, rule, debit, now)
    return verdict


def debited(amount: Money, due: Money) -> Money:
    """Answer with which amount a debit is announced: a subscription's part of the invoice, less what is paid.

    Nothing of a subscription that gets more back on it than it costs.
    """
    return max(min(amount, due), due * 0)


def _asked(watched: Watched, index: int, at: datetime) -> Iterator[tuple[Occasion, NoticeRule]]:
    expected = {one.trigger: one for one in watched.expected if one.index == index or one.at == at}
    for trigger, rule in watched.rules:
        occasion = expected.get(trigger)
        if occasion is None and trigger is NoticeTrigger.PRE_DEBIT:
            occasion = Occasion(trigger=trigger, instance=cycle_instance(index), at=at, index=index)
        if occasion is not None:
            yield occasion, rule


def _of_one(watched: Watched, occasion: Occasion, rule: NoticeRule, amount: Money, now: datetime) -> Verdict:
    about = tuple(one for one in occasion.about(watched.sent) if one.rule == rule.id)
    verdict = judge(rule, about, occasion.at, watched.zone, now, amount)
    named = [(one, said) for one in about if (said := one.facts.amount) is not None]
    wrong = [(one, said) for one, said in named if said != amount]
    differs = bool(wrong) and len(wrong) == len(about)
    was_missed = isinstance(verdict, Missed | Held) and not differs
    facts: dict[str, Any] = {
        "at": now,
        "account": watched.customer,
        "billing_account": watched.account,
        "subscription": watched.subscription,
        "rule": rule.id,
        "trigger_at": occasion.at,
    }
    events: list[BillingEvent] = [NoticeMissed(**facts)] if was_missed else []
    if differs:
        notice, said = wrong[-1]
        events.append(NoticeAmountDiffers(notice=notice.id, announced=said, amount=amount, **facts))
    if not isinstance(verdict, Held):
        return Verdict(events=tuple(events))
    waits = () if verdict.until else (WaitsFor(rule.id, occasion.instance, occasion.at),)
    return Verdict(until=verdict.until, waits_for=waits, events=tuple(events))


def on_invoice(
    watched: Mapping[str, Watched], bills: Sequence[Bill], invoice: Invoice, intent: PaymentIntent | None, now: datetime
) -> tuple[PaymentIntent | None, tuple[tuple[str, WaitingCharge], ...], tuple[BillingEvent, ...]]:
    """Answer what notices mean for the charge of an invoice.

    Args:
        watched: What was to be said, by subscription.
        bills: What the invoice was made of.
        invoice: It, with its taxes.
        intent: How it is to be paid, None where nothing is charged.
        now: This instant.

    Returns:
        The payment, not before it may be made; what waits for a notice, each with its subscription; what is told.
    """
    waiting: list[tuple[str, WaitingCharge]] = []
    verdict = Verdict()
    for bill in bills:
        mine = watched.get(bill.cycles[0].cycle.subscription) if bill.cycles else None
        if mine is None or bill.kind is not InvoiceKind.PERIODIC:
            continue
        amount = part_of(invoice, mine.subscription)
        left = invoice.due if intent else Money.zero(invoice.currency)
        found = judged(mine, bill.cycles[0].cycle.index, bill.at, amount, left, now)
        verdict += found
        if intent:
            charge = debited(amount, invoice.due)
            waiting += [
                (
                    mine.subscription,
                    WaitingCharge(
                        intent=intent.id,
                        rule=one.rule,
                        instance=one.instance,
                        trigger_at=one.trigger_at,
                        amount=charge,
                    ),
                )
                for one in found.waits_for
            ]
    return _not_before(intent, verdict, now), tuple(waiting), verdict.events


def part_of(invoice: Invoice, subscription: str) -> Money:
    """Answer what an invoice asks for one of its subscriptions, taxes included."""
    mine = (line.gross for line in invoice.lines if line.subscription == subscription)
    return total(mine, invoice.currency)


def _not_before(intent: PaymentIntent | None, verdict: Verdict, now: datetime) -> PaymentIntent | None:
    if intent is None or (verdict.until is None and not verdict.waits_for):
        return intent
    return attrs.evolve(intent, due_at=None if verdict.waits_for else max(now, verdict.until or now))
