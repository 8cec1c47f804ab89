"""The machine stops at any call of any port: nothing is lost, nothing is half, and the same request ends well."""

from collections import Counter
from datetime import timedelta
from typing import Any

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, AccountStatus, ContactPoint, ContactRole, VerificationMethod
from shopaccounts.kernel.contact import ContactKind, EmailAddress
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.ids import ContactId, WorkerId
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.registration import RegistrationForm
from shopaccounts.signin import RenewalPolicy, Resumed, SessionPolicy, SignedIn
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, quick_policies, request_from, without_gaps
from shopaccounts.testing.crashes import walk_crashes
from shopaccounts.testing.doubles import LeakedPasswords, StaffRoom

ANN, BOB, HERE = "ann@lamp.example", "bob@lamp.example", request_from()
NEW = "another lamp by the river"
LEASE = timedelta(minutes=1)
"""After which another worker may do what one that stopped had begun."""


class World:
    """What survives a crash, and what people have in hand."""

    def __init__(self, host):
        sessions = SessionPolicy(renewal=RenewalPolicy(reuse_grace=2 * LEASE))
        policies = quick_policies(sends=without_gaps(), sessions=sessions)
        self.builder: Any = ShopBuilder(host=host, policies=policies)
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


async def without_a_password(world):
    account = await world.shop.open_account(ANN, None)
    world.hand = {"session": account.session}


async def leaked(world):
    await signed_in(world)
    world.builder.breached = LeakedPasswords({PASSWORD: 3})


async def at_the_office(world):
    account = await world.shop.open_account(ANN)
    staff = StaffRoom()
    staff.hire("eve")
    world.builder.agents = staff
    world.builder.scope = attrs.evolve(world.builder.scope, actor=Actor(ActorKind.AGENT, "eve"))
    world.hand = {"account": account.id}


async def to_be_reminded(world):
    policy = attrs.evolve(world.builder.policies.passwords, remind_after=timedelta(days=90))
    world.builder.policies = attrs.evolve(world.builder.policies, passwords=policy)
    world.shop = world.builder.build()
    await with_other_sessions(world)
    world.builder.clock.advance(timedelta(days=91))


def newest(world, template):
    return next(one for one in reversed(world.builder.mailbag.letters) if one.template == template)


def with_recovery_address(customer):
    point = ContactPoint(
        id=ContactId("second"),
        kind=ContactKind.EMAIL,
        value=EmailAddress.parse("ann@second.example"),
        added_at=customer.created_at,
        roles=frozenset({ContactRole.RECOVERY}),
    ).proven(VerificationMethod.CODE, "a challenge", customer.created_at)
    return attrs.evolve(customer, contacts=(*customer.contacts, point))


async def lost_the_mailbox(world):
    account = await world.shop.open_account(ANN)
    await world.builder.edit(CUSTOMERS, account.id, with_recovery_address)
    world.builder.clock.advance(timedelta(days=8))
    step = await world.shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    world.hand = {"session": step.session}


async def asked_for_a_case(world):
    await lost_the_mailbox(world)
    await world.shop.cases.start_mailbox_recovery(world.hand["session"], "ann@new.example", HERE)
    world.hand |= {
        "link": newest(world, "recovery.prove_mailbox").token,
        "code": newest(world, "recovery.recovery_code").code,
    }


async def opened_a_case(world):
    await asked_for_a_case(world)
    hand = world.hand
    opened = await world.shop.cases.open_mailbox_case(hand["session"], hand["link"], hand["code"], HERE)
    cancel = newest(world, "recovery.case_waiting").ticket("cancel_link")
    world.hand |= {"handle": opened.handle, "cancel": cancel, "at": opened.earliest_at}


async def waited(world):
    await opened_a_case(world)
    world.builder.clock.set(world.hand["at"])


async def may_complete_a_case(world):
    await waited(world)
    await world.shop.cases.attend_cases(10, WorkerId("test"))
    step = await world.shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    world.hand |= {"session": step.session, "code": newest(world, "recovery.recovery_code").code}


async def lapsing(world):
    await registered(world)
    world.builder.clock.advance(timedelta(days=31))


async def idle(world):
    await signed_in(world)
    world.builder.clock.advance(timedelta(minutes=10))


async def suspended(world):
    await world.shop.arrange("suspended", ANN)


async def was_invited(world):
    await signed_in(world)
    invited = await world.shop.invitations.invite(world.hand["session"], BOB, HERE)
    world.hand |= {"invitation": invited.id, "link": world.builder.mailbag.last.token}


async def invitation_over(world):
    await was_invited(world)
    world.builder.clock.advance(timedelta(days=7))


async def nothing(_world):
    return None


