"""Billing one cycle: what it costs, which discounts it has, and how it is claimed.

The rules, in plain English:

* A cycle that begins is billed for what is paid in advance. A cycle that has ended is billed for what is paid in
  arrears. Both are on one invoice where both are due at the same instant.
* A cycle that the customer skipped costs nothing, and a cycle of which nothing is charged is free. Both are done with:
  nobody comes back to them.
* The fee for setting up comes with the first invoice that charges money. One that is charged at the start is billed
  alone, where the first cycle waits for the end of a trial.
* A term counts the whole cycles that have begun, but for a trial. When all have, the next boundary is its end.
* Where a period must cost something at least, the difference is a line of its own when the period has ended; of a
  free trial nothing is asked.
"""

from collections.abc import Sequence
from datetime import date, datetime

import attrs

from shopaccounts.kernel.events import Event
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.time import local_date
from shopaccounts.subscriptions.billing.spending import cost_of, spent_in, with_spent
from shopaccounts.subscriptions.charges.period_lines import (
    advance_lines,
    arrears_lines,
    cycle_ref,
    is_in_arrears,
    lines_in,
    setup_fee,
)
from shopaccounts.subscriptions.cycles.proration import Factor, factor, period_factor
from shopaccounts.subscriptions.cycles.schedules import CycleRef, ServicePeriod
from shopaccounts.subscriptions.cycles.segments import segment_of, service_period_of
from shopaccounts.subscriptions.decision import Bill, Claimed, Decision
from shopaccounts.subscriptions.due import arrears_due, last_day, renewal_due
from shopaccounts.subscriptions.events import SubscriptionRenewed
from shopaccounts.subscriptions.model import CutLine, Subscription
from shopaccounts.subscriptions.papers.documents import (
    BilledCycle,
    BilledFor,
    CycleEnd,
    InvoiceKind,
    cycle_key,
    segment_key,
)
from shopaccounts.subscriptions.papers.lines import DiscountTaken, LineDraft, LineKind
from shopaccounts.subscriptions.plans.add_ons import minimum_due
from shopaccounts.subscriptions.plans.agreed import RunningTerm
from shopaccounts.subscriptions.plans.discounts import AppliedDiscount, Discountable, DiscountShares, discount, used
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.cycles import FixedDiscountOnStub
from shopaccounts.subscriptions.scheduled import OverrideKind
from shopaccounts.subscriptions.states import Lifecycle

__all__ = [
    "bill_begun",
    "bill_due",
    "bill_ended",
    "bill_next",
    "bill_setup",
    "bill_used",
    "ended_cycle",
    "is_skipped",
    "is_tried",
    "with_ended",
]


def is_skipped(subscription: Subscription, index: int) -> bool:
    """Tell whether the customer left a cycle out."""
    return any(each.index == index and each.kind is OverrideKind.SKIP for each in subscription.overrides)


def is_tried(subscription: Subscription, period: ServicePeriod) -> bool:
    """Tell whether a cycle begins within the trial, so that not all of it is paid for."""
    trial = subscription.trial
    return trial is not None and period.scheduled_start < local_date(trial.ends_at, subscription.zone)


def ended_cycle(subscription: Subscription, period: ServicePeriod, ended: CycleEnd, at: datetime) -> BilledCycle:
    """Answer the row that says how a cycle ended for which there is nothing to pay."""
    return BilledCycle(
        id=cycle_key(cycle_ref(subscription, period), BilledFor.ADVANCE),
        realm=subscription.realm,
        store=subscription.store,
        subscription=subscription.id,
        segment=period.segment,
        index=period.index,
        part=BilledFor.ADVANCE,
        start=period.start,
        end=period.end,
        ended=ended,
        total=Money.zero(subscription.currency),
        at=at,
    )


def bill_due(subscription: Subscription, at: datetime, policy: SubscriptionPolicy) -> Decision:
    """Bill what is due at an instant: the cycle that begins, the one that has ended, or both.

    Args:
        subscription: Whose.
        at: The instant at which it became due, which may be long ago.
        policy: How the shop bills.
    """
    if renewal_due(subscription, policy) != at:
        return bill_ended(subscription, at, policy)
    return bill_begun(subscription, at, policy)


