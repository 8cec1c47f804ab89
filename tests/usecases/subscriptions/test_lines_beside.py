"""What waits of one subscription and is billed with another one of the account: it can be taken back as ever."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest

from shopaccounts.kernel.cycles import BillingMode, Interval
from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.money import Money
from shopaccounts.subscriptions import ACCOUNTS, SUBSCRIPTIONS, CancelWish, How, SubscriptionPolicy
from shopaccounts.subscriptions.announcing.timeline import UpcomingKind
from shopaccounts.subscriptions.papers.documents import CREDIT_NOTES, INVOICES, InvoiceKind, InvoiceState
from shopaccounts.subscriptions.payments.charging import Declined, DeclineKind
from shopaccounts.subscriptions.plans.add_ons import AddOn
from shopaccounts.subscriptions.plans.offers import PlanId, PlanVersionId
from shopaccounts.subscriptions.plans.tariffs import PerUnit
from shopaccounts.subscriptions.policy.cancelling import CancelWhen
from shopaccounts.subscriptions.policy.changes import Preset
from shopaccounts.subscriptions.policy.dunning import DunningPolicy
from shopaccounts.subscriptions.policy.pausing import Unused
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.subscriptions.states import Lifecycle
from shopaccounts.testing.billing_doubles import FixedPlans
from shopaccounts.testing.builders import ShopBuilder, quick_policies
from shopaccounts.testing.subscribers import EUR, flat_plan
from tests.usecases.subscriptions.conftest import START, CoffeeShop

ANN, WORKER, DAY = CustomerId("ann"), WorkerId("w"), timedelta(days=1)
SEAT = AddOn(key="seat", product="seat", prices=(PerUnit(Money.of("28.00", EUR)),))
OFFICE = flat_plan("28.00", add_ons=(SEAT,))
TEA = flat_plan(
    "10.00", id=PlanVersionId("tea-1"), plan=attrs.evolve(OFFICE.plan, id=PlanId("tea"), code="tea", group="tea")
)
SLATE = flat_plan(
    "30.00",
    id=PlanVersionId("slate-1"),
    mode=BillingMode.IN_ARREARS,
    plan=attrs.evolve(OFFICE.plan, id=PlanId("slate"), code="slate"),
)
LATER_PAID = attrs.evolve(
    SLATE, id=PlanVersionId("later-1"), plan=attrs.evolve(SLATE.plan, id=PlanId("later"), code="later", group="later")
)
WEEKLY_TEA = flat_plan("50.00", Interval.weeks(1), id=PlanVersionId("weekly-1"), plan=TEA.plan)
WITH_THE_NEXT, NOW = How(preset=Preset.PRORATE_NEXT), How(preset=Preset.PRORATE_NOW)
LEAVES = CancelWish(when=CancelWhen.NOW, unused=Unused.CREDIT)


@pytest.fixture
def plans() -> FixedPlans:
    """What the shop sells."""
    return FixedPlans([OFFICE, TEA, WEEKLY_TEA, SLATE, LATER_PAID])


@pytest.fixture
def builder(builder: ShopBuilder) -> ShopBuilder:
    """A shop in which subscriptions run before they are paid."""
    policy = SubscriptionPolicy(subscribing=SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED))
    builder.policies = quick_policies(subscriptions=policy)
    return builder


def kept(coffee: CoffeeShop, book: Any) -> list[Any]:
    realm = coffee.builder.storage.snapshot()[coffee.builder.scope.realm]  # type: ignore[attr-defined]
    return list(realm.books.get(book.name, {}).values())


async def run(coffee: CoffeeShop, days: int = 0) -> Any:
    coffee.builder.clock.advance(days * DAY)
    return await coffee.shop.billing.run_billing(worker=WORKER)


async def bought_tea(coffee: CoffeeShop) -> str:
    return (await coffee.subscribed(coffee.order(plan=TEA.id), key="tea")).subscription.id


async def with_a_seat(coffee: CoffeeShop, days: int = 0) -> str:
    """Somebody has an office, and some days later a seat that waits to be billed."""
    office = (await coffee.subscribed(coffee.order(plan=OFFICE.id), key="office")).subscription.id
    await run(coffee, days)
    await coffee.shop.subscription_changes.add_add_on(ANN, office, "seat", how=WITH_THE_NEXT)
    return office


async def by_a_renewal(coffee: CoffeeShop) -> str:
    """Tea renews while the seat waits."""
    await bought_tea(coffee)
    await run(coffee, days=20)
    office = await with_a_seat(coffee)
    await run(coffee, days=9)
    return office


async def by_a_start(coffee: CoffeeShop) -> str:
    """Tea is bought while the seat waits."""
    office = await with_a_seat(coffee)
    await run(coffee, days=9)
    await bought_tea(coffee)
    return office


async def by_a_change(coffee: CoffeeShop) -> str:
    """There is more tea, to be paid now, while the seat waits."""
    tea = await bought_tea(coffee)
    office = await with_a_seat(coffee)
    await run(coffee, days=9)
    await coffee.shop.subscription_changes.change_quantity(ANN, tea, 2, how=NOW)
    return office


async def by_a_late_renewal(coffee: CoffeeShop) -> str:
    """Tea is changed that should have been renewed while the seat waits, and wasn't: the run is late."""
    tea = await bought_tea(coffee)
    await run(coffee, days=20)
    office = await with_a_seat(coffee)
    coffee.builder.clock.advance(9 * DAY)
    await coffee.shop.subscription_changes.change_quantity(ANN, tea, 2, how=NOW)
    return office


