"""Payments and refunds, each as an intent that is recorded before anybody asks a gateway.

The rules, in plain English:

* An intent is written down together with the invoice that it is to pay. The gateway is asked afterwards, outside of
  every transaction, and what it said is written down after that.
* Its key is made of the invoice and the number of the attempt, and never changes. An invoice has at most one charge
  that is still undecided.
* An intent without an answer is *unknown*. The gateway is asked what became of its key before anything else is tried.
  If it never saw it, it is asked again under the same key, and for the same amount.
* What is charged is what is due when the gateway is asked. If nothing is due any more, nothing is charged.
* News from the gateway may come twice and in any order. A success stands for good. One that comes for an intent that
  was given up or declined, or for an invoice that is paid, is the customer's money: an overpayment.
* A refund is an intent too (see ``refunds``).
* Where a law wants a customer to confirm each payment above an amount, and the customer isn't there, the gateway isn't
  asked: the payment waits for the customer, as if the bank had said so.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from enum import Enum
from types import MappingProxyType
from typing import Any, Final

import attrs

from shopaccounts.kernel.ids import RealmId, StoreId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.personal import Category, OnErase, described, impersonal, personal
from shopaccounts.kernel.record import Book
from shopaccounts.subscriptions.laws.rows import STEP_UP_RULES, StepUpRule, in_jurisdiction, step_up_needed
from shopaccounts.subscriptions.marks import AN_ID
from shopaccounts.subscriptions.payments.charging import (
    ActionNeeded,
    Charged,
    Declined,
    DeclineKind,
    Found,
    NeverSeen,
    NoAnswer,
)
from shopaccounts.subscriptions.states import step

__all__ = [
    "ACTION_TIMEOUT",
    "INTENT",
    "INTENTS",
    "LIVE",
    "LOOK_UP_AFTER",
    "IntentReason",
    "IntentState",
    "IntentTrigger",
    "PaymentIntent",
    "Purpose",
    "Settlement",
    "advanced",
    "bring_forward",
    "drop",
    "is_live",
    "settle",
    "step_up",
    "submit",
    "time_out",
]

_PAID_WITH: Final = personal("payment", Category.FINANCIAL, on_erase=OnErase.BLANK)

ACTION_TIMEOUT: Final = timedelta(hours=23)
"""How long a customer has to do what a payment needs: as long as a first payment may take."""
LOOK_UP_AFTER: Final = timedelta(minutes=1)
"""How long after an unanswered question the gateway is asked what became of it: what was under way has arrived."""


class IntentState(Enum):
    """How far a payment has come."""

    READY = "ready"
    IN_FLIGHT = "in_flight"
    UNKNOWN = "unknown"
    NEEDS_ACTION = "needs_action"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    ABANDONED = "abandoned"


class IntentTrigger(Enum):
    """What happens to a payment."""

    SUBMITTED = "submitted"
    DROPPED = "dropped"
    CHARGED = "charged"
    DECLINED = "declined"
    ACTION_NEEDED = "action_needed"
    NO_ANSWER = "no_answer"
    FOUND_CHARGED = "found_charged"
    FOUND_DECLINED = "found_declined"
    NEVER_SEEN = "never_seen"
    TIMED_OUT = "timed_out"


class Purpose(Enum):
    """Which way the money goes."""

    CHARGE = "charge"
    REFUND = "refund"
    TRANSFER = "transfer"
    """It came by itself, such as by a bank transfer; nobody was asked for it."""


class IntentReason(Enum):
    """Why it is tried at this moment."""

    FIRST = "first"
    PLANNED = "planned"
    METHOD_CHANGE = "method_change"
    WITH_ANOTHER = "with_another"
    """It is too little to be tried on its own."""


_S, _T = IntentState, IntentTrigger

INTENT: Final = MappingProxyType(
    {
        (_S.READY, _T.SUBMITTED): _S.IN_FLIGHT,
        (_S.READY, _T.DROPPED): _S.ABANDONED,
        (_S.IN_FLIGHT, _T.CHARGED): _S.SUCCEEDED,
        (_S.IN_FLIGHT, _T.DECLINED): _S.DECLINED,
        (_S.IN_FLIGHT, _T.ACTION_NEEDED): _S.NEEDS_ACTION,
        (_S.IN_FLIGHT, _T.NO_ANSWER): _S.UNKNOWN,
        (_S.UNKNOWN, _T.FOUND_CHARGED): _S.SUCCEEDED,
        (_S.UNKNOWN, _T.FOUND_DECLINED): _S.DECLINED,
        (_S.UNKNOWN, _T.NEVER_SEEN): _S.READY,
        (_S.NEEDS_ACTION, _T.CHARGED): _S.SUCCEEDED,
        (_S.NEEDS_ACTION, _T.DECLINED): _S.DECLINED,
        (_S.NEEDS_ACTION, _T.TIMED_OUT): _S.ABANDONED,
    }
)
"""Where each trigger leads; whatever isn't here is refused."""

