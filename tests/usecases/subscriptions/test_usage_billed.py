"""Usage is billed by the run: the source is asked once for a page, and what is wrong with one stops no other."""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.subscriptions import INVOICES, METERS, SUBSCRIPTIONS, CancelWish, SubscriptionPolicy
from shopaccounts.subscriptions.charges.metering import Measured, Missing, UsageRequest
from shopaccounts.subscriptions.papers.documents import InvoiceKind
from shopaccounts.subscriptions.plans.add_ons import Metered
from shopaccounts.subscriptions.plans.offers import Goods, Plan, PlanId, PlanVersionId
from shopaccounts.subscriptions.plans.tariffs import PerUnit
from shopaccounts.subscriptions.policy.cancelling import CancelWhen
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.subscriptions.policy.usage import UsagePolicy
from shopaccounts.testing.billing_doubles import FixedPlans
from shopaccounts.testing.builders import quick_policies
from shopaccounts.testing.subscribers import flat_plan

if TYPE_CHECKING:
    from tests.usecases.subscriptions.conftest import CoffeeShop

ANN = CustomerId("ann")
WORKER = WorkerId("w")
HALF: Any = 1.5  # as a source answers that keeps no promise
CALLS = Metered(key="calls", meter="calls", prices=(PerUnit(Money.of("0.10", "EUR")),), included=10)
TELEPHONY = Plan(id=PlanId("phone"), code="phone", group="phone", goods=Goods.DIGITAL)
PHONE = flat_plan("10.00", id=PlanVersionId("phone-1"), plan=TELEPHONY, metered=(CALLS,))
COFFEE = flat_plan("17.90")
ALERTS = UsagePolicy(alerts=(Money.of("1.00", "EUR"), Money.of("5.00", "EUR")))


class Log:
    """A meter of what subscriptions used when; a ``Usage`` port that notes how often it was asked."""

    def __init__(self) -> None:
        self.used: dict[str, list[tuple[datetime, int]]] = {}
        self.pages: list[int] = []
        self.answer = lambda _, quantity: Measured(quantity, "w")
        self.is_down = False

    def use(self, id: str, at: datetime, quantity: int) -> None:
        self.used.setdefault(id, []).append((at, quantity))

    def quantities(self, requests):
        self.pages.append(len(requests))
        if self.is_down:
            raise ConnectionError
        return tuple(self.answer(one, self._count(one)) for one in requests)

    def _count(self, one: UsageRequest) -> int:
        return sum(n for at, n in self.used.get(one.subscription, ()) if one.start <= at < one.end)


def day(month: int, number: int, hour: int = 12) -> datetime:
    return datetime(2031, month, number, hour, tzinfo=UTC)


@pytest.fixture
def plans() -> FixedPlans:
    """A shop that sells coffee, and calls by the minute."""
    return FixedPlans([COFFEE, PHONE])


@pytest.fixture
def log() -> Log:
    """The meter."""
    return Log()


@pytest.fixture
def builder(builder, log):
    """A shop with that meter; it lets subscriptions run before their first payment."""
    subscribing = SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED)
    policy = SubscriptionPolicy(subscribing=subscribing, usage=ALERTS)
    builder.policies = quick_policies(subscriptions=policy)
    builder.ports = {"billing": attrs.evolve(builder.ports["billing"], usage=log)}
    return builder


async def phone(coffee: "CoffeeShop", customer: str = ANN) -> str:
    made = await coffee.subscribed(coffee.order(plan=PHONE.id), CustomerId(customer))
    return made.subscription.id


async def run(coffee, at: datetime):
    coffee.builder.clock.set(at)
    return await coffee.shop.billing.run_billing(worker=WORKER)


async def rows(coffee, book, group: str, value: str):
    return (await got(coffee.builder.storage.open(coffee.builder.scope).rows(book, group, value, None, 500))).items


async def usage_of(coffee, customer: str = ANN):
    found = await rows(coffee, INVOICES, "customer", customer)
    return [
        [(line.quantity, str(line.amount), line.start, line.quantity_from) for line in one.lines]
        for one in found
        if one.kind is InvoiceKind.USAGE
    ]


