"""What becomes of an invoice, as a table; whatever isn't in it is refused, and the docs draw their diagram from it."""

from enum import Enum
from types import MappingProxyType
from typing import Final

from shopaccounts.subscriptions.errors import InvoiceNotOpen
from shopaccounts.subscriptions.papers.documents import InvoiceState

__all__ = ["INVOICE", "InvoiceTrigger", "led_to"]


class InvoiceTrigger(Enum):
    """What happens to an invoice."""

    ISSUED = "issued"
    SETTLED = "settled"
    """Nothing is owed on it any more: paid, covered by the balance, or credited."""
    VOIDED = "voided"
    WRITTEN_OFF = "written_off"
    PAYMENT_REVERSED = "payment_reversed"


_S, _T = InvoiceState, InvoiceTrigger

INVOICE: Final = MappingProxyType(
    {
        (_S.DRAFT, _T.ISSUED): _S.OPEN,
        (_S.OPEN, _T.SETTLED): _S.PAID,
        (_S.OPEN, _T.VOIDED): _S.VOID,
        (_S.OPEN, _T.WRITTEN_OFF): _S.UNCOLLECTIBLE,
        (_S.UNCOLLECTIBLE, _T.SETTLED): _S.PAID,
        (_S.PAID, _T.PAYMENT_REVERSED): _S.OPEN,
    }
)
"""Where each trigger leads."""


def led_to(state: InvoiceState, trigger: InvoiceTrigger) -> InvoiceState:
    """Answer where *trigger* leads an invoice from *state*.

    Raises:
        InvoiceNotOpen: It leads nowhere.
    """
    try:
        return INVOICE[state, trigger]
    except KeyError:
        raise InvoiceNotOpen(state.value) from None
