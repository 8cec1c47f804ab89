"""The machine stops at any call of any port: nothing is lost, nothing is half, and the same request ends well."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from shopaccounts.customers import AccountStatus
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.registration import RegistrationForm
from shopaccounts.signin import Resumed, SignedIn
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, quick_policies, request_from, without_gaps
from shopaccounts.testing.crashes import walk_crashes

ANN, HERE = "ann@lamp.example", request_from()
NEW = "another lamp by the river"
LEASE = timedelta(minutes=1)
"""After which another worker may do what one that stopped had begun."""


class World:
    """What survives a crash, and what people have in hand."""

    def __init__(self, host):
        self.builder: Any = ShopBuilder(host=host, policies=quick_policies(sends=without_gaps()))
        self.shop = self.builder.build()
        self.hand: dict[str, Any] = {}

    @property
    def realm(self):
        return self.builder.storage.snapshot()["main"]

    def rows(self, name):
        return tuple(self.realm.books[name].values())

    def told(self):
        return Counter(event.name for event in self.rows("events"))


async def registered(world):
    started = await world.shop.registration.register(RegistrationForm(identifier=ANN, password=PASSWORD), HERE)
    letter = world.builder.mailbag.last
    world.hand = {"handle": started.handle, "code": letter.code, "link": letter.token}


async def signed_in(world):
    account = await world.shop.open_account(ANN)
    world.hand = {"session": account.session}


async def with_other_sessions(world):
    await signed_in(world)
    await world.shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)


async def asked_for_a_reset(world):
    await signed_in(world)
    await world.shop.recovery.request_reset(ANN, HERE)
    world.hand["link"] = world.builder.mailbag.last.token


async def lapsing(world):
    await registered(world)
    world.builder.clock.advance(timedelta(days=31))


async def idle(world):
    await signed_in(world)
    world.builder.clock.advance(timedelta(minutes=10))


async def suspended(world):
    await world.shop.arrange("suspended", ANN)


async def nothing(_world):
    return None


def form():
    return RegistrationForm(identifier=ANN, password=PASSWORD)


COMMANDS = {
    "register": (nothing, lambda shop, _: shop.registration.register(form(), HERE)),
    "register again": (registered, lambda shop, _: shop.registration.register(form(), HERE)),
    "register an owner's": (signed_in, lambda shop, _: shop.registration.register(form(), HERE)),
    "complete": (
        registered,
        lambda shop, hand: shop.registration.complete_registration(hand["handle"], hand["code"], HERE),
    ),
    "guess": (registered, lambda shop, hand: shop.registration.complete_registration(hand["handle"], "wrong", HERE)),
    "resend": (registered, lambda shop, hand: shop.registration.resend_verification(hand["handle"], HERE)),
    "confirm": (registered, lambda shop, hand: shop.registration.confirm_contact(hand["link"], hand["handle"], HERE)),
    "take over": (registered, lambda shop, hand: shop.registration.take_over_contact(hand["link"], NEW, HERE)),
    "lapse": (lapsing, lambda shop, _: shop.registration.expire_unproven(100, WorkerId("test"))),
    "sign in": (signed_in, lambda shop, _: shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)),
    "sign in wrong": (signed_in, lambda shop, _: shop.signin.sign_in_with_password(ANN, NEW, HERE)),
    "sign in suspended": (suspended, lambda shop, _: shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)),
    "resume": (idle, lambda shop, hand: shop.sessions.resume(hand["session"], HERE)),
    "sign out": (signed_in, lambda shop, hand: shop.sessions.sign_out(hand["session"], HERE)),
    "sign out everywhere": (signed_in, lambda shop, hand: shop.sessions.sign_out_everywhere(hand["session"], HERE)),
    "end others": (with_other_sessions, lambda shop, hand: shop.sessions.end_other_sessions(hand["session"], HERE)),
    "ask": (signed_in, lambda shop, _: shop.recovery.request_reset(ANN, HERE)),
    "ask pending": (registered, lambda shop, _: shop.recovery.request_reset(ANN, HERE)),
    "ask suspended": (suspended, lambda shop, _: shop.recovery.request_reset(ANN, HERE)),
    "ask unknown": (nothing, lambda shop, _: shop.recovery.request_reset(ANN, HERE)),
    "reset": (asked_for_a_reset, lambda shop, hand: shop.recovery.reset_password(hand["link"], NEW, HERE)),
}
DONE_BEFORE = {
    "complete": "registration.link_used",
    "confirm": "registration.link_used",
    "take over": "registration.link_used",
    "reset": "recovery.link_used",
    "sign out everywhere": "signin.required",
    "end others": "signin.required",
}
"""What the same request is told whose effect was stored before the machine stopped."""


@pytest.mark.proves("TES-107", "KER-154")
@pytest.mark.parametrize("command", COMMANDS)
async def test_a_crash_loses_nothing_and_the_same_request_ends_well(host, command) -> None:
    arrange, act = COMMANDS[command]

    async def world():
        world = World(host)
        await arrange(world)
        return world

    async def run(world, wrap):
        world.builder.clock.advance(LEASE)
        try:
            return "", await act(world.builder.build(wrap), world.hand)
        except Rejected as refusal:
            return refusal.code, None

    async def check(found):
        hit, quiet = found.world, found.quiet_world
        assert found.result[0] in {found.quiet_result[0], DONE_BEFORE.get(command)}, (found.call, found.side)
        assert_whole(hit)
        assert standing(hit) == standing(quiet), (found.call, found.side)
        extra = hit.told() - quiet.told()
        assert not quiet.told() - hit.told(), "something is not told"
        assert set(extra) <= REPEATED.get(command, set()), (found.call, found.side, extra)
        await assert_owner_gets_in(hit)

    assert await walk_crashes(world, run, check) >= 1


REPEATED = {
    "register": {"registration.attempt_restarted", "guests.account_cleansed"},
    "register again": {"registration.attempt_restarted", "guests.account_cleansed"},
    "register an owner's": {"registration.duplicate_attempted"},
    "sign in": {"signin.signed_in"},
    "sign in wrong": {"signin.refused"},
    "sign in suspended": {"signin.suspended_tried"},
    "ask": {"recovery.reset_requested"},
}
"""What happens again because a person asks again; none of it is a thing that may happen once."""


def standing(world):
    """What has to be the same after a crash and a second try as after one try that went well."""
    attempts = [(a.account is None, a.state, a.password is None) for a in world.rows("attempts")]
    return {
        "customers": Counter((c.status, len(c.contacts)) for c in world.rows("customers")),
        "attempts": Counter(attempt for attempt in attempts if not attempt[0]),
        "stamps": [s.stamps for s in world.rows("security")],
        "passwords": len(world.rows("passwords")),
        "spent tickets": sum(ticket.spent_at is not None for ticket in world.rows("tickets")),
        "notices": Counter(m.template for m in world.rows("messages") if m.template in ONCE),
    }


ONCE = {"passwords.was_reset", "signin.suspended_tried", "recovery.account_suspended"}


def assert_whole(world):
    """Nothing is stored without what belongs to it."""
    told, keys = world.told(), {message.idempotency_key for message in world.rows("messages")}
    active = [c for c in world.rows("customers") if c.status in {AccountStatus.ACTIVE, AccountStatus.SUSPENDED}]
    assert len(active) == len(world.rows("security")) == told["registration.account_activated"]
    assert told["registration.account_activated"] == told["registration.contact_verified"]
    signed_in = [event.data for event in world.rows("events") if event.name == "signin.signed_in"]
    for session in world.rows("sessions"):
        rotated = session.created_at < session.last_seen
        assert rotated or session.public_id in "".join(signed_in) or told["signin.session_ended"]
    for attempt in world.rows("attempts"):
        if attempt.account:
            assert f"verify {attempt.id}" in keys
    resets = [ticket for ticket in world.rows("tickets") if ticket.purpose == "password_reset"]
    for ticket in resets:
        assert f"reset {ticket.selector}" in keys
        assert ticket.spent_at is None or f"was_reset {ticket.selector} 0" in keys
    assert told["recovery.password_reset"] == sum(ticket.spent_at is not None for ticket in resets)


async def assert_owner_gets_in(world):
    """Whatever happened, the owner has a way in."""
    world.builder.clock.advance(timedelta(hours=3))
    shop, bag = world.builder.build(), world.builder.mailbag
    customers = [c for c in world.rows("customers") if c.contacts]
    if not customers or customers[0].status is AccountStatus.SUSPENDED:
        return
    await shop.recovery.request_reset(ANN, HERE)
    letter = bag.last
    assert letter.deliver
    if letter.template == "registration.verify_contact":
        step = (await shop.registration.take_over_contact(letter.token, "the way back in is open", HERE)).step
    else:
        await shop.recovery.reset_password(letter.token, "the way back in is open", HERE)
        step = await shop.signin.sign_in_with_password(ANN, "the way back in is open", HERE)
    assert isinstance(step, SignedIn)
    assert isinstance(await shop.sessions.resume(step.session, HERE), Resumed)
