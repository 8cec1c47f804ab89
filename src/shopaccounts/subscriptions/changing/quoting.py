"""What a change costs, before anybody agrees to it.

The rules, in plain English:

* One engine prices every change: plan, quantity, add-on, product, frequency; see ``change_ways`` for the eight ways.
* Which way it is goes by whether it gets dearer, cheaper, more or less, unless somebody says.
* What a quote says is what happens: carrying it out is its decision, recorded.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from enum import Enum
from fractions import Fraction

import attrs

from shopaccounts.kernel.money import Money, total
from shopaccounts.kernel.time import local_date
from shopaccounts.subscriptions.changing.prepaying import bill_coming
from shopaccounts.subscriptions.changing.told import events_of, operation_key
from shopaccounts.subscriptions.changing.ways import Answer, Asked, exactly, priced
from shopaccounts.subscriptions.changing.wishes import applied, period_on, phase_on_day
from shopaccounts.subscriptions.cycles.schedules import Segment, ServicePeriod
from shopaccounts.subscriptions.cycles.segments import service_period_of
from shopaccounts.subscriptions.decision import Bill, Decision
from shopaccounts.subscriptions.due import renewal_due
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.lifecycle.ending import dropped
from shopaccounts.subscriptions.lifecycle.regrouping import instant_on
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.papers.documents import InvoiceKind
from shopaccounts.subscriptions.papers.lines import LineDraft
from shopaccounts.subscriptions.plans.agreed import SubscribedLine
from shopaccounts.subscriptions.plans.comparing import Direction, Priced, direction
from shopaccounts.subscriptions.plans.delivery_schedule import open_deliveries
from shopaccounts.subscriptions.plans.tariffs import PerUnit
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.changes import Preset
from shopaccounts.subscriptions.scheduled import Aspect, Wish

__all__ = ["ChangeQuote", "ChangeWarning", "Coming", "default_preset", "quote_change"]


class ChangeWarning(Enum):
    """What somebody should know who is about to change something."""

    PRICED_WHEN_IT_COMES = "priced_when_it_comes"
    """The change is planned; what it costs is computed when it comes."""
    CYCLES_DROPPED = "cycles_dropped"
    """What was different about later cycles isn't any more."""
    PAUSE_DROPPED = "pause_dropped"
    """The pause that was planned won't be."""
    ADD_ONS_END = "add_ons_end"
    """The new plan doesn't sell an add-on that there is now."""


@attrs.frozen
class Coming:
    """The next invoice that comes by itself, as far as it is known: its day and its lines, before tax."""

    on: date
    lines: tuple[LineDraft, ...]

    @property
    def net(self) -> Money:
        """What its lines come to, after discounts and before tax that comes on top."""
        return total((line.base for line in self.lines), self.lines[0].base.currency)


@attrs.frozen(kw_only=True)
class ChangeQuote:
    """What a change costs, and what it leads to.

    Args:
        preset: How it is priced.
        credits: What is given back.
        charges: What is charged.
        net: The one less the other, after discounts, on the side of tax where prices are quoted.
        invoice_now: The lines of the invoice that is written at once; none where nothing is.
        next_invoice: What comes next by itself, with what waits for it; None where nothing does.
        new_segment: From where cycles count anew; None where they don't.
        effective_on: The first day of the new agreement.
        first_new_period: The first period that is billed for it alone.
        warnings: What somebody should know.
        decision: What it leads to.
    """

    preset: Preset
    credits: tuple[LineDraft, ...]
    charges: tuple[LineDraft, ...]
    net: Money
    invoice_now: tuple[LineDraft, ...]
    next_invoice: Coming | None
    new_segment: Segment | None
    effective_on: date
    first_new_period: ServicePeriod
    warnings: tuple[ChangeWarning, ...]
    decision: Decision


def quote_change(
    subscription: Subscription,
    facts: Facts,
    wishes: Sequence[Wish],
    preset: Preset | None,
    policy: SubscriptionPolicy,
    at: datetime,
    *,
    day: date | None = None,
) -> ChangeQuote:
    """Answer what a change costs and leads to, of a subscription that runs.

    Args:
        subscription: As it is.
        facts: The invoices of which something is given back, and what waits.
        wishes: What is wanted.
        preset: How it is priced; None for the shop's way.
        policy: How the shop bills.
        at: This instant, or the one for which it is planned.
        day: The local day from which on it holds, where that isn't the one of *at*.

    Raises:
        NothingToChange: All is so already.
        BadQuantity: A quantity that may not be chosen.
        CannotConvertTime: What is left can't be turned into days.
        InvalidInput: There is no such line; or prices of cycles of different lengths have no difference.
    """
    on = day or local_date(at, subscription.zone)
    after = applied(subscription, wishes, on, at)
    how = preset or default_preset(subscription, after, wishes, on, policy)
    if how is not Preset.AT_PERIOD_END and policy.proration.first_unused(on) != on:
        on = policy.proration.first_unused(on)
        after = applied(subscription, wishes, on, at)
    asked = Asked(
        before=subscription,
        after=after,
        facts=facts,
        day=on,
        period=period_on(subscription, on),
        at=at,
        policy=policy,
        preset=how,
    )
    return _quoted(asked, priced(asked), wishes)