async def by_nothing(coffee: CoffeeShop) -> str:
    """The seat still waits."""
    office = await with_a_seat(coffee)
    await run(coffee, days=9)
    return office


BILLED = {
    "by a renewal": by_a_renewal,
    "by a start": by_a_start,
    "by a change": by_a_change,
    "by a late renewal": by_a_late_renewal,
}
"""How the seat comes to be on an invoice of tea."""


async def seats(coffee: CoffeeShop, office: str) -> Money:
    """What is charged for seats on all invoices and waits to be, less what is taken back."""
    lines = {(one.id, at): line for one in kept(coffee, INVOICES) for at, line in enumerate(one.lines, 1)}
    notes = [(note.invoice, back) for note in kept(coffee, CREDIT_NOTES) for back in note.lines]
    account = await coffee.builder.kept(ACCOUNTS, "main/ann")
    assert account is not None
    billed = [line.base for line in lines.values() if (line.subscription, line.key) == (office, "seat")]
    back = [one.base for invoice, one in notes if lines[invoice, one.line].key == "seat"]
    waits = [one.line.base for one in account.pending if (one.line.subscription, one.line.key) == (office, "seat")]
    return sum([*billed, *waits], Money.zero(EUR)) - sum(back, Money.zero(EUR))


@pytest.mark.proves("CHG-3", "CHG-5", "INV-15", "CAN-4")
@pytest.mark.parametrize("billed", BILLED)
async def test_who_leaves_gets_the_same_back_of_a_line_whatever_invoice_it_is_on(coffee, billed) -> None:
    office = await BILLED[billed](coffee)
    mine = [one.subscriptions for one in kept(coffee, INVOICES) if any(line.key == "seat" for line in one.lines)]
    assert list(map(len, mine)) == [2]
    seen = await coffee.shop.cancellations.preview_cancel(ANN, office, LEAVES)
    await coffee.shop.cancellations.cancel(ANN, office, LEAVES)
    notes = kept(coffee, CREDIT_NOTES)
    assert sorted(str(one.total) for one in seen.papers.notes) == sorted(str(one.total) for one in notes)
    assert len(notes) == 2
    assert str(await seats(coffee, office)) == "9.00 EUR"  # 9 of 28 days


@pytest.mark.proves("CHG-3", "CHG-5")
async def test_it_is_what_is_left_of_it_while_it_waits(coffee) -> None:
    office = await by_nothing(coffee)
    await coffee.shop.cancellations.cancel(ANN, office, LEAVES)
    assert str(await seats(coffee, office)) == "9.00 EUR"


@pytest.mark.proves("CHG-3", "CHG-5", "SIM-1")
@pytest.mark.parametrize("billed", BILLED)
async def test_so_does_who_changes_back(coffee, billed) -> None:
    office = await BILLED[billed](coffee)
    seen = await coffee.shop.subscription_changes.preview_remove_add_on(ANN, office, "seat", how=NOW)
    done = await coffee.shop.subscription_changes.remove_add_on(ANN, office, "seat", how=NOW)
    amounts = [[line.amount for one in each.invoices for line in one.lines] for each in (seen, done)]
    assert amounts[0] == amounts[1]
    assert str(await seats(coffee, office)) == "9.00 EUR"