def bill_begun(subscription: Subscription, at: datetime, policy: SubscriptionPolicy) -> Decision:
    """Bill the cycle that begins, and the one that has ended where that is due at the same instant.

    Args:
        subscription: Whose.
        at: When both became due.
        policy: How the shop bills.
    """
    return with_ended(subscription, bill_next(subscription, at, policy), at, policy)


def with_ended(subscription: Subscription, begun: Decision, at: datetime, policy: SubscriptionPolicy) -> Decision:
    """Bill the cycle that has ended, together with what begins, where that is due at the same instant.

    Args:
        subscription: As it was before.
        begun: What is billed that begins.
        at: When both became due.
        policy: How the shop bills.
    """
    if arrears_due(subscription, policy) != at:
        return begun
    begins = begun.subscription.spent
    spent = spent_in(subscription, subscription.arrears_to) if subscription.terms.minimum else None
    ended = bill_ended(begun.subscription.but(spent=spent), at, policy)
    ended = attrs.evolve(ended, subscription=ended.subscription.but(spent=begins)) if begins is not None else ended
    return _on_one_invoice(begun, ended)


def bill_next(
    subscription: Subscription, at: datetime, policy: SubscriptionPolicy, kind: InvoiceKind = InvoiceKind.PERIODIC
) -> Decision:
    """Bill the next cycle that is paid in advance.

    Args:
        subscription: Whose.
        at: When it became due.
        policy: How the shop bills.
        kind: START for the first invoice of a subscription, else PERIODIC.
    """
    period = service_period_of(
        subscription.segments, subscription.billed_to, moved=subscription.moved, end=last_day(subscription)
    )
    skipped = is_skipped(subscription, period.index)
    lines = [] if skipped else advance_lines(subscription, period, policy)
    ref = cycle_ref(subscription, period)
    lines, discounts, part = _discounted(subscription, lines, ref, period, policy)
    fee = subscription.terms.setup_fee if subscription.setup_fee_due and not skipped else None
    if fee is not None and (subscription.terms.setup_fee_first or any(line.base.minor for line in lines)):
        lines.insert(0, setup_fee(subscription, fee, period.start, period.end))
    after = subscription.but(
        billed_to=period.index + 1,
        discounts=discounts,
        setup_fee_due=subscription.setup_fee_due and not (lines and lines[0].kind is LineKind.SETUP_FEE),
        term=_counted(subscription, period, skipped=skipped),
        spent=cost_of(subscription, lines) if subscription.terms.minimum else None,
    )
    renewed = kind is InvoiceKind.PERIODIC and not skipped
    events: tuple[Event, ...] = (_renewed(subscription, ref, at),) if renewed else ()
    if not lines:
        ended = CycleEnd.SKIPPED if skipped else CycleEnd.FREE
        row = ended_cycle(subscription, period, ended, at)
        return Decision(subscription=after, cycles=(row,), events=events)
    first = kind is InvoiceKind.START
    key = segment_key(ref.subscription, ref.segment, kind) if first else cycle_key(ref, BilledFor.ADVANCE)
    claimed = Claimed(ref, BilledFor.ADVANCE, period.start, period.end)
    bill = Bill(key=key, kind=kind, at=at, lines=tuple(lines), cycles=(claimed,), fixed_part=part)
    return Decision(subscription=after, bills=(bill,), events=events)


def bill_setup(subscription: Subscription, at: datetime) -> Decision:
    """Bill what is charged at the start for setting up, where the first cycle isn't due yet.

    Args:
        subscription: One that begins.
        at: When it begins.
    """
    fee = subscription.terms.setup_fee if subscription.setup_fee_due and subscription.terms.setup_fee_first else None
    if fee is None:
        return Decision(subscription=subscription)
    period = service_period_of(subscription.segments, subscription.billed_to, moved=subscription.moved)
    line = setup_fee(subscription, fee, period.start, period.end)
    key = segment_key(subscription.id, period.segment, InvoiceKind.START)
    bill = Bill(key=key, kind=InvoiceKind.START, at=at, lines=(line,))
    return Decision(subscription=subscription.but(setup_fee_due=False), bills=(bill,))


