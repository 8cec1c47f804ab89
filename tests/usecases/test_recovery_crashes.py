"""The machine stops on the way back in with second factors: nothing is half, and asking again ends well."""

import io
from functools import partial
from typing import Any

import attrs
import pytest

from shopaccounts.adapters.sms import ConsoleCourier
from shopaccounts.customers import CUSTOMERS, ContactPoint, ContactRole, VerificationMethod
from shopaccounts.kernel.contact import ContactKind, PhoneNumber
from shopaccounts.kernel.ids import ContactId
from shopaccounts.kernel.messages import Channel
from shopaccounts.recovery import ResetPolicy, SecondFactorAt
from shopaccounts.signin import AUTHENTICATORS, Factor, FactorKind, SentCodeAnswer, TotpCode
from shopaccounts.testing.apps import enrol_app
from shopaccounts.testing.builders import PASSWORD
from tests.usecases.crashing import LEASE, assert_ends_well
from tests.usecases.signin.test_passkeys import PASSKEYS, add, device
from tests.usecases.test_other_crashes import (
    AFRESH,
    ANN,
    DAY,
    EVE,
    EVIDENCE,
    HERE,
    WHY,
    World,
    signed_in,
)

TEL = "+4915112345678"


async def with_an_app(world):
    world.builder.couriers = {Channel.SMS: ConsoleCourier(io.StringIO())}
    world.shop = world.builder.build()
    await signed_in(world)
    enrolled = await enrol_app(world.shop.factors, world.hand["session"], HERE, world.builder.clock)
    world.hand["app"] = enrolled.app


async def stuck(world):
    """At the door, with the password alone."""
    step = await world.shop.signin.sign_in_with_password(ANN, PASSWORD, world.hand.get("browser", HERE))
    cookies = step.set_cookies
    browser = attrs.evolve(HERE, binding=cookies[0].value) if cookies else world.hand["browser"]
    world.hand |= {"progress": step.progress, "browser": browser}


async def with_a_code(world):
    hand = world.hand
    sent = await world.shop.lost_factor.send_case_code(hand["progress"], Channel.EMAIL, hand["browser"])
    hand["codes"] = [SentCodeAnswer(sent.handle, world.builder.mailbag.last.code)]


async def at_the_door(world):
    await with_an_app(world)
    await stuck(world)


async def about_to_open(world):
    await at_the_door(world)
    await with_a_code(world)


async def opened(world):
    await about_to_open(world)
    hand = world.hand
    case = await world.shop.lost_factor.open_factor_case(hand["progress"], hand["codes"], hand["browser"])
    hand["case"] = case.case


async def about_to_complete(world):
    await opened(world)
    world.builder.clock.advance(3 * DAY)
    await stuck(world)
    await with_a_code(world)


async def by_phone(world):
    world.builder.couriers = {Channel.SMS: ConsoleCourier(io.StringIO())}
    world.shop = world.builder.build()
    account = await world.shop.open_account(TEL)
    world.hand = {"account": account.id}


async def with_an_old_phone(world):
    world.builder.couriers = {Channel.SMS: ConsoleCourier(io.StringIO())}
    world.shop = world.builder.build()
    await signed_in(world)
    now = world.builder.clock.now()
    phone = ContactPoint(
        id=ContactId("phone"),
        kind=ContactKind.PHONE,
        value=PhoneNumber.parse(TEL),
        roles=frozenset({ContactRole.RECOVERY}),
        added_at=now,
    ).proven(VerificationMethod.CODE, "a challenge", now)
    account = world.hand["account"]
    await world.builder.edit(CUSTOMERS, account, lambda c: attrs.evolve(c, contacts=(*c.contacts, phone)))
    world.builder.clock.advance(7 * DAY)
    step = await world.shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    world.hand["session"] = step.session


async def asked_by_phone(world):
    await by_phone(world)
    sent = await world.shop.recovery.request_reset(TEL, HERE, Channel.SMS)
    world.hand |= {"handle": sent.handle, "code": world.builder.mailbag.last.code}


async def asked_for_a_second_factor(world):
    await with_an_app(world)
    now, account = world.builder.clock.now(), world.hand["account"]
    phone = ContactPoint(
        id=ContactId("phone"),
        kind=ContactKind.PHONE,
        value=PhoneNumber.parse(TEL),
        roles=frozenset({ContactRole.NOTIFY}),
        added_at=now,
    ).proven(VerificationMethod.CODE, "a challenge", now)
    factor = Factor(id="sms", kind=FactorKind.SMS, created_at=now, contact=phone.id)
    await world.builder.edit(CUSTOMERS, account, lambda c: attrs.evolve(c, contacts=(*c.contacts, phone)))
    await world.builder.edit(AUTHENTICATORS, account, lambda own: attrs.evolve(own, factors=(*own.factors, factor)))
    world.builder.policies = attrs.evolve(
        world.builder.policies, resets=ResetPolicy(second_factor_at=SecondFactorAt.RESET)
    )
    world.shop = world.builder.build()
    await world.shop.recovery.request_reset(ANN, HERE)
    world.builder.clock.advance(LEASE)
    world.hand["link"] = world.newest("recovery.reset_password").token


