"""A shop announces a new price, customers hear of it and answer, and their next periods have it."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import attrs
import pytest

from shopaccounts.kernel.errors import Forbidden, InvalidInput
from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.money import Money, Rate
from shopaccounts.kernel.record import Book, Entity
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.kernel.staff import Permission
from shopaccounts.kernel.time import FixedClock, start_of_day, zone
from shopaccounts.subscriptions import SUBSCRIPTIONS, BillingPorts, Order, SubscriptionPolicy
from shopaccounts.subscriptions.errors import (
    BadPlan,
    PlanUnknown,
    PriceChangeOver,
    RequestIdReused,
    SubscriptionUnknown,
)
from shopaccounts.subscriptions.plans.offers import Phase, PhaseKind, Plan, PlanId, PlanVersionId
from shopaccounts.subscriptions.plans.tariffs import Flat
from shopaccounts.subscriptions.policy.pricing import PricePolicy
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.subscriptions.pricing import PRICE_ANSWERS, AppliesTo, Consent, Reply
from shopaccounts.subscriptions.states import Lifecycle
from shopaccounts.testing.billing_doubles import FixedPlans, FlatTax, OneJurisdiction
from shopaccounts.testing.builders import BuiltShop, ShopBuilder, quick_policies
from shopaccounts.testing.doubles import StaffRoom
from shopaccounts.testing.subscribers import EUR, flat_plan

WORKER = WorkerId("prices")
START = datetime(2031, 1, 10, 20, tzinfo=UTC)
OLD, WHY = flat_plan("10.00"), "beans cost more"
BERLIN = zone("Europe/Berlin")
EVE = Actor(ActorKind.AGENT, "eve")
EFFECTIVE = date(2031, 3, 1)
T = TypeVar("T", bound=Entity)


def version(price: str, id: str, plan: str = "coffee"):
    """The plan at another price."""
    phase = Phase(PhaseKind.EVERGREEN, None, (Flat(Money.of(price, EUR)),))
    other = Plan(id=PlanId(plan), code=plan, group=plan, goods=OLD.plan.goods)
    return attrs.evolve(OLD, id=PlanVersionId(id), phases=(phase,), plan=other)


DEAR, CHEAP, TEA = version("12.00", "coffee-2"), version("8.00", "coffee-3"), version("12.00", "tea-1", "tea")


@attrs.define
class Roastery:
    """A shop with one subscriber, and an agent who may change prices."""

    builder: ShopBuilder
    shop: BuiltShop
    office: BuiltShop
    customer: str
    id: str

    async def announce(self, new=DEAR, **more):
        wanted: dict[str, Any] = {"effective_on": EFFECTIVE, "reason": WHY} | more
        return await self.office.subscription_prices.announce_price_change(OLD.id, new.id, **wanted)

    async def until(self, day: date, *, notices: bool = True) -> None:
        while self.builder.clock.now().date() < day:
            self.builder.clock.advance(timedelta(days=1))
            if notices:
                await self.shop.billing_notices.run_notices(worker=WORKER)
            await self.shop.billing.run_billing(worker=WORKER)

    async def rows(self, book: Book[T], group: str, value: str) -> list[T]:
        from shopaccounts.kernel.answers import got  # noqa: PLC0415  (as any other reader does)

        found = await got(self.builder.storage.open(self.builder.scope).rows(book, group, value, None, 500))
        return list(found.items)

    async def totals(self) -> list[str]:
        from shopaccounts.subscriptions import INVOICES  # noqa: PLC0415  (as above)

        account = (await self.subscription()).account
        return [str(one.total) for one in await self.rows(INVOICES, "account", account)]

    async def subscription(self):
        return await self.builder.kept(SUBSCRIPTIONS, self.id)

    async def told(self) -> list[str]:
        from shopaccounts.kernel.outbox import EVENTS  # noqa: PLC0415  (as above)

        rows = await self.rows(EVENTS, "subject", self.customer)
        return [one.name.removeprefix("subscriptions.") for one in rows if "price_change" in one.name]


@pytest.fixture
def opened(host):
    """Opens a shop with a subscriber."""

    async def open_shop(place: str = "", *, storage=None, **prices) -> Roastery:
        agents = StaffRoom()
        agents.hire(EVE.id, [Permission.CHANGE_PRICES])
        policy = SubscriptionPolicy(
            subscribing=SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED), prices=PricePolicy(**prices)
        )
        billing = BillingPorts(
            plans=FixedPlans([OLD, DEAR, CHEAP, TEA]), taxes=FlatTax("19"), jurisdictions=OneJurisdiction(place)
        )
        more = {"storage": storage} if storage else {}
        builder = ShopBuilder(
            host=host,
            clock=FixedClock(START),
            agents=agents,
            policies=quick_policies(subscriptions=policy),
            ports={"billing": billing},
            **more,
        )
        shop = builder.build()
        customer = (await shop.open_account("ann@lamp.example")).id
        builder.clock.set(START + timedelta(hours=1))
        order = Order(plan=OLD.id, currency="EUR", zone="Europe/Berlin", payment_method="card-1")
        made = await shop.subscriptions.subscribe(customer, order, request_id="o-1")
        scope, builder.scope = builder.scope, attrs.evolve(builder.scope, actor=EVE)
        office, builder.scope = builder.build(), scope
        return Roastery(builder, shop, office, customer, made.subscription.id)

    return open_shop


class TestAnnouncing:
    @pytest.mark.proves("PRI-1", "NOT-5")
    async def test_customers_are_told_and_their_next_period_has_the_price_that_they_were_told(self, opened) -> None:
        shop = await opened()
        change = await shop.announce()
        await shop.until(date(2031, 4, 12))
        assert await shop.totals() == ["11.90 EUR", "11.90 EUR", "14.28 EUR", "14.28 EUR"]
        (letter,) = shop.builder.mailbag.to("ann@lamp.example")[-1:]
        assert letter.template == "subscriptions.price_change"
        assert {name: letter.variables[name] for name in ("before", "after", "date", "interval")} == {
            "before": "11.90 EUR",
            "after": "14.28 EUR",
            "date": "2031-03-10",
            "interval": "P1M",
        }
        assert await shop.told() == ["price_changed"]
        assert (change.announced_by, change.reason) == ("eve", WHY)

    @pytest.mark.proves("PRI-1")
    async def test_what_a_customer_finds_unbilled_has_the_new_price_as_well(self, opened) -> None:
        shop = await opened()
        await shop.announce()
        await shop.until(date(2031, 3, 8))
        shop.builder.clock.advance(timedelta(days=3))
        await shop.shop.cancellations.cancel(shop.customer, shop.id)
        assert (await shop.totals())[-1] == "14.28 EUR"

    @pytest.mark.proves("PRI-2")
    async def test_without_a_notice_the_old_price_stays_and_it_is_told_why(self, opened) -> None:
        shop = await opened()
        await shop.announce()
        await shop.until(date(2031, 3, 12), notices=False)
        assert await shop.totals() == ["11.90 EUR"] * 3
        assert await shop.told() == ["price_change_deferred"]
        await shop.until(date(2031, 4, 12))
        assert (await shop.totals())[-1] == "14.28 EUR"

    @pytest.mark.proves("PRI-2", "NOT-2")
    async def test_in_california_both_notices_go_out_each_in_its_window(self, opened) -> None:
        shop = await opened("US-CA")
        await shop.announce()
        await shop.until(date(2031, 3, 12))
        assert (await shop.totals())[-1] == "14.28 EUR"
        letters = [one for one in shop.builder.mailbag.letters if one.template == "subscriptions.price_change"]
        assert len(letters) == 2

    @pytest.mark.proves("PRI-2")
    async def test_a_lower_price_comes_without_a_letter(self, opened) -> None:
        shop = await opened()
        await shop.announce(CHEAP)
        await shop.until(date(2031, 3, 12))
        assert (await shop.totals())[-1] == "9.52 EUR"
        assert not [one for one in shop.builder.mailbag.letters if one.template == "subscriptions.price_change"]

    @pytest.mark.proves("PRI-2")
    async def test_a_price_that_rises_beyond_the_cap_is_not_announced(self, opened) -> None:
        shop = await opened(cap=Rate.percent("10"))
        with pytest.raises(BadPlan):
            await shop.announce()

    @pytest.mark.proves("PRI-1")
    async def test_for_new_customers_alone_nobody_else_has_it(self, opened) -> None:
        shop = await opened()
        await shop.announce(applies_to=AppliesTo.NEW_ONLY)
        await shop.until(date(2031, 3, 12))
        assert (await shop.totals())[-1] == "11.90 EUR"

    async def test_who_may_not_or_says_not_why_or_names_a_day_that_is_over_announces_nothing(self, opened) -> None:
        shop = await opened()
        with pytest.raises(Forbidden):
            await shop.shop.subscription_prices.announce_price_change(
                OLD.id, DEAR.id, effective_on=EFFECTIVE, reason=WHY
            )
        for wrong in ({"reason": " "}, {"effective_on": date(2031, 1, 9)}):
            with pytest.raises(InvalidInput):
                await shop.announce(**wrong)
        with pytest.raises(PlanUnknown):
            await shop.announce(TEA)

    async def test_the_same_request_announces_once(self, opened) -> None:
        shop = await opened()
        first = await shop.announce(request_id="r-1")
        shop.builder.clock.advance(timedelta(hours=1))
        assert await shop.announce(request_id="r-1") == first
        with pytest.raises(RequestIdReused):
            await shop.announce(CHEAP, request_id="r-1")


class TestAnswering:
    @pytest.mark.proves("PRI-3")
    async def test_a_customer_sees_what_comes_and_agrees(self, opened) -> None:
        shop = await opened()
        change = await shop.announce(consent=Consent.OPT_IN)
        await shop.until(date(2031, 2, 1))
        (awaited,) = await shop.shop.subscription_prices.open_price_changes(shop.customer, shop.id)
        assert (awaited.change, awaited.starts_on, awaited.reply) == (change.id, date(2031, 3, 10), None)
        assert (str(awaited.before), str(awaited.after)) == ("10.00 EUR", "12.00 EUR")
        assert awaited.answer_by == start_of_day(date(2031, 3, 10), BERLIN)
        answer = await shop.shop.subscription_prices.accept_price_change(shop.customer, shop.id, change.id)
        assert answer.answered_at == shop.builder.clock.now()
        assert answer.notice
        await shop.until(date(2031, 3, 12))
        assert (await shop.totals())[-1] == "14.28 EUR"
        assert await shop.told() == ["price_change_accepted", "price_changed"]

    @pytest.mark.proves("PRI-3")
    async def test_silence_keeps_the_old_price(self, opened) -> None:
        shop = await opened()
        await shop.announce(consent=Consent.OPT_IN)
        await shop.until(date(2031, 3, 12))
        assert (await shop.totals())[-1] == "11.90 EUR"
        letters = [one for one in shop.builder.mailbag.letters if one.template == "subscriptions.price_change"]
        assert [one.variables["silence"] for one in letters] == ["keep_old"]

    @pytest.mark.proves("PRI-3")
    async def test_who_objects_leaves_at_the_end_of_the_period(self, opened) -> None:
        shop = await opened()
        change = await shop.announce(consent=Consent.OPT_OUT)
        first = await shop.shop.subscription_prices.decline_price_change(shop.customer, shop.id, change.id)
        shop.builder.clock.advance(timedelta(hours=1))
        again = await shop.shop.subscription_prices.decline_price_change(shop.customer, shop.id, change.id)
        assert again == first
        assert await shop.told() == ["price_change_declined"]
        await shop.until(date(2031, 3, 12))
        ended = await shop.subscription()
        assert (ended.lifecycle, ended.ended_at) == (Lifecycle.CANCELED, start_of_day(date(2031, 3, 10), BERLIN))
        assert await shop.totals() == ["11.90 EUR"] * 2

    @pytest.mark.proves("PRI-3")
    async def test_until_the_price_holds_customers_may_change_their_minds(self, opened) -> None:
        shop = await opened()
        change = await shop.announce(consent=Consent.OPT_OUT)
        prices = shop.shop.subscription_prices
        await prices.decline_price_change(shop.customer, shop.id, change.id)
        await prices.accept_price_change(shop.customer, shop.id, change.id)
        (answer,) = await shop.rows(PRICE_ANSWERS, "subscription", shop.id)
        assert (answer.reply, answer.version) == (Reply.ACCEPTED, 2)
        await shop.until(date(2031, 3, 12))
        with pytest.raises(PriceChangeOver):
            await prices.decline_price_change(shop.customer, shop.id, change.id)
        assert (await prices.accept_price_change(shop.customer, shop.id, change.id)) == answer
        assert await prices.open_price_changes(shop.customer, shop.id) == ()

    async def test_nobody_answers_what_nobody_asked_or_for_somebody_else(self, opened) -> None:
        shop = await opened()
        change = await shop.announce()
        prices = shop.shop.subscription_prices
        with pytest.raises(PriceChangeOver):
            await prices.accept_price_change(shop.customer, shop.id, change.id)
        with pytest.raises(PriceChangeOver):
            await prices.accept_price_change(shop.customer, shop.id, "no such change")
        for act in (prices.accept_price_change, prices.decline_price_change):
            with pytest.raises(SubscriptionUnknown):
                await act(CustomerId("eve"), shop.id, change.id)
        with pytest.raises(SubscriptionUnknown):
            await prices.open_price_changes(CustomerId("eve"), shop.id)