@pytest.mark.proves("INV-15", "RUN-11")
async def test_it_is_remembered_with_what_is_billed_and_counts_as_no_work(coffee) -> None:
    await bought_tea(coffee)
    await run(coffee, days=20)
    office = await with_a_seat(coffee)
    before = await coffee.builder.kept(SUBSCRIPTIONS, office)
    report = await run(coffee, days=9)
    after = await coffee.builder.kept(SUBSCRIPTIONS, office)
    (tea,) = [one for one in kept(coffee, INVOICES) if len(one.subscriptions) == 2]
    assert [one.invoice for one in after.live] == [*(one.invoice for one in before.live), tea.id]
    assert attrs.evolve(after, live=before.live, version=before.version) == before
    assert (report.subscriptions, report.invoices) == (1, 1)


@pytest.mark.proves("INV-15")
async def test_the_last_bill_is_remembered_too(coffee) -> None:
    office = await by_nothing(coffee)
    await coffee.shop.cancellations.cancel(ANN, office, attrs.evolve(LEAVES, unused=Unused.KEEP))
    await run(coffee)
    (last,) = [one for one in kept(coffee, INVOICES) if one.kind is InvoiceKind.FINAL]
    assert (await coffee.builder.kept(SUBSCRIPTIONS, office)).live[-1].invoice == last.id


@pytest.mark.proves("INV-15", "RUN-5")
async def test_whoever_cant_be_billed_remembers_it_all_the_same(coffee) -> None:
    await bought_tea(coffee)
    office = await with_a_seat(coffee)
    agreed = await coffee.builder.kept(SUBSCRIPTIONS, office)
    no_phase = attrs.evolve(agreed.terms, phases=())  # as no rule would leave it
    await coffee.builder.edit(SUBSCRIPTIONS, office, lambda one: attrs.evolve(one, terms=no_phase))
    report = await run(coffee, days=31)
    assert {one.subscription for one in report.failures} == {office}
    assert (await run(coffee)).pages == 0, "it comes again later"
    (tea,) = [one for one in kept(coffee, INVOICES) if len(one.subscriptions) == 2]
    assert (await coffee.builder.kept(SUBSCRIPTIONS, office)).live[-1].invoice == tea.id


@pytest.mark.proves("SIM-2", "INV-15")
async def test_what_another_one_gets_back_later_of_it_is_shown_with_what_it_joins(coffee) -> None:
    made = await coffee.subscribed(coffee.order(plan=WEEKLY_TEA.id), key="tea")
    office = await with_a_seat(coffee)
    on = (START + 10 * DAY).date()
    planned = attrs.evolve(WITH_THE_NEXT, when=on)
    await coffee.shop.subscription_changes.remove_add_on(ANN, office, "seat", how=planned)
    shown = await coffee.shop.subscription_views.upcoming(ANN, made.subscription.id, until=START + 22 * DAY)
    before = {one.id for one in kept(coffee, INVOICES)}
    for _ in range(22 * 24):
        coffee.builder.clock.advance(DAY / 24)
        await run(coffee)
    came = sorted((one for one in kept(coffee, INVOICES) if one.id not in before), key=lambda one: one.issued_at)
    seen = [one.amount for one in shown if one.kind is UpcomingKind.CHARGE]
    assert [one.due for one in came] == seen
    assert ["seat" in {line.key for line in one.lines} for one in came] == [True, True, False]


async def last_of(coffee: CoffeeShop, office: str) -> Any:
    """The last bill of another subscription, which a line of the office is on; that one remembers it."""
    (last,) = [one for one in kept(coffee, INVOICES) if one.kind is InvoiceKind.FINAL]
    assert office in last.subscriptions
    assert len(last.subscriptions) == 2
    after = await coffee.builder.kept(SUBSCRIPTIONS, office)
    assert after is not None
    assert after.live[-1].invoice == last.id
    return after


@pytest.mark.proves("INV-15", "LIF-1")
async def test_a_double_that_comes_next_remembers_it_too(coffee) -> None:
    ben = CustomerId("ben")
    slate = (await coffee.subscribed(coffee.order(plan=SLATE.id), key="slate")).subscription.id
    office = (await coffee.subscribed(coffee.order(plan=OFFICE.id), ben, key="office")).subscription.id
    await coffee.shop.subscription_records.move_subscriptions(ben, ANN)
    await run(coffee, days=3)
    await coffee.shop.subscription_changes.add_add_on(ANN, office, "seat", how=WITH_THE_NEXT)
    await coffee.shop.cancellations.cancel(ANN, slate, CancelWish(when=CancelWhen.NOW))
    after = await last_of(coffee, office)
    assert (after.holds_group, after.doubles) == (True, "")


