"""What holds for every use-case that there is: it is walked by crashes, it leaks nothing, both hosts do the same.

The commands are those of the files of crashes, in which every use-case that writes has one, and looks beside them.
"""

import asyncio
import logging
import traceback
from collections.abc import Mapping
from typing import Any

import attrs
import pytest

from shopaccounts import serial
from shopaccounts.books import BOOKS
from shopaccounts.kernel.answers import run
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.secret import Secret
from shopaccounts.registration import RegistrationForm
from shopaccounts.testing.builders import PASSWORD
from shopaccounts.testing.faces import use_cases
from shopaccounts.testing.leaks import assert_no_leak
from shopaccounts.testing.plugin import ASYNC, BLOCKING
from tests.usecases import (
    billing_looks,
    test_account_status_crashes,
    test_billing_desk_crashes,
    test_billing_run_crashes,
    test_code_crashes,
    test_contact_crashes,
    test_factor_crashes,
    test_identity_crashes,
    test_other_crashes,
    test_owner_crashes,
    test_passkey_crashes,
    test_provider_crashes,
    test_recovery_crashes,
    test_subscription_crashes,
)
from tests.usecases.billing_worlds import BillingWorld
from tests.usecases.test_code_crashes import asked_for_a_code
from tests.usecases.test_factor_crashes import with_an_app
from tests.usecases.test_other_crashes import (
    AFRESH,
    ANN,
    ANSWERS,
    HERE,
    NEW,
    World,
    agreed,
    asked_for_a_reset,
    checked,
    from_elsewhere,
    invited,
    nothing,
    signed_in,
    with_two_addresses,
)
from tests.usecases.test_passkey_crashes import with_a_passkey
from tests.usecases.test_provider_crashes import with_a_link


async def about_to_prove(world):
    await world.shop.registration.register(RegistrationForm(identifier=ANN, password=PASSWORD), HERE)
    world.hand = {"link": world.builder.mailbag.last.token}


async def adding(world):
    await signed_in(world)
    await world.shop.contacts.add_contact(world.hand["session"], NEW, HERE)
    world.hand["link"] = world.builder.mailbag.last.token


async def changing(world):
    await signed_in(world)
    await world.shop.contact_changes.promote_contact(world.hand["session"], NEW, HERE)
    world.hand["link"] = world.newest("registration.confirm_new_contact").token


async def leaving(world):
    await signed_in(world)
    await world.shop.closings.request_account_closing(world.hand["session"], None, HERE)
    world.hand["link"] = world.builder.mailbag.last.token


async def noticed(world):
    await signed_in(world)
    await world.shop.passwords.change_password(world.hand["session"], PASSWORD, AFRESH, HERE)
    notice = world.newest("passwords.was_changed")
    world.hand |= {"not me": notice.ticket("not_me_link"), "freeze": notice.ticket("freeze_link")}


async def a_case_waits(world):
    await agreed(world)
    world.hand["link"] = world.newest("recovery.case_waiting").ticket("cancel_link")


