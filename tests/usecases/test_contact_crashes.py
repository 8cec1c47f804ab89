"""The machine stops at any call of any port while contacts are changed: nothing is half, and asking again ends well."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from shopaccounts.customers import ContactRole
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.secret import Secret
from shopaccounts.registration import ChangeState, ContactChangePolicy, WhichNumber
from shopaccounts.testing.builders import request_from, without_gaps
from shopaccounts.testing.crashes import walk_crashes
from shopaccounts.testing.phones import with_phones

ANN, NEW, HERE = "ann@lamp.example", "ann@new.example", request_from()
TEL, NEW_TEL = "+4915123456789", "+4915198765432"
LEASE = timedelta(minutes=1)


class World:
    """What survives a crash, and what people have in hand."""

    def __init__(self, host):
        self.builder: Any = with_phones(host, sends=without_gaps(), contact_changes=ContactChangePolicy(per_30_days=30))
        self.shop = self.builder.build()
        self.hand: dict[str, Any] = {}

    def rows(self, name):
        return tuple(self.builder.storage.snapshot()["main"].books[name].values())

    def told(self):
        return Counter(event.name for event in self.rows("events"))

    def token(self, template, name="link"):
        letters = [one for one in self.builder.mailbag.letters if one.template == f"registration.{template}"]
        return Secret(letters[-1].secrets[name].partition("token=")[2])


async def signed_in(world):
    account = await world.shop.open_account(ANN)
    world.hand = {"session": account.session, "account": account.id}


async def adding(world):
    await signed_in(world)
    started = await world.shop.contacts.add_contact(world.hand["session"], NEW, HERE)
    code = world.builder.mailbag.last.code
    world.hand |= {"addition": started.addition, "code": code, "link": world.token("add_contact")}


async def with_two(world):
    await adding(world)
    added = await world.shop.contacts.confirm_added_contact(world.hand["link"], world.hand["session"], HERE)
    world.hand["contact"] = added.contact


async def changing(world):
    await signed_in(world)
    await world.shop.contact_changes.promote_contact(world.hand["session"], NEW, HERE)
    world.hand |= {"new": world.token("confirm_new_contact"), "old": world.token("confirm_old_contact")}


async def new_confirmed(world):
    await changing(world)
    await world.shop.contact_changes.confirm_change_new(world.hand["new"], world.hand["session"], HERE)


async def old_confirmed(world):
    await changing(world)
    await world.shop.contact_changes.confirm_change_old(world.hand["old"], None, HERE)


async def changed(world):
    await new_confirmed(world)
    await world.shop.contact_changes.confirm_change_old(world.hand["old"], None, HERE)
    world.hand["undo"] = world.token("undo_contact_change")


async def with_number(world):
    await signed_in(world)
    started = await world.shop.contacts.add_contact(world.hand["session"], TEL, HERE)
    code = world.builder.mailbag.last.code
    added = await world.shop.contacts.prove_added_contact(world.hand["session"], started.addition, code, HERE)
    world.hand["contact"] = added.contact


async def changing_number(world):
    await with_number(world)
    hand = world.hand
    hand["session"] = (await world.shop.contacts.sign_in_by_contact(hand["session"], hand["contact"], HERE)).session
    await world.shop.contact_changes.promote_contact(hand["session"], NEW_TEL, HERE)
    letters = {one.template: one for one in world.builder.mailbag.letters}
    hand |= {side: letters[f"registration.confirm_{side}_number"].code for side in ("new", "old")}


async def number_agreed(world):
    await changing_number(world)
    hand = world.hand
    await world.shop.contact_changes.prove_number(hand["session"], WhichNumber.OLD, hand["old"], HERE)


async def overdue(world):
    await changed(world)
    world.builder.clock.advance(timedelta(days=31))


COMMANDS = {
    "add": (signed_in, lambda shop, hand: shop.contacts.add_contact(hand["session"], NEW, HERE)),
    "type": (
        adding,
        lambda shop, hand: shop.contacts.prove_added_contact(hand["session"], hand["addition"], hand["code"], HERE),
    ),
    "guess": (
        adding,
        lambda shop, hand: shop.contacts.prove_added_contact(hand["session"], hand["addition"], "wrong", HERE),
    ),
    "open": (adding, lambda shop, hand: shop.contacts.confirm_added_contact(hand["link"], hand["session"], HERE)),
    "use": (
        with_two,
        lambda shop, hand: shop.contacts.use_contact(hand["session"], hand["contact"], ContactRole.RECOVERY, HERE),
    ),
    "remove": (with_two, lambda shop, hand: shop.contacts.remove_contact(hand["session"], hand["contact"], HERE)),
    "ask": (signed_in, lambda shop, hand: shop.contact_changes.promote_contact(hand["session"], NEW, HERE)),
    "ask again": (changing, lambda shop, hand: shop.contact_changes.promote_contact(hand["session"], NEW, HERE)),
    "confirm": (
        changing,
        lambda shop, hand: shop.contact_changes.confirm_change_new(hand["new"], hand["session"], HERE),
    ),
    "confirm last": (
        old_confirmed,
        lambda shop, hand: shop.contact_changes.confirm_change_new(hand["new"], hand["session"], HERE),
    ),
    "agree last": (new_confirmed, lambda shop, hand: shop.contact_changes.confirm_change_old(hand["old"], None, HERE)),
    "cancel": (changing, lambda shop, hand: shop.contact_changes.cancel_contact_change(hand["session"], HERE)),
    "take back": (changed, lambda shop, hand: shop.contact_changes.reverse_contact_change(hand["undo"], HERE)),
    "sign in by a number": (
        with_number,
        lambda shop, hand: shop.contacts.sign_in_by_contact(hand["session"], hand["contact"], HERE),
    ),
    "ask for a number": (
        changing_number,
        lambda shop, hand: shop.contact_changes.promote_contact(hand["session"], "+4915155555555", HERE),
    ),
    "prove a number": (
        changing_number,
        lambda shop, hand: shop.contact_changes.prove_number(hand["session"], WhichNumber.NEW, hand["new"], HERE),
    ),
    "prove a number last": (
        number_agreed,
        lambda shop, hand: shop.contact_changes.prove_number(hand["session"], WhichNumber.NEW, hand["new"], HERE),
    ),
    "guess a number's code": (
        changing_number,
        lambda shop, hand: shop.contact_changes.prove_number(hand["session"], WhichNumber.OLD, "000000", HERE),
    ),
    "send a number's codes again": (
        changing_number,
        lambda shop, hand: shop.contact_changes.resend_number_codes(hand["session"], HERE),
    ),
    "finish": (overdue, lambda shop, _: shop.contact_changes.finish_changes(100, WorkerId("test"))),
}
DONE_BEFORE = {
    "type": "registration.link_used",
    "open": "registration.link_used",
    "remove": "signin.required",
    "confirm": "registration.link_used",
    "confirm last": "registration.link_used",
    "agree last": "registration.link_used",
    "cancel": "registration.change_not_possible",
    "sign in by a number": "signin.required",
    "prove a number": "registration.change_not_possible",
    "prove a number last": "signin.required",
    "take back": "registration.link_used",
}
"""What the same request is told whose effect was stored before the machine stopped."""
REPEATED = {
    "ask": {"registration.contact_change_requested", "registration.contact_change_cancelled"},
    "ask again": {"registration.contact_change_requested", "registration.contact_change_cancelled"},
    "ask for a number": {"registration.contact_change_requested", "registration.contact_change_cancelled"},
}
"""What happens again because a person asks again."""


async def begin(host, command):
    """Answer a world in which somebody is about to do something."""
    world = World(host)
    await COMMANDS[command][0](world)
    return world


async def perform(world, command, wrap=None):
    """Do it, through *wrap*."""
    return await COMMANDS[command][1](world.builder.build(wrap), world.hand)


@pytest.mark.proves("TES-107", "KER-154", "REG-64", "REG-68", "SIG-81")
@pytest.mark.parametrize("command", COMMANDS)
async def test_a_crash_while_contacts_change_loses_nothing_and_the_same_request_ends_well(host, command) -> None:
    async def run(world, wrap):
        world.builder.clock.advance(LEASE)
        try:
            return "", await perform(world, command, wrap)
        except Rejected as refusal:
            return refusal.code, None

    async def check(found):
        hit, quiet = found.world, found.quiet_world
        assert found.result[0] in {found.quiet_result[0], DONE_BEFORE.get(command)}, (found.call, found.side)
        assert standing(hit) == standing(quiet), (found.call, found.side)
        assert not quiet.told() - hit.told(), "something is not told"
        extra = hit.told() - quiet.told()
        assert set(extra) <= REPEATED.get(command, set()), (found.call, found.side, extra)

    assert await walk_crashes(lambda: begin(host, command), run, check) >= 1


def standing(world):
    """What has to be the same after a crash and a second try as after one try that went well."""
    notices = ("contact_added", "contact_changed", "contact_removed", "change_undone", "undo_contact_change")
    changes = Counter(c.state for c in world.rows("contact_changes") if c.state is not ChangeState.SUPERSEDED)
    return {
        "contacts": [(c.value, c.roles, c.verified is None) for one in world.rows("customers") for c in one.contacts],
        "former": [f.contact.value for one in world.rows("customers") for f in one.former_contacts],
        "changes": changes,
        "stamps": [one.stamps for one in world.rows("security")],
        "flags": [one.must_change for one in world.rows("passwords")],
        "notices": Counter(m.template for m in world.rows("messages") if m.template.partition(".")[2] in notices),
    }
