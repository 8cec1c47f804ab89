"""Somebody who works at the shop, or has got into the office, wants more than helping."""

import inspect
from datetime import timedelta

import attrs
import pytest

from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.staff import Permission
from shopaccounts.signin import ActingScope, NoSession
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, request_from
from shopaccounts.testing.doubles import StaffRoom

ANN, HERE, DESK = "ann@lamp.example", request_from("192.0.2.1"), request_from("198.51.100.20", agent="the office")
WHY = "an order was lost"
BY_NAME = {
    "identifier": "eve@lamp.example",
    "current": PASSWORD,
    "password": PASSWORD,
    "new": "a lantern on a rainy evening",
    "context": DESK,
    "token": Secret("sa1.xxx.y.z"),
}
GIVING_UP = {"sign_out", "end_impersonation"}
"""Whoever holds a session may give it up."""


@pytest.fixture
def staff():
    return StaffRoom()


@pytest.fixture
def builder(host, staff):
    return ShopBuilder(host=host, agents=staff)


def office(builder):
    """The shop as the agent has it."""
    scope = attrs.evolve(builder.scope, actor=Actor(ActorKind.AGENT, "eve"))
    return attrs.evolve(builder, scope=scope).build()


def on_behalf_of(shop):
    """Every use-case that takes the session of a customer: face, name, and arguments after the session."""
    for face in (field.name for field in attrs.fields(type(shop)) if field.name != "builder"):
        blocking = getattr(shop.builder.blocking(), face)
        for name, method in inspect.getmembers(blocking, inspect.ismethod):
            parameters = list(inspect.signature(method).parameters.values())
            if parameters and parameters[0].name in {"value", "session"} and name not in GIVING_UP:
                needed = (one.name for one in parameters[1:] if one.default is inspect.Parameter.empty)
                yield face, name, [BY_NAME.get(each, "unknown") for each in needed]


@pytest.mark.proves("SIG-96")
@pytest.mark.parametrize("scope", ActingScope)
async def test_an_agent_who_acts_for_a_customer_changes_nothing_of_who_gets_in(builder, staff, scope) -> None:
    """Every use-case there is, and every one that will be, is called with the agent's session."""
    shop = builder.build()
    ann = await shop.open_account(ANN)
    staff.hire("eve", signed_in_at=builder.clock.now())
    acting = await office(builder).impersonation.start_impersonation(ann.id, WHY, scope, DESK)
    before = builder.storage.snapshot()
    called = list(on_behalf_of(shop))
    assert len(called) >= 15
    for face, name, arguments in called:
        try:
            await getattr(getattr(shop, face), name)(acting.session, *arguments)
        except Rejected:
            """Most are refused; what is only looked at is not."""
        assert builder.storage.snapshot() == before, f"{face}.{name} did something"
    assert not isinstance(await shop.sessions.resume(ann.session, HERE), NoSession)


@pytest.mark.proves("PAS-24", "SIG-92")
def test_there_is_no_way_for_anybody_but_the_owner_to_choose_or_see_a_password(builder) -> None:
    """Whatever takes a new password takes the owner's own proof too: a session, a link, a handle, or a form."""
    shop = builder.build()
    for face in (field.name for field in attrs.fields(type(shop)) if field.name not in {"builder", "relay", "upkeep"}):
        for name, method in inspect.getmembers(getattr(builder.blocking(), face), inspect.ismethod):
            taken = list(inspect.signature(method).parameters)
            if {"new", "new_password", "password"} & set(taken):
                proofs = {"value", "session", "token", "handle", "identifier"}
                assert proofs & set(taken), f"{face}.{name} sets a password for whoever calls it"
                assert not {"account", "reason"} & set(taken), f"{face}.{name} sets the password of an account"


@pytest.mark.proves("SIG-92", "SIG-95", "SIG-97")
async def test_an_agent_who_was_let_go_has_no_power_from_that_moment(builder, staff) -> None:
    shop, desk = builder.build(), office(builder)
    ann = await shop.open_account(ANN)
    staff.hire("eve", signed_in_at=builder.clock.now())
    acting = await desk.impersonation.start_impersonation(ann.id, WHY, ActingScope.READ_ONLY, DESK)
    staff.agents.pop("eve")
    assert isinstance(await shop.sessions.resume(acting.session, DESK), NoSession)
    before = builder.storage.snapshot()
    for attempt in (
        lambda: desk.impersonation.start_impersonation(ann.id, WHY, ActingScope.READ_ONLY, DESK),
        lambda: desk.sessions.end_sessions_of(ann.id, WHY),
        lambda: desk.sessions.end_sessions_of_everybody(WHY),
        lambda: desk.passwords.flag_password(ann.id, WHY),
    ):
        with pytest.raises(Rejected):
            await attempt()
    assert builder.storage.snapshot() == before


@pytest.mark.proves("SIG-92", "SIG-95")
async def test_power_is_lent_one_permission_at_a_time_and_is_never_nested(builder, staff) -> None:
    shop, desk = builder.build(), office(builder)
    ann, bob = await shop.open_account(ANN), await shop.open_account("bob@lamp.example")
    staff.hire("eve", {Permission.END_SESSIONS}, signed_in_at=builder.clock.now())
    for attempt in (
        lambda: desk.passwords.flag_password(ann.id, WHY),
        lambda: desk.impersonation.start_impersonation(ann.id, WHY, ActingScope.READ_ONLY, DESK),
    ):
        with pytest.raises(Rejected):
            await attempt()
    staff.hire("eve", signed_in_at=builder.clock.now())
    await desk.impersonation.start_impersonation(ann.id, WHY, ActingScope.READ_ONLY, DESK)
    with pytest.raises(Rejected):
        await desk.impersonation.start_impersonation(bob.id, WHY, ActingScope.READ_ONLY, DESK)
    builder.clock.advance(timedelta(minutes=31))
    staff.hire("eve", signed_in_at=builder.clock.now())
    await desk.impersonation.start_impersonation(bob.id, WHY, ActingScope.READ_ONLY, DESK)
