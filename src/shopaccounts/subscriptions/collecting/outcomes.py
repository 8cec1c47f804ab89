"""What news about a payment means: for its invoice, for the customer's balance, and for what was subscribed.

The rules, in plain English:

* Money that comes pays the invoice. What is too much is the customer's and lies in the balance; if the invoice still
  owes something, the balance pays that.
* An invoice that is settled asks for nothing more: retries that wait are given up, a subscription that waited for its
  first payment runs, and one that was behind has caught up when nothing else is overdue.
* After a failure the shop's policy says what follows. A retry is an attempt of its own, with a number of its own.
* A first payment that fails is not chased: it has its own time limit, and the customer is there.
* What a person has written off is charged no more; whoever pays it after all is welcome.
* Who has no payment method can't be charged; that is a hard decline, and nobody is asked.
* A refund that fails is still the customer's money: it goes to the balance.
* A bank that takes a payment back makes the invoice overdue. Nothing is tried by itself after that; it is given up like
  every other when its time is over.
"""

from datetime import datetime
from typing import Final

import attrs

from shopaccounts.kernel.money import Money
from shopaccounts.kernel.time import local_date
from shopaccounts.subscriptions.collecting.dossiers import Dossier, Outcome, Unsettled, attempt, owed
from shopaccounts.subscriptions.collecting.reckoning import Reckoning
from shopaccounts.subscriptions.model import BillingAccount
from shopaccounts.subscriptions.papers.documents import InvoiceState
from shopaccounts.subscriptions.payments.charging import ActionNeeded, Charged, Declined, DeclineKind, Found, NoAnswer
from shopaccounts.subscriptions.payments.dunning import StopReason, attempts_of, limit_reached
from shopaccounts.subscriptions.payments.intents import (
    IntentReason,
    IntentState,
    PaymentIntent,
    Purpose,
    bring_forward,
    drop,
    is_live,
    settle,
    step_up,
    submit,
    time_out,
)
from shopaccounts.subscriptions.policy import SubscriptionPolicy

__all__ = [
    "NO_METHOD",
    "after_answer",
    "after_its_time",
    "after_payment",
    "after_reversal",
    "after_time_out",
    "before_asking",
    "given_up",
    "tried_anew",
]

NO_METHOD: Final = Declined(DeclineKind.HARD, "needs_method")
"""What becomes of a charge for which there is no payment method."""


def before_asking(
    dossier: Dossier,
    intent: PaymentIntent,
    place: str,
    policy: SubscriptionPolicy,
    now: datetime,
    answer_by: datetime,
    *,
    customer_present: bool = False,
) -> PaymentIntent | Found | None:
    """Decide what is done with a payment whose time has come.

    Args:
        dossier: What is known.
        intent: One that is ready.
        place: Where the customer is, as far as it matters.
        policy: How the shop chases.
        now: This instant.
        answer_by: Until when the gateway's answer is waited for.
        customer_present: Whether the customer is there.

    Returns:
        The payment as it is recorded before the gateway is asked; or what it comes to without asking; None if it is
        given up.
    """
    if intent.purpose is Purpose.REFUND:
        return submit(intent, intent.amount, now, answer_by)
    if dossier.invoice.state is not InvoiceState.OPEN or _is_too_late(dossier, intent, policy, now):
        return None
    if dossier.method is None:
        return NO_METHOD
    due = owed(dossier.invoice)
    asked = submit(intent, due, now, answer_by, method=dossier.method)
    if not is_live(asked):
        return None
    today = local_date(now, dossier.account.zone)
    return step_up(due, place, today, customer_present=customer_present) or asked


def _is_too_late(dossier: Dossier, intent: PaymentIntent, policy: SubscriptionPolicy, now: datetime) -> bool:
    """Tell whether a limit was passed while nothing ran; a small debt that goes with another invoice had to wait."""
    if intent.reason is IntentReason.FIRST:
        return False
    limit = limit_reached(attempts_of(dossier.intents), policy.dunning, now)
    waited = limit is StopReason.MAX_AGE and intent.reason is IntentReason.WITH_ANOTHER
    return limit is not None and not waited


