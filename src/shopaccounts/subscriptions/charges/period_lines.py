"""The lines of a cycle: what it costs before discounts and tax.

The rules, in plain English:

* A cycle has a line for the plan and one for each add-on, in that order. Where a phase ends within it, each line is cut
  there, and each piece costs its part of the whole nominal period. What is free of a cycle that costs something is a
  line of nothing.
* A free trial is free for add-ons too.
* A cycle that the customer edited has the lines of the edit. A cycle that was moved costs what it would have cost.
* What is paid in arrears is billed for the days on which it was so, piece by piece.
* Where a period must cost something at least, the difference is a line of its own.
"""

from collections.abc import Iterable, Iterator
from datetime import date

import attrs

from shopaccounts.kernel.cycles import BillingMode
from shopaccounts.kernel.money import Money
from shopaccounts.subscriptions.cycles.proration import Factor, factor, period_factor
from shopaccounts.subscriptions.cycles.schedules import CycleRef, ServicePeriod
from shopaccounts.subscriptions.cycles.segments import segment_of
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.papers.lines import LineDraft, LineKind
from shopaccounts.subscriptions.plans.agreed import RunningPhase, SubscribedLine
from shopaccounts.subscriptions.plans.offers import PLAN_LINE, SETUP_FEE_LINE
from shopaccounts.subscriptions.plans.tariffs import Tariff, charge
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.scheduled import OverrideKind
from shopaccounts.subscriptions.states import Lifecycle

__all__ = ["advance_lines", "arrears_lines", "cycle_ref", "is_in_arrears", "lines_in", "rest_lines", "setup_fee"]


def cycle_ref(subscription: Subscription, period: ServicePeriod) -> CycleRef:
    """Answer the address of a period of a subscription."""
    return CycleRef(subscription.id, period.segment, period.index)


def is_in_arrears(line: SubscribedLine) -> bool:
    """Tell whether a line is billed when the cycle has ended; what a meter counts is another matter."""
    return line.mode is BillingMode.IN_ARREARS and not line.meter


def lines_in(subscription: Subscription, index: int) -> tuple[SubscribedLine, ...]:
    """Answer what a cycle holds: the lines agreed on, or those of its edit."""
    if subscription.overrides:
        for override in subscription.overrides:
            if override.index == index and override.kind is OverrideKind.EDIT:
                return override.lines
    return tuple(line for line in subscription.lines if line.until_cycle is None or index < line.until_cycle)


def advance_lines(subscription: Subscription, period: ServicePeriod, policy: SubscriptionPolicy) -> list[LineDraft]:
    """Answer what a cycle costs that is paid when it begins.

    Args:
        subscription: Whose.
        period: The cycle, with its end cut where the subscription ends within it.
        policy: How stubs and parts are priced.
    """
    lines = [
        line for line in lines_in(subscription, period.index) if line.mode is BillingMode.IN_ADVANCE and not line.meter
    ]
    return list(_priced(subscription, lines, period, policy))


def rest_lines(
    subscription: Subscription, period: ServicePeriod, day: date, policy: SubscriptionPolicy
) -> list[LineDraft]:
    """Answer what the rest of a cycle costs, from a day on, of what is paid when it begins.

    Args:
        subscription: Whose.
        period: The cycle.
        day: The first day of the rest.
        policy: How parts are priced.
    """
    if day <= period.start:
        return advance_lines(subscription, period, policy)
    lines = [
        line for line in lines_in(subscription, period.index) if line.mode is BillingMode.IN_ADVANCE and not line.meter
    ]
    return [piece for line in lines for piece in _pieces(subscription, line, period, day, period.end, policy)]


def arrears_lines(subscription: Subscription, period: ServicePeriod, policy: SubscriptionPolicy) -> list[LineDraft]:
    """Answer what a cycle costs that is paid when it has ended: each line for the days on which it was so.

    Args:
        subscription: Whose.
        period: The cycle, with its end cut where the subscription ended within it.
        policy: How stubs and parts are priced.
    """
    drafts: list[LineDraft] = []
    for cut in subscription.cut:
        start, end = max(cut.start, period.start), min(cut.end, period.end)
        if start >= end or not is_in_arrears(cut.line):
            continue
        if (start, end) == (period.start, period.end):
            drafts += _priced(subscription, [cut.line], period, policy)
        else:
            drafts += _pieces(subscription, cut.line, period, start, end, policy)
    if subscription.lifecycle is Lifecycle.PAUSED:
        return drafts
    for line in filter(is_in_arrears, lines_in(subscription, period.index)):
        if line.since is None or line.since <= period.start:
            drafts += _priced(subscription, [line], period, policy)
        elif line.since < period.end:
            drafts += _pieces(subscription, line, period, line.since, period.end, policy)
    return drafts


