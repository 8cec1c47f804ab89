"""The billing desk: what a shop's people do to subscriptions, on whose word, and what is kept of it."""

import json
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import attrs
import pytest

from shopaccounts.kernel.errors import Forbidden, InvalidInput
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.money import Money, Rate
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.time import UnknownZone
from shopaccounts.subscriptions import (
    ACCOUNTS,
    CYCLES,
    INVOICES,
    SUBSCRIPTIONS,
    ActKind,
    HoldMode,
    SubscriptionPolicy,
)
from shopaccounts.subscriptions.cycles.segments import end_instant_of, service_period_of, start_instant_of
from shopaccounts.subscriptions.errors import (
    DiscountAlreadyApplied,
    NothingToChange,
    OnHold,
    OperationNotAllowed,
    RequestIdReused,
    SubscriptionUnknown,
    TooManyDiscounts,
)
from shopaccounts.subscriptions.model import Hold
from shopaccounts.subscriptions.papers.documents import CycleEnd, InvoiceState
from shopaccounts.subscriptions.plans.discounts import AppliedDiscount, Discount, Fixed, Forever, Once, Percent
from shopaccounts.subscriptions.plans.offers import CatchUpMode, Phase, PhaseKind, PlanVersionId
from shopaccounts.subscriptions.plans.phases import Cycles, Days
from shopaccounts.subscriptions.policy.running import CatchUpPolicy
from shopaccounts.subscriptions.scheduled import CancelAt, Scheduled
from shopaccounts.subscriptions.states import Lifecycle
from shopaccounts.testing.billing_doubles import FixedPlans
from shopaccounts.testing.builders import quick_policies
from shopaccounts.testing.subscribers import flat_plan

ANN, WHY, DAY = CustomerId("ann"), "she rang us", timedelta(days=1)
TEN_OFF = Discount(code="SORRY", kind=Percent(Rate.percent(10)), duration=Once())
TRIED = attrs.evolve(
    flat_plan("17.90"),
    id=PlanVersionId("tried-1"),
    phases=(Phase(PhaseKind.TRIAL, Days(14), ()), *flat_plan("17.90").phases),
)


@pytest.fixture
def plans():
    """Coffee, with a trial and without."""
    return FixedPlans([flat_plan("17.90"), TRIED])


async def kept(till, made):
    return await till.builder.kept(SUBSCRIPTIONS, made.subscription.id)


async def trying(till):
    return await till.subscribed(till.order(plan=TRIED.id))


async def held(till, periods=5):
    """A subscription of which so many cycles are due that a person decides."""
    policy = SubscriptionPolicy(catch_up=CatchUpPolicy(digital=CatchUpMode.HOLD))
    till.builder.policies = quick_policies(subscriptions=policy)
    made = await till.subscribed()
    till.builder.clock.advance(timedelta(days=31 * periods))
    await till.builder.build().billing.run_billing(worker="w")
    assert (await kept(till, made)).hold is not None
    return made


def discount(code, kind=None, duration=None):
    return Discount(code=code, kind=kind or Percent(Rate.percent(10)), duration=duration or Forever())


ACTS = {
    "extend_trial": lambda desk, id, why: desk.extend_trial(id, datetime(2031, 3, 1, tzinfo=UTC), why),
    "end_trial_now": lambda desk, id, why: desk.end_trial_now(id, why),
    "apply_discount": lambda desk, id, why: desk.apply_discount(id, TEN_OFF, why),
    "remove_discount": lambda desk, id, why: desk.remove_discount(id, "SORRY", why),
    "lock_price": lambda desk, id, why: desk.lock_price(id, date(2033, 1, 1), why),
    "postpone_all": lambda desk, id, why: desk.postpone_all(id, 7, why),
    "resolve_hold": lambda desk, id, why: desk.resolve_hold(id, HoldMode.WAIVE, why),
    "change_zone": lambda desk, id, why: desk.change_zone(CustomerId(id), "Asia/Tokyo", why),
}


