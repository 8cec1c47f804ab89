"""What a shop and its payment gateway say to one another.

The rules, in plain English:

* A request has a key that never changes. Asked twice under one key, a gateway moves money once and says the same again.
* That a card is declined is an answer, and so is that nobody answered. No answer is never taken for a no.
* What a declined card needs is one of three things: time, another card, or its owner.
"""

from enum import Enum
from typing import TypeAlias

import attrs

from shopaccounts.kernel.money import Money

__all__ = [
    "ActionNeeded",
    "ChargeRequest",
    "Charged",
    "DeclineKind",
    "Declined",
    "Found",
    "NeverSeen",
    "NoAnswer",
    "Outcome",
    "RefundRequest",
]


class DeclineKind(Enum):
    """What would help against a decline; an adapter takes a code that it doesn't know for ``SOFT``."""

    SOFT = "soft"
    """Time: no funds today, the bank is down."""
    HARD = "hard"
    """Another payment method: the card was stolen, or its account is closed."""
    ACTION = "action"
    """Its owner, who has to confirm a payment; asking again may do as well."""


@attrs.frozen(kw_only=True)
class ChargeRequest:
    """Take this amount from this payment method, once.

    Args:
        key: Stable for ever; whatever is asked under it again is the same request.
        amount: Exactly what is to be debited.
        method: The payment method, as the host names it.
        invoice: What is paid by it.
        account: The billing account that owes it.
        customer_present: Whether the customer is there and can confirm the payment.
    """

    key: str
    amount: Money
    method: str
    invoice: str
    account: str
    customer_present: bool = False


@attrs.frozen(kw_only=True)
class RefundRequest:
    """Pay this amount back, once.

    Args:
        key: Stable for ever, as that of a charge.
        amount: Exactly what is to be paid back.
        charge: The key of the charge of which it is paid back.
        invoice: What was paid by that.
        account: The billing account.
    """

    key: str
    amount: Money
    charge: str
    invoice: str
    account: str


@attrs.frozen
class Charged:
    """The money has moved, as much as was asked for; ``reference`` is the gateway's own number for it."""

    reference: str = ""


@attrs.frozen
class Declined:
    """No money has moved, and none will under this key.

    Args:
        kind: What would help.
        code: The gateway's own code.
        message: The gateway's own words; they are not stored.
    """

    kind: DeclineKind
    code: str = ""
    message: str = ""


@attrs.frozen
class ActionNeeded:
    """The customer has to do something first; ``action`` tells the host's page what, such as an address to open."""

    action: str


@attrs.frozen
class NoAnswer:
    """Nobody knows whether money has moved: the gateway didn't answer in time, or nobody was left to hear it."""


@attrs.frozen
class NeverSeen:
    """The gateway knows nothing of this key."""


Outcome: TypeAlias = Charged | Declined | ActionNeeded | NoAnswer
"""What a gateway answers to a request."""
Found: TypeAlias = Charged | Declined | ActionNeeded | NoAnswer | NeverSeen
"""What a gateway answers when it is asked what became of a key."""