def bill_ended(
    subscription: Subscription, at: datetime, policy: SubscriptionPolicy, kind: InvoiceKind = InvoiceKind.PERIODIC
) -> Decision:
    """Bill the next cycle that is paid in arrears.

    Args:
        subscription: Whose.
        at: When it became due.
        policy: How the shop bills.
        kind: FINAL for the last invoice of a subscription, else PERIODIC.
    """
    period = service_period_of(
        subscription.segments, subscription.arrears_to, moved=subscription.moved, end=last_day(subscription)
    )
    ref = cycle_ref(subscription, period)
    lines = [] if is_skipped(subscription, period.index) else arrears_lines(subscription, period, policy)
    lines, discounts, part = _discounted(subscription, lines, ref, period, policy)
    lines += _up_to_the_minimum(subscription, period, lines, policy)
    after = subscription.but(
        arrears_to=period.index + 1,
        discounts=discounts,
        cut=tuple(cut for cut in subscription.cut if cut.end > period.end or cut.line.meter),
        spent=None,
    )
    if not lines:
        return Decision(subscription=after)
    key = cycle_key(ref, BilledFor.ARREARS)
    claimed = Claimed(ref, BilledFor.ARREARS, period.start, period.end)
    bill = Bill(key=key, kind=kind, at=at, lines=tuple(lines), cycles=(claimed,), fixed_part=part)
    return Decision(subscription=after, bills=(bill,))


def bill_used(subscription: Subscription, until: date, at: datetime, policy: SubscriptionPolicy) -> Decision:
    """Bill what was used up to a day and is paid in arrears, because nothing is used from then on for a while.

    Args:
        subscription: Whose.
        until: The first day that isn't used.
        at: When that was decided.
        policy: How the shop bills.

    Returns:
        Cycles that are over are done with. What is left of the running one can still be billed when it ends.
    """
    decision = Decision(subscription=subscription)
    if arrears_due(subscription, policy) is None:
        return decision
    while (period := _not_billed(decision.subscription)) is not None and period.end <= until:
        decision = decision.then(bill_ended(decision.subscription, at, policy))
    if period is None or period.start >= until:
        return decision
    return decision.then(_bill_part(decision.subscription, period, until, at, policy))


def _not_billed(subscription: Subscription) -> ServicePeriod | None:
    """Answer the first cycle that has begun and isn't billed in arrears."""
    if subscription.arrears_to >= subscription.billed_to:
        return None
    return service_period_of(subscription.segments, subscription.arrears_to, moved=subscription.moved)


def _bill_part(
    subscription: Subscription, period: ServicePeriod, until: date, at: datetime, policy: SubscriptionPolicy
) -> Decision:
    """Bill what of a cycle was used up to a day, without claiming the cycle."""
    if is_skipped(subscription, period.index):
        return Decision(subscription=subscription)
    used = [
        CutLine(line=line, start=max(line.since or period.start, period.start), end=until)
        for line in lines_in(subscription, period.index)
        if is_in_arrears(line)
    ]
    rests = attrs.evolve(subscription, lifecycle=Lifecycle.PAUSED, cut=(*subscription.cut, *used))
    ref = cycle_ref(subscription, period)
    lines, discounts, part = _discounted(subscription, arrears_lines(rests, period, policy), ref, period, policy)
    after = attrs.evolve(
        subscription,
        discounts=discounts,
        cut=tuple(cut for cut in subscription.cut if cut.line.meter),
    )
    after = with_spent(after if after.spent is not None else after.but(spent=Money.zero(after.currency)), lines)
    if not lines:
        return Decision(subscription=after)
    key = f"{cycle_key(ref, BilledFor.ARREARS)}/{until.isoformat()}"
    bill = Bill(key=key, kind=InvoiceKind.PERIODIC, at=at, lines=tuple(lines), fixed_part=part)
    return Decision(subscription=after, bills=(bill,))