def _priced(
    subscription: Subscription, lines: Iterable[SubscribedLine], period: ServicePeriod, policy: SubscriptionPolicy
) -> Iterator[LineDraft]:
    """Price whole lines of a period; those that a phase cuts, piece by piece."""
    phase = _only_phase(subscription, period)
    if phase is None:
        for line in lines:
            yield from _scheduled_pieces(subscription, line, period, policy)
        return
    cycle = segment_of(subscription.segments, period.index).cycle
    cycles = policy.cycles
    part = period_factor(
        cycle, period, policy.proration.method, first_stub=cycles.first_stub, last_stub=cycles.last_stub
    )
    for line in lines:
        tariff = _tariff(line, phase)
        if tariff is not None:
            yield _draft(subscription, line, period, tariff, part, period.start, period.end)


def _only_phase(subscription: Subscription, period: ServicePeriod) -> RunningPhase | None:
    """Answer the phase that a whole period is in; None if it ends within, or begins."""
    for phase in subscription.terms.phases:
        if phase.start <= period.scheduled_start and (phase.end is None or period.scheduled_end <= phase.end):
            return phase
    return None


def _scheduled_pieces(
    subscription: Subscription, line: SubscribedLine, period: ServicePeriod, policy: SubscriptionPolicy
) -> Iterator[LineDraft]:
    """Price a whole period that a phase cuts: where it was moved, by the days that it would have had."""
    pieces = _pieces(subscription, line, period, period.scheduled_start, period.scheduled_end, policy)
    if not period.is_moved:
        yield from pieces
        return
    for piece in pieces:
        start = period.start if piece.start == period.scheduled_start else max(piece.start, period.start)
        end = period.end if piece.end == period.scheduled_end else min(piece.end, period.end)
        days = (start, end) if start < end else (period.start, period.end)
        yield attrs.evolve(piece, start=days[0], end=days[1])


def _pieces(
    subscription: Subscription,
    line: SubscribedLine,
    period: ServicePeriod,
    start: date,
    end: date,
    policy: SubscriptionPolicy,
) -> Iterator[LineDraft]:
    """Price the days of a line from *start* to *end*, a piece for each phase."""
    cycle = segment_of(subscription.segments, period.index).cycle
    pieces = [
        (_tariff(line, phase), max(start, phase.start), end if phase.end is None else min(end, phase.end))
        for phase in subscription.terms.phases
    ]
    served = [(tariff, first, last) for tariff, first, last in pieces if first < last]
    if all(tariff is None for tariff, _, _ in served):
        return
    for tariff, first, last in served:
        part = factor(cycle, period.nominal, first, last, policy.proration.method)
        yield _draft(subscription, line, period, tariff, part, first, last)


def _tariff(line: SubscribedLine, phase: RunningPhase) -> Tariff | None:
    """Answer what a line costs in a phase; None while everything is free."""
    if phase.tariff is None:
        return None
    return phase.tariff if line.tariff is None else line.tariff


def _draft(
    subscription: Subscription,
    line: SubscribedLine,
    period: ServicePeriod,
    tariff: Tariff | None,
    part: Factor,
    start: date,
    end: date,
) -> LineDraft:
    kind = LineKind.ADD_ON if line.key != PLAN_LINE else LineKind.STUB if period.is_stub else LineKind.RECURRING
    amount = Money.zero(subscription.currency)
    if tariff is not None:
        amount = charge(tariff, line.quantity, part.numerator, part.denominator)
    return LineDraft(
        kind=kind,
        subscription=subscription.id,
        cycle=cycle_ref(subscription, period),
        key=line.key,
        product=line.product,
        quantity=line.quantity,
        tariff=tariff,
        start=start,
        end=end,
        factor=part,
        amount=amount,
        category=line.category,
    )


def setup_fee(subscription: Subscription, fee: Money, start: date, end: date) -> LineDraft:
    """Answer the line of what is charged once for setting up."""
    line = subscription.plan_line
    return LineDraft(
        kind=LineKind.SETUP_FEE,
        subscription=subscription.id,
        key=SETUP_FEE_LINE,
        product=line.product,
        start=start,
        end=end,
        amount=fee,
        category=line.category,
    )