def form(address=ANN):
    return RegistrationForm(identifier=address, password=PASSWORD)


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
    "correct to the same": (
        registered,
        lambda shop, hand: shop.registration.change_attempt_contact(hand["handle"], ANN, HERE),
    ),
    "invite": (signed_in, lambda shop, hand: shop.invitations.invite(hand["session"], BOB, HERE)),
    "accept": (was_invited, lambda shop, hand: shop.invitations.accept_invitation(hand["link"], form(BOB), HERE)),
    "decline": (was_invited, lambda shop, hand: shop.invitations.decline_invitation(hand["link"], HERE)),
    "revoke": (
        was_invited,
        lambda shop, hand: shop.invitations.revoke_invitation(hand["session"], hand["invitation"], HERE),
    ),
    "invitation over": (
        invitation_over,
        lambda shop, _: shop.invitations.expire_invitations(100, WorkerId("test")),
    ),
    "lapse": (lapsing, lambda shop, _: shop.registration.expire_unproven(100, WorkerId("test"))),
    "sign in": (signed_in, lambda shop, _: shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)),
    "sign in wrong": (signed_in, lambda shop, _: shop.signin.sign_in_with_password(ANN, NEW, HERE)),
    "sign in suspended": (suspended, lambda shop, _: shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)),
    "resume": (idle, lambda shop, hand: shop.sessions.resume(hand["session"], HERE)),
    "sign out": (signed_in, lambda shop, hand: shop.sessions.sign_out(hand["session"], HERE)),
    "sign out everywhere": (signed_in, lambda shop, hand: shop.sessions.sign_out_everywhere(hand["session"], HERE)),
    "prove again": (signed_in, lambda shop, hand: shop.signin.confirm_identity(hand["session"], PASSWORD, HERE)),
    "prove wrongly": (signed_in, lambda shop, hand: shop.signin.confirm_identity(hand["session"], NEW, HERE)),
    "renew": (signed_in, lambda shop, hand: shop.sessions.renew(hand["session"], HERE)),
    "forget devices": (signed_in, lambda shop, hand: shop.sessions.forget_all_devices(hand["session"], HERE)),
    "end others": (with_other_sessions, lambda shop, hand: shop.sessions.end_other_sessions(hand["session"], HERE)),
    "ask": (signed_in, lambda shop, _: shop.recovery.request_reset(ANN, HERE)),
    "ask pending": (registered, lambda shop, _: shop.recovery.request_reset(ANN, HERE)),
    "ask suspended": (suspended, lambda shop, _: shop.recovery.request_reset(ANN, HERE)),
    "ask unknown": (nothing, lambda shop, _: shop.recovery.request_reset(ANN, HERE)),
    "change password": (
        with_other_sessions,
        lambda shop, hand: shop.passwords.change_password(hand["session"], PASSWORD, NEW, HERE),
    ),
    "set password": (
        without_a_password,
        lambda shop, hand: shop.passwords.set_first_password(hand["session"], NEW, HERE),
    ),
    "flag password": (at_the_office, lambda shop, hand: shop.passwords.flag_password(hand["account"], "why")),
    "sign in leaked": (leaked, lambda shop, _: shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)),
    "remind": (to_be_reminded, lambda shop, _: shop.passwords.remind(100, WorkerId("test"))),
    "reset": (asked_for_a_reset, lambda shop, hand: shop.recovery.reset_password(hand["link"], NEW, HERE)),
    "start reset": (at_the_office, lambda shop, hand: shop.recovery.start_reset_for(hand["account"], "why")),
    "ask for a case": (
        lost_the_mailbox,
        lambda shop, hand: shop.cases.start_mailbox_recovery(hand["session"], "ann@new.example", HERE),
    ),
    "open a case": (
        asked_for_a_case,
        lambda shop, hand: shop.cases.open_mailbox_case(hand["session"], hand["link"], hand["code"], HERE),
    ),
    "guess a case's code": (
        asked_for_a_case,
        lambda shop, hand: shop.cases.open_mailbox_case(hand["session"], hand["link"], "000000", HERE),
    ),
    "cancel a case": (opened_a_case, lambda shop, hand: shop.cases.cancel_case(hand["cancel"], HERE, not_me=True)),
    "cancel cases here": (opened_a_case, lambda shop, hand: shop.cases.cancel_case_here(hand["session"], HERE)),
    "attend cases": (waited, lambda shop, _: shop.cases.attend_cases(10, WorkerId("test"))),
    "complete a case": (
        may_complete_a_case,
        lambda shop, hand: shop.cases.complete_mailbox_case(hand["session"], hand["handle"], hand["code"], HERE),
    ),
}
DONE_BEFORE = {
    "complete": "registration.link_used",
    "confirm": "registration.link_used",
    "take over": "registration.link_used",
    "accept": "registration.link_used",
    "decline": "registration.link_used",
    "revoke": "registration.invitation_unknown",
    "reset": "recovery.link_used",
    "open a case": "recovery.link_used",
    "cancel a case": "recovery.link_used",
    "cancel cases here": "recovery.case_closed",
    "complete a case": "signin.required",
    "change password": "signin.required",
    "set password": "signin.required",
    "sign out everywhere": "signin.required",
    "prove again": "signin.required",
    "end others": "signin.required",
}
"""What the same request is told whose effect was stored before the machine stopped."""