READS: dict[str, Any] = {
    "cases.list_cases": (agreed, lambda work, hand: work(hand["session"], HERE)),
    "cases.peek_cancel": (a_case_waits, lambda work, hand: work(hand["link"], HERE)),
    "closings.peek_account_closing": (leaving, lambda work, hand: work(hand["session"], hand["link"], HERE)),
    "closings.plan_account_closing": (signed_in, lambda work, hand: work(hand["session"], HERE)),
    "code_signin.peek_sign_in_link": (asked_for_a_code, lambda work, hand: work(hand["link"], HERE)),
    "contact_care.peek_contact_check": (checked, lambda work, hand: work(hand["link"], HERE)),
    "contact_changes.peek_contact_change": (changing, lambda work, hand: work(hand["link"], HERE)),
    "contacts.list_contacts": (with_two_addresses, lambda work, hand: work(hand["session"], HERE)),
    "contacts.peek_added_contact": (adding, lambda work, hand: work(hand["link"], HERE)),
    "customers.peek_freeze": (noticed, lambda work, hand: work(hand["freeze"], HERE)),
    "factors.factors": (with_an_app, lambda work, hand: work(hand["session"], HERE)),
    "history.security_history": (from_elsewhere, lambda work, hand: work(hand["session"], HERE)),
    "history.security_history_csv": (from_elsewhere, lambda work, hand: work(hand["session"], HERE)),
    "invitations.list_invitations": (invited, lambda work, hand: work(hand["session"], HERE)),
    "invitations.peek_invitation": (invited, lambda work, hand: work(hand["link"], HERE)),
    "objections.peek_not_me_change": (noticed, lambda work, hand: work(hand["not me"], HERE)),
    "objections.peek_not_me_sign_in": (from_elsewhere, lambda work, hand: work(hand["not me"], HERE)),
    "passkeys.passkeys": (with_a_passkey, lambda work, hand: work(hand["session"], HERE)),
    "passkeys.signal_payload": (with_a_passkey, lambda work, hand: work(hand["session"], HERE)),
    "recovery.peek_reset": (asked_for_a_reset, lambda work, hand: work(hand["link"], HERE)),
    "registration.peek_contact": (about_to_prove, lambda work, hand: work(hand["link"], HERE)),
    "providers.identities": (with_a_link, lambda work, hand: work(hand["session"], HERE)),
    "providers.kept_tokens": (with_a_link, lambda work, hand: work(hand["session"], hand["identity"], HERE)),
    "relay.dead_letters": (signed_in, lambda work, _: work()),
    "relay.status": (signed_in, lambda work, _: work()),
    "sessions.list_devices": (from_elsewhere, lambda work, hand: work(hand["session"], HERE)),
    "sessions.list_sessions": (from_elsewhere, lambda work, hand: work(hand["session"], HERE)),
    "usernames.is_username_free": (nothing, lambda work, _: work("lanternkeeper", HERE)),
    **billing_looks.READS,
}
CRASHES = (
    test_account_status_crashes,
    test_billing_desk_crashes,
    test_billing_run_crashes,
    test_code_crashes,
    test_contact_crashes,
    test_factor_crashes,
    test_identity_crashes,
    test_other_crashes,
    test_owner_crashes,
    test_passkey_crashes,
    test_provider_crashes,
    test_recovery_crashes,
    test_subscription_crashes,
)
ELSEWHERE = {
    "relay.deliver_pending": "walked in relay/test_relay_events.py, stopped at random in relay/test_relay_machine.py",
    "relay.discard_dead": "one record of one change in the operator's hand",
    "relay.prune": "one purge, which any storage's contract calls safe to run twice",
    "relay.requeue": "one record of one change in the operator's hand",
    "upkeep.tick": "each of its tasks is walked by itself",
}


@attrs.frozen
class Doing:
    """Something that somebody does, with what has happened before."""

    name: str
    begin: Any = attrs.field(repr=False)
    perform: Any = attrs.field(repr=False)


def command_of(crashes, command):
    async def begin(host):
        return await crashes.begin(host, command)

    async def perform(world):
        return await crashes.perform(world, command)

    return Doing(f"{crashes.__name__.rpartition('.')[2][5:-8]}: {command}", begin, perform)


def look_of(read):
    arrange, act = READS[read]
    face, _, name = read.partition(".")

    async def begin(host):
        world = BillingWorld(host) if read in billing_looks.READS else World(host)
        await arrange(world)
        return world

    async def perform(world):
        return await act(getattr(getattr(world.shop, face), name), world.hand)

    return Doing(read, begin, perform)


LOOKS = [look_of(read) for read in READS]
DOINGS = [command_of(crashes, command) for crashes in CRASHES for command in crashes.COMMANDS] + LOOKS


def each(doings):
    return pytest.mark.parametrize("doing", [pytest.param(one, id=one.name) for one in doings])


def walked():
    """Every use-case that a command calls: the first two names in it."""
    for crashes in CRASHES:
        for command in crashes.COMMANDS.values():
            face, name, *_ = command[-1].__code__.co_names
            yield f"{face}.{name}"


async def ending_of(doing, world):
    """What somebody is answered, or how they are refused."""
    try:
        answer = await doing.perform(world)
    except Rejected as refusal:
        return refusal, refusal.code + "".join(traceback.format_exception(refusal))
    return answer, repr(answer)