def default_preset(
    before: Subscription, after: Subscription, wishes: Sequence[Wish], day: date, policy: SubscriptionPolicy
) -> Preset:
    """Answer how the shop prices a change, by what it does to the price.

    Args:
        before: As it is.
        after: As it is wanted.
        wishes: What is wanted.
        day: From when on.
        policy: How the shop bills.
    """
    old, new = _monthly(before, day), _monthly(after, day)
    leads = direction(old, new)
    changes = policy.changes
    if any(wish.aspect is Aspect.PLAN for wish in wishes):
        if leads is Direction.UPGRADE:
            return changes.upgrade if old.interval == new.interval else changes.upgrade_with_frequency
        return changes.downgrade if leads is Direction.DOWNGRADE else changes.sideways
    if all(wish.aspect is Aspect.PRODUCT for wish in wishes) and leads is Direction.SIDEWAYS:
        return changes.swap
    if leads is Direction.SIDEWAYS:
        return changes.more if _units(after) > _units(before) else changes.less
    return changes.more if leads is Direction.UPGRADE else changes.less


def _units(subscription: Subscription) -> int:
    return sum(line.quantity for line in subscription.lines if not line.meter)


def _monthly(subscription: Subscription, day: date) -> Priced:
    """Answer what all lines cost together in a period, so that it can be compared with another."""
    phase = phase_on_day(subscription.terms, day)
    exact = sum((exactly(line.tariff or phase.tariff, line.quantity) for line in _chosen(subscription)), Fraction(0))
    # As many units as the fraction has parts: so nothing is rounded before it is compared.
    return Priced(PerUnit(Money(exact.numerator, subscription.currency), exact.denominator), 1, phase.interval)


def _chosen(subscription: Subscription) -> tuple[SubscribedLine, ...]:
    return tuple(line for line in subscription.lines if not line.meter)


def _quoted(asked: Asked, answer: Answer, wishes: Sequence[Wish]) -> ChangeQuote:
    before, after = asked.before, answer.subscription
    drops_pause = before.scheduled.pause is not None and any(wish.aspect is Aspect.PLAN for wish in wishes)
    pause = dropped(before, asked.at, spare=("cancel", "change", "resume")) if drops_pause else ()
    most = asked.policy.changes.max_changes_per_day
    after = attrs.evolve(
        after,
        change_seq=before.change_seq + 1,
        changed_on=(*before.changed_on, local_date(asked.at, before.zone))[-most:],
        scheduled=attrs.evolve(after.scheduled, pause=None) if drops_pause else after.scheduled,
    )
    after = _with_deliveries(before, after, instant_on(before, asked.day, asked.at))
    everything = [*answer.credits, *answer.charges]
    key = operation_key(before, asked.preset.value, asked.day, everything)
    bills: tuple[Bill, ...] = ()
    if answer.lines:
        bills = (
            Bill(
                key=key,
                kind=InvoiceKind.CHANGE,
                at=asked.at,
                lines=tuple(answer.lines),
                cycles=answer.cycles,
                waits=answer.wait,
                fixed_part=answer.fixed_part,
            ),
        )
    decision = Decision(
        subscription=after,
        bills=bills,
        credits=answer.notes,
        outdated=answer.outdated,
        waits=answer.waits,
        cycles=answer.ended,
        events=(*events_of(before, after, asked.day, asked.at), *answer.events, *pause),
    )
    fresh = len(after.segments) > len(before.segments) or after.segments[-1] != before.segments[-1]
    segment = after.segments[-1] if fresh else None
    first = segment.first_index if segment else after.billed_to
    return ChangeQuote(
        preset=asked.preset,
        credits=tuple(answer.credits),
        charges=tuple(answer.charges),
        net=total((line.base for line in everything), before.currency),
        invoice_now=() if answer.wait else tuple(answer.lines),
        next_invoice=_coming(asked, decision),
        new_segment=segment,
        effective_on=asked.day,
        first_new_period=service_period_of(after.segments, first, moved=after.moved),
        warnings=tuple(_warnings(asked, answer, drops_pause=drops_pause)),
        decision=decision,
    )


def _with_deliveries(before: Subscription, after: Subscription, at: datetime) -> Subscription:
    """Answer a subscription whose boxes come as its plan says from now on."""
    plan = after.terms.deliveries
    if plan is None or plan == before.terms.deliveries:
        return after
    return attrs.evolve(after, delivery_segments=open_deliveries(after.delivery_segments, plan, after.segments, at))


def _warnings(asked: Asked, answer: Answer, *, drops_pause: bool) -> Iterator[ChangeWarning]:
    if answer.events:
        yield ChangeWarning.CYCLES_DROPPED
    if drops_pause:
        yield ChangeWarning.PAUSE_DROPPED
    kept = {line.key for line in asked.after.lines}
    plans_differ = asked.before.terms.version != asked.after.terms.version
    if plans_differ and any(line.key not in kept for line in asked.before.lines if not line.meter):
        yield ChangeWarning.ADD_ONS_END


def _coming(asked: Asked, decision: Decision) -> Coming | None:
    """Answer what the next renewal bills, with what waits for it."""
    after, policy = decision.subscription, asked.policy
    at = renewal_due(after, policy)
    if at is None:
        return None
    renewed = bill_coming(after, at, asked.facts, policy)
    gone = {waits.id for waits in decision.waits}
    pending = [one.line for one in asked.facts.pending if one.id not in gone]
    pending += [waits.pending.line for waits in decision.waits if waits.pending]
    waiting = [line for line in pending if line.amount.currency == after.currency]
    late = [line for bill in decision.bills if bill.waits for line in bill.lines]
    lines = (*waiting, *late, *(line for bill in renewed.bills for line in bill.lines))
    return Coming(local_date(at, after.zone), lines) if lines else None