LIVE: Final = frozenset({_S.READY, _S.IN_FLIGHT, _S.UNKNOWN, _S.NEEDS_ACTION})
"""The states in which a payment is still undecided."""

_PATHS: Final[Mapping[tuple[IntentState, type[Any]], tuple[IntentTrigger, ...]]] = MappingProxyType(
    {
        # A request that nobody had seen may arrive after all, and its news before our next try.
        (_S.READY, Charged): (_T.SUBMITTED, _T.CHARGED),
        (_S.READY, Declined): (_T.SUBMITTED, _T.DECLINED),
        (_S.READY, ActionNeeded): (_T.SUBMITTED, _T.ACTION_NEEDED),
        (_S.IN_FLIGHT, Charged): (_T.CHARGED,),
        (_S.IN_FLIGHT, Declined): (_T.DECLINED,),
        (_S.IN_FLIGHT, ActionNeeded): (_T.ACTION_NEEDED,),
        (_S.IN_FLIGHT, NoAnswer): (_T.NO_ANSWER,),
        (_S.UNKNOWN, Charged): (_T.FOUND_CHARGED,),
        (_S.UNKNOWN, Declined): (_T.FOUND_DECLINED,),
        (_S.UNKNOWN, NeverSeen): (_T.NEVER_SEEN,),
        # Nothing was debited; asked again under this key, the gateway would say the same.
        (_S.UNKNOWN, ActionNeeded): (_T.NEVER_SEEN, _T.SUBMITTED, _T.ACTION_NEEDED),
        (_S.NEEDS_ACTION, Charged): (_T.CHARGED,),
        (_S.NEEDS_ACTION, Declined): (_T.DECLINED,),
    }
)
"""Which triggers an answer pulls; it changes nothing in a state in which it is no news."""


@described(data_class="payment", default=impersonal("ids, states, counters, times, amounts"))
@attrs.frozen(kw_only=True, slots=False)  # without slots it is made in half the time
class PaymentIntent:
    """One attempt to take what an invoice owes, or to pay some of it back.

    Args:
        id: Made of the invoice and the number of the attempt, so that there is one of each.
        realm: The pool of customers.
        store: The storefront.
        version: How often it was written.
        invoice: What it pays.
        account: The billing account.
        subscriptions: Those that have lines on the invoice.
        attempt: Its number among the intents of the invoice, refunds and transfers included; from 1.
        purpose: Which way the money goes.
        reason: Why it is tried.
        amount: How much; of a charge, what was due when the gateway was first asked.
        method: The payment method, as the host names it.
        refund_of: The key of the charge that it pays back, empty for a charge.
        state: How far it has come.
        due_at: When it next wants work: ready, to be submitted; in flight, to be given up waiting for; unknown, to be
            looked up; waiting for the customer, to be timed out. None when it is decided.
        planned_at: When it was written.
        submitted_at: When the gateway was first asked.
        settled_at: When it was decided.
        decline: Why it failed, None if it didn't.
        code: The code that goes with it.
        action: What the customer has to do.
        reference: The number of the money that moved: the gateway's, or that of a transfer.
        paid: What a success took off the invoice; the rest of its amount was an overpayment.
        late_at: When the gateway told of a success after all had been over.
        reversed_at: When the customer's bank took the money back.
    """

    id: str = attrs.field(metadata=AN_ID)
    realm: RealmId
    store: StoreId
    version: int = 1
    invoice: str = attrs.field(metadata=AN_ID)
    account: str = attrs.field(metadata=AN_ID)
    subscriptions: tuple[str, ...] = attrs.field(default=(), metadata=AN_ID)
    attempt: int
    purpose: Purpose = Purpose.CHARGE
    reason: IntentReason = IntentReason.FIRST
    amount: Money
    method: str = attrs.field(metadata=_PAID_WITH)
    refund_of: str = attrs.field(default="", metadata=AN_ID)
    state: IntentState = IntentState.READY
    due_at: datetime | None
    planned_at: datetime
    submitted_at: datetime | None = None
    settled_at: datetime | None = None
    decline: DeclineKind | None = None
    code: str = attrs.field(default="", metadata=impersonal("a word of the gateway's"))
    action: str = attrs.field(default="", metadata=_PAID_WITH)
    reference: str = attrs.field(default="", metadata=_PAID_WITH)
    paid: Money | None = None
    late_at: datetime | None = None
    reversed_at: datetime | None = None

    @property
    def key(self) -> str:
        """Under what the gateway is asked, stable for ever."""
        return self.id

    @property
    def has_moved_money(self) -> bool:
        """Whether the gateway has told that it debited, or paid back, its amount."""
        return self.state is IntentState.SUCCEEDED or self.late_at is not None


