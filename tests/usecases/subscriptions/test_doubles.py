"""Who has two subscriptions of one group, because two records became one, has one when the other has ended."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk, SilentBell
from shopaccounts.kernel.ids import CustomerId, StoreId, WorkerId
from shopaccounts.subscriptions import ACCOUNTS, SUBSCRIPTIONS, CancelWish, SubscriptionPolicy
from shopaccounts.subscriptions.errors import AlreadySubscribed
from shopaccounts.subscriptions.model import account_id
from shopaccounts.subscriptions.owners import handing_over
from shopaccounts.subscriptions.payments.charging import Declined, DeclineKind
from shopaccounts.subscriptions.policy.cancelling import CancelWhen, WinBackPolicy
from shopaccounts.subscriptions.policy.dunning import DunningPolicy
from shopaccounts.subscriptions.policy.subscribing import OneLivePer, SubscribePolicy
from shopaccounts.subscriptions.states import Lifecycle
from shopaccounts.testing.between import Between
from shopaccounts.testing.builders import quick_policies

ANN, BEN, CAM = CustomerId("ann"), CustomerId("ben"), CustomerId("cam")
DAY, WHY, WORKER = timedelta(days=1), "she rang us", WorkerId("night")
MINE, AT_ONCE = account_id(StoreId("main"), ANN), CancelWish(when=CancelWhen.NOW)


def with_policy(till, **policy):
    till.builder.policies = quick_policies(subscriptions=SubscriptionPolicy(**policy))
    return attrs.evolve(till, shop=till.builder.build())


async def merged(till, *customers) -> list[str]:
    """Ann and others each drink coffee, and turn out to be one; answer the subscriptions, Ann's own first."""
    ids = []
    for customer in (ANN, *customers):
        order = till.order(payment_method=f"card-{customer}")
        ids.append((await till.subscribed(order, customer)).subscription.id)
        till.builder.clock.advance(timedelta(hours=1))
    for customer in customers:
        await till.shop.subscription_records.move_subscriptions(customer, ANN)
    return ids


async def standing(till, *ids) -> list[tuple[str, bool]]:
    """Answer of which other one each is a double, and whether it holds the group."""
    found = [await till.builder.kept(SUBSCRIPTIONS, id) for id in ids]
    return [(one.doubles, one.holds_group) for one in found]


async def looked_at(clerk) -> list[str]:
    return [one.id for one in (await clerk.billing_desk.doubled(WHY)).items]


async def marked(till) -> tuple[str, ...]:
    """Answer what the account knows to be marked."""
    doubled: tuple[str, ...] = (await till.builder.kept(ACCOUNTS, MINE)).doubled
    return doubled


@pytest.mark.proves("LIF-1")
async def test_the_clerk_finds_a_double_until_the_other_one_has_ended_at_once(till, clerk) -> None:
    anns, bens = await merged(till, BEN)
    assert await standing(till, anns, bens) == [("", True), (anns, False)]
    assert (await looked_at(clerk), await marked(till)) == ([bens], (bens,))
    await till.shop.cancellations.cancel(ANN, anns, AT_ONCE)
    assert await standing(till, bens) == [("", True)]
    assert (await looked_at(clerk), await marked(till)) == ([], ())


@pytest.mark.proves("LIF-1", "SUB-8")
async def test_what_is_left_is_the_one_of_its_group(till) -> None:
    anns, bens = await merged(till, BEN)
    await till.shop.cancellations.cancel(ANN, anns, AT_ONCE)
    with pytest.raises(AlreadySubscribed) as refused:
        await till.subscribed(key="o-2")
    assert refused.value.existing == bens
    with pytest.raises(AlreadySubscribed):
        await till.shop.cancellations.reactivate(ANN, anns)
    await till.shop.cancellations.cancel(ANN, bens, AT_ONCE)
    back = await till.shop.cancellations.reactivate(ANN, anns)
    assert back.subscription.lifecycle is Lifecycle.ACTIVE


@pytest.mark.proves("LIF-1")
async def test_a_planned_end_leaves_the_mark_until_the_run_reaches_it(till, clerk) -> None:
    anns, bens = await merged(till, BEN)
    await till.shop.cancellations.cancel(ANN, anns)
    assert await looked_at(clerk) == [bens]
    till.builder.clock.advance(29 * DAY)
    await till.shop.billing.run_billing(worker=WORKER)
    assert (await till.builder.kept(SUBSCRIPTIONS, anns)).lifecycle is Lifecycle.CANCELED
    assert await standing(till, bens) == [("", True)]
    assert (await looked_at(clerk), await marked(till)) == ([], ())
    assert (await till.builder.kept(SUBSCRIPTIONS, bens)).billed_to == 2, "and it was billed as ever"


@pytest.mark.proves("LIF-1")
async def test_so_it_is_where_the_other_one_ends_because_nobody_pays_for_it(till, clerk, gateway) -> None:
    till = with_policy(till, dunning=DunningPolicy.eight_days())
    anns, bens = await merged(till, BEN)
    gateway.cards["card-ann"] = Declined(DeclineKind.SOFT, "no_funds")
    for _ in range(40):
        till.builder.clock.advance(2 * DAY)
        await till.shop.sweeping.sweep(worker=WORKER)
    ended = await till.builder.kept(SUBSCRIPTIONS, anns)
    assert (ended.lifecycle, ended.parting.voluntary) == (Lifecycle.CANCELED, False)
    assert await standing(till, bens) == [("", True)]
    assert (await looked_at(clerk), await marked(till)) == ([], ())