async def asked_for_a_passkey(world):
    resets = ResetPolicy(second_factor_at=SecondFactorAt.RESET)
    world.builder.policies = attrs.evolve(world.builder.policies, resets=resets, passkeys=PASSKEYS)
    world.shop = world.builder.build()
    await signed_in(world)
    await add(world.shop, world.hand["session"], device())
    await world.shop.recovery.request_reset(ANN, HERE)
    world.builder.clock.advance(LEASE)
    world.hand["link"] = world.newest("recovery.reset_password").token


COMMANDS: dict[str, Any] = {
    "ask for a case code": (
        at_the_door,
        None,
        lambda shop, hand: shop.lost_factor.send_case_code(hand["progress"], Channel.EMAIL, hand["browser"]),
    ),
    "open a case": (
        about_to_open,
        None,
        lambda shop, hand: shop.lost_factor.open_factor_case(hand["progress"], hand["codes"], hand["browser"]),
    ),
    "open one with a wrong code": (
        about_to_open,
        None,
        lambda shop, hand: shop.lost_factor.open_factor_case(
            hand["progress"], [attrs.evolve(hand["codes"][0], code="000000")], hand["browser"]
        ),
    ),
    "complete a case": (
        about_to_complete,
        None,
        lambda shop, hand: shop.lost_factor.complete_factor_case(hand["progress"], hand["codes"], hand["browser"]),
    ),
    "vouch": (opened, EVE, lambda shop, hand: shop.case_help.vouch_for_case(hand["case"], EVIDENCE, WHY)),
    "ask by phone": (by_phone, None, lambda shop, _: shop.recovery.request_reset(TEL, HERE, Channel.SMS)),
    "ask for a phone's code": (
        with_an_old_phone,
        None,
        lambda shop, hand: shop.cases.send_phone_code(hand["session"], HERE),
    ),
    "reset by phone": (
        asked_by_phone,
        None,
        lambda shop, hand: shop.recovery.reset_with_code(hand["handle"], hand["code"], AFRESH, HERE),
    ),
    "ask for a factor's code": (
        asked_for_a_second_factor,
        None,
        lambda shop, hand: shop.recovery.send_reset_factor_code(hand["link"], "sms", HERE),
    ),
    "ask for a passkey": (
        asked_for_a_passkey,
        None,
        lambda shop, hand: shop.recovery.reset_passkey_options(hand["link"], HERE),
    ),
    "reset with an app": (
        asked_for_a_second_factor,
        None,
        lambda shop, hand: shop.recovery.reset_password(
            hand["link"], AFRESH, HERE, second=TotpCode(hand["app"].code())
        ),
    ),
}
DONE_BEFORE = {
    "open a case": "recovery.link_used",
    "complete a case": "signin.progress_ended",
    "reset by phone": "recovery.link_used",
    "reset with an app": "recovery.link_used",
}
"""What the same request is told whose effect was stored before the machine stopped."""
REPEATED = {
    "ask for a phone's code": {"sent_codes", "signin.code_sent", "recovery.factor_case_code"},
    "ask for a case code": {"sent_codes", "signin.code_sent", "recovery.factor_case_code"},
    "ask for a passkey": {"passkey_ceremonies"},
    "ask by phone": {"sent_codes", "signin.code_sent", "recovery.reset_code", "recovery.reset_requested"},
    "ask for a factor's code": {"sent_codes", "signin.code_sent", "signin.step_code"},
}
"""What is there again because somebody asks again; none of it is a thing that may happen once."""


async def begin(host, command):
    """Answer a world in which somebody is about to do something."""
    world = World(host)
    await COMMANDS[command][0](world)
    return world


async def perform(world, command, wrap=lambda port: port):
    """Do it, through *wrap*."""
    _, actor, act = COMMANDS[command]
    return await act(world.acting(actor, wrap), world.hand)


@pytest.mark.proves("TES-107", "KER-154", "RCV-23", "RCV-10")
@pytest.mark.parametrize("command", COMMANDS)
async def test_a_crash_loses_nothing_and_the_same_request_ends_well(host, command) -> None:
    await assert_ends_well(
        partial(begin, host, command),
        partial(perform, command=command),
        DONE_BEFORE.get(command),
        REPEATED.get(command, set()),
    )
