"""What is due is on paper before somebody leaves, pauses or changes: a late billing run costs nobody anything."""

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any

import attrs
import pytest

from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.kernel.cycles import BillingMode, Interval
from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.staff import Permission
from shopaccounts.kernel.time import FixedClock
from shopaccounts.subscriptions import ACCOUNTS, CYCLES, INVOICES, SUBSCRIPTIONS, CancelWish, PauseWish
from shopaccounts.subscriptions.papers.documents import BALANCE_ENTRIES, CREDIT_NOTES, CreditNote, Invoice
from shopaccounts.subscriptions.plans.offers import PlanVersionId
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.cancelling import CancelWhen
from shopaccounts.subscriptions.policy.changes import ChangePolicy, CreditForm, Preset
from shopaccounts.subscriptions.policy.pausing import PauseHow, PausePolicy, Unused
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.subscriptions.states import Lifecycle
from shopaccounts.subscriptions.usecases.change_requests import How
from shopaccounts.testing.billing_doubles import FixedPlans
from shopaccounts.testing.builders import ShopBuilder, quick_policies
from shopaccounts.testing.subscribers import EUR, flat_plan
from tests.usecases.subscriptions.conftest import START, CoffeeShop, acting

ANN = CustomerId("ann")
DAY = timedelta(days=1)
CUP, POT = flat_plan("28.00"), flat_plan("56.00", id=PlanVersionId("pot-1"))
TASTE = flat_plan("0.00", id=PlanVersionId("taste-1"))
SLATE = flat_plan("28.00", id=PlanVersionId("slate-1"), mode=BillingMode.IN_ARREARS)
DAILY = flat_plan("1.00", Interval.days(1), id=PlanVersionId("daily-1"))
CHANGED = How(preset=Preset.PRORATE_NOW)

Act = Callable[[CoffeeShop, str], Awaitable[Any]]
in_time = pytest.mark.parametrize("in_time", [True, False], ids=["in time", "late"])


@pytest.fixture
def plans() -> FixedPlans:
    """What the shop sells."""
    return FixedPlans([CUP, POT, TASTE, SLATE, DAILY])


@pytest.fixture
def builder(builder: ShopBuilder) -> ShopBuilder:
    """A shop that credits who pauses, and lets subscriptions run before they are paid."""
    policy = SubscriptionPolicy(
        subscribing=SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED),
        pausing=PausePolicy(unused=Unused.CREDIT),
    )
    builder.policies = quick_policies(subscriptions=policy)
    return builder


def leaving(unused: Unused) -> CancelWish:
    return CancelWish(when=CancelWhen.NOW, unused=unused)


def kept(coffee: CoffeeShop, book: Any) -> list[Any]:
    realm = coffee.builder.storage.snapshot()[coffee.builder.scope.realm]  # type: ignore[attr-defined]
    return list(realm.books.get(book.name, {}).values())


def said(invoices: tuple[Invoice, ...], notes: tuple[CreditNote, ...]) -> list[tuple[str, ...]]:
    """What stands on papers, but for ids and numbers."""
    bills = sorted(
        (str(one.total), *(f"{line.kind.value} {line.start} {line.end} {line.base}" for line in one.lines))
        for one in invoices
    )
    return [*bills, *sorted((str(one.total), str(one.applied), str(one.to_balance)) for one in notes)]


async def run(coffee: CoffeeShop) -> None:
    await coffee.shop.billing.run_billing(worker=WorkerId("w"))


async def a_month_later(coffee: CoffeeShop, *, in_time: bool) -> str:
    """A second month has begun a week ago; the run has come by, or not."""
    made = await coffee.subscribed()
    coffee.builder.clock.advance(35 * DAY)
    if in_time:
        await run(coffee)
    return made.subscription.id


async def everything(coffee: CoffeeShop) -> tuple[list[tuple[str, ...]], str]:
    """All papers of a customer, when the run has come by, and the balance."""
    await run(coffee)
    account = await coffee.builder.kept(ACCOUNTS, "main/ann")
    assert account is not None
    return said(tuple(kept(coffee, INVOICES)), tuple(kept(coffee, CREDIT_NOTES))), str(account.balance(EUR))


ACTS: dict[str, Act] = {
    "leaves and is credited": lambda coffee, id: coffee.shop.cancellations.cancel(ANN, id, leaving(Unused.CREDIT)),
    "leaves and is paid back": lambda coffee, id: coffee.shop.cancellations.cancel(ANN, id, leaving(Unused.REFUND)),
    "leaves and keeps": lambda coffee, id: coffee.shop.cancellations.cancel(ANN, id, leaving(Unused.KEEP)),
    "pauses": lambda coffee, id: coffee.shop.pauses.pause(ANN, id, PauseWish(how=PauseHow.NOW)),
    "changes": lambda coffee, id: coffee.shop.subscription_changes.change_plan(ANN, id, POT.id, how=CHANGED),
}
COMES_TO = {
    "leaves and is credited": ["33.32 EUR", "33.32 EUR", "25.80 EUR"],
    "leaves and is paid back": ["33.32 EUR", "33.32 EUR", "25.80 EUR"],
    "leaves and keeps": ["33.32 EUR", "33.32 EUR"],
    "pauses": ["33.32 EUR", "33.32 EUR", "25.80 EUR"],
    "changes": ["25.79 EUR", "33.32 EUR", "33.32 EUR"],
}


