"""The machine stops in every use-case that no other file of crashes walks: nothing is half, and asking again ends well.

The last tests hold all the files of crashes against what a shop has, so that none that writes is left out.
"""

from datetime import timedelta
from typing import Any

import attrs
import pytest

from shopaccounts.adapters.legacy_hashes import LegacyHasher
from shopaccounts.customers import Delivery
from shopaccounts.kernel.ids import AccountId, WorkerId
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.kernel.secret import Secret
from shopaccounts.passwords import ImportRow, LegacyScheme
from shopaccounts.recovery import Evidence, EvidenceKind, Question, SecurityQuestionsPolicy
from shopaccounts.registration import RegistrationPolicy, UsernamePolicy
from shopaccounts.signin import ActingScope
from shopaccounts.testing.builders import PASSWORD, QuickHasher, ShopBuilder, quick_policies, request_from, without_gaps
from shopaccounts.testing.doubles import StaffRoom
from tests.usecases.crashing import LEASE, assert_ends_well

ANN, BOB, NEW = "ann@lamp.example", "bob@lamp.example", "ann@new.example"
HERE, THERE = request_from(), request_from("203.0.113.9", agent="Mozilla/5.0 (X11) Thief/1")
AFRESH, WHY = "another lamp by the river", "as the customer asked"
WORKER, DAY = WorkerId("test"), timedelta(days=1)
EVIDENCE = (Evidence(EvidenceKind.ORDER_AND_POSTAL_CODE, True), Evidence(EvidenceKind.PAYMENT_METHOD_END, True))
ANSWERS: dict[Question, object] = {
    Question.FIRST_PET: "a goldfish called Ottokar",
    Question.FIRST_CONCERT: "The Velvet Lampshades",
    Question.WORST_HOLIDAY: "rain in Bremen",
}
FOREIGN = "$P$5saltsaltgjx/Kg6DhY9NviBWSvO/V."


def agent(name):
    return Actor(ActorKind.AGENT, name)


class World:
    """What survives a crash, and what people have in hand."""

    def __init__(self, host):
        policies = quick_policies(
            sends=without_gaps(),
            registration=RegistrationPolicy(usernames=UsernamePolicy(enabled=True)),
            questions=SecurityQuestionsPolicy(enabled=True, accept_risk=True),
        )
        self.staff = StaffRoom()
        self.builder: Any = ShopBuilder(host=host, policies=policies, agents=self.staff)
        self.shop = self.builder.build()
        self.hand: dict[str, Any] = {}

    def acting(self, actor, wrap=None):
        """The same shop on behalf of somebody, through *wrap*."""
        for name in ("eve", "bert"):
            self.staff.hire(name, signed_in_at=self.builder.clock.now())
        was = self.builder.scope
        self.builder.scope = attrs.evolve(was, actor=actor) if actor else was
        shop = self.builder.build(wrap)
        self.builder.scope = was
        return shop

    def rows(self, name):
        return tuple(self.builder.storage.snapshot()["main"].books[name].values())

    def newest(self, template):
        return next(one for one in reversed(self.builder.mailbag.letters) if one.template == template)


# What has happened before


async def nothing(_world):
    return None


async def signed_in(world):
    account = await world.shop.open_account(ANN)
    world.hand = {"session": account.session, "account": account.id}


async def from_elsewhere(world):
    await signed_in(world)
    other = await world.shop.signin.sign_in_with_password(ANN, PASSWORD, THERE)
    (known,) = world.rows("devices")
    notice = world.newest("signin.new_device")
    world.builder.clock.advance(LEASE)
    world.hand |= {
        "other": other.public_id,
        "device": known.devices[-1].public_id,
        "not me": notice.ticket("not_me_link"),
    }


async def invited(world):
    bob = await world.shop.open_account(BOB)
    await world.shop.invitations.invite(bob.session, ANN, HERE)
    link = world.builder.mailbag.last.token
    await signed_in(world)
    world.hand["link"] = link


async def with_two_addresses(world):
    await signed_in(world)
    await world.shop.contacts.add_contact(world.hand["session"], NEW, HERE)
    link = world.builder.mailbag.last.token
    added = await world.shop.contacts.confirm_added_contact(link, world.hand["session"], HERE)
    step = await world.shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    world.hand |= {"session": step.session, "contact": added.contact}


async def removed(world):
    await with_two_addresses(world)
    done = await world.shop.contacts.remove_contact(world.hand["session"], world.hand["contact"], HERE)
    world.hand["session"] = done.next_value.session