@pytest.mark.parametrize("act", ACTS)
async def test_who_may_not_is_told_so_and_nothing_else(till, others, act) -> None:
    made = await till.subscribed()
    for shop in others:
        for id in (made.subscription.id, "unknown"):
            with pytest.raises(Forbidden):
                await ACTS[act](shop.billing_desk, id, WHY)
    assert (await kept(till, made)).version == made.subscription.version


@pytest.mark.parametrize("act", ACTS)
async def test_every_act_needs_a_reason(till, clerk, act) -> None:
    made = await till.subscribed()
    for nothing in ("", "   "):
        with pytest.raises(InvalidInput):
            await ACTS[act](clerk.billing_desk, made.subscription.id, nothing)


@pytest.mark.parametrize("act", ACTS)
async def test_what_isnt_there_is_unknown(clerk, act) -> None:
    with pytest.raises(SubscriptionUnknown):
        await ACTS[act](clerk.billing_desk, "unknown", WHY)


async def test_an_act_is_kept_with_who_when_why_before_and_after(till, clerk) -> None:
    made = await trying(till)
    was, until = made.subscription.trial.ends_at, datetime(2031, 3, 1, 12, tzinfo=UTC)
    done = await clerk.billing_desk.extend_trial(made.subscription.id, until, WHY)
    page = await clerk.billing_desk.acts(ANN, "looking after it")
    assert page.acts == (done.act,)
    assert (done.act.kind, done.act.agent, done.act.reason) == (ActKind.EXTEND_TRIAL, "eve", WHY)
    assert (done.act.subject, done.act.customer, done.act.at) == (made.subscription.id, ANN, till.builder.clock.now())
    assert datetime.fromisoformat(done.act.before["trial_ends_at"]) == was
    assert datetime.fromisoformat(done.act.after["trial_ends_at"]) == until


async def test_what_was_done_is_shown_to_those_who_may_and_the_newest_first(till, clerk, others) -> None:
    made = await till.subscribed()
    for year in (2033, 2034, 2035):
        await clerk.billing_desk.lock_price(made.subscription.id, date(year, 1, 1), WHY)
        till.builder.clock.advance(DAY)
    first = await clerk.billing_desk.acts(ANN, WHY, limit=2)
    rest = await clerk.billing_desk.acts(ANN, WHY, first.after, limit=2)
    years = [act.after["price_locked_until"][:4] for act in (*first.acts, *rest.acts)]
    assert years == ["2035", "2034", "2033"]
    assert rest.after is None
    for shop in others:
        with pytest.raises(Forbidden):
            await shop.billing_desk.acts(ANN, WHY)


async def test_an_act_is_done_once_under_its_key(till, clerk) -> None:
    made = await till.subscribed()
    id = made.subscription.id
    first = await clerk.billing_desk.lock_price(id, date(2033, 1, 1), WHY, request_id="k-1")
    again = await clerk.billing_desk.lock_price(id, date(2033, 1, 1), WHY, request_id="k-1")
    assert again == first
    with pytest.raises(RequestIdReused):
        await clerk.billing_desk.lock_price(id, date(2034, 1, 1), WHY, request_id="k-1")
    assert len((await clerk.billing_desk.acts(ANN, WHY)).acts) == 1


# Trials


@pytest.mark.proves("TRI-5")
async def test_a_trial_is_made_longer_and_bills_later(till, clerk) -> None:
    made = await trying(till)
    until = made.subscription.trial.ends_at + 10 * DAY
    done = await clerk.billing_desk.extend_trial(made.subscription.id, until, WHY)
    assert done.subscription.trial.ends_at == until
    assert done.subscription.due_at == until
    till.builder.clock.advance(timedelta(days=23))
    assert (await till.shop.billing.run_billing(worker="w")).invoices == 0
    till.builder.clock.advance(timedelta(days=1))
    assert (await till.shop.billing.run_billing(worker="w")).invoices == 1