@pytest.mark.proves("CAN-4", "PAU-2", "CHG-3", "RUN-9")
@in_time
@pytest.mark.parametrize("act", ACTS)
async def test_it_comes_to_the_same_whether_the_run_has_come_by_or_not(coffee, act, in_time) -> None:
    id = await a_month_later(coffee, in_time=in_time)
    await ACTS[act](coffee, id)
    papers, balance = await everything(coffee)
    assert [total for total, *_ in papers] == COMES_TO[act]
    assert balance == "0.00 EUR"
    assert len(kept(coffee, CYCLES)) == 2


PREVIEWS: dict[str, Act] = {
    "leaves and is credited": lambda coffee, id: coffee.shop.cancellations.preview_cancel(
        ANN, id, leaving(Unused.CREDIT)
    ),
    "leaves and is paid back": lambda coffee, id: coffee.shop.cancellations.preview_cancel(
        ANN, id, leaving(Unused.REFUND)
    ),
    "leaves and keeps": lambda coffee, id: coffee.shop.cancellations.preview_cancel(ANN, id, leaving(Unused.KEEP)),
    "pauses": lambda coffee, id: coffee.shop.pauses.preview_pause(ANN, id, PauseWish(how=PauseHow.NOW)),
    "changes": lambda coffee, id: coffee.shop.subscription_changes.preview_change_plan(ANN, id, POT.id, how=CHANGED),
}


@pytest.mark.proves("SIM-1", "UC-1", "CAN-4")
@in_time
@pytest.mark.parametrize("act", ACTS)
async def test_the_answer_has_the_papers_that_were_shown_and_are_kept(coffee, act, in_time) -> None:
    id = await a_month_later(coffee, in_time=in_time)
    before = {one.id for one in kept(coffee, INVOICES)}
    seen = papers_of(await PREVIEWS[act](coffee, id))
    assert {one.id for one in kept(coffee, INVOICES)} == before
    done = papers_of(await ACTS[act](coffee, id))
    new = tuple(one for one in kept(coffee, INVOICES) if one.id not in before)
    assert said(*seen) == said(*done) == said(new, tuple(kept(coffee, CREDIT_NOTES)))
    assert len(new) == (not in_time) + (act == "changes")
    assert {one.id: one for one in done[0]} == {one.id: one for one in new}


def papers_of(answer: Any) -> tuple[tuple[Invoice, ...], tuple[CreditNote, ...]]:
    """The invoices and the credit notes that something led to, or would."""
    papers = answer.papers if hasattr(answer, "papers") else answer
    return papers.invoices, papers.notes


@pytest.mark.proves("CAN-4", "UC-1")
async def test_who_asks_again_is_answered_the_bill_of_the_renewal_too(coffee) -> None:
    id = await a_month_later(coffee, in_time=False)
    cancel = coffee.shop.cancellations.cancel
    first = await cancel(ANN, id, leaving(Unused.CREDIT), request_id="r-1")
    again = await cancel(ANN, id, leaving(Unused.CREDIT), request_id="r-1")
    assert said(*papers_of(again)) == said(*papers_of(first))
    assert len(first.papers.invoices) == 1


@pytest.mark.proves("CAN-4", "RUN-8")
async def test_a_long_backlog_is_billed_before_somebody_leaves(coffee) -> None:
    made = await coffee.subscribed(coffee.order(plan=DAILY.id))
    coffee.builder.clock.advance(30 * DAY)
    wish = leaving(Unused.CREDIT)
    seen = await coffee.shop.cancellations.preview_cancel(ANN, made.subscription.id, wish)
    done = await coffee.shop.cancellations.cancel(ANN, made.subscription.id, wish)
    assert len(seen.papers.invoices) == len(done.papers.invoices) == 30
    assert done.subscription.lifecycle is Lifecycle.CANCELED
    assert [str(note.total) for note in done.papers.notes] == ["1.19 EUR"]  # the last day, of which nothing is used
    assert await coffee.builder.kept(SUBSCRIPTIONS, made.subscription.id) == done.subscription


@pytest.mark.proves("CHG-2", "CHG-3", "RUN-9")
@in_time
@pytest.mark.parametrize("at_once", [True, False])
async def test_a_change_that_was_planned_gives_back_what_a_late_run_bills_with_it(coffee, in_time, at_once) -> None:
    made = await coffee.subscribed()
    id, changes = made.subscription.id, coffee.shop.subscription_changes
    how = attrs.evolve(CHANGED, when=date(2031, 3, 7))
    await changes.change_plan(ANN, id, POT.id, how=how)
    coffee.builder.clock.advance(30 * DAY)
    if in_time:
        await run(coffee)
    coffee.builder.clock.advance(10 * DAY)
    if at_once:  # somebody asks for something else before the run
        await coffee.shop.cancellations.cancel(ANN, id)
    papers, balance = await everything(coffee)
    assert [total for total, *_ in papers] == ["25.79 EUR", "33.32 EUR", "33.32 EUR"]
    assert balance == "0.00 EUR"