def after_answer(
    dossier: Dossier, intent: PaymentIntent, found: Found, policy: SubscriptionPolicy, now: datetime
) -> Outcome | None:
    """Decide what follows from what a gateway answered, was found to have done, or told later.

    Args:
        dossier: What is known.
        intent: The payment, one of the dossier's.
        found: What the gateway says.
        policy: How the shop chases.
        now: This instant.

    Returns:
        None if that is no news.
    """
    due = owed(dossier.invoice)
    if intent.state is IntentState.READY and intent.submitted_at is None and not due.is_zero:
        intent = attrs.evolve(intent, amount=due if intent.purpose is Purpose.CHARGE else intent.amount)
    if intent.state is IntentState.IN_FLIGHT and not isinstance(found, Charged | Declined | ActionNeeded):
        intent = settle(intent, NoAnswer(), now, due).intent
    settlement = settle(intent, found, now, due)
    if not settlement.changed:
        return None
    case = Reckoning(dossier, policy, now)
    case.take(settlement)
    return case.outcome()


def after_time_out(
    dossier: Dossier, intent: PaymentIntent, policy: SubscriptionPolicy, now: datetime
) -> Outcome | None:
    """Decide what follows when a customer didn't do in time what a payment needed; None if it waits no more."""
    if intent.state is not IntentState.NEEDS_ACTION:
        return None
    case = Reckoning(dossier, policy, now)
    case.fail(time_out(intent, now))
    return case.outcome()


def given_up(dossier: Dossier, intent: PaymentIntent, policy: SubscriptionPolicy, now: datetime) -> Outcome | None:
    """Decide what follows when a payment isn't asked for after all; None if it is under way or decided."""
    if intent.state is not IntentState.READY:
        return None
    case = Reckoning(dossier, policy, now)
    case.keep(drop(intent, now))
    if owed(dossier.invoice).is_zero:
        case.catch_up()
    elif dossier.invoice.state is InvoiceState.OPEN:
        case.follow(case.step())
    return case.outcome()


def after_payment(
    dossier: Dossier, amount: Money, reference: str, policy: SubscriptionPolicy, now: datetime
) -> Outcome | None:
    """Decide what follows when a customer paid an amount by other means, such as a bank transfer.

    Args:
        dossier: What is known.
        amount: How much came, above zero.
        reference: What brought it; the same one comes once.
        policy: How the shop chases.
        now: This instant.

    Returns:
        None if that is no news.

    Raises:
        InvoiceNotOpen: The invoice is a draft.
        CurrencyMismatch: The money is in another currency.
        InvalidInput: The amount isn't above zero.
    """
    if any(one.purpose is Purpose.TRANSFER and one.reference == reference for one in dossier.intents):
        return None
    case = Reckoning(dossier, policy, now)
    case.receive(amount, reference)
    return case.outcome()


def after_reversal(
    dossier: Dossier, intent: PaymentIntent, policy: SubscriptionPolicy, now: datetime
) -> Outcome | None:
    """Decide what follows when a customer's bank takes a payment back; None if it did so before, or none was made."""
    if intent.purpose is Purpose.REFUND or not intent.has_moved_money or intent.reversed_at is not None:
        return None
    case = Reckoning(dossier, policy, now)
    case.reverse(intent)
    return case.outcome()


def after_its_time(dossier: Dossier, policy: SubscriptionPolicy, now: datetime) -> Outcome | None:
    """Decide what follows when the time has come at which somebody looks after an invoice again; None before that.

    It is settled and whoever chased it has to hear of that; or it became overdue; or it is given up.
    """
    if dossier.invoice.chase_at is None or dossier.invoice.chase_at > now:
        return None
    case = Reckoning(dossier, policy, now)
    case.look_after()
    return case.outcome()


def tried_anew(account: BillingAccount, unsettled: Unsettled, method: str, now: datetime) -> PaymentIntent | None:
    """Answer the attempt that an open invoice gets because the payment method changed; None if one is under way.

    Args:
        account: Who owes it.
        unsettled: What is owed.
        method: The new payment method.
        now: This instant.
    """
    live = unsettled.live_charge
    if live is None:
        return attempt(account, unsettled, method, now, now, IntentReason.METHOD_CHANGE)
    if live.state is not IntentState.READY or live.submitted_at is not None:
        return None
    return bring_forward(live, method, now)