@pytest.mark.proves("TRI-5")
@pytest.mark.parametrize("days", [-1, 0, 353])
async def test_a_trial_is_not_made_shorter_nor_longer_than_the_limit(till, clerk, days) -> None:
    made = await trying(till)
    until = made.subscription.trial.ends_at + days * DAY
    with pytest.raises(InvalidInput):
        await clerk.billing_desk.extend_trial(made.subscription.id, until, WHY)
    assert await kept(till, made) == made.subscription


@pytest.mark.proves("TRI-5")
async def test_a_trial_that_ends_now_is_paid_for_from_now_on(till, clerk) -> None:
    made = await trying(till)
    till.builder.clock.advance(3 * DAY)
    done = await clerk.billing_desk.end_trial_now(made.subscription.id, WHY)
    (invoice,) = done.invoices
    assert done.subscription.lifecycle is Lifecycle.ACTIVE
    assert (str(invoice.total), invoice.lines[0].start) == ("21.30 EUR", date(2031, 2, 3))
    assert invoice.number is not None
    assert (done.act.before["lifecycle"], done.act.after["lifecycle"]) == ("trialing", "active")
    assert [one.id for one in done.payments] == [f"{invoice.id}:1"]


@pytest.mark.proves("TRI-5")
async def test_only_a_trial_is_extended_or_ended(till, clerk) -> None:
    made = await till.subscribed()
    for act in ("extend_trial", "end_trial_now"):
        with pytest.raises(OperationNotAllowed):
            await ACTS[act](clerk.billing_desk, made.subscription.id, WHY)


# Discounts


@pytest.mark.proves("DIS-6")
async def test_a_discount_acts_from_the_next_cycle_on_that_isnt_billed(till, clerk) -> None:
    made = await till.subscribed()
    done = await clerk.billing_desk.apply_discount(made.subscription.id, TEN_OFF, WHY)
    assert (done.notes, done.act.after) == ((), {"discounts": "SORRY"})
    till.builder.clock.advance(28 * DAY)
    await till.shop.billing.run_billing(worker="w")
    after = await kept(till, made)
    invoice = await till.builder.kept(INVOICES, after.live[-1].invoice)
    assert (str(invoice.discount), str(invoice.total)) == ("1.79 EUR", "19.17 EUR")


@pytest.mark.proves("DIS-6")
async def test_granted_at_once_it_credits_the_running_cycle_and_is_used_up_by_that(till, clerk) -> None:
    made = await till.subscribed()
    done = await clerk.billing_desk.apply_discount(made.subscription.id, TEN_OFF, WHY, now=True)
    (note,) = done.notes
    assert (str(note.total), note.reason) == ("2.13 EUR", WHY)
    assert note.total == note.applied + note.refund + note.to_balance
    assert str(note.to_balance) == "2.13 EUR"
    assert note.number == 1
    till.builder.clock.advance(28 * DAY)
    await till.shop.billing.run_billing(worker="w")
    invoice = await till.builder.kept(INVOICES, (await kept(till, made)).live[-1].invoice)
    assert invoice.discount.is_zero
    assert str(invoice.balance_applied) == "2.13 EUR"


@pytest.mark.proves("DIS-6")
async def test_a_discount_at_once_takes_no_more_than_was_billed(till, clerk) -> None:
    made = await till.subscribed()
    large = discount("ALL", Fixed(Money.of("99", "EUR")), Cycles(2))
    done = await clerk.billing_desk.apply_discount(made.subscription.id, large, WHY, now=True)
    assert str(done.notes[0].total) == "21.30 EUR"
    assert done.subscription.discounts[0].uses == 1


@pytest.mark.proves("DIS-6")
async def test_in_a_free_trial_there_is_nothing_to_credit(till, clerk) -> None:
    made = await trying(till)
    done = await clerk.billing_desk.apply_discount(made.subscription.id, TEN_OFF, WHY, now=True)
    assert done.notes == ()
    assert done.subscription.discounts[0].uses == 0


