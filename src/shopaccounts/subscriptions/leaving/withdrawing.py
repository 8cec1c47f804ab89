"""Withdrawing from a contract: it ends at once, and the customer gets the money back.

The rules, in plain English:

* A customer may withdraw from the day of the contract on; where goods are delivered, until so many days after the first
  of them came.
* All that was billed is taken back, the fee for setting up too. Where the customer expressly wished that the service
  begin before that time was over, what was served stays due: the days used of the days billed.
* What is paid goes back the way it came, and what isn't paid isn't owed any more.
* A minimum that was agreed binds nobody who withdraws.

[Directive 2011/83/EU, Art. 9 to 14]
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Final

import attrs

from shopaccounts.kernel.money import Money, share, total
from shopaccounts.kernel.time import local_date
from shopaccounts.subscriptions.decision import Decision, TakenBack
from shopaccounts.subscriptions.events import WithdrawalConfirmed
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.invoices.crediting import credit_note_lines, settle_note
from shopaccounts.subscriptions.laws.rows import WITHDRAWAL_RULES, in_force
from shopaccounts.subscriptions.leaving.cancelling import call_off
from shopaccounts.subscriptions.leaving.statements import WithdrawalWindow, withdrawal_window
from shopaccounts.subscriptions.lifecycle.ending import end
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.papers.documents import CreditTo, Invoice, InvoiceState
from shopaccounts.subscriptions.papers.lines import Line, LineKind
from shopaccounts.subscriptions.plans.offers import Goods
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.states import ENDED, Lifecycle, Trigger

__all__ = ["WITHDRAWN", "window_of", "withdraw"]

WITHDRAWN: Final = "withdrawal"
"""The reason of an end by withdrawal."""
_ONE_DAY: Final = timedelta(days=1)
_BILLED: Final = frozenset({InvoiceState.OPEN, InvoiceState.PAID, InvoiceState.UNCOLLECTIBLE})
_NOT_BEGUN: Final = frozenset({Lifecycle.PENDING, Lifecycle.INCOMPLETE})


def window_of(
    subscription: Subscription, place: str, delivered_on: date | None, today: date, holidays: Iterable[date] = ()
) -> WithdrawalWindow | None:
    """Answer until when somebody may withdraw from a subscription; None where no law gives that right.

    Args:
        subscription: Which.
        place: Where the customer is, such as ``DE``; empty where that isn't known.
        delivered_on: The local day on which goods were first delivered, None before.
        today: This local day, from which on it counts for goods that haven't come.
        holidays: Days without work, besides Saturdays and Sundays.
    """
    made_on = local_date(subscription.created_at, subscription.zone)
    rules = in_force(WITHDRAWAL_RULES, place, made_on)
    if not rules:
        return None
    start = made_on if subscription.terms.goods is Goods.DIGITAL else delivered_on or today
    untold = not subscription.told_of_withdrawal
    windows = [
        withdrawal_window(start, rule, subscription.zone, holidays, information_missing=untold) for rule in rules
    ]
    return max(windows, key=lambda window: window.ends_at)


def withdraw(
    subscription: Subscription,
    statement: str,
    invoices: Iterable[Invoice],
    now: datetime,
    policy: SubscriptionPolicy,
) -> Decision:
    """End a subscription from which its customer withdraws, and take back what was billed.

    Args:
        subscription: Which; one that has ended stays ended.
        statement: Id of the statement.
        invoices: All with lines of it.
        now: This instant.
        policy: How the shop bills.
    """
    billed = {invoice.id: invoice for invoice in invoices}
    ended = _ended(subscription, billed, now, policy)
    backs = ended.credits or tuple(_taken_back(subscription, statement, billed.values(), now, policy))
    paid_back = total((_refund(billed[back.invoice], back.wanted) for back in backs), subscription.currency)
    told = WithdrawalConfirmed(
        at=now, account=subscription.customer, subscription=subscription.id, statement=statement, amount=paid_back
    )
    return attrs.evolve(ended, credits=() if ended.voids else backs, events=(*ended.events, told))


def _ended(
    subscription: Subscription, invoices: Mapping[str, Invoice], now: datetime, policy: SubscriptionPolicy
) -> Decision:
    if subscription.lifecycle in ENDED:
        return Decision(subscription=subscription)
    if subscription.lifecycle in _NOT_BEGUN:
        return call_off(subscription, now, Facts(invoices=invoices), reason=WITHDRAWN)
    over = end(subscription, now, Trigger.CANCELED, policy, reason=WITHDRAWN)
    if subscription.begun_on_wish:
        return over
    settled = attrs.evolve(over.subscription, usage_to=over.subscription.billed_to)
    return attrs.evolve(over, subscription=settled, bills=())


def _taken_back(
    subscription: Subscription, statement: str, invoices: Iterable[Invoice], now: datetime, policy: SubscriptionPolicy
) -> Iterable[TakenBack]:
    over = min(subscription.ended_at or now, now)
    day = policy.proration.first_unused(local_date(over, subscription.zone))
    for invoice in invoices:
        wanted = {
            number: base
            for number, line in enumerate(invoice.lines, 1)
            if line.subscription == subscription.id and not (base := _returned(subscription, line, day)).is_zero
        }
        if wanted and invoice.state in _BILLED:
            key = f"{subscription.id}/{WITHDRAWN}/{statement}/{invoice.id}"
            yield TakenBack(key=key, invoice=invoice.id, wanted=wanted, to=CreditTo.REFUND, reason=WITHDRAWN)


def _returned(subscription: Subscription, line: Line, day: date) -> Money:
    """Answer how much of a line the customer gets back."""
    used = _used(line, day) if subscription.begun_on_wish else line.base * 0
    return min(line.creditable, max(line.base - used, line.base * 0))


def _used(line: Line, day: date) -> Money:
    """Answer what the days were worth that were used of a line: so many of those that it bills."""
    if line.kind is LineKind.SETUP_FEE or day <= line.start:
        return line.base * 0
    if day >= line.end:
        return line.base
    return share(line.base, (day - line.start) // _ONE_DAY, (line.end - line.start) // _ONE_DAY)


def _refund(invoice: Invoice, wanted: Mapping[int, Money]) -> Money:
    """Answer what taking something back of an invoice pays back in money."""
    gross = total((line.gross for line in credit_note_lines(invoice, wanted)), invoice.currency)
    return settle_note(gross, invoice.due, invoice.refundable, CreditTo.REFUND).refund
