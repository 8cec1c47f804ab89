"""How the cycles end that an invoice bills: what each of them came to, taxes included."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from shopaccounts.kernel.money import Money
from shopaccounts.subscriptions.decision import Bill
from shopaccounts.subscriptions.model import BillingAccount
from shopaccounts.subscriptions.papers.documents import BilledCycle, CycleEnd, Invoice, InvoiceKind, cycle_key
from shopaccounts.subscriptions.papers.lines import Line, LineKind

__all__ = ["billed_cycles"]

_OF_A_CYCLE: Final = frozenset(
    {LineKind.RECURRING, LineKind.STUB, LineKind.ADD_ON, LineKind.SETUP_FEE, LineKind.USAGE, LineKind.MINIMUM}
)
"""What bills a cycle, and not a change within it."""
_OF_A_NEW_CYCLE: Final = _OF_A_CYCLE | {LineKind.CHARGE}
"""What bills the cycle that begins with a change."""


def billed_cycles(
    bills: Sequence[Bill], lines: Sequence[Line], account: BillingAccount, invoice: Invoice | None, now: datetime
) -> Iterator[BilledCycle]:
    """Answer the rows that say of each cycle that it is billed.

    Args:
        bills: What was decided.
        lines: What that came to.
        account: Who pays.
        invoice: What they are on; None where nothing is issued.
        now: When that is.
    """
    for bill in bills:
        kinds = _OF_A_NEW_CYCLE if bill.kind is InvoiceKind.CHANGE else _OF_A_CYCLE
        for claimed in bill.cycles:
            ref = claimed.cycle
            mine = [line.gross.minor for line in lines if line.cycle == ref and line.kind in kinds]
            yield BilledCycle(
                id=cycle_key(ref, claimed.part),
                realm=account.realm,
                store=account.store,
                subscription=ref.subscription,
                segment=ref.segment,
                index=ref.index,
                part=claimed.part,
                start=claimed.start,
                end=claimed.end,
                ended=CycleEnd.BILLED,
                invoice=invoice.id if invoice else "",
                total=Money(sum(mine), bill.lines[0].amount.currency),
                at=now,
            )