async def begin(host, command):
    """Answer a world in which somebody is about to do something."""
    world = World(host)
    await COMMANDS[command][0](world)
    return world


async def perform(world, command, wrap=None):
    """Do it, through *wrap*."""
    return await COMMANDS[command][1](world.builder.build(wrap), world.hand)


@pytest.mark.proves("TES-107", "KER-154")
@pytest.mark.parametrize("command", COMMANDS)
async def test_a_crash_loses_nothing_and_the_same_request_ends_well(host, command) -> None:
    async def run(world, wrap):
        world.builder.clock.advance(LEASE)
        try:
            return "", await perform(world, command, wrap)
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

    assert await walk_crashes(lambda: begin(host, command), run, check) >= 1


REPEATED = {
    "register": {"registration.started", "registration.attempt_restarted", "guests.account_cleansed"},
    "register again": {"registration.started", "registration.attempt_restarted", "guests.account_cleansed"},
    "register an owner's": {"registration.started", "registration.duplicate_attempted"},
    "correct to the same": {"registration.attempt_restarted", "guests.account_cleansed"},
    "invite": {"registration.invitation_sent"},
    "sign in": {"signin.signed_in", "signin.device_new"},
    "prove wrongly": {"signin.step_up_refused"},
    "sign in wrong": {"signin.refused"},
    "sign in suspended": {"signin.suspended_tried"},
    "ask": {"recovery.reset_requested"},
    "ask unknown": {"recovery.reset_asked_in_vain"},
    "ask pending": {"recovery.reset_asked_in_vain"},
    "ask suspended": {"recovery.reset_asked_in_vain"},
    "flag password": {"passwords.flagged"},
    "start reset": {"recovery.reset_started", "recovery.reset_requested"},
    "sign in leaked": {"signin.refused", "recovery.reset_requested"},
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
        "cases": Counter(case.state for case in world.rows("recovery_cases") if case.opened_at),
        "spent tickets": sum(ticket.spent_at is not None for ticket in world.rows("tickets")),
        "notices": Counter(m.template for m in world.rows("messages") if m.template in ONCE),
    }


ONCE = {
    "passwords.must_change",
    "passwords.was_changed",
    "passwords.was_reset",
    "passwords.was_set",
    "recovery.account_suspended",
    "recovery.case_ended",
    "recovery.case_ready",
    "recovery.case_waiting",
    "signin.suspended_tried",
}


def assert_whole(world):
    """Nothing is stored without what belongs to it."""
    told, keys = world.told(), {message.idempotency_key for message in world.rows("messages")}
    active = [c for c in world.rows("customers") if c.status in {AccountStatus.ACTIVE, AccountStatus.SUSPENDED}]
    assert len(active) == len(world.rows("security")) == told["registration.account_activated"]
    changed = told["registration.contact_change_applied"]
    assert told["registration.account_activated"] + changed == told["registration.contact_verified"]
    signed_in = [event.data for event in world.rows("events") if event.name == "signin.signed_in"]
    for session in world.rows("sessions"):
        rotated = session.created_at < session.last_seen
        assert rotated or session.public_id in "".join(signed_in) or told["signin.session_ended"]
    for attempt in world.rows("attempts"):
        if attempt.account:
            assert f"verify {attempt.id}" in keys
    tickets = [ticket for ticket in world.rows("tickets") if ticket.subject]  # the others are decoys
    resets = [ticket for ticket in tickets if ticket.purpose == "password_reset"]
    for ticket in resets:
        assert {f"reset {ticket.selector}", f"reset {ticket.selector} 0"} & keys
        assert ticket.spent_at is None or f"was_reset {ticket.selector} 0" in keys
    assert told["recovery.password_reset"] == sum(ticket.spent_at is not None for ticket in resets)


async def assert_owner_gets_in(world):
    """Whatever happened, the owner has a way in."""
    world.builder.clock.advance(timedelta(hours=3))
    shop, bag = world.builder.build(), world.builder.mailbag
    customers = [c for c in world.rows("customers") if c.contacts]
    if not customers or customers[0].status is AccountStatus.SUSPENDED:
        return
    address = next(c.value.stored for c in customers[0].contacts if ContactRole.LOGIN in c.roles)
    await shop.recovery.request_reset(address, HERE)
    letter = bag.last
    assert letter.deliver
    if letter.template == "registration.verify_contact":
        step = (await shop.registration.take_over_contact(letter.token, "the way back in is open", HERE)).step
    else:
        await shop.recovery.reset_password(letter.token, "the way back in is open", HERE)
        step = await shop.signin.sign_in_with_password(address, "the way back in is open", HERE)
    assert isinstance(step, SignedIn)
    assert isinstance(await shop.sessions.resume(step.session, HERE), Resumed)