@pytest.mark.proves("DIS-6")
async def test_the_same_code_isnt_granted_twice_and_five_are_enough(till, clerk) -> None:
    made = await till.subscribed()
    for n in range(5):
        await clerk.billing_desk.apply_discount(made.subscription.id, discount(f"C{n}"), WHY)
    with pytest.raises(DiscountAlreadyApplied):
        await clerk.billing_desk.apply_discount(made.subscription.id, discount("C1"), WHY)
    with pytest.raises(TooManyDiscounts):
        await clerk.billing_desk.apply_discount(made.subscription.id, discount("C6"), WHY)


@pytest.mark.proves("DIS-6")
async def test_a_discount_taken_away_leaves_issued_invoices_and_acts_no_more(till, clerk) -> None:
    made = await till.subscribed(till.order(discounts=(discount("BEANS"),)))
    id, before = made.subscription.id, await till.builder.kept(INVOICES, made.invoice.id)
    done = await clerk.billing_desk.remove_discount(id, "BEANS", WHY)
    assert await till.builder.kept(INVOICES, made.invoice.id) == before
    assert done.notes == ()
    with pytest.raises(NothingToChange):
        await clerk.billing_desk.remove_discount(id, "BEANS", WHY)
    with pytest.raises(DiscountAlreadyApplied):
        await clerk.billing_desk.apply_discount(id, discount("BEANS"), WHY)
    till.builder.clock.advance(28 * DAY)
    await till.shop.billing.run_billing(worker="w")
    invoice = await till.builder.kept(INVOICES, (await kept(till, made)).live[-1].invoice)
    assert invoice.discount.is_zero


@pytest.mark.proves("DIS-6")
async def test_a_discount_that_was_never_used_may_be_granted_again(till, clerk) -> None:
    made = await till.subscribed()
    id = made.subscription.id
    await clerk.billing_desk.apply_discount(id, TEN_OFF, WHY)
    assert (await clerk.billing_desk.remove_discount(id, "SORRY", WHY)).subscription.discounts == ()
    await clerk.billing_desk.apply_discount(id, TEN_OFF, WHY)


# Holds


@pytest.mark.proves("RUN-12")
async def test_a_decision_is_told_by_who_took_it(till, clerk) -> None:
    made = await held(till)
    await clerk.billing_desk.resolve_hold(made.subscription.id, HoldMode.WAIVE, WHY)
    book = till.builder.storage.snapshot()["main"].books[EVENTS.name].values()
    (told,) = [one for one in book if one.name == "subscriptions.hold_resolved"]
    assert (told.actor.id, json.loads(told.data)["decision"]) == ("eve", "waive")
    assert WHY not in str([one.data for one in book])


@pytest.mark.proves("RUN-8", "RUN-12")
@pytest.mark.parametrize(
    ("mode", "invoices", "ends"),
    [
        (HoldMode.EACH, 5, {CycleEnd.BILLED: 6}),
        (HoldMode.COLLAPSE, 1, {CycleEnd.BILLED: 6}),
        (HoldMode.LATEST_ONLY, 1, {CycleEnd.BILLED: 2, CycleEnd.LAPSED: 4}),
        (HoldMode.WAIVE, 0, {CycleEnd.BILLED: 1, CycleEnd.WAIVED: 5}),
    ],
)
async def test_a_person_decides_over_all_that_was_held(till, clerk, mode, invoices, ends) -> None:
    made = await held(till)
    done = await clerk.billing_desk.resolve_hold(made.subscription.id, mode, WHY)
    assert len(done.invoices) == invoices
    assert done.subscription.hold is None
    assert done.subscription.billed_to == 6
    assert done.subscription.due_at > till.builder.clock.now()
    rows = till.builder.storage.snapshot()["main"].books[CYCLES.name].values()
    assert {end: sum(row.ended is end for row in rows) for end in CycleEnd if any(r.ended is end for r in rows)} == ends
    assert (done.act.before["hold"], done.act.after["hold"]) == ("backlog", "")
    with pytest.raises(NothingToChange):
        await clerk.billing_desk.resolve_hold(made.subscription.id, mode, WHY)
    till.builder.clock.advance(timedelta(minutes=6))
    assert (await till.builder.build().billing.run_billing(worker="w")).invoices == 0


