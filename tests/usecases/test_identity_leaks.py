"""Planted secrets and addresses turn up nowhere: not in what is kept, told, logged, answered or raised."""

import logging
import traceback
from datetime import timedelta
from typing import Any

import pytest

from shopaccounts import serial
from shopaccounts.books import BOOKS
from shopaccounts.customers import Trigger
from shopaccounts.kernel.errors import Rejected
from shopaccounts.registration import FieldRule, RegistrationForm, RegistrationPolicy, UsernamePolicy
from shopaccounts.testing.builders import ShopBuilder, quick_policies, request_from
from shopaccounts.testing.leaks import assert_no_leak

ANN, PASSWORD, NEW = "ann.lamplighter@lamp.example", "a planted lamp in the garden", "another planted lamp outside"
THIRD = "a third planted lamp upstairs"
HERE = request_from("203.0.113.77", agent="a browser")
FRIEND, FIRST_NAME, USER_NAME = "friend.lantern@lamp.example", "Annabellina", "lanternkeeper"
MAY_HOLD_ADDRESSES = {"customers", "attempts", "contact_additions", "contact_changes", "invitations"}


class Overheard:
    """Everything that somebody could read over the shop's shoulder."""

    def __init__(self) -> None:
        self.places: list[tuple[str, str]] = []

    async def __call__(self, work):
        try:
            answer = await work
        except Rejected as refusal:
            self.places.append((refusal.code, "".join(traceback.format_exception(refusal))))
            return None
        self.places.append((type(answer).__name__, repr(answer)))
        return answer