@pytest.mark.proves("TES-107")
def test_every_use_case_that_writes_is_walked_by_crashes() -> None:
    assert {*walked(), *READS, *ELSEWHERE} == {str(one) for one in use_cases()}
    assert not READS.keys() & {*walked(), *ELSEWHERE}


@pytest.mark.proves("KER-126")
@each(LOOKS)
async def test_who_only_looks_leaves_nothing_behind(host, doing) -> None:
    world = await doing.begin(host)
    before = world.builder.storage.snapshot()["main"]
    await doing.perform(world)
    after = world.builder.storage.snapshot()["main"]
    assert (after.books, after.keys, after.once) == (before.books, before.keys, before.once)


# Both hosts


@each(DOINGS)
def test_the_same_is_answered_and_left_behind_in_both_hosts(doing, tomorrow) -> None:
    async def whole(host):
        world = await doing.begin(host)
        tomorrow()
        _, told = await ending_of(doing, world)
        return without_lines(told), left(world), [attrs.asdict(letter) for letter in world.builder.mailbag.letters]

    blocking = run(whole(BLOCKING))
    tomorrow.undo()
    assert blocking == asyncio.run(whole(ASYNC))


def without_lines(told):
    """A refusal is the same whichever lines of the host it went through."""
    return told.partition("Traceback")[0]


def left(world):
    """Everything that is kept, as text."""
    realm = world.builder.storage.snapshot()["main"]
    books = {book.name: {id: serial.dump(it) for id, it in realm.books[book.name].items()} for book in BOOKS}
    return books, realm.keys, realm.counters, realm.once, realm.numbers


# What nobody may read over the shop's shoulder


TYPED = {PASSWORD, AFRESH, *map(str, ANSWERS.values())}
ADDRESSES = {ANN, NEW, "bob@lamp.example", "ann@second.example", "mia@lamp.example"}
MAY_HOLD_ADDRESSES = {
    "attempts",
    "cancellation_statements",
    "contact_additions",
    "contact_changes",
    "customers",
    "invitations",
    "recovery_cases",
    "sent_codes",
    "withdrawal_statements",
}


def secrets_in(value):
    """Every secret in a value, however deep."""
    if isinstance(value, Secret):
        yield from secrets_in(value.reveal()) if not isinstance(value.reveal(), str) else [value.reveal()]
    elif attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            yield from secrets_in(getattr(value, field.name))
    elif isinstance(value, Mapping):
        yield from secrets_in(tuple(value.values()))
    elif isinstance(value, tuple | list):
        for one in value:
            yield from secrets_in(one)


def verifiers(texts):
    """The half of each ticket that nobody may know, and whatever else is long enough to be told from noise."""
    halves = {text.rpartition(".")[2] if text.startswith("sa1.") else text for text in texts}
    return {half for half in halves if len(half) >= 8}


@pytest.mark.proves("KER-203", "CUS-6")
@each(DOINGS)
async def test_no_secret_and_no_address_is_left_where_it_does_not_belong(host, doing, tomorrow, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    world = await doing.begin(host)
    tomorrow()
    answer, told = await ending_of(doing, world)
    realm = world.builder.storage.snapshot()["main"]
    kept = [
        (f"{book.name} {id}", text)
        for book in BOOKS
        for id, entity in realm.books[book.name].items()
        for text in (serial.dump(entity), repr(entity))
    ]
    said = [("answer", told), ("log", caplog.text), ("counters", " ".join(realm.counters)), ("once", repr(realm.once))]
    mailed = [link.partition("token=")[2] for one in world.builder.mailbag.letters for link in one.secrets.values()]
    planted = verifiers([*secrets_in(world.hand), *secrets_in(answer), *mailed, *TYPED])
    assert_no_leak(
        {f"secret {number}": text for number, text in enumerate(sorted(planted))},
        [*kept, *said, ("keys", repr(realm.keys))],
    )
    open_books = [(place, text) for place, text in kept if place.split()[0] not in MAY_HOLD_ADDRESSES]
    assert_no_leak({f"{number}": text for number, text in enumerate(sorted(ADDRESSES))}, [*open_books, *said])