@pytest.mark.proves("RUN-8")
@pytest.mark.parametrize(("mode", "invoices"), [(HoldMode.EACH, 71), (HoldMode.COLLAPSE, 2), (HoldMode.WAIVE, 0)])
async def test_a_long_backlog_is_decided_in_bites_and_stays_held_until_the_last(till, clerk, mode, invoices) -> None:
    made = await held(till, 70)
    done = await clerk.billing_desk.resolve_hold(made.subscription.id, mode, WHY, request_id="h-1")
    assert done.subscription.hold is None
    assert done.subscription.billed_to == 72
    assert len(await all_invoices(till)) == invoices + 1
    assert await clerk.billing_desk.resolve_hold(made.subscription.id, mode, WHY, request_id="h-1") == done


async def all_invoices(till):
    return till.builder.storage.snapshot()["main"].books[INVOICES.name].values()


@pytest.mark.proves("RUN-8")
async def test_waived_cycles_use_up_no_discount(till, clerk) -> None:
    made = await held(till)
    await till.builder.edit(SUBSCRIPTIONS, made.subscription.id, with_discount)
    done = await clerk.billing_desk.resolve_hold(made.subscription.id, HoldMode.WAIVE, WHY)
    assert done.subscription.discounts[0].uses == 0


def with_discount(subscription):
    return attrs.evolve(subscription, discounts=(AppliedDiscount(discount=TEN_OFF),))


@pytest.mark.proves("RUN-12")
async def test_what_could_not_be_planned_is_let_go_by_a_person_too(till, clerk) -> None:
    made = await till.subscribed()
    hold = Hold(since=till.builder.clock.now(), code="planning_failed")
    await till.builder.edit(SUBSCRIPTIONS, made.subscription.id, lambda s: attrs.evolve(s, hold=hold, due_at=None))
    till.builder.clock.advance(30 * DAY)
    done = await clerk.billing_desk.resolve_hold(made.subscription.id, HoldMode.EACH, WHY)
    assert [one.state for one in done.invoices] == [InvoiceState.OPEN]
    assert done.act.before["hold"] == "planning_failed"


@pytest.mark.proves("RUN-12")
@pytest.mark.parametrize("act", set(ACTS) - {"resolve_hold", "change_zone"})
async def test_while_it_waits_nothing_else_is_done_to_it(till, clerk, act) -> None:
    made = await held(till)
    with pytest.raises(OnHold):
        await ACTS[act](clerk.billing_desk, made.subscription.id, WHY)
    with pytest.raises(OnHold):
        await clerk.billing_desk.change_zone(ANN, "Asia/Tokyo", WHY)
    assert (await till.builder.kept(ACCOUNTS, made.subscription.account)).zone.name == "Europe/Berlin"


# The zone, and the price