def _on_one_invoice(begun: Decision, ended: Decision) -> Decision:
    """Put what is paid in arrears on the invoice of the cycle that begins, if it has one."""
    both = begun.then(ended)
    if len(both.bills) != 2:  # noqa: PLR2004  (the two)
        return both
    first, second = both.bills
    joined = attrs.evolve(first, lines=first.lines + second.lines, cycles=first.cycles + second.cycles)
    return attrs.evolve(both, bills=(joined,))


def _discounted(
    subscription: Subscription,
    lines: list[LineDraft],
    ref: CycleRef,
    period: ServicePeriod,
    policy: SubscriptionPolicy,
) -> tuple[list[LineDraft], tuple[AppliedDiscount, ...], tuple[int, int]]:
    """Take the subscription's discounts off a cycle's lines, and answer how far they are used up then."""
    applied = subscription.discounts
    if not applied or not lines:
        return lines, applied, (1, 1)
    part = _fixed_part(subscription, period, policy)
    open_to = [Discountable(line.key, line.amount, line.start) for line in lines]
    taken = discount(open_to, applied, ref, numerator=part[0], denominator=part[1])
    now = tuple(used(one, shares, ref, period.start) for one, shares in zip(applied, taken, strict=True))
    return [_cheaper(line, n, taken) for n, line in enumerate(lines)], now, part


def _cheaper(line: LineDraft, place: int, taken: Sequence[DiscountShares]) -> LineDraft:
    """Answer a line with what discounts took off it."""
    off = tuple(DiscountTaken(one.code, one.shares[place].minor) for one in taken if one.shares[place].minor)
    return attrs.evolve(line, discounts=off) if off else line


def _fixed_part(subscription: Subscription, period: ServicePeriod, policy: SubscriptionPolicy) -> tuple[int, int]:
    """Answer how much of a fixed discount is granted in a period."""
    if policy.proration.fixed_discount_on_stub is FixedDiscountOnStub.FULL or not period.is_stub:
        return 1, 1
    cycle = segment_of(subscription.segments, period.index).cycle
    part = period_factor(cycle, period, policy.proration.method)
    return part.numerator, part.denominator


def _counted(subscription: Subscription, period: ServicePeriod, *, skipped: bool) -> RunningTerm | None:
    """Count a whole cycle toward the term; a trial, a stub and what was left out don't count."""
    term = subscription.term
    if term is None or skipped or period.is_stub or is_tried(subscription, period):
        return term
    return attrs.evolve(term, begun=term.begun + 1)


def _up_to_the_minimum(
    subscription: Subscription, period: ServicePeriod, lines: Sequence[LineDraft], policy: SubscriptionPolicy
) -> list[LineDraft]:
    minimum = subscription.terms.minimum
    if minimum is None or is_skipped(subscription, period.index):
        return []
    part = _paid_part(subscription, period, policy)
    if part is None:
        return []
    spent = cost_of(subscription, lines) + spent_in(subscription, period.index)
    missing = minimum_due(minimum, spent, part.numerator, part.denominator)
    if not missing.minor:
        return []
    line = subscription.plan_line
    return [
        LineDraft(
            kind=LineKind.MINIMUM,
            subscription=subscription.id,
            cycle=cycle_ref(subscription, period),
            key=line.key,
            product=line.product,
            start=period.start,
            end=period.end,
            factor=part,
            amount=missing,
            category=line.category,
        )
    ]


def _paid_part(subscription: Subscription, period: ServicePeriod, policy: SubscriptionPolicy) -> Factor | None:
    """Answer which part of its nominal period is paid for; None of one that is free."""
    cycle, method = segment_of(subscription.segments, period.index).cycle, policy.proration.method
    free_until = [phase.end for phase in subscription.terms.phases if phase.tariff is None and phase.end]
    first = max(period.scheduled_start, *free_until) if free_until else period.scheduled_start
    if first == period.scheduled_start:
        return period_factor(cycle, period, method)
    if first >= period.scheduled_end:
        return None
    return factor(cycle, period.nominal, first, period.scheduled_end, method)


def _renewed(subscription: Subscription, ref: CycleRef, at: datetime) -> SubscriptionRenewed:
    return SubscriptionRenewed(
        at=at, account=subscription.customer, subscription=subscription.id, segment=ref.segment, index=ref.index
    )
