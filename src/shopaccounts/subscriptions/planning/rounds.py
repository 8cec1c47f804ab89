"""Deciding in rounds: what one round has written is on paper in the next, so that it can be taken back.

The rules, in plain English:

* What is due is written up before anything is decided on top of it. Who leaves, pauses or changes something hours
  before the billing run would have come by, gets back as much as everybody else.
* All rounds are recorded in one change, and answered as one: nobody sees an invoice without what was taken back of it.
"""

import attrs

from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.invoices.settling import waive
from shopaccounts.subscriptions.papers.documents import InvoiceState
from shopaccounts.subscriptions.planning.writing_up import Papers

__all__ = ["joined", "with_papers"]


def with_papers(facts: Facts, papers: Papers) -> Facts:
    """Answer what the next round is told: the same, with the invoices and waiting lines as they are by then.

    Args:
        facts: What was known before.
        papers: What was written since.
    """
    return attrs.evolve(
        facts,
        invoices={**facts.invoices, **{one.id: one for one in (*papers.invoices, *papers.changed)}},
        pending=papers.account.pending,
        meters={**facts.meters, **{one.id: one for one in papers.meters}},
    )


def joined(earlier: Papers | None, later: Papers) -> Papers:
    """Answer the papers of two rounds as one; what the later one changes of the earlier one's is new and no change.

    Args:
        earlier: What was written first; None for nothing.
        later: What was written on top of that.
    """
    if earlier is None:
        return later
    now = {one.id: one for one in (*earlier.changed, *later.changed)}
    new = (*(now.pop(one.id, one) for one in earlier.invoices), *later.invoices)
    void = {one.id for one in new if one.state is InvoiceState.VOID}
    return Papers(
        account=later.account,
        subscriptions=later.subscriptions,
        invoices=new,
        changed=tuple(now.values()),
        notes=earlier.notes + later.notes,
        cycles=tuple(waive(row) if row.invoice in void else row for row in earlier.cycles + later.cycles),
        intents=earlier.intents + later.intents,
        entries=earlier.entries + later.entries,
        events=earlier.events + later.events,
        waiting=earlier.waiting + later.waiting,
        meters=tuple({one.id: one for one in (*earlier.meters, *later.meters)}.values()),
        beside=earlier.beside + later.beside,
    )