@pytest.mark.proves("SCH-10")
@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York", "Pacific/Kiritimati"])
async def test_a_new_zone_takes_effect_where_the_billed_period_ends(till, clerk, zone) -> None:
    made = await till.subscribed()
    was = made.subscription
    done = await clerk.billing_desk.change_zone(ANN, zone, WHY)
    now = await kept(till, made)
    assert end_instant_of(now.segments, 0) == end_instant_of(was.segments, 0) == start_instant_of(now.segments, 1)
    assert service_period_of(now.segments, 1).start == date(2031, 2, 28)
    assert now.zone.name == zone
    assert start_instant_of(now.segments, 2) == datetime(2031, 3, 31, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    assert now.due_at == was.due_at
    assert (await till.builder.kept(ACCOUNTS, was.account)).zone.name == zone
    assert (done.act.before, done.act.after) == ({"zone": "Europe/Berlin"}, {"zone": zone})


@pytest.mark.proves("SCH-10")
async def test_through_a_year_in_another_zone_no_day_is_billed_twice_or_left_out(till, clerk) -> None:
    made = await till.subscribed()
    await clerk.billing_desk.change_zone(ANN, "Pacific/Kiritimati", WHY)
    for _ in range(6):
        till.builder.clock.advance(31 * DAY)
        await till.shop.billing.run_billing(worker="w")
    rows = sorted(till.builder.storage.snapshot()["main"].books[CYCLES.name].values(), key=lambda row: row.index)
    assert len(rows) > 5
    assert all(before.end == after.start for before, after in pairwise(rows))
    assert (await kept(till, made)).zone.name == "Pacific/Kiritimati"


@pytest.mark.proves("SCH-10")
async def test_a_planned_end_keeps_its_local_time_in_the_new_zone(till, clerk) -> None:
    made = await till.subscribed()
    berlin = ZoneInfo("Europe/Berlin")
    ends = datetime(2031, 4, 30, tzinfo=berlin).astimezone(UTC)
    planned = Scheduled(cancel=CancelAt(at=ends, asked_at=till.builder.clock.now()))
    await till.builder.edit(SUBSCRIPTIONS, made.subscription.id, lambda s: attrs.evolve(s, scheduled=planned))
    await clerk.billing_desk.change_zone(ANN, "Asia/Tokyo", WHY)
    now = await kept(till, made)
    assert now.scheduled.cancel.at == datetime(2031, 4, 30, tzinfo=ZoneInfo("Asia/Tokyo")).astimezone(UTC)
    assert now.scheduled.cancel.at == start_instant_of(now.segments, 3)


@pytest.mark.proves("SCH-10")
async def test_on_trial_and_before_its_start_a_subscription_moves_along(till, clerk) -> None:
    tried = await trying(till)
    await clerk.billing_desk.change_zone(ANN, "Asia/Tokyo", WHY)
    now = await kept(till, tried)
    assert now.trial == tried.subscription.trial
    till.builder.clock.advance(14 * DAY)
    await till.shop.billing.run_billing(worker="w")
    after = await kept(till, tried)
    assert (after.lifecycle, after.billed_to) == (Lifecycle.ACTIVE, 2)
    bob = CustomerId("bob")
    later = await till.subscribed(till.order(start=date(2031, 3, 20), plan=TRIED.id), customer=bob, key="o-2")
    await clerk.billing_desk.change_zone(bob, "Asia/Tokyo", WHY)
    moved = await kept(till, later)
    assert moved.due_at == later.subscription.due_at
    assert moved.zone.name == "Asia/Tokyo"
    till.builder.clock.advance(60 * DAY)
    await till.shop.billing.run_billing(worker="w")
    assert (await kept(till, later)).lifecycle is Lifecycle.ACTIVE


async def test_a_zone_that_there_isnt_and_one_that_is_there_already(till, clerk) -> None:
    await till.subscribed()
    with pytest.raises(UnknownZone):
        await clerk.billing_desk.change_zone(ANN, "Europe/Atlantis", WHY)
    with pytest.raises(NothingToChange):
        await clerk.billing_desk.change_zone(ANN, "Europe/Berlin", WHY)


async def test_a_price_is_locked_and_let_go_again(till, clerk) -> None:
    made = await till.subscribed()
    id = made.subscription.id
    done = await clerk.billing_desk.lock_price(id, date(2033, 1, 1), WHY)
    assert done.subscription.price_locked_until == date(2033, 1, 1)
    with pytest.raises(NothingToChange):
        await clerk.billing_desk.lock_price(id, date(2033, 1, 1), WHY)
    with pytest.raises(InvalidInput):
        await clerk.billing_desk.lock_price(id, date(2031, 1, 31), WHY)
    assert (await clerk.billing_desk.lock_price(id, None, WHY)).subscription.price_locked_until is None