async def put_off(world):
    await with_two_addresses(world)
    await world.shop.contact_care.note_delivery(world.hand["account"], world.hand["contact"], Delivery.IMPOSSIBLE)


async def checked(world):
    await put_off(world)
    await world.acting(agent("eve")).contact_care.check_contact(world.hand["account"], world.hand["contact"], WHY)
    world.hand["link"] = world.newest("registration.contact_check").token


async def not_answered(world):
    await checked(world)
    world.builder.clock.advance(30 * DAY)


async def with_questions(world):
    await signed_in(world)
    await world.shop.questions.set_questions(world.hand["session"], ANSWERS, HERE)


async def to_be_reviewed(world):
    await with_questions(world)
    world.builder.clock.advance(400 * DAY)


async def asked_for_a_reset(world):
    await with_questions(world)
    await world.shop.recovery.request_reset(ANN, HERE)
    world.hand["link"] = world.builder.mailbag.last.token


async def acting_for_ann(world):
    await signed_in(world)
    begun = await world.acting(agent("eve")).impersonation.start_impersonation(
        world.hand["account"], WHY, ActingScope.READ_ONLY, HERE
    )
    world.hand["acting"] = begun.session


async def acted_long_enough(world):
    await acting_for_ann(world)
    world.builder.clock.advance(DAY)


async def vouched_for(world):
    await signed_in(world)
    asked = await world.acting(agent("eve")).case_help.open_case_for(world.hand["account"], NEW, EVIDENCE, WHY)
    world.hand["case"] = asked.case


async def agreed(world):
    await vouched_for(world)
    case = await world.acting(agent("bert")).case_help.agree_to_case(world.hand["case"], WHY)
    world.hand["at"] = case.earliest_at


async def may_be_completed(world):
    await agreed(world)
    world.builder.clock.set(world.hand["at"])
    await world.shop.cases.attend_cases(10, WORKER)
    world.hand["link"] = world.newest("recovery.complete_case").token


async def without_a_password(world):
    account = await world.shop.open_account(ANN, None)
    world.hand = {"session": account.session, "account": account.id}


