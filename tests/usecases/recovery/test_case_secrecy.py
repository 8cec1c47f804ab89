"""A recovery case tells strangers nothing: not who has an account, and nothing that opens one."""

import logging
from datetime import timedelta
from typing import Any

import attrs
import pytest

from shopaccounts import serial
from shopaccounts.books import BOOKS
from shopaccounts.customers import CUSTOMERS, ContactPoint, ContactRole, VerificationMethod
from shopaccounts.kernel.contact import ContactKind, EmailAddress
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.ids import ContactId
from shopaccounts.testing.builders import (
    BEGINNING,
    PASSWORD,
    SITUATIONS,
    ShopBuilder,
    quick_policies,
    request_from,
    without_gaps,
)
from shopaccounts.testing.leaks import assert_no_leak
from shopaccounts.testing.recording import assert_indistinguishable

OWNER, SECOND, WANTED = "bob.lamplighter@lamp.example", "bob.second@lamp.example", "ann@lamp.example"
HERE = request_from("203.0.113.77", agent="a browser")
MAY_HOLD_ADDRESSES = {"customers", "attempts", "recovery_cases", "contact_changes"}


def with_second(customer):
    point = ContactPoint(
        id=ContactId("second"),
        kind=ContactKind.EMAIL,
        value=EmailAddress.parse(SECOND),
        added_at=customer.created_at,
        roles=frozenset({ContactRole.RECOVERY}),
    ).proven(VerificationMethod.CODE, "a challenge", customer.created_at)
    return attrs.evolve(customer, contacts=(*customer.contacts, point))


async def signed_in(shop):
    """Somebody with a recovery address who has just signed in."""
    account = await shop.open_account(OWNER)
    await shop.builder.edit(CUSTOMERS, account.id, with_second)
    shop.builder.clock.advance(timedelta(days=8))
    return (await shop.signin.sign_in_with_password(OWNER, PASSWORD, HERE)).session


@pytest.mark.proves("KER-250", "KER-254", "RCV-30")
async def test_nobody_learns_who_has_the_new_address(host) -> None:
    async def use_case(situation, recorder):
        builder = ShopBuilder(host=host, policies=quick_policies(sends=without_gaps()))
        plain = builder.build()
        await signed_in(plain)
        await plain.arrange(situation, WANTED)
        step: Any = await plain.signin.sign_in_with_password(OWNER, PASSWORD, HERE)
        letters = len(builder.mailbag.letters)
        shop = builder.build(recorder)
        recorder.trace.clear()
        answer = await shop.cases.start_mailbox_recovery(step.session, WANTED, HERE)
        return repr(attrs.evolve(answer, expires_at=BEGINNING)), len(builder.mailbag.letters) - letters

    await assert_indistinguishable(use_case, {name: name for name in SITUATIONS})


class Overheard:
    """Everything that somebody could read over the shop's shoulder."""

    def __init__(self) -> None:
        self.places: list[tuple[str, str]] = []

    async def __call__(self, work):
        try:
            answer = await work
        except Rejected as refusal:
            self.places.append((refusal.code, repr(refusal)))
            return None
        self.places.append((type(answer).__name__, repr(answer)))
        return answer


@pytest.mark.proves("KER-203", "RCV-22")
async def test_no_secret_and_no_address_of_a_case_is_left_anywhere(host, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    builder: Any = ShopBuilder(host=host, policies=quick_policies(sends=without_gaps()))
    shop, hear = builder.build(), Overheard()
    session = await signed_in(shop)

    def newest(template):
        return next(one for one in reversed(builder.mailbag.letters) if one.template == template)

    await hear(shop.cases.start_mailbox_recovery(session, WANTED, HERE))
    link, code = newest("recovery.prove_mailbox").token, newest("recovery.recovery_code").code
    await hear(shop.cases.open_mailbox_case(session, link, "wrong", HERE))
    opened = await hear(shop.cases.open_mailbox_case(session, link, code, HERE))
    await hear(shop.cases.list_cases(session, HERE))
    cancel = newest("recovery.case_waiting").ticket("cancel_link")
    await hear(shop.cases.peek_cancel(cancel, HERE))
    await hear(shop.cases.complete_mailbox_case(session, opened.handle, code, HERE))
    builder.clock.set(opened.earliest_at)
    await shop.upkeep.tick()
    final = newest("recovery.complete_case").token
    session = (await shop.signin.sign_in_with_password(OWNER, PASSWORD, HERE)).session
    again = newest("recovery.recovery_code").code
    await hear(shop.cases.complete_mailbox_case(session, opened.handle, again, HERE))
    await hear(shop.cases.cancel_case(cancel, HERE))

    realm = builder.storage.snapshot()["main"]
    kept = [
        (f"{book.name} {id}", text)
        for book in BOOKS
        for id, entity in realm.books[book.name].items()
        for text in (serial.dump(entity), repr(entity))
    ]
    told = [*hear.places, ("log", caplog.text), ("counters", " ".join(realm.counters)), ("once", repr(realm.once))]
    texts = {"link": link, "handle": opened.handle, "cancel": cancel, "final": final, "session": session}
    assert_no_leak({name: text.reveal().rpartition(".")[2] for name, text in texts.items()}, [*kept, *told])
    open_books = [(place, text) for place, text in kept if place.split()[0] not in MAY_HOLD_ADDRESSES]
    assert_no_leak({"owner": OWNER, "second": SECOND, "wanted": WANTED}, [*open_books, *told])
