"""The machine stops while passkeys are added, used or removed: nothing is half, and asking again ends well."""

from functools import partial
from typing import Any

import attrs
import pytest

from shopaccounts.kernel.secret import Secret
from shopaccounts.signin import PasskeyAnswer, PasskeyPolicy
from shopaccounts.testing.authenticator import SoftwareAuthenticator
from shopaccounts.testing.builders import PASSWORD
from shopaccounts.testing.doubles import ScriptedEntropy
from tests.usecases.crashing import assert_ends_well
from tests.usecases.test_other_crashes import ANN, HERE, World, signed_in

PASSKEYS = PasskeyPolicy(rp_id="lampenhaus.example", rp_name="Lampenhaus", origins=("https://lampenhaus.example",))
AT_HOME = attrs.evolve(HERE, binding=Secret("the browser at home, quite long"))


async def in_a_shop_with_passkeys(world):
    world.builder.policies = attrs.evolve(world.builder.policies, passkeys=PASSKEYS)
    world.shop = world.builder.build()
    await signed_in(world)
    world.hand["device"] = SoftwareAuthenticator(entropy=ScriptedEntropy("device"))


async def asked_to_add(world):
    await in_a_shop_with_passkeys(world)
    asked = await world.shop.passkeys.start_adding(world.hand["session"], AT_HOME)
    world.hand |= {"handle": asked.handle, "answer": world.hand["device"].create(asked.options)}


async def with_a_passkey(world):
    await asked_to_add(world)
    hand = world.hand
    await world.shop.passkeys.add_passkey(hand["session"], hand["handle"], hand["answer"], "phone", AT_HOME)
    await asked_to_sign_in(world)
    step = await world.shop.passkey_signin.sign_in_with_passkey(hand["handle"], hand["answer"], AT_HOME)
    (listed,) = await world.shop.passkeys.passkeys(step.session, AT_HOME)
    hand |= {"session": step.session, "passkey": listed.id}


async def asked_to_sign_in(world):
    asked = await world.shop.passkey_signin.passkey_options(AT_HOME)
    world.hand |= {"handle": asked.handle, "answer": world.hand["device"].get(asked.options)}


async def about_to_sign_in(world):
    await with_a_passkey(world)
    await asked_to_sign_in(world)


async def half_way(world):
    await with_a_passkey(world)
    step = await world.shop.signin.sign_in_with_password(ANN, PASSWORD, AT_HOME)
    asked = await world.shop.passkey_signin.step_options(step.progress, AT_HOME)
    answer = world.hand["device"].get(asked.options)
    world.hand |= {"progress": step.progress, "handle": asked.handle, "answer": answer}


async def about_to_prove(world):
    await with_a_passkey(world)
    asked = await world.shop.passkey_signin.confirmation_options(world.hand["session"], AT_HOME)
    world.hand |= {"handle": asked.handle, "answer": world.hand["device"].get(asked.options)}


async def with_a_code(world):
    await in_a_shop_with_passkeys(world)
    started = await world.shop.another_device.start_device_binding(world.hand["session"], AT_HOME)
    world.hand["code"] = started.code


async def at_another_device(world):
    await with_a_code(world)
    asked = await world.shop.another_device.start_adding(ANN, world.hand["code"].reveal(), AT_HOME)
    world.hand |= {"handle": asked.handle, "answer": world.hand["device"].create(asked.options)}


COMMANDS: dict[str, Any] = {
    "ask for a new passkey": (
        in_a_shop_with_passkeys,
        lambda shop, hand: shop.passkeys.start_adding(hand["session"], AT_HOME),
    ),
    "add a passkey": (
        asked_to_add,
        lambda shop, hand: shop.passkeys.add_passkey(hand["session"], hand["handle"], hand["answer"], "phone", AT_HOME),
    ),
    "rename a passkey": (
        with_a_passkey,
        lambda shop, hand: shop.passkeys.rename_passkey(hand["session"], hand["passkey"], "Mine", AT_HOME),
    ),
    "remove a passkey": (
        with_a_passkey,
        lambda shop, hand: shop.passkeys.remove_passkey(hand["session"], hand["passkey"], AT_HOME),
    ),
    "ask to sign in by passkey": (
        in_a_shop_with_passkeys,
        lambda shop, _: shop.passkey_signin.passkey_options(AT_HOME),
    ),
    "sign in by passkey": (
        about_to_sign_in,
        lambda shop, hand: shop.passkey_signin.sign_in_with_passkey(hand["handle"], hand["answer"], AT_HOME),
    ),
    "ask for a passkey as second step": (
        half_way,
        lambda shop, hand: shop.passkey_signin.step_options(hand["progress"], AT_HOME),
    ),
    "sign in with a passkey as second step": (
        half_way,
        lambda shop, hand: shop.second_step.give_second_factor(
            hand["progress"], PasskeyAnswer(hand["handle"], hand["answer"]), AT_HOME
        ),
    ),
    "ask for a passkey as proof": (
        with_a_passkey,
        lambda shop, hand: shop.passkey_signin.confirmation_options(hand["session"], AT_HOME),
    ),
    "prove by passkey": (
        about_to_prove,
        lambda shop, hand: shop.signin.confirm_identity(
            hand["session"], PasskeyAnswer(hand["handle"], hand["answer"]), AT_HOME
        ),
    ),
    "show a code for another device": (
        in_a_shop_with_passkeys,
        lambda shop, hand: shop.another_device.start_device_binding(hand["session"], AT_HOME),
    ),
    "type it into another device": (
        with_a_code,
        lambda shop, hand: shop.another_device.start_adding(ANN, hand["code"].reveal(), AT_HOME),
    ),
    "guess a code for another device": (
        with_a_code,
        lambda shop, _: shop.another_device.start_adding(ANN, "BBBB-BBBB-BBBB", AT_HOME),
    ),
    "add a passkey at another device": (
        at_another_device,
        lambda shop, hand: shop.another_device.add_passkey(hand["handle"], hand["answer"], "tablet", AT_HOME),
    ),
}
DONE_BEFORE = {
    "add a passkey": "signin.required",
    "remove a passkey": "signin.required",
    "sign in by passkey": "signin.passkey_refused",
    "sign in with a passkey as second step": "signin.progress_ended",
    "prove by passkey": "signin.required",
    "type it into another device": "signin.code_wrong",
    "add a passkey at another device": "signin.passkey_refused",
}
"""What the same request is told whose effect was stored before the machine stopped."""
REPEATED = {
    "ask for a new passkey": {"passkey_ceremonies"},
    "ask to sign in by passkey": {"passkey_ceremonies"},
    "ask for a passkey as second step": {"passkey_ceremonies"},
    "ask for a passkey as proof": {"passkey_ceremonies"},
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


@pytest.mark.proves("TES-107", "KER-154", "SIG-7", "SIG-20")
@pytest.mark.parametrize("command", COMMANDS)
async def test_a_crash_loses_nothing_and_the_same_request_ends_well(host, command) -> None:
    await assert_ends_well(
        partial(begin, host, command),
        partial(perform, command=command),
        DONE_BEFORE.get(command),
        REPEATED.get(command, set()),
    )
