"""What a decision about a subscription is told of the world, so that it need not look anything up."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import attrs

from shopaccounts.subscriptions.charges.metering import NOTHING_COUNTED, Counts
from shopaccounts.subscriptions.charges.usage import Meter
from shopaccounts.subscriptions.laws.notices import SentNotice
from shopaccounts.subscriptions.papers.documents import Invoice
from shopaccounts.subscriptions.papers.lines import PendingLine
from shopaccounts.subscriptions.pricing import PriceAnswer, PriceChange

__all__ = ["NO_FACTS", "Facts"]

_NONE: Final[Mapping[str, Invoice]] = MappingProxyType({})
_NO_METERS: Final[Mapping[str, Meter]] = MappingProxyType({})


@attrs.frozen(kw_only=True)
class Facts:
    """What a decision about one subscription is told.

    Args:
        has_method: Whether a payment method is there that can be charged.
        invoices: Those of which a change would take back, by id: the subscription names them as live.
        pending: The lines of the account that wait for its next invoice.
        price_changes: Changes of price that were announced, of whatever plan.
        price_answers: What this subscription's customer said to them.
        notices: What was sent about this subscription.
        place: Where its customer is, such as ``US-CA``; empty where that isn't known.
        measured: What meters counted, for whatever usage is due.
        meters: What is remembered of the meters of subscriptions, by their ids.
    """

    has_method: bool = True
    invoices: Mapping[str, Invoice] = _NONE
    pending: tuple[PendingLine, ...] = ()
    price_changes: tuple[PriceChange, ...] = ()
    price_answers: tuple[PriceAnswer, ...] = ()
    notices: tuple[SentNotice, ...] = ()
    place: str = ""
    measured: Counts = NOTHING_COUNTED
    meters: Mapping[str, Meter] = _NO_METERS


NO_FACTS: Final = Facts()