@pytest.mark.proves("LIF-1")
async def test_of_three_the_oldest_of_those_that_are_left_comes_next(till, clerk) -> None:
    anns, bens, cams = await merged(till, BEN, CAM)
    assert await standing(till, anns, bens, cams) == [("", True), (anns, False), (anns, False)]
    await till.shop.cancellations.cancel(ANN, anns, AT_ONCE)
    assert await standing(till, bens, cams) == [("", True), (bens, False)]
    assert (await looked_at(clerk), await marked(till)) == ([cams], (cams,))
    await till.shop.cancellations.cancel(ANN, bens, AT_ONCE)
    assert await standing(till, cams) == [("", True)]
    assert (await looked_at(clerk), await marked(till)) == ([], ())


@pytest.mark.proves("LIF-1")
async def test_a_double_that_ends_is_none_any_more_and_comes_back_only_when_the_group_is_free(till) -> None:
    anns, bens = await merged(till, BEN)
    await till.shop.cancellations.cancel(ANN, bens, AT_ONCE)
    assert (await standing(till, anns, bens), await marked(till)) == ([("", True), ("", True)], ())
    with pytest.raises(AlreadySubscribed):
        await till.shop.cancellations.reactivate(ANN, bens)
    await till.shop.cancellations.cancel(ANN, anns, AT_ONCE)
    assert (await till.shop.cancellations.reactivate(ANN, bens)).subscription.lifecycle is Lifecycle.ACTIVE


@pytest.mark.proves("LIF-1")
async def test_both_may_end_in_one_run(till, clerk) -> None:
    anns, bens = await merged(till, BEN)
    for id in (anns, bens):
        await till.shop.cancellations.cancel(ANN, id)
    till.builder.clock.advance(29 * DAY)
    report = await till.shop.billing.run_billing(worker=WORKER)
    assert (report.subscriptions, report.stale, report.failures) == (2, 0, ())
    found = [await till.builder.kept(SUBSCRIPTIONS, id) for id in (anns, bens)]
    assert [(one.lifecycle, one.doubles) for one in found] == [(Lifecycle.CANCELED, "")] * 2
    assert (await looked_at(clerk), await marked(till)) == ([], ())


@pytest.mark.proves("LIF-1")
@pytest.mark.parametrize("room", [450, 2])
async def test_who_has_two_and_becomes_one_with_a_third_has_doubles_of_that_one(till, clerk, monkeypatch, room) -> None:
    monkeypatch.setattr(handing_over, "_ROOM", room)
    anns, bens = await merged(till, BEN)
    cams = (await till.subscribed(till.order(payment_method="card-c"), CAM)).subscription.id
    await till.shop.subscription_records.move_subscriptions(ANN, CAM)
    assert await standing(till, cams, anns, bens) == [("", True), (cams, False), (cams, False)]
    account = await till.builder.kept(ACCOUNTS, account_id(StoreId("main"), CAM))
    assert set(account.doubled) == {anns, bens}
    await till.shop.cancellations.cancel(CAM, cams, AT_ONCE)
    assert await standing(till, anns, bens) == [("", True), (anns, False)]
    assert await looked_at(clerk) == [bens]


@pytest.mark.proves("LIF-1")
async def test_what_ends_while_an_account_is_passing_leaves_its_group_to_a_double_that_has_not_come_yet(
    till, clerk, monkeypatch
) -> None:
    monkeypatch.setattr(handing_over, "_ROOM", 1)
    anns, bens = await merged(till, BEN)
    builder = till.builder
    store = builder.storage.open(builder.scope)
    desk = Desk(scope=builder.scope, records=store, clock=builder.clock, entropy=builder.entropy, bell=SilentBell())
    assert await handing_over.HandingOver(desk=desk)._step(MINE, CAM)  # the machine stops after that
    found = [await builder.kept(SUBSCRIPTIONS, id) for id in (anns, bens)]
    assert [one.customer for one in found] == [CAM, ANN]
    await till.shop.cancellations.cancel(CAM, anns, AT_ONCE)
    await till.shop.subscription_records.move_subscriptions(ANN, CAM)
    assert await standing(till, bens) == [("", True)]
    assert await looked_at(clerk) == []


@pytest.mark.proves("LIF-1")
async def test_whoever_changes_the_double_meanwhile_loses_nothing(till) -> None:
    anns, bens = await merged(till, BEN)

    async def meanwhile() -> None:
        await till.builder.edit(SUBSCRIPTIONS, bens, lambda one: attrs.evolve(one, ship_to="address-9"))

    between = Between(meanwhile)
    await till.builder.build(between).cancellations.cancel(ANN, anns, AT_ONCE)
    now = await till.builder.kept(SUBSCRIPTIONS, bens)
    assert (between.happened, now.ship_to, now.doubles, now.holds_group) == (True, "address-9", "", True)


@pytest.mark.proves("LIF-1", "SUB-8")
async def test_a_shop_that_allows_several_marks_none_and_lets_none_hold_a_group(till, clerk) -> None:
    till = with_policy(till, subscribing=SubscribePolicy(one_live_per=OneLivePer.NONE), winning_back=WinBackPolicy())
    anns, bens = await merged(till, BEN)
    await till.shop.cancellations.cancel(ANN, anns, AT_ONCE)
    assert await standing(till, anns, bens) == [("", False), ("", False)]
    assert (await looked_at(clerk), await marked(till)) == ([], ())
    store = till.builder.storage.open(till.builder.scope)
    assert len((await got(store.rows(SUBSCRIPTIONS, "account", MINE, None, 10))).items) == 2
