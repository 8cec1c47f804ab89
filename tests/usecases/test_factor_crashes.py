"""The machine stops while second steps are added, used or removed: nothing is half, and asking again ends well."""

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
from shopaccounts.signin import RecoveryCodeAnswer, TotpCode
from shopaccounts.testing.apps import AuthenticatorApp, enrol_app
from shopaccounts.testing.builders import PASSWORD
from tests.usecases.crashing import LEASE, assert_ends_well
from tests.usecases.test_other_crashes import ANN, HERE, WORKER, World, signed_in

PHONE = ContactId("phone")


async def with_a_beginning(world):
    await signed_in(world)
    started = await world.shop.factors.start_totp(world.hand["session"], "", HERE)
    world.hand["app"] = AuthenticatorApp(started.uri, world.builder.clock)


async def forgotten(world):
    await with_a_beginning(world)
    world.builder.clock.advance(15 * LEASE)


async def with_an_app(world):
    await signed_in(world)
    enrolled = await enrol_app(world.shop.factors, world.hand["session"], HERE, world.builder.clock)
    session = (await world.shop.signin.confirm_identity(enrolled.session, PASSWORD, HERE)).session
    session = (await world.shop.signin.confirm_identity(session, TotpCode(enrolled.app.next_code()), HERE)).session
    world.hand |= {"session": session, "app": enrolled.app, "factor": enrolled.id, "codes": enrolled.recovery_codes}


async def half_way(world):
    await with_an_app(world)
    step = await world.shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    world.hand |= {"progress": step.progress, "browser": attrs.evolve(HERE, binding=step.set_cookies[0].value)}


async def left_half_way(world):
    await half_way(world)
    world.builder.clock.advance(15 * LEASE)


async def with_a_phone(world):
    world.builder.couriers = {Channel.SMS: ConsoleCourier(io.StringIO())}
    world.shop = world.builder.build()
    await with_an_app(world)
    now = world.builder.clock.now()
    phone = ContactPoint(
        id=PHONE,
        kind=ContactKind.PHONE,
        value=PhoneNumber.parse("+4915112345678"),
        roles=frozenset({ContactRole.NOTIFY}),
        added_at=now,
    ).proven(VerificationMethod.CODE, "challenge", now)
    account = world.hand["account"]
    await world.builder.edit(CUSTOMERS, account, lambda c: attrs.evolve(c, contacts=(*c.contacts, phone)))


async def with_a_code_by_mail(world):
    await signed_in(world)
    sent = await world.shop.factors.add_email_step(world.hand["session"], HERE)
    world.hand |= {"handle": sent.handle, "code": world.builder.mailbag.last.code}


COMMANDS: dict[str, Any] = {
    "begin an app": (signed_in, lambda shop, hand: shop.factors.start_totp(hand["session"], "", HERE)),
    "confirm an app": (
        with_a_beginning,
        lambda shop, hand: shop.factors.confirm_totp(hand["session"], hand["app"].code(), HERE),
    ),
    "guess a first code": (
        with_a_beginning,
        lambda shop, hand: shop.factors.confirm_totp(hand["session"], "000000", HERE),
    ),
    "begin a phone": (with_a_phone, lambda shop, hand: shop.factors.add_sms_factor(hand["session"], PHONE, HERE)),
    "begin the mailbox": (signed_in, lambda shop, hand: shop.factors.add_email_step(hand["session"], HERE)),
    "confirm the mailbox": (
        with_a_code_by_mail,
        lambda shop, hand: shop.factors.confirm_sent_factor(hand["session"], hand["handle"], hand["code"], HERE),
    ),
    "rename one": (
        with_an_app,
        lambda shop, hand: shop.factors.rename_factor(hand["session"], hand["factor"], "Mine", HERE),
    ),
    "remove one": (with_an_app, lambda shop, hand: shop.factors.remove_factor(hand["session"], hand["factor"], HERE)),
    "renew codes": (with_an_app, lambda shop, hand: shop.factors.renew_recovery_codes(hand["session"], HERE)),
    "drop what was forgotten": (forgotten, lambda shop, _: shop.factors.drop_unconfirmed(10, WORKER)),
    "sign in with an app": (
        half_way,
        lambda shop, hand: shop.second_step.give_second_factor(
            hand["progress"], TotpCode(hand["app"].code()), hand["browser"]
        ),
    ),
    "sign in with a recovery code": (
        half_way,
        lambda shop, hand: shop.second_step.give_second_factor(
            hand["progress"], RecoveryCodeAnswer(hand["codes"][0]), hand["browser"]
        ),
    ),
    "guess a second step": (
        half_way,
        lambda shop, hand: shop.second_step.give_second_factor(hand["progress"], TotpCode("000000"), hand["browser"]),
    ),
    "give up a half-done sign-in": (
        half_way,
        lambda shop, hand: shop.second_step.cancel_sign_in(hand["progress"], hand["browser"]),
    ),
    "tell of a second step that nobody gave": (
        left_half_way,
        lambda shop, _: shop.second_step.tell_unanswered(10, WORKER),
    ),
}
DONE_BEFORE = {
    "confirm an app": "signin.required",
    "confirm the mailbox": "signin.required",
    "remove one": "signin.required",
    "renew codes": "signin.required",
    "sign in with an app": "signin.progress_ended",
    "sign in with a recovery code": "signin.progress_ended",
}
"""What the same request is told whose effect was stored before the machine stopped."""
REPEATED = {
    "begin a phone": {"sent_codes", "signin.code_sent", "signin.step_code"},
    "begin the mailbox": {"sent_codes", "signin.code_sent", "signin.step_code"},
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


@pytest.mark.proves("TES-107", "KER-154", "SIG-30")
@pytest.mark.parametrize("command", COMMANDS)
async def test_a_crash_loses_nothing_and_the_same_request_ends_well(host, command) -> None:
    await assert_ends_well(
        partial(begin, host, command),
        partial(perform, command=command),
        DONE_BEFORE.get(command),
        REPEATED.get(command, set()),
    )
