"""A shop that sells subscriptions, whose machines stop: what it sells, how far its customers have come, what is right.

Whatever happens, no key is debited twice, and what is billed, paid, credited and planned is what it is without a crash.
"""

from collections import Counter
from datetime import timedelta
from functools import partial
from typing import Any

import attrs

from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.money import Money, Rate
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.subscriptions import INVOICES, SUBSCRIPTIONS, BillingPorts, Order, SubscriptionPolicy
from shopaccounts.subscriptions.charges.metering import Measured
from shopaccounts.subscriptions.plans.add_ons import Metered, PrepayOption
from shopaccounts.subscriptions.plans.offers import DeliveryPlan, Goods, Phase, PhaseKind, Plan, PlanId, PlanVersionId
from shopaccounts.subscriptions.plans.phases import Days
from shopaccounts.subscriptions.plans.tariffs import PerUnit
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.subscriptions.policy.usage import UsagePolicy
from shopaccounts.testing.billing_doubles import FixedPlans, FlatTax, OneJurisdiction
from shopaccounts.testing.builders import ShopBuilder, quick_policies, without_gaps
from shopaccounts.testing.changing import a_plan
from shopaccounts.testing.doubles import StaffRoom
from shopaccounts.testing.gateway import ScriptedGateway
from shopaccounts.testing.subscribers import EUR, flat_plan
from tests.usecases.crashing import assert_ends_well
from tests.usecases.test_other_crashes import ANN, World

DAY, CLAIM = timedelta(days=1), timedelta(minutes=6)
WORKER, WHY = WorkerId("night"), "she rang us"
EVE = Actor(ActorKind.AGENT, "eve")
MONTHLY = DeliveryPlan(interval=Interval.months(1), cut_off_days=3)
CALLS = Metered(key="calls", meter="calls", prices=(PerUnit(Money.of("0.10", EUR)),), included=10)


def plan_of(name, goods=Goods.DIGITAL):
    return {"id": PlanVersionId(name), "plan": Plan(id=PlanId(name), code=name, group=name, goods=goods)}


SMALL = a_plan("28.00", id="small", add_ons={"seat": "2.80"}, per_unit=True)
LARGE, CHEAP = a_plan("56.00", id="large"), a_plan("14.00", id="cheap")
YEARLY = a_plan("280.00", Interval.months(12), id="yearly")
DEARER = attrs.evolve(SMALL, id=PlanVersionId("small-2"), phases=a_plan("30.80", per_unit=True).phases)
TRIED = attrs.evolve(SMALL, id=PlanVersionId("tried"), phases=(Phase(PhaseKind.TRIAL, Days(14)), *SMALL.phases))
AHEAD = attrs.evolve(SMALL, id=PlanVersionId("ahead"), prepay=(PrepayOption(3, Rate.percent(10)),))
BOX = flat_plan("90.00", Interval.months(3), deliveries=MONTHLY, **plan_of("box", Goods.PHYSICAL))
PHONE = flat_plan("10.00", metered=(CALLS,), **plan_of("phone"))


class Meter:
    """Everybody phoned for so long."""

    quantity = 0

    def quantities(self, requests):
        return (Measured(self.quantity, "meter"),) * len(requests)


class BillingWorld(World):
    """What survives a crash of a shop that sells subscriptions, its bank's books among it."""

    def __init__(self, host):
        subscribing = SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED)
        policy = SubscriptionPolicy(subscribing=subscribing, usage=UsagePolicy(alerts=(Money.of("1.00", EUR),)))
        self.staff, self.gateway, self.meter = StaffRoom(), ScriptedGateway(), Meter()
        billing = BillingPorts(
            plans=FixedPlans([SMALL, LARGE, CHEAP, YEARLY, DEARER, TRIED, AHEAD, BOX, PHONE]),
            taxes=FlatTax("19"),
            gateway=self.gateway,
            usage=self.meter,
            jurisdictions=OneJurisdiction("DE"),
        )
        self.builder: Any = ShopBuilder(
            host=host,
            policies=quick_policies(sends=without_gaps(), subscriptions=policy),
            agents=self.staff,
            ports={"billing": billing},
        )
        self.shop = self.builder.build()
        self.hand: dict[str, Any] = {}

    async def kept(self, book, name):
        """What stands in a book now about what somebody has in hand."""
        return await self.builder.kept(book, self.hand[name])

    def later(self, **time):
        self.builder.clock.advance(timedelta(**time))

    async def bills(self):
        """The shop bills; the newest invoice of the subscription is in hand."""
        await self.shop.billing.run_billing(worker=WORKER)
        self.hand["invoice"] = (await self.kept(SUBSCRIPTIONS, "id")).live[-1].invoice
        self.hand["payment"] = f"{self.hand['invoice']}:1"

    async def collects(self):
        """The shop collects what is due, and what a machine that stopped had begun."""
        await self.shop.payments.collect_due(worker=WORKER)