@pytest.mark.proves("USE-1")
async def test_a_page_asks_the_source_once_for_all_whose_usage_is_due(coffee, log) -> None:
    ids = [await phone(coffee, f"c{n}") for n in range(3)]
    await coffee.subscribed(customer=CustomerId("drinker"))
    for n, id in enumerate(ids):
        log.use(id, day(2, 10), 20 + n)
    report = await run(coffee, day(2, 28, 0))
    assert (report.failures, log.pages) == ((), [3])
    assert [str(one) for one in report.amounts] == ["60.60 EUR"] or report.invoices == 7
    assert [await usage_of(coffee, f"c{n}") for n in range(3)] == [
        [[(10 + n, f"1.{n}0 EUR", date(2031, 1, 31), "calls w")]] for n in range(3)
    ]


@pytest.mark.proves("USE-1")
async def test_a_page_without_usage_asks_nobody(coffee, log) -> None:
    await coffee.subscribed()
    assert (await run(coffee, day(3, 1))).invoices == 1
    await phone(coffee, "c1")
    assert (await run(coffee, day(3, 20))).pages == 0
    assert log.pages == []


@pytest.mark.proves("USE-1", "RUN-5")
@pytest.mark.parametrize(
    ("answer", "code"),
    [(Missing(), "Unavailable"), (Measured(-1, "w"), "Defect"), (Measured(HALF, "w"), "Defect"), (7, "Defect")],
)
async def test_a_count_that_is_missing_or_wrong_stops_its_own_subscription_only(coffee, log, answer, code) -> None:
    bad, good = await phone(coffee, "bad"), await phone(coffee, "good")
    log.use(good, day(2, 10), 20)
    log.answer = lambda one, n: answer if one.subscription == bad else Measured(n, "w")
    report = await run(coffee, day(3, 1))
    assert [(one.subscription, one.code) for one in report.failures] == [(bad, code)]
    assert len(await usage_of(coffee, "good")) == 1
    assert await usage_of(coffee, "bad") == []
    log.answer = lambda _, n: Measured(n, "w")
    assert (await run(coffee, report.failures[0].next_try)).failures == ()
    assert (await coffee.builder.kept(SUBSCRIPTIONS, bad)).usage_to == 1


@pytest.mark.proves("USE-1", "RUN-5")
async def test_a_source_that_doesnt_answer_stops_nobody_without_a_meter(coffee, log) -> None:
    id = await phone(coffee)
    await coffee.subscribed(customer=CustomerId("drinker"))
    log.is_down = True
    report = await run(coffee, day(3, 1))
    assert [(one.subscription, one.code) for one in report.failures] == [(id, "ConnectionError")]
    assert report.invoices == 1


@pytest.mark.proves("USE-2")
async def test_late_usage_is_on_the_next_bill_and_what_was_issued_stays(coffee, log) -> None:
    id = await phone(coffee)
    log.use(id, day(2, 10), 25)
    await run(coffee, day(3, 1))
    before = await usage_of(coffee)
    kept = await coffee.builder.kept(METERS, id)
    assert [(one.quantity, one.watermark) for one in kept.billed] == [(15, "w")]
    log.use(id, day(2, 11), 5)
    log.use(id, day(3, 5), 11)
    await run(coffee, day(4, 1))
    first, second = await usage_of(coffee)
    assert [first] == before
    assert [(n, start) for n, _, start, _ in second] == [(5, date(2031, 1, 31)), (1, date(2031, 2, 28))]
    assert (await coffee.builder.kept(METERS, id)).version == 2


@pytest.mark.proves("USE-2", "RUN-6")
async def test_running_again_bills_nothing_again(coffee, log) -> None:
    id = await phone(coffee)
    log.use(id, day(2, 10), 25)
    await run(coffee, day(3, 1))
    assert (await run(coffee, day(3, 2))).pages == 0
    assert len(await usage_of(coffee)) == 1