@pytest.mark.proves("KER-203")
async def test_no_secret_and_no_address_is_left_anywhere(host, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    policy = RegistrationPolicy(fields={"given_name": FieldRule()}, usernames=UsernamePolicy(enabled=True))
    builder: Any = ShopBuilder(host=host, policies=quick_policies(registration=policy))
    shop, hear, letters = builder.build(), Overheard(), builder.mailbag
    form = RegistrationForm(identifier=ANN, password=PASSWORD, fields={"given_name": FIRST_NAME})
    hear.places.append(("form", repr(form)))

    await hear(shop.registration.register(form, HERE))
    builder.clock.advance(timedelta(minutes=2))
    started = await hear(shop.registration.register(form, HERE))
    await hear(shop.registration.change_attempt_contact(started.handle, "nan" + ANN, HERE))
    builder.clock.advance(timedelta(minutes=2))
    started = await hear(shop.registration.register(form, HERE))
    link = letters.last.token
    await hear(shop.registration.peek_contact(link, HERE))
    await hear(shop.registration.confirm_contact(link, None, HERE))
    await hear(shop.registration.complete_registration(started.handle, "wrong", HERE))
    done = await hear(shop.registration.complete_registration(started.handle, letters.last.code, HERE))
    await hear(shop.signin.sign_in_with_password(ANN, NEW, HERE))
    await hear(shop.signin.sign_in_with_password("x" + ANN, PASSWORD, HERE))
    entered = await hear(shop.signin.sign_in_with_password(ANN, PASSWORD, HERE))
    await hear(shop.sessions.list_sessions(entered.session, HERE))
    invitation = await invited_by(shop, hear, entered.session)
    await hear(shop.passwords.change_password(entered.session, NEW, THIRD, HERE))
    await hear(shop.passwords.change_password(entered.session, PASSWORD, "short", HERE))
    changed = await hear(shop.passwords.change_password(entered.session, PASSWORD, THIRD, HERE))
    await hear(shop.passwords.set_first_password(changed.next_value.session, NEW, HERE))
    await hear(shop.passwords.remove_password(changed.next_value.session, HERE))
    builder.clock.advance(timedelta(hours=1))
    await hear(shop.recovery.request_reset(ANN, HERE))
    reset = letters.last.token
    await hear(shop.recovery.peek_reset(reset, HERE))
    await hear(shop.recovery.reset_password(reset, "short", HERE))
    await hear(shop.recovery.reset_password(reset, NEW, HERE))
    await hear(shop.recovery.reset_password(reset, NEW, HERE))
    builder.clock.advance(timedelta(minutes=2))
    await builder.step(done.account, Trigger.SUSPEND)
    await hear(shop.signin.sign_in_with_password(ANN, NEW, HERE))
    await hear(shop.registration.register(form, HERE))

    realm = builder.storage.snapshot()["main"]
    kept = [
        (f"{book.name} {id}", text)
        for book in BOOKS
        for id, entity in realm.books[book.name].items()
        for text in (serial.dump(entity), repr(entity))
    ]
    told = [*hear.places, ("log", caplog.text), ("counters", " ".join(realm.counters)), ("once", repr(realm.once))]
    verifiers = {
        "handle": started.handle,
        "verification link": link,
        "reset link": reset,
        "first session": done.step.session,
        "second session": entered.session,
        "device": entered.set_cookies[1].value,
        "invitation": invitation,
        "third session": changed.next_value.session,
    }
    secrets = {name: text.reveal().rpartition(".")[2] for name, text in verifiers.items()}
    assert_no_leak({**secrets, "password": PASSWORD, "new password": NEW, "third password": THIRD}, [*kept, *told])
    open_books = [(place, text) for place, text in kept if place.split()[0] not in MAY_HOLD_ADDRESSES]
    personal = {"address": ANN, "friend": FRIEND, "first name": FIRST_NAME, "user name": USER_NAME}
    assert_no_leak({**personal, "network": "203.0.113.77"}, [*open_books, *told])


async def invited_by(shop, hear, session):
    """A customer invites a friend, and takes a user name for a while."""
    shop.builder.clock.advance(timedelta(minutes=2))
    await hear(shop.invitations.invite(session, FRIEND, HERE))
    invitation = shop.builder.mailbag.last.token
    await hear(shop.invitations.peek_invitation(invitation, HERE))
    await hear(shop.invitations.list_invitations(session, HERE))
    await hear(shop.usernames.change_username(session, USER_NAME, HERE))
    await hear(shop.usernames.change_username(session, None, HERE))
    return invitation


async def test_the_scanner_of_this_test_sees_what_is_there(shop, builder) -> None:
    """The address does stand where it has to, so a scan that finds nothing elsewhere means something."""
    await shop.registration.register(RegistrationForm(identifier=ANN, password=PASSWORD), HERE)
    customers = builder.storage.snapshot()["main"].books["customers"].values()
    with pytest.raises(AssertionError, match="planted secrets"):
        assert_no_leak({"address": ANN}, [("customers", serial.dump(customer)) for customer in customers])


@pytest.mark.proves("KER-203", "CUS-6")
async def test_no_secret_and_no_address_of_a_change_is_left_anywhere(host, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    builder: Any = ShopBuilder(host=host)
    shop, hear, letters = builder.build(), Overheard(), builder.mailbag
    account, second, third = await shop.open_account(ANN), "second." + ANN, "third." + ANN
    builder.clock.advance(timedelta(minutes=2))
    started = await hear(shop.contacts.add_contact(account.session, second, HERE))
    code, link = letters.last.code, letters.last.token
    await hear(shop.contacts.peek_added_contact(link, HERE))
    await hear(shop.contacts.prove_added_contact(account.session, started.addition, "wrong", HERE))
    await hear(shop.contacts.prove_added_contact(account.session, started.addition, code, HERE))
    await hear(shop.contacts.list_contacts(account.session, HERE))
    await hear(shop.contact_changes.promote_contact(account.session, third, HERE))
    links = {letter.template: letter.token for letter in letters.letters if "confirm_" in letter.template}
    new, old = links["registration.confirm_new_contact"], links["registration.confirm_old_contact"]
    await hear(shop.contact_changes.peek_contact_change(new, HERE))
    await hear(shop.contact_changes.confirm_change_old(old, None, HERE))
    done = await hear(shop.contact_changes.confirm_change_new(new, account.session, HERE))
    undo = next(one.token for one in letters.letters if one.template == "registration.undo_contact_change")
    await hear(shop.contact_changes.reverse_contact_change(undo, HERE))
    await hear(shop.contact_changes.reverse_contact_change(undo, HERE))

    realm = builder.storage.snapshot()["main"]
    kept = [
        (f"{book.name} {id}", text)
        for book in BOOKS
        for id, entity in realm.books[book.name].items()
        for text in (serial.dump(entity), repr(entity))
    ]
    told = [*hear.places, ("log", caplog.text), ("counters", " ".join(realm.counters)), ("once", repr(realm.once))]
    values = {"added": link, "new": new, "old": old, "undo": undo, "session": done.next_value.session}
    assert_no_leak({name: text.reveal().rpartition(".")[2] for name, text in values.items()}, [*kept, *told])
    open_books = [(place, text) for place, text in kept if place.split()[0] not in MAY_HOLD_ADDRESSES]
    assert_no_leak({"first": ANN, "second": second, "third": third}, [*open_books, *told])
