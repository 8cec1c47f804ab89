"""Somebody has a session that is for one thing only, and tries everything else with it."""

import inspect
from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import Trigger
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.secret import Secret
from shopaccounts.signin import AccountClosing, NoSession
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, request_from

ANN, HERE = "ann@lamp.example", request_from("192.0.2.1")
ARGUMENTS = {
    "identifier": "eve@lamp.example",
    "current": PASSWORD,
    "password": PASSWORD,
    "new": "a lantern on a rainy evening",
    "context": HERE,
    "token": Secret("sa1.xxx.y.z"),
}
MAY = {"cancel_account_closing", "sign_out"}


async def closing(host):
    """A shop, and the session of somebody whose account is closing."""
    shop = ShopBuilder(host=host).build()
    ann = await shop.open_account(ANN)
    await shop.builder.step(ann.id, Trigger.REQUEST_CLOSING)
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert isinstance(step, AccountClosing)
    return shop, step.session


def taking_a_session(shop):
    """Every use-case that takes a session, with arguments after it."""
    for face in (field.name for field in attrs.fields(type(shop)) if field.name != "builder"):
        for name, method in inspect.getmembers(getattr(shop.builder.blocking(), face), inspect.ismethod):
            taken = list(inspect.signature(method).parameters.values())
            if taken and taken[0].name in {"value", "session"}:
                needed = (one.name for one in taken[1:] if one.default is inspect.Parameter.empty)
                yield face, name, [ARGUMENTS.get(each, "unknown") for each in needed]


@pytest.mark.proves("SIG-9", "SIG-2")
async def test_a_session_that_may_stop_a_closing_does_that_and_nothing_else(host) -> None:
    shop, _ = await closing(host)
    did = set()
    for face, name, arguments in list(taking_a_session(shop)):
        shop, value = await closing(host)
        before = shop.builder.storage.snapshot()
        try:
            await getattr(getattr(shop, face), name)(value, *arguments)
        except Rejected:
            """As it should be."""
        if shop.builder.storage.snapshot() != before:
            did.add(name)
    assert did == MAY


@pytest.mark.proves("SIG-9")
async def test_it_lives_for_half_an_hour_whatever_is_done_with_it(host) -> None:
    shop, value = await closing(host)
    for _ in range(3):
        shop.builder.clock.advance(timedelta(minutes=10))
        answer = await shop.sessions.resume(value, HERE)
    assert isinstance(answer, NoSession)