@pytest.mark.proves("USE-1", "USE-2")
async def test_what_was_used_before_the_end_is_billed_after_it(coffee, log) -> None:
    id = await phone(coffee)
    await coffee.shop.cancellations.cancel(ANN, id)
    log.use(id, day(2, 10), 25)
    await run(coffee, day(3, 1))
    ended = await coffee.builder.kept(SUBSCRIPTIONS, id)
    assert (ended.ended_at is not None, ended.due_at) == (True, ended.late_usage_at)
    assert len(await usage_of(coffee)) == 1


@pytest.mark.proves("USE-2")
async def test_what_is_reported_after_the_last_bill_is_billed_once_more_and_then_no_more(coffee, log) -> None:
    id = await phone(coffee)
    await coffee.shop.cancellations.cancel(ANN, id)
    log.use(id, day(2, 10), 25)
    await run(coffee, day(3, 1))
    log.use(id, day(2, 27), 7)
    assert (await run(coffee, day(3, 6))).pages == 0, "late reports have a week"
    report = await run(coffee, day(3, 8))
    (late,) = [one for one in await rows(coffee, INVOICES, "customer", ANN) if one.kind is InvoiceKind.FINAL]
    assert [(line.quantity, str(line.amount), line.start, line.end) for line in late.lines] == [
        (7, "0.70 EUR", date(2031, 1, 31), date(2031, 2, 28))
    ]
    assert (report.invoices, len(await usage_of(coffee))) == (1, 1)
    log.use(id, day(2, 27), 9)
    over = await coffee.builder.kept(SUBSCRIPTIONS, id)
    assert (over.due_at, over.late_usage_at) == (None, None)
    asked = len(log.pages)
    assert (await run(coffee, day(4, 30))).pages == 0
    assert len(log.pages) == asked


@pytest.mark.proves("USE-2", "USE-1")
async def test_late_reports_that_never_came_cost_nothing_and_a_source_that_is_down_is_asked_again(coffee, log) -> None:
    id = await phone(coffee)
    await coffee.shop.cancellations.cancel(ANN, id)
    log.use(id, day(2, 10), 25)
    await run(coffee, day(3, 1))
    log.is_down = True
    (failure,) = (await run(coffee, day(3, 8))).failures
    log.is_down = False
    report = await run(coffee, failure.next_try)
    assert (report.subscriptions, report.invoices) == (1, 0)
    assert (await coffee.builder.kept(SUBSCRIPTIONS, id)).due_at is None


@pytest.mark.proves("USE-2")
async def test_usage_of_a_time_before_a_pause_may_be_reported_late_too(coffee, log) -> None:
    id = await phone(coffee)
    log.use(id, day(2, 10), 25)
    await coffee.shop.pauses.pause(ANN, id)
    await run(coffee, day(3, 1))
    log.use(id, day(2, 11), 5)
    await run(coffee, day(3, 8))
    first, late = await usage_of(coffee)
    assert ([n for n, *_ in first], [n for n, *_ in late]) == ([15], [5])
    assert (await coffee.builder.kept(SUBSCRIPTIONS, id)).late_usage_at is None


@pytest.mark.proves("USE-2")
async def test_a_shop_may_wait_for_no_late_reports_after_the_last_bill(coffee) -> None:
    usage = UsagePolicy(late_reports=timedelta(0))
    policy = attrs.evolve(coffee.builder.policies.subscriptions, usage=usage)
    coffee.builder.policies = quick_policies(subscriptions=policy)
    coffee = attrs.evolve(coffee, shop=coffee.builder.build())
    id = await phone(coffee)
    await coffee.shop.cancellations.cancel(ANN, id)
    await run(coffee, day(3, 1))
    assert (await coffee.builder.kept(SUBSCRIPTIONS, id)).due_at is None


@pytest.mark.proves("USE-1")
async def test_an_operation_bills_usage_first_that_is_due(coffee, log) -> None:
    id = await phone(coffee)
    log.use(id, day(2, 10), 25)
    coffee.builder.clock.set(day(3, 1))
    await coffee.shop.cancellations.cancel(ANN, id)
    assert len(await usage_of(coffee)) == 1
    assert log.pages == [1]
    assert (await coffee.builder.kept(METERS, id)).version == 1


