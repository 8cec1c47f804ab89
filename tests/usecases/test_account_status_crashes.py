"""The machine stops while an account is stopped, objected to or closed: nothing is half, and asking again ends well."""

from collections import Counter
from datetime import timedelta
from typing import Any

import attrs
import pytest

from shopaccounts.customers import StatusReason
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.scope import Actor, ActorKind, Scope
from shopaccounts.testing.builders import ShopBuilder, quick_policies, request_from, without_gaps
from shopaccounts.testing.crashes import walk_crashes
from shopaccounts.testing.doubles import StaffRoom

ANN, HERE, WHY = "ann@lamp.example", request_from(), "as the lawyer says"
NEW = "another lamp by the river"
GRACE, SECOND = timedelta(days=14), timedelta(seconds=1)
LEASE = timedelta(minutes=1)
AGENT = Actor(ActorKind.AGENT, "eve")


class World:
    """What survives a crash, and what people have in hand."""

    def __init__(self, host):
        staff = StaffRoom()
        staff.hire("eve")
        policies = quick_policies(sends=without_gaps())
        self.builder: Any = ShopBuilder(host=host, policies=policies, agents=staff)
        self.shop = self.builder.build()
        self.office = self.on_behalf_of_eve(None)
        self.hand: dict[str, Any] = {}

    def on_behalf_of_eve(self, wrap):
        self.builder.scope = attrs.evolve(self.builder.scope, actor=AGENT)
        office = self.builder.build(wrap)
        self.builder.scope = Scope.single()
        return office

    def rows(self, name):
        return tuple(self.builder.storage.snapshot()["main"].books[name].values())


async def noticed(world):
    account = await world.shop.open_account(ANN)
    await world.shop.recovery.request_reset(ANN, HERE)
    await world.shop.recovery.reset_password(world.builder.mailbag.last.token, NEW, HERE)
    notice = world.builder.mailbag.last
    world.builder.clock.advance(timedelta(minutes=2))
    step = await world.shop.signin.sign_in_with_password(ANN, NEW, HERE)
    world.hand = {
        "account": account.id,
        "session": step.session,
        "freeze": notice.ticket("freeze_link"),
        "not me": notice.ticket("not_me_link"),
    }


async def held(world):
    await noticed(world)
    await world.shop.customers.freeze_account(world.hand["freeze"], HERE)
    await world.shop.recovery.request_reset(ANN, HERE)
    world.hand["reset"] = world.builder.mailbag.last.token


async def stopped(world):
    await noticed(world)
    await world.office.customers.suspend(world.hand["account"], StatusReason.ABUSE, WHY)


async def asked(world):
    await noticed(world)
    await world.shop.closings.request_account_closing(world.hand["session"], None, HERE)
    world.hand["closing"] = world.builder.mailbag.last.token
    world.builder.clock.advance(SECOND)


async def leaving(world):
    await asked(world)
    await world.shop.closings.confirm_account_closing(world.hand["session"], world.hand["closing"], HERE)
    step = await world.shop.signin.sign_in_with_password(ANN, NEW, HERE)
    world.hand["session"] = step.session


async def over(world):
    await leaving(world)
    world.builder.clock.advance(GRACE)


async def closed(world):
    await over(world)
    await world.shop.upkeep.tick()


COMMANDS = {
    "freeze": (noticed, False, lambda shop, hand: shop.customers.freeze_account(hand["freeze"], HERE)),
    "lift": (held, False, lambda shop, hand: shop.recovery.reset_password(hand["reset"], "a third lamp", HERE)),
    "object": (noticed, False, lambda shop, hand: shop.objections.not_me_change(hand["not me"], HERE)),
    "suspend": (noticed, True, lambda shop, hand: shop.customers.suspend(hand["account"], StatusReason.ABUSE, WHY)),
    "reinstate": (stopped, True, lambda shop, hand: shop.customers.reinstate(hand["account"], WHY)),
    "ask": (noticed, False, lambda shop, hand: shop.closings.request_account_closing(hand["session"], None, HERE)),
    "confirm": (
        asked,
        False,
        lambda shop, hand: shop.closings.confirm_account_closing(hand["session"], hand["closing"], HERE),
    ),
    "stay": (leaving, False, lambda shop, hand: shop.closings.cancel_account_closing(hand["session"], HERE)),
    "keep": (leaving, True, lambda shop, hand: shop.closings.cancel_closing_for(hand["account"], WHY)),
    "close": (over, False, lambda shop, _: shop.closings.finish_closings(10, WorkerId("test"))),
    "reopen": (closed, True, lambda shop, hand: shop.customers.reopen(hand["account"], WHY)),
}
DONE_BEFORE = {
    "freeze": "customers.link_used",
    "lift": "recovery.link_used",
    "object": "recovery.link_used",
    "confirm": "signin.required",
    "stay": "signin.required",
}
"""What the same request is told whose effect was stored before the machine stopped."""


async def begin(host, command):
    """Answer a world in which somebody is about to do something."""
    world = World(host)
    await COMMANDS[command][0](world)
    return world


async def perform(world, command, wrap=None):
    """Do it, through *wrap*."""
    _, by_agent, act = COMMANDS[command]
    return await act(world.on_behalf_of_eve(wrap) if by_agent else world.builder.build(wrap), world.hand)


@pytest.mark.proves("TES-107", "KER-154", "SIG-81")
@pytest.mark.parametrize("command", COMMANDS)
async def test_a_crash_loses_nothing_and_the_same_request_ends_well(host, command) -> None:
    async def run(world, wrap):
        world.builder.clock.advance(LEASE)
        try:
            await perform(world, command, wrap)
        except Rejected as refusal:
            return refusal.code
        return ""

    async def check(found):
        assert found.result in {found.quiet_result, DONE_BEFORE.get(command)}, (found.call, found.side)
        assert standing(found.world, command) == standing(found.quiet_world, command), (found.call, found.side)

    assert await walk_crashes(lambda: begin(host, command), run, check) >= 1


def standing(world, command):
    """What has to be the same after a crash and a second try as after one try that went well."""
    told = Counter(event.name for event in world.rows("events"))
    mails = Counter(message.template for message in world.rows("messages"))
    tickets = Counter((ticket.purpose, ticket.spent_at is not None) for ticket in world.rows("tickets"))
    if command == "ask":  # who asks twice gets two links, of which the newer one counts
        mails.pop("customers.close_account", None)
        tickets.pop(("close_account", False), None)
    return {
        "customers": [without_times(c.standing) for c in world.rows("customers")],
        "stamps": [s.stamps for s in world.rows("security")],
        "passwords": [p.must_change for p in world.rows("passwords")],
        "closings": len(world.rows("closings")),
        "tickets": tickets,
        "told": told,
        "mails": mails,
    }


def without_times(standing):
    before = without_times(standing.before) if standing.before else None
    return attrs.evolve(standing, until=None, before=before)