EVE, BERT, PROGRAM = agent("eve"), agent("bert"), Actor(ActorKind.SYSTEM)
COMMANDS: dict[str, Any] = {
    "accept": (
        invited,
        None,
        lambda shop, hand: shop.invitations.accept_with_account(hand["link"], hand["session"], HERE),
    ),
    "name": (
        signed_in,
        None,
        lambda shop, hand: shop.usernames.change_username(hand["session"], "lanternkeeper", HERE),
    ),
    "open for": (nothing, EVE, lambda shop, _: shop.assisted.open_for(ANN, WHY)),
    "import": (nothing, PROGRAM, lambda shop, _: shop.assisted.import_account(ANN)),
    "note": (
        with_two_addresses,
        None,
        lambda shop, hand: shop.contact_care.note_delivery(hand["account"], hand["contact"], Delivery.IMPOSSIBLE),
    ),
    "take back": (
        removed,
        None,
        lambda shop, hand: shop.contact_changes.restore_contact(hand["session"], hand["contact"], HERE),
    ),
    "check": (put_off, EVE, lambda shop, hand: shop.contact_care.check_contact(hand["account"], hand["contact"], WHY)),
    "answer a check": (checked, None, lambda shop, hand: shop.contact_care.answer_contact_check(hand["link"], HERE)),
    "end checks": (not_answered, None, lambda shop, _: shop.contact_care.finish_checks(10, WORKER)),
    "rekey": (signed_in, None, lambda shop, _: shop.contact_care.rekey_contacts(10)),
    "remove password": (signed_in, None, lambda shop, hand: shop.passwords.remove_password(hand["session"], HERE)),
    "import passwords": (
        without_a_password,
        None,
        lambda shop, hand: shop.password_imports.import_passwords((foreign(hand["account"]),)),
    ),
    "end a session": (
        from_elsewhere,
        None,
        lambda shop, hand: shop.sessions.end_session(hand["session"], hand["other"], HERE),
    ),
    "forget a device": (
        from_elsewhere,
        None,
        lambda shop, hand: shop.sessions.forget_device(hand["session"], hand["device"], HERE),
    ),
    "end all of one": (from_elsewhere, EVE, lambda shop, hand: shop.sessions.end_sessions_of(hand["account"], WHY)),
    "end all": (from_elsewhere, EVE, lambda shop, _: shop.sessions.end_sessions_of_everybody(WHY)),
    "begin to act": (
        signed_in,
        EVE,
        lambda shop, hand: shop.impersonation.start_impersonation(hand["account"], WHY, ActingScope.READ_ONLY, HERE),
    ),
    "end acting": (acting_for_ann, EVE, lambda shop, hand: shop.impersonation.end_impersonation(hand["acting"], HERE)),
    "acted long enough": (acted_long_enough, None, lambda shop, _: shop.impersonation.end_due(10, WORKER)),
    "not me": (from_elsewhere, None, lambda shop, hand: shop.objections.not_me_sign_in(hand["not me"], HERE)),
    "drop": (
        from_elsewhere,
        None,
        lambda shop, hand: shop.recovery.drop_recent(hand["session"], [hand["device"]], HERE),
    ),
    "reset with answers": (
        asked_for_a_reset,
        None,
        lambda shop, hand: shop.recovery.reset_password(hand["link"], AFRESH, HERE, ANSWERS),
    ),
    "reset with wrong answers": (
        asked_for_a_reset,
        None,
        lambda shop, hand: shop.recovery.reset_password(hand["link"], AFRESH, HERE, {}),
    ),
    "set questions": (signed_in, None, lambda shop, hand: shop.questions.set_questions(hand["session"], ANSWERS, HERE)),
    "remove questions": (
        with_questions,
        None,
        lambda shop, hand: shop.questions.remove_questions(hand["session"], HERE),
    ),
    "review questions": (to_be_reviewed, None, lambda shop, _: shop.questions.remind_to_review(10, WORKER)),
    "vouch": (
        signed_in,
        EVE,
        lambda shop, hand: shop.case_help.open_case_for(hand["account"], NEW, EVIDENCE, WHY),
    ),
    "agree": (vouched_for, BERT, lambda shop, hand: shop.case_help.agree_to_case(hand["case"], WHY)),
    "stop a case": (agreed, EVE, lambda shop, hand: shop.case_help.stop_case(hand["case"], WHY)),
    "complete a case": (
        may_be_completed,
        None,
        lambda shop, hand: shop.case_help.complete_case(hand["link"], HERE),
    ),
}
DONE_BEFORE = {
    "accept": "registration.link_used",
    "take back": "signin.required",
    "check": "registration.change_not_possible",
    "answer a check": "registration.link_used",
    "remove password": "signin.required",
    "forget a device": "signin.device_unknown",
    "begin to act": "signin.impersonation_not_allowed",
    "end acting": "signin.required",
    "not me": "recovery.link_used",
    "drop": "signin.required",
    "reset with answers": "recovery.link_used",
    "agree": "recovery.case_closed",
    "stop a case": "recovery.case_closed",
    "complete a case": "recovery.link_used",
}
"""What the same request is told whose effect was stored before the machine stopped."""
OPENED_AGAIN = {
    "guests.account_cleansed",
    "invitations",
    "registration.account_prepared",
    "registration.attempt_restarted",
    "registration.invitation_sent",
}
REPEATED = {
    "open for": OPENED_AGAIN,
    "import": OPENED_AGAIN,
    "end all of one": {"signin.sessions_ended_by_staff"},
    "end all": {"signin.sessions_ended_by_staff"},
    "reset with wrong answers": {"recovery.questions_answered_wrong"},
    "set questions": {"recovery.questions_set", "recovery.questions_changed", "tickets"},
    "vouch": {"recovery_cases"},
}
"""What is there again because somebody asks again; none of it is a thing that may happen once."""


def foreign(account):
    return ImportRow(account=AccountId(account), scheme=LegacyScheme.PHPASS, text=Secret(FOREIGN))


def reading_foreign(wrap):
    """Put the reader of foreign hashes around the shop's hasher, and *wrap* around that."""

    def around(port):
        return wrap(LegacyHasher(port, (LegacyScheme.PHPASS,)) if isinstance(port, QuickHasher) else port)

    return around


async def begin(host, command):
    """Answer a world in which somebody is about to do something."""
    world = World(host)
    await COMMANDS[command][0](world)
    return world


async def perform(world, command, wrap=lambda port: port):
    """Do it, through *wrap*."""
    _, actor, act = COMMANDS[command]
    return await act(world.acting(actor, reading_foreign(wrap)), world.hand)


@pytest.mark.proves("TES-107", "KER-154")
@pytest.mark.parametrize("command", COMMANDS)
async def test_a_crash_loses_nothing_and_the_same_request_ends_well(host, command, tomorrow) -> None:
    async def today():
        tomorrow.undo()
        return await begin(host, command)

    async def next_day(world, wrap):
        tomorrow()
        return await perform(world, command, wrap)

    await assert_ends_well(today, next_day, DONE_BEFORE.get(command), REPEATED.get(command, set()))