@attrs.frozen(kw_only=True)
class Settlement:
    """What an answer of the gateway comes to.

    Args:
        intent: The intent as it is now.
        changed: Whether that is anything new; if not, there is nothing to record.
        paid: What comes off the invoice.
        overpaid: What is the customer's, and goes to the balance.
        refunded: What was paid back.
    """

    intent: PaymentIntent
    changed: bool
    paid: Money
    overpaid: Money
    refunded: Money


def advanced(state: IntentState, trigger: IntentTrigger) -> IntentState:
    """Answer where *trigger* leads a payment from *state*.

    Raises:
        TransitionRefused: It leads nowhere.
    """
    return step(INTENT, state, trigger)


def is_live(intent: PaymentIntent) -> bool:
    """Tell whether a payment is still undecided."""
    return intent.state in LIVE


def submit(
    intent: PaymentIntent, due: Money, now: datetime, answer_by: datetime, *, method: str | None = None
) -> PaymentIntent:
    """Answer *intent* as it is recorded before the gateway is asked.

    Args:
        intent: One that is ready.
        due: What the invoice owes now; it says nothing about a refund, whose amount stands.
        now: This instant.
        answer_by: When it is given up waiting for, and looked up.
        method: The payment method that pays now; None for that of the intent.

    Returns:
        It is in flight, with the amount to ask for; or abandoned, because nothing is due any more, or because the
        gateway may have seen its key with another amount or method: that takes an intent with a key of its own.

    Raises:
        TransitionRefused: It isn't ready.
    """
    state = advanced(intent.state, _T.SUBMITTED)
    asked = attrs.evolve(
        intent,
        amount=due if intent.purpose is Purpose.CHARGE else intent.amount,
        method=intent.method if method is None else method,
    )
    if asked.amount.is_zero or (intent.submitted_at is not None and asked != intent):
        return drop(intent, now)
    return attrs.evolve(asked, state=state, due_at=answer_by, submitted_at=intent.submitted_at or now)


def drop(intent: PaymentIntent, now: datetime) -> PaymentIntent:
    """Answer *intent* as given up, because its invoice is settled, void or credited.

    Raises:
        TransitionRefused: It isn't ready: once a gateway was asked, its answer counts.
    """
    state = advanced(intent.state, _T.DROPPED)
    return attrs.evolve(intent, state=state, due_at=None, settled_at=now)


def time_out(intent: PaymentIntent, now: datetime) -> PaymentIntent:
    """Answer *intent* as given up, because the customer didn't do what was needed: it counts as a soft decline.

    Raises:
        TransitionRefused: It doesn't wait for the customer.
    """
    state = advanced(intent.state, _T.TIMED_OUT)
    code = "action_timed_out"
    return attrs.evolve(intent, state=state, due_at=None, settled_at=now, decline=DeclineKind.SOFT, code=code)


def bring_forward(intent: PaymentIntent, method: str, now: datetime) -> PaymentIntent:
    """Answer a retry that waits for its day as one that is tried at once, with the customer's new payment method.

    One that the gateway may know under its key stays as it is: it is being tried at once anyway, and ``submit`` gives
    it up if the method is another by then.

    Raises:
        TransitionRefused: It isn't ready.
    """
    advanced(intent.state, _T.SUBMITTED)
    if intent.submitted_at is not None:
        return intent
    return attrs.evolve(intent, method=method, due_at=now, reason=IntentReason.METHOD_CHANGE)


