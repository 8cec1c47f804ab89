"""Cycles whose first invoice is void because nobody paid it: they end as those do whose invoice a clerk voids."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.reading import all_picked
from shopaccounts.kernel.record import Write
from shopaccounts.subscriptions.invoices.settling import waive
from shopaccounts.subscriptions.papers.documents import (
    CYCLES,
    BilledCycle,
    BilledFor,
    Invoice,
    InvoiceState,
    cycle_key,
)
from shopaccounts.subscriptions.planning.writing_up import Papers

__all__ = ["NONE_VOIDED", "void_cycles", "voided_on_file"]

NONE_VOIDED: Final[Mapping[str, BilledCycle]] = MappingProxyType({})


async def voided_on_file(records: Records, written: Iterable[Papers]) -> Mapping[str, BilledCycle]:
    """Look up the cycles of invoices that papers void; nothing, where they void none.

    Args:
        records: Where.
        written: What was written up.
    """
    void = [invoice for papers in written for invoice in papers.changed if _is_void(invoice)]
    return await all_picked(records, CYCLES, (key for invoice in void for key in _keys(invoice))) or NONE_VOIDED


def void_cycles(papers: Papers, voided: Mapping[str, BilledCycle]) -> Iterator[Write]:
    """Answer what is written of cycles whose invoice papers void: they are waived.

    Args:
        papers: What was written up.
        voided: What ``voided_on_file`` found.
    """
    void = {invoice.id for invoice in papers.changed if _is_void(invoice)}
    return (CYCLES.change(row, waive(row)) for row in voided.values() if row.invoice in void)


def _is_void(invoice: Invoice) -> bool:
    return invoice.state is InvoiceState.VOID


def _keys(invoice: Invoice) -> Iterator[str]:
    cycles = {line.cycle for line in invoice.lines if line.cycle is not None}
    return (cycle_key(cycle, part) for cycle in cycles for part in BilledFor)