async def told(coffee) -> list[str]:
    found = await rows(coffee, EVENTS, "subject", ANN)
    return [one.data for one in found if one.name == "subscriptions.usage_threshold_reached"]


@pytest.mark.proves("USE-3")
async def test_an_amount_is_told_once_while_the_cycle_runs_and_not_again_with_the_bill(coffee, log) -> None:
    id = await phone(coffee)
    watch = coffee.shop.usage_watch
    log.use(id, day(2, 5), 15)
    coffee.builder.clock.set(day(2, 6))
    assert await watch.check_usage([id]) == 0
    log.use(id, day(2, 6, 13), 10)
    coffee.builder.clock.set(day(2, 7))
    assert await watch.check_usage([id, "unknown"]) == 1
    assert await watch.check_usage([id]) == 0
    assert len(await told(coffee)) == 1
    log.use(id, day(2, 20), 100)
    await run(coffee, day(3, 1))
    assert len(await told(coffee)) == 2
    log.use(id, day(3, 5), 100)
    coffee.builder.clock.set(day(3, 6))
    assert await watch.check_usage([id]) == 2


@pytest.mark.proves("USE-3")
async def test_who_isnt_metered_isnt_asked_about_when_amounts_are_checked(coffee, log) -> None:
    made = await coffee.subscribed()
    assert await coffee.shop.usage_watch.check_usage([made.subscription.id]) == 0
    assert await coffee.shop.usage_watch.check_usage([]) == 0
    assert log.pages == []
    with pytest.raises(InvalidInput):
        await coffee.shop.usage_watch.check_usage(["x"] * 501)


@pytest.mark.proves("USE-3", "USE-1")
async def test_a_count_that_is_missing_tells_nothing_of_its_own_subscription_only(coffee, log) -> None:
    bad, good = await phone(coffee, "bad"), await phone(coffee)
    log.use(good, day(2, 5), 30)
    log.answer = lambda one, n: Missing() if one.subscription == bad else Measured(n, "w")
    coffee.builder.clock.set(day(2, 6))
    assert await coffee.shop.usage_watch.check_usage([bad, good]) == 1


async def test_the_grace_is_waited_for(coffee, log) -> None:
    id = await phone(coffee)
    log.use(id, day(2, 10), 25)
    boundary = (await coffee.builder.kept(SUBSCRIPTIONS, id)).due_at
    await run(coffee, boundary + timedelta(minutes=50))
    assert await usage_of(coffee) == []
    await run(coffee, boundary + timedelta(hours=1))
    assert len(await usage_of(coffee)) == 1


@pytest.mark.proves("CAN-7", "USE-2")
async def test_what_was_used_before_somebody_left_and_came_back_within_a_day_is_billed(coffee, log) -> None:
    id = await phone(coffee)
    coffee.builder.clock.set(day(1, 31, 13))
    await coffee.shop.cancellations.cancel(ANN, id, CancelWish(when=CancelWhen.NOW))
    coffee.builder.clock.set(day(1, 31, 14))
    await coffee.shop.cancellations.reactivate(ANN, id)
    log.use(id, day(1, 31), 30)
    log.use(id, day(1, 31, 15), 40)
    assert (await run(coffee, day(1, 31, 16))).failures == ()
    assert (await run(coffee, day(2, 28, 1))).failures == ()
    assert [[(quantity, amount) for quantity, amount, *_ in lines] for lines in await usage_of(coffee)] == [
        [(30, "3.00 EUR")],
        [(30, "3.00 EUR")],
    ]


@pytest.mark.proves("CAN-7", "CHG-1")
async def test_who_left_and_came_back_within_a_day_can_change(coffee) -> None:
    id = await phone(coffee)
    await coffee.shop.cancellations.cancel(ANN, id, CancelWish(when=CancelWhen.NOW))
    await coffee.shop.cancellations.reactivate(ANN, id)
    changed = await coffee.shop.subscription_changes.change_quantity(ANN, id, 2)
    assert changed.subscription.lines[0].quantity == 2
