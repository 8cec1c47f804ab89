"""Terms: for how long a customer is bound, and what leaving earlier costs.

The rules, in plain English:

* A term counts whole cycles. A stub, a skipped cycle and, unless the shop says otherwise, paused time don't count, so
  that a term ends later by what was left out.
* A customer may leave after the minimum, at a boundary. At the end a term is followed by another one, by a subscription
  without a term, or by nothing.
"""

from datetime import date
from typing import Final, final

import attrs

from shopaccounts.kernel.cycles import Cycle
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.time import require_day
from shopaccounts.subscriptions.plans.checks import require_plan, whole_number

__all__ = [
    "AtCommitmentEnd",
    "EarlyExit",
    "Fee",
    "Refuse",
    "RemainderDue",
    "Term",
    "TermProgress",
    "next_term",
    "term_progress",
]

_MOST_CYCLES: Final = 3660
_a_count = whole_number(1, _MOST_CYCLES)


@final
@attrs.frozen
class AtCommitmentEnd:
    """Who leaves before the minimum stays until it is reached."""


@final
@attrs.frozen
class Refuse:
    """Nobody leaves before the minimum."""


@final
@attrs.frozen
class Fee:
    """Who leaves before the minimum pays this.

    Raises:
        BadPlan: The fee isn't above zero.
    """

    money: Money

    def __attrs_post_init__(self) -> None:
        if type(self.money) is not Money:
            msg = f"Fee.money must be Money, not {type(self.money).__name__}"
            raise TypeError(msg)
        require_plan(self.money.minor > 0, "a fee for leaving early is above zero")


@final
@attrs.frozen
class RemainderDue:
    """Who leaves before the minimum pays the whole cycles that are left of it."""


EarlyExit = AtCommitmentEnd | Refuse | Fee | RemainderDue
"""What happens to somebody who leaves before the minimum is over."""


@final
@attrs.frozen
class Term:
    """A number of cycles that is agreed in advance.

    Args:
        cycles: How many whole cycles it has, 1 to 3660.
        min_cycles: How many of them the customer is bound for; none by default.
        auto_renew: Whether something follows.
        renewal_cycles: How many cycles the term has that follows; None for a subscription without a term.

    Raises:
        BadPlan: A number is out of bounds, the minimum exceeds the term, or a renewal is measured that never comes.
        TypeError: A number isn't exactly an ``int``, or *auto_renew* no bool.
    """

    cycles: int = attrs.field(validator=_a_count)
    min_cycles: int = attrs.field(default=0, validator=whole_number(0, _MOST_CYCLES))
    auto_renew: bool = attrs.field(default=False, validator=attrs.validators.instance_of(bool))
    renewal_cycles: int | None = attrs.field(default=None, validator=attrs.validators.optional(_a_count))

    def __attrs_post_init__(self) -> None:
        require_plan(self.min_cycles <= self.cycles, "nobody is bound for longer than the term")
        require_plan(
            self.auto_renew or self.renewal_cycles is None, "only a term that renews itself has renewal cycles"
        )


@final
@attrs.frozen(kw_only=True)
class TermProgress:
    """How far a term is.

    Args:
        done: How many whole cycles of it are over.
        remaining: How many are left.
        ends_on: The day on which it ends, if nothing is skipped from now on.
        earliest_end: The first day on which the customer may leave.
    """

    done: int
    remaining: int
    ends_on: date
    earliest_end: date


def term_progress(term: Term, done: int, cycle: Cycle, start: date, on: date) -> TermProgress:
    """Answer how far a term is on a day.

    Args:
        term: What was agreed.
        done: How many whole cycles of it are over and counted.
        cycle: The cycles that are billed.
        start: The first day of service in these cycles; a period before their first boundary is a stub.
        on: The day of asking.

    Raises:
        DateOutOfRange: The term ends beyond the year 9999.
        TypeError: A day is a datetime.
    """
    running = cycle.index_on(on)
    if cycle.boundary(running) < require_day(start):
        running += 1
    remaining = max(term.cycles - done, 0)
    bound = term.min_cycles - done
    return TermProgress(
        done=done,
        remaining=remaining,
        ends_on=cycle.boundary(running + remaining),
        earliest_end=cycle.boundary(running + bound) if bound > 0 else cycle.boundary_on_or_after(on),
    )


def next_term(term: Term) -> Term | None:
    """Answer the term that follows; None where the subscription goes on without one, or ends.

    Nobody is bound by a term that began by itself: it can be left at any boundary.
    """
    if term.renewal_cycles is None:
        return None
    return Term(term.renewal_cycles, 0, term.auto_renew, term.renewal_cycles)
