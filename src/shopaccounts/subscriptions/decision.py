"""What a decision about a subscription leads to, before it is written up as invoices and recorded.

The rules, in plain English:

* A decision is a value: the subscription as it is afterwards, what is to be billed, what is to be taken back, how
  cycles ended, and what happened. It doesn't know balances, numbers or payments; writing it up adds those.
* The same decision serves the customer who clicks, the run that finds it due, and the preview that records nothing.
"""

from collections.abc import Mapping
from datetime import date, datetime

import attrs

from shopaccounts.kernel.events import Event
from shopaccounts.kernel.evolving import but
from shopaccounts.kernel.money import Money
from shopaccounts.subscriptions.charges.usage import Meter
from shopaccounts.subscriptions.cycles.schedules import CycleRef
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.papers.documents import BilledCycle, BilledFor, CreditTo, InvoiceKind
from shopaccounts.subscriptions.papers.lines import LineDraft, LineRef, PendingLine

__all__ = ["Bill", "Claimed", "Decision", "Outdated", "TakenBack", "Waits"]


@attrs.frozen
class Claimed:
    """A cycle that a bill is for: each part of it is billed once.

    Args:
        cycle: Which one.
        part: What of it is billed.
        start: Its first day.
        end: The day after its last.
    """

    cycle: CycleRef
    part: BilledFor
    start: date
    end: date


@attrs.frozen(kw_only=True, slots=False)  # without slots it is made in half the time
class Bill:
    """Lines that belong on one invoice.

    Args:
        key: Natural key of what causes it; it is billed once.
        kind: Why it is written.
        at: When it became due, which may be long ago.
        lines: What is billed, in the order in which it stands there.
        cycles: The cycles that it is for.
        waits: Whether the lines wait for the account's next invoice instead.
        fixed_part: How much of a discount of a fixed amount is granted; numerator and denominator.
    """

    key: str
    kind: InvoiceKind
    at: datetime
    lines: tuple[LineDraft, ...]
    cycles: tuple[Claimed, ...] = ()
    waits: bool = False
    fixed_part: tuple[int, int] = (1, 1)


@attrs.frozen(kw_only=True)
class TakenBack:
    """What a credit note takes back of an invoice.

    Args:
        key: Natural key of what causes it.
        invoice: Of which invoice.
        wanted: How much of the base of each of its lines, by the number of the line.
        to: Where what is left after the invoice is settled goes.
        reason: Why.
        live_until: The day from which on the lines count no more, where something replaces them.
    """

    key: str
    invoice: str
    wanted: Mapping[int, Money]
    to: CreditTo
    reason: str
    live_until: date | None = None


@attrs.frozen
class Outdated:
    """A line of an invoice that counts no more from a day on, though nothing of it is taken back."""

    line: LineRef
    day: date


@attrs.frozen
class Waits:
    """What a waiting line of the account is from now on: another line, or none."""

    id: str
    pending: PendingLine | None


@attrs.frozen(kw_only=True, slots=False)  # without slots it is made in half the time
class Decision:
    """What a decision leads to.

    Args:
        subscription: As it is afterwards.
        bills: What is to be billed.
        credits: What is to be taken back with credit notes.
        voids: Invoices that are void now.
        outdated: Lines of older invoices that count no more.
        waits: What lines are now that wait for an invoice.
        cycles: How cycles ended for which there is nothing to bill.
        meters: What is remembered of its meters, where that changed; the last one counts.
        events: What happened.
    """

    subscription: Subscription
    bills: tuple[Bill, ...] = ()
    credits: tuple[TakenBack, ...] = ()
    voids: tuple[str, ...] = ()
    outdated: tuple[Outdated, ...] = ()
    waits: tuple[Waits, ...] = ()
    cycles: tuple[BilledCycle, ...] = ()
    meters: tuple[Meter, ...] = ()
    events: tuple[Event, ...] = ()

    @property
    def is_written(self) -> bool:
        """Whether more or less can be given back after it, so that it has to be on paper before that is decided."""
        return bool(self.bills or self.credits or self.waits)

    def leaving(self, subscription: Subscription) -> "Decision":
        """Answer the same decision, but for what it leaves of the subscription."""
        return but(self, subscription=subscription)

    def then(self, later: "Decision") -> "Decision":
        """Answer this decision and one that was taken on what it left, as one."""
        return Decision(
            subscription=later.subscription,
            bills=self.bills + later.bills,
            credits=self.credits + later.credits,
            voids=self.voids + later.voids,
            outdated=self.outdated + later.outdated,
            waits=self.waits + later.waits,
            cycles=self.cycles + later.cycles,
            meters=later.meters or self.meters,
            events=self.events + later.events,
        )