@pytest.mark.proves("CHG-3", "CHG-11", "CAN-4", "RUN-9")
@pytest.mark.parametrize(
    ("form", "before", "preset", "version"),
    [
        (CreditForm.LINES, None, Preset.PRORATE_NOW, TASTE),
        (CreditForm.LINES, None, Preset.RESET_FORFEIT, SLATE),
        (CreditForm.LINES, Preset.PRORATE_NOW, Preset.PRORATE_NOW, TASTE),
        (CreditForm.LINES, Preset.PRORATE_NEXT, Preset.PRORATE_NEXT, TASTE),
        (CreditForm.CREDIT_NOTE, None, Preset.PRORATE_NOW, TASTE),
    ],
)
async def test_who_leaves_after_a_planned_change_has_nothing_given_back_twice(
    builder, form, before, preset, version
) -> None:
    policy = attrs.evolve(builder.policies.subscriptions, changes=ChangePolicy(credit_form=form))
    builder.policies = quick_policies(subscriptions=policy)

    async def story(*, in_time: bool) -> tuple[list[tuple[str, ...]], str]:
        fresh = attrs.evolve(builder, storage=MemoryStorage(), clock=FixedClock(START))
        coffee = CoffeeShop(fresh, fresh.build())
        id, changes = (await coffee.subscribed()).subscription.id, coffee.shop.subscription_changes
        coffee.builder.clock.advance(7 * DAY)
        if before:
            await changes.change_plan(ANN, id, POT.id, how=How(preset=before))
        await changes.change_plan(ANN, id, version.id, how=How(preset=preset, when=date(2031, 2, 20)))
        coffee.builder.clock.advance(18 * DAY)
        if in_time:
            await run(coffee)
        await coffee.shop.cancellations.cancel(ANN, id, leaving(Unused.CREDIT))
        return await everything(coffee)

    assert await story(in_time=False) == await story(in_time=True)


@pytest.mark.proves("INV-13", "CAN-4", "RUN-9")
@in_time
async def test_the_balance_pays_once(coffee, staff, in_time) -> None:
    staff.hire("eve", [Permission.BILLING])
    clerk = acting(coffee.builder, "eve")
    id = (await coffee.subscribed()).subscription.id
    await clerk.document_desk.give_goodwill(ANN, Money.of("40.00", EUR), "she rang us", request_id="g-1")
    coffee.builder.clock.advance(35 * DAY)
    if in_time:
        await run(coffee)
    await coffee.shop.subscription_changes.change_plan(ANN, id, POT.id, how=CHANGED)
    applied = [str(one.balance_applied) for one in sorted(kept(coffee, INVOICES), key=lambda one: one.number or 0)]
    assert applied == ["0.00 EUR", "33.32 EUR", "6.68 EUR"]
    assert sum(one.amount.minor for one in kept(coffee, BALANCE_ENTRIES)) == 0
    assert (await everything(coffee))[1] == "0.00 EUR"


@pytest.mark.proves("PAU-1", "PAU-2", "RUN-9")
@in_time
async def test_who_leaves_in_a_planned_pause_has_nothing_given_back_twice(coffee, in_time) -> None:
    made = await coffee.subscribed()
    coffee.builder.clock.advance(20 * DAY)
    await coffee.shop.pauses.pause(ANN, made.subscription.id, PauseWish(how=PauseHow.AT_PERIOD_END))
    coffee.builder.clock.advance(20 * DAY)
    if in_time:
        await run(coffee)
    done = await coffee.shop.cancellations.cancel(ANN, made.subscription.id, leaving(Unused.CREDIT))
    assert (papers_of(done), done.subscription.lifecycle) == (((), ()), Lifecycle.CANCELED)


@pytest.mark.proves("CAN-4", "INV-8")
async def test_both_papers_have_their_numbers_and_the_bill_knows_what_was_taken_back(coffee) -> None:
    id = await a_month_later(coffee, in_time=False)
    await coffee.shop.cancellations.cancel(ANN, id, leaving(Unused.CREDIT))
    (bill,) = (one for one in kept(coffee, INVOICES) if one.number == 2)
    (note,) = kept(coffee, CREDIT_NOTES)
    assert (note.number, note.invoice, bill.credited) == (1, bill.id, note.applied)
    assert bill.due == Money.of("7.52", "EUR")
    told = [one.name.removeprefix("subscriptions.") for one in kept(coffee, EVENTS)]
    assert told[-4:] == ["subscription_renewed", "invoice_issued", "subscription_canceled", "credit_note_issued"]
