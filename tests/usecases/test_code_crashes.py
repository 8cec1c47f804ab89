"""The machine stops while a code or link is asked for or used: nothing is half, and asking again ends well."""

from functools import partial
from typing import Any

import attrs
import pytest

from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.record import Change
from shopaccounts.signin import AUTHENTICATORS, Authenticators, Factor, FactorKind
from shopaccounts.testing.builders import PASSWORD
from tests.usecases.crashing import assert_ends_well
from tests.usecases.test_other_crashes import ANN, HERE, THERE, World, signed_in

MAIL = "by mail"


async def asked_for_a_code(world):
    await signed_in(world)
    sent = await world.shop.code_signin.request_sign_in_code(ANN, Channel.EMAIL, HERE)
    letter = world.builder.mailbag.last
    browser = attrs.evolve(HERE, binding=sent.set_cookies[0].value)
    world.hand |= {"handle": sent.handle, "code": letter.code, "link": letter.token, "browser": browser}


async def half_way(world):
    await signed_in(world)
    (customer,) = world.rows("customers")
    mailbox = customer.contacts[0].id
    step = Factor(id=MAIL, kind=FactorKind.EMAIL_STEP, created_at=world.builder.clock.now(), contact=mailbox)
    own = Authenticators(id=customer.id, realm=customer.realm, factors=(step,))
    world.builder.storage.open(world.builder.scope).record(Change(writes=(AUTHENTICATORS.add(own),)))
    first = await world.shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    browser = attrs.evolve(HERE, binding=first.set_cookies[0].value)
    world.hand |= {"progress": first.progress, "browser": browser}


COMMANDS: dict[str, Any] = {
    "ask for a code": (signed_in, lambda shop, _: shop.code_signin.request_sign_in_code(ANN, Channel.EMAIL, HERE)),
    "ask for a link": (signed_in, lambda shop, _: shop.code_signin.request_sign_in_link(ANN, HERE)),
    "ask for another": (asked_for_a_code, lambda shop, hand: shop.code_signin.resend_code(hand["handle"], HERE)),
    "use a code": (
        asked_for_a_code,
        lambda shop, hand: shop.code_signin.sign_in_with_code(hand["handle"], hand["code"], HERE),
    ),
    "guess a code": (
        asked_for_a_code,
        lambda shop, hand: shop.code_signin.sign_in_with_code(hand["handle"], "nonsense", HERE),
    ),
    "use a link": (
        asked_for_a_code,
        lambda shop, hand: shop.code_signin.sign_in_with_link(hand["link"], hand["browser"]),
    ),
    "open a link elsewhere": (
        asked_for_a_code,
        lambda shop, hand: shop.code_signin.sign_in_with_link(hand["link"], THERE),
    ),
    "ask for a second step": (
        half_way,
        lambda shop, hand: shop.step_codes.send_step_code(hand["progress"], MAIL, hand["browser"]),
    ),
    "ask for a fresh proof": (
        signed_in,
        lambda shop, hand: shop.step_codes.send_confirmation_code(hand["session"], HERE),
    ),
}
DONE_BEFORE = {"use a code": "signin.link_used", "use a link": "signin.link_used"}
"""What the same request is told whose effect was stored before the machine stopped."""
ASKED_AGAIN = {"sent_codes", "signin.code_sent", "signin.sign_in_code", "signin.step_code"}
REPEATED = {
    "ask for a code": ASKED_AGAIN,
    "ask for a link": ASKED_AGAIN,
    "ask for another": ASKED_AGAIN,
    "ask for a second step": ASKED_AGAIN,
    "ask for a fresh proof": ASKED_AGAIN,
    "guess a code": {"signin.refused"},
    "open a link elsewhere": {"signin.link_opened_elsewhere"},
}
"""What is there again because somebody asks again; none of it is a thing that may happen once."""


async def begin(host, command):
    """Answer a world in which somebody is about to do something."""
    world = World(host)
    await COMMANDS[command][0](world)
    return world


async def perform(world, command, wrap=lambda port: port):
    """Do it, through *wrap*."""
    return await COMMANDS[command][1](world.acting(None, wrap), world.hand)


@pytest.mark.proves("TES-107", "KER-154", "SIG-7")
@pytest.mark.parametrize("command", COMMANDS)
async def test_a_crash_loses_nothing_and_the_same_request_ends_well(host, command) -> None:
    await assert_ends_well(
        partial(begin, host, command),
        partial(perform, command=command),
        DONE_BEFORE.get(command),
        REPEATED.get(command, set()),
    )