@pytest.mark.proves("INV-15", "CAN-6")
async def test_the_last_bill_of_somebody_who_is_given_up_is_remembered_by_the_others(till, gateway) -> None:
    policy = attrs.evolve(till.builder.policies.subscriptions, dunning=DunningPolicy.eight_days())
    till.builder.policies = quick_policies(subscriptions=policy)
    coffee = attrs.evolve(till, shop=till.builder.build())
    gateway.cards["card-9"] = Declined(DeclineKind.SOFT, "no_funds")
    slate = await coffee.subscribed(coffee.order(plan=LATER_PAID.id, payment_method="card-9"), key="slate")
    order = coffee.order(plan=OFFICE.id, payment_method="card-1")
    office = (await coffee.subscribed(order, key="office")).subscription.id
    for day in range(60):
        coffee.builder.clock.advance(DAY)
        await coffee.shop.sweeping.sweep(worker=WORKER)
        if day == 30:
            await coffee.shop.subscription_changes.add_add_on(ANN, office, "seat", how=WITH_THE_NEXT)
        one = await coffee.builder.kept(SUBSCRIPTIONS, slate.subscription.id)
        if one.lifecycle is Lifecycle.CANCELED:
            break
    await last_of(coffee, office)


async def strictly(coffee: CoffeeShop) -> Any:
    """The same shop, in which tea runs only when it is paid: somebody orders it, and what waited is on its bill."""
    shop = attrs.evolve(coffee.builder, policies=quick_policies(subscriptions=SubscriptionPolicy())).build()
    made = await shop.subscriptions.subscribe(ANN, coffee.order(plan=TEA.id), request_id="tea")
    assert made.subscription.lifecycle is Lifecycle.INCOMPLETE
    assert await waits(coffee) == []
    return shop, made.subscription.id


async def waits(coffee: CoffeeShop) -> list[tuple[str, str]]:
    account = await coffee.builder.kept(ACCOUNTS, "main/ann")
    assert account is not None
    return [(one.line.kind.value, str(one.line.base)) for one in account.pending]


ENDS: dict[str, Callable[[CoffeeShop, Any, str], Awaitable[Any]]] = {
    "nobody pays": lambda coffee, _shop, _tea: run(coffee, days=1),
    "it is cancelled": lambda _coffee, shop, tea: shop.cancellations.cancel(ANN, tea),
}
"""What becomes of the tea."""


@pytest.mark.proves("INV-15", "INV-5")
@pytest.mark.parametrize("ends", ENDS)
async def test_what_is_on_a_first_invoice_that_is_void_waits_again(coffee, ends) -> None:
    await with_a_seat(coffee)
    before = await waits(coffee)
    shop, tea = await strictly(coffee)
    await ENDS[ends](coffee, shop, tea)
    assert [one.state for one in kept(coffee, INVOICES)].count(InvoiceState.VOID) == 1
    assert await waits(coffee) == before == [("charge", "28.00 EUR")]


@pytest.mark.proves("INV-15", "INV-5", "CHG-3")
@pytest.mark.parametrize("ends", ENDS)
async def test_so_does_what_takes_something_back_and_it_is_taken_back_once(coffee, ends) -> None:
    office = await with_a_seat(coffee)
    await run(coffee, days=52)
    await coffee.shop.subscription_changes.remove_add_on(ANN, office, "seat", how=WITH_THE_NEXT)
    before, billed = await waits(coffee), [one for one in kept(coffee, INVOICES) if len(one.lines) > 1]
    assert [kind for kind, _ in before] == ["credit"]
    shop, tea = await strictly(coffee)
    await ENDS[ends](coffee, shop, tea)
    assert await waits(coffee) == before
    assert [one for one in kept(coffee, INVOICES) if one.id == billed[0].id] == billed


@pytest.mark.proves("INV-15", "INV-5", "CHG-3")
async def test_what_was_taken_back_of_it_meanwhile_does_not_wait_again(coffee) -> None:
    office = await with_a_seat(coffee)
    await run(coffee, days=9)
    shop, tea = await strictly(coffee)
    await coffee.shop.cancellations.cancel(ANN, office, LEAVES)
    await shop.cancellations.cancel(ANN, tea)
    assert await waits(coffee) == [("charge", "9.00 EUR")]