def euro(amount):
    return Money.of(amount, EUR)


# What has happened before


async def a_customer(world):
    account = await world.shop.open_account(ANN)
    world.hand["customer"] = CustomerId(account.id)


def order_of(version, **more):
    usual = Order(plan=version.id, currency="EUR", zone="Europe/Berlin", payment_method="card-1")
    return attrs.evolve(usual, **more)


def having(version, days=0, **order):
    """Somebody has subscribed to something so many days ago, and paid for it."""

    async def arrange(world):
        await a_customer(world)
        customer = world.hand["customer"]
        made = await world.shop.subscriptions.subscribe(customer, order_of(version, **order), request_id="o-1")
        world.hand |= {"id": made.subscription.id, "account": made.subscription.account}
        if made.invoice:
            world.hand |= {"invoice": made.invoice.id, "payment": f"{made.invoice.id}:1"}
        world.later(days=days)

    return arrange


def and_then(arrange, act):
    """Something has happened, and after that something more."""

    async def both(world):
        await arrange(world)
        await act(world.acting(EVE), world.hand)

    return both


def waits(arrange, days):
    """Something has happened, and days have gone by."""

    async def waited(world):
        await arrange(world)
        world.later(days=days)

    return waited


async def billed(world):
    """The second month is billed, and not paid yet."""
    await having(SMALL, days=31)(world)
    await world.bills()


async def paid(world):
    """The second month is billed and paid."""
    await billed(world)
    world.later(days=15)
    await world.collects()
    assert (await world.kept(INVOICES, "invoice")).due.is_zero


# What stands


def money_in(world):
    """What is billed, paid, credited and planned, without ids and times."""
    invoices = sorted(
        (one.kind.value, one.state.value, one.number or 0, *map(str, (one.total, one.paid, one.due, one.credited)))
        for one in world.rows("invoices")
    )
    return {
        "invoices": invoices,
        "notes": sorted((one.number, str(one.total), str(one.refund)) for one in world.rows("credit_notes")),
        "balances": sorted(str(one.balances) for one in world.rows("billing_accounts")),
        "entries": sorted((one.reason.value, str(one.amount)) for one in world.rows("balance_entries")),
        "cycles": sorted((one.index, str(one.ended), one.start, one.end) for one in world.rows("billed_cycles")),
        "debits": sorted(str(one.amount) for one in world.gateway.debits),
        "subscriptions": sorted(map(standing_of, world.rows("subscriptions"))),
    }


def standing_of(subscription):
    one = subscription
    held = one.hold is not None
    return one.lifecycle.value, one.collection.value, one.billed_to, one.change_seq, one.terms.version, held


def once(world):
    """What stands, of which no key moved money twice."""
    moved = Counter(debit.key for debit in world.gateway.debits)
    assert not [key for key, times in moved.items() if times > 1]
    return money_in(world)


@attrs.frozen
class Walk:
    """The commands of a file, and what differs when they are given again.

    Args:
        commands: What has happened before, on whose behalf it is done, and what is done.
        done_before: What the same request is told whose effect was stored before the machine stopped.
        rounds: What comes at intervals, so that the next round ends what one could not: a box waits for its payment.
    """

    commands: dict[str, Any]
    done_before: dict[str, str] = attrs.field(factory=dict)
    rounds: frozenset[str] = frozenset()

    async def begin(self, host, command):
        """Answer a world in which somebody is about to do something."""
        world = BillingWorld(host)
        await self.commands[command][0](world)
        return world

    async def perform(self, world, command, wrap=lambda port: port):
        """Do it, through *wrap*; a little later the shop goes on with what it always does."""
        _, actor, act = self.commands[command]
        world.builder.clock.advance(CLAIM)
        try:
            answer = await act(world.acting(actor, wrap), world.hand)
        except Rejected:
            await self._goes_on(world, command)
            raise
        await self._goes_on(world, command)
        return answer

    async def _goes_on(self, world, command):
        world.builder.clock.advance(CLAIM)
        if command in self.rounds:
            await world.shop.sweeping.sweep(worker=WORKER)
        else:
            await world.collects()

    async def ends_well(self, host, command):
        """Stop the machine at every call of every port."""
        await assert_ends_well(
            partial(self.begin, host, command),
            partial(self.perform, command=command),
            self.done_before.get(command),
            also=once,
        )