def step_up(
    amount: Money, place: str, on: date, *, customer_present: bool, rules: Iterable[StepUpRule] = STEP_UP_RULES
) -> ActionNeeded | None:
    """Tell whether a charge waits for the customer, by law; it is settled like an answer of the gateway then.

    Args:
        amount: What is to be charged, taxes included.
        place: Where the customer is, such as ``IN`` or ``US-CA``; empty where it is unknown.
        on: The local day of the charge.
        customer_present: Whether the customer is there and confirms the payment.
        rules: The laws; a limit speaks of amounts in its own currency.

    Returns:
        What is needed; None where the gateway may be asked.
    """
    in_force = [rule for rule in rules if in_jurisdiction(place, rule.jurisdiction) and rule.holds_on(on)]
    return ActionNeeded("confirm") if not customer_present and step_up_needed(amount, in_force) else None


def settle(intent: PaymentIntent, found: Found, now: datetime, due: Money) -> Settlement:
    """Take what a gateway answered, was found to have done, or told later: twice or in any order.

    Args:
        intent: What it is about.
        found: What the gateway says; ``NoAnswer`` also for a worker that died while it waited.
        now: This instant.
        due: What the invoice owes now: nothing, if it is paid, void or credited.

    Returns:
        The intent as it is now, and where the money goes. A success that comes after the intent was decided otherwise
        is an overpayment as a whole, and so is what exceeds *due*.
    """
    if intent.state not in LIVE:
        return _news_after_the_end(intent, found, now)
    if isinstance(found, NoAnswer) and intent.state is _S.UNKNOWN:
        return _settled(attrs.evolve(intent, due_at=now + LOOK_UP_AFTER))
    path = _PATHS.get((intent.state, type(found)), ())
    if not path:
        return _settled(intent, changed=False)
    state = intent.state
    for trigger in path:
        state = advanced(state, trigger)
    moved = attrs.evolve(intent, state=state, **_facts(state, found, now))
    return _with_money(moved, due) if isinstance(found, Charged) else _settled(moved)


def _facts(state: IntentState, found: Found, now: datetime) -> dict[str, Any]:
    """Answer what is remembered of an answer, and when the intent next wants work."""
    match found:
        case Charged(reference):
            return {"due_at": None, "settled_at": now, "reference": reference}
        case Declined(kind, code):
            return {"due_at": None, "settled_at": now, "decline": kind, "code": code}
        case ActionNeeded(action):
            return {"due_at": now + ACTION_TIMEOUT, "action": action}
        case NoAnswer() | NeverSeen():
            return {"due_at": now + LOOK_UP_AFTER if state is _S.UNKNOWN else now}


def _with_money(intent: PaymentIntent, due: Money) -> Settlement:
    if intent.purpose is Purpose.REFUND:
        return _settled(intent, refunded=intent.amount)
    paid = min(intent.amount, due)
    return _settled(attrs.evolve(intent, paid=paid), paid=paid, overpaid=intent.amount - paid)


def _news_after_the_end(intent: PaymentIntent, found: Found, now: datetime) -> Settlement:
    if not isinstance(found, Charged) or intent.has_moved_money:
        return _settled(intent, changed=False)
    late = attrs.evolve(intent, late_at=now, reference=found.reference)
    if intent.purpose is Purpose.REFUND:
        return _settled(late, refunded=intent.amount)
    return _settled(late, overpaid=intent.amount)


def _settled(intent: PaymentIntent, *, changed: bool = True, **moved: Money) -> Settlement:
    amounts = dict.fromkeys(("paid", "overpaid", "refunded"), Money.zero(intent.amount.currency))
    return Settlement(intent=intent, changed=changed, **amounts | moved)


INTENTS: Final = Book(
    name="payment_intents",
    of=PaymentIntent,
    groups={"invoice": lambda intent: intent.invoice, "account": lambda intent: intent.account},
    order=lambda intent: intent.planned_at,
    due=lambda intent: intent.due_at,
)
"""All payments and refunds. An attempt follows on one that is decided, and takes the next number: so of two that are
written at once, one comes too late, and an invoice has one undecided charge."""
