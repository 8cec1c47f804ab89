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
from shopaccounts.registration import RegistrationForm
from shopaccounts.testing.builders import ShopBuilder, request_from
from shopaccounts.testing.leaks import assert_no_leak

ANN, PASSWORD, NEW = "ann.lamplighter@lamp.example", "a planted lamp in the garden", "another planted lamp outside"
HERE = request_from("203.0.113.77", agent="a browser")
MAY_HOLD_ADDRESSES = {"customers", "attempts"}


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
    builder: Any = ShopBuilder(host=host)
    shop, hear, letters = builder.build(), Overheard(), builder.mailbag
    form = RegistrationForm(identifier=ANN, password=PASSWORD)
    hear.places.append(("form", repr(form)))

    await hear(shop.registration.register(form, HERE))
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
    builder.clock.advance(timedelta(minutes=2))
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
    }
    secrets = {name: text.reveal().rpartition(".")[2] for name, text in verifiers.items()}
    assert_no_leak({**secrets, "password": PASSWORD, "new password": NEW}, [*kept, *told])
    open_books = [(place, text) for place, text in kept if place.split()[0] not in MAY_HOLD_ADDRESSES]
    assert_no_leak({"address": ANN, "network": "203.0.113.77"}, [*open_books, *told])


async def test_the_scanner_of_this_test_sees_what_is_there(shop, builder) -> None:
    """The address does stand where it has to, so a scan that finds nothing elsewhere means something."""
    await shop.registration.register(RegistrationForm(identifier=ANN, password=PASSWORD), HERE)
    customers = builder.storage.snapshot()["main"].books["customers"].values()
    with pytest.raises(AssertionError, match="planted secrets"):
        assert_no_leak({"address": ANN}, [("customers", serial.dump(customer)) for customer in customers])
