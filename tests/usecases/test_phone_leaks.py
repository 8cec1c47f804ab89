"""Planted numbers and secrets of phones turn up nowhere: not in what is kept, told, logged, answered or raised."""

import logging
import traceback
from datetime import timedelta
from typing import Any

import attrs
import pytest

from shopaccounts import serial
from shopaccounts.books import BOOKS
from shopaccounts.kernel.contact import ContactKind
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.secret import Secret
from shopaccounts.registration import RegistrationForm, WhichNumber
from shopaccounts.testing.builders import request_from, without_gaps
from shopaccounts.testing.leaks import assert_no_leak
from shopaccounts.testing.phones import with_phones

TEL, NEW, THIRD = "+4915123456789", "+4915198765432", "+4915155555555"
MAIL, PASSWORD, NEXT = "ann.lamplighter@lamp.example", "a planted lamp in the garden", "another planted lamp outside"
BROWSER = Secret("the planted value of a browser")
HERE = request_from("203.0.113.77", agent="a browser", browser=BROWSER)
MAY_HOLD_NUMBERS = {"customers", "attempts", "contact_additions", "contact_changes", "sent_codes", "proven_numbers"}
WIDE = attrs.evolve(
    without_gaps(), phone_hourly=without_gaps().mailbox_hourly, phone_daily=without_gaps().mailbox_daily
)


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


async def opened(shop, hear):
    """An account by a number, with the code typed wrong once and sent once more; answers what has to stay secret."""
    form = RegistrationForm(identifier="0151 23456789", password=PASSWORD)
    hear.places.append(("form", repr(form)))
    started = await hear(shop.registration.register(form, HERE))
    await hear(shop.registration.complete_registration(started.handle, "000000", HERE))
    await hear(shop.registration.resend_verification(started.handle, HERE, by_call=True))
    done = await hear(shop.registration.complete_registration(started.handle, shop.builder.mailbag.last.code, HERE))
    await hear(shop.registration.register(form, HERE))
    return done.step.session, {"registration": started.handle}


async def changed(shop, hear, session):
    """Another number in place of the first one, taken back; an address and a third number are added and removed."""
    contacts, changes, letters = shop.contacts, shop.contact_changes, shop.builder.mailbag
    for value in (MAIL, THIRD):
        started = await hear(contacts.add_contact(session, value, HERE))
        code = letters.last.code
        await hear(contacts.prove_added_contact(session, started.addition, "000000", HERE))
        added = await hear(contacts.prove_added_contact(session, started.addition, code, HERE))
    session = (await hear(contacts.remove_contact(session, added.contact, HERE))).next_value.session
    session = (await hear(changes.restore_contact(session, added.contact, HERE))).session
    await hear(contacts.list_contacts(session, HERE))
    await hear(changes.promote_contact(session, NEW, HERE))
    await hear(changes.resend_number_codes(session, HERE))
    codes = {letter.template: letter.code for letter in letters.letters if letter.template.endswith("_number")}
    await hear(changes.prove_number(session, WhichNumber.NEW, "000000", HERE))
    await hear(changes.prove_number(session, WhichNumber.OLD, codes["registration.confirm_old_number"], HERE))
    done = await hear(changes.prove_number(session, WhichNumber.NEW, codes["registration.confirm_new_number"], HERE))
    await hear(changes.promote_contact(done.next_value.session, TEL, HERE))
    await hear(changes.cancel_contact_change(done.next_value.session, HERE, ContactKind.PHONE))
    undos = [one for one in letters.to(TEL) if one.template == "registration.undo_contact_change"]
    await hear(changes.reverse_contact_change(undos[-1].token, HERE))
    await hear(changes.reverse_contact_change(undos[-1].token, HERE))
    return {"undo": undos[-1].token, "changed session": done.next_value.session}


async def back_in(shop, hear):
    """A new password by a code, and a sign-in by one."""
    letters = shop.builder.mailbag
    needed = await hear(shop.signin.sign_in_with_password("0151 23456789", PASSWORD, HERE))
    await hear(shop.recovery.reset_with_code(needed.reset, "000000", NEXT, HERE))
    shop.builder.clock.advance(timedelta(minutes=2))
    asked = await hear(shop.recovery.request_reset("0151 23456789", HERE, Channel.SMS))
    await hear(shop.recovery.reset_with_code(asked.handle, letters.last.code, NEXT, HERE))
    sent = await hear(shop.code_signin.request_sign_in_code("0151 23456789", Channel.SMS, HERE))
    code = letters.last.code
    await hear(shop.code_signin.sign_in_with_code(sent.handle, "000000", HERE))
    entered = await hear(shop.code_signin.sign_in_with_code(sent.handle, code, HERE))
    return {"reset": asked.handle, "code": sent.handle, "entered": entered.session}


@pytest.mark.proves("KER-203", "REG-8")
async def test_no_number_and_no_secret_of_a_phone_is_left_anywhere(host, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    builder: Any = with_phones(host, sends=WIDE)
    shop, hear = builder.build(), Overheard()
    session, secrets = await opened(shop, hear)
    secrets |= await changed(shop, hear, session)
    builder.clock.advance(timedelta(minutes=2))
    secrets |= await back_in(shop, hear)

    realm = builder.storage.snapshot()["main"]
    kept = [
        (f"{book.name} {id}", text)
        for book in BOOKS
        for id, entity in realm.books[book.name].items()
        for text in (serial.dump(entity), repr(entity))
    ]
    told = [*hear.places, ("log", caplog.text), ("counters", " ".join(realm.counters)), ("once", repr(realm.once))]
    texts = {name: text.reveal().rpartition(".")[2] for name, text in secrets.items()}
    passwords = {"password": PASSWORD, "next password": NEXT, "browser": BROWSER.reveal()}
    assert_no_leak({**texts, **passwords}, [*kept, *told])
    open_books = [(place, text) for place, text in kept if place.split()[0] not in MAY_HOLD_NUMBERS]
    numbers = {"number": TEL, "digits": TEL[3:], "new": NEW[3:], "third": THIRD[3:], "address": MAIL}
    assert_no_leak(numbers, [*open_books, *told])
    shown = [(place, text) for place, text in kept if not text.startswith("{")]
    assert_no_leak(numbers, [(place, text) for place, text in shown if place.split()[0] in MAY_HOLD_NUMBERS])
