"""What people say while an account is stopped, objected to or closed turns up nowhere but where it belongs."""

import logging
from datetime import timedelta
from typing import Any

import attrs
import pytest

from shopaccounts import serial
from shopaccounts.books import BOOKS
from shopaccounts.customers import StatusReason
from shopaccounts.kernel.scope import Actor, ActorKind, Scope
from shopaccounts.testing.builders import ShopBuilder, quick_policies, request_from, without_gaps
from shopaccounts.testing.doubles import StaffRoom
from shopaccounts.testing.leaks import assert_no_leak

ANN, PASSWORD, NEW = "ann.lamplighter@lamp.example", "a planted lamp in the garden", "another planted lamp outside"
HERE = request_from("203.0.113.77", agent="a planted browser")
WHY, NOTE = "a planted reason of an agent", "a planted note of the shop"


@pytest.mark.proves("KER-203", "CUS-6")
async def test_no_secret_no_address_and_no_word_of_an_agent_is_left_anywhere_else(host, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    staff = StaffRoom()
    staff.hire("eve")
    builder: Any = ShopBuilder(host=host, agents=staff, policies=quick_policies(sends=without_gaps()))
    builder.scope = attrs.evolve(builder.scope, actor=Actor(ActorKind.AGENT, "eve"))
    office = builder.build()
    builder.scope = Scope.single()
    shop, letters, said = builder.build(), builder.mailbag, []
    account = await shop.open_account(ANN, PASSWORD)
    await shop.recovery.request_reset(ANN, HERE)
    await shop.recovery.reset_password(letters.last.token, NEW, HERE)
    freeze, not_me = letters.last.ticket("freeze_link"), letters.last.ticket("not_me_link")
    builder.clock.advance(timedelta(minutes=2))

    step = await shop.signin.sign_in_with_password(ANN, NEW, HERE)
    said.append(await shop.closings.request_account_closing(step.session, None, HERE))
    closing = letters.last.token
    said.append(await shop.closings.peek_account_closing(step.session, closing, HERE))
    said.append(await shop.closings.confirm_account_closing(step.session, closing, HERE))
    await office.closings.cancel_closing_for(account.id, WHY)
    said.append(await shop.objections.peek_not_me_change(not_me, HERE))
    await shop.objections.not_me_change(not_me, HERE)
    reset = letters.last.token
    said.append(await shop.customers.peek_freeze(freeze, HERE))
    await shop.customers.freeze_account(freeze, HERE)
    said.append(await office.customers.reinstate(account.id, WHY))
    said.append(await office.customers.suspend(account.id, StatusReason.OTHER, WHY, note=NOTE))

    realm = builder.storage.snapshot()["main"]
    rows = [(book.name, entity) for book in BOOKS for entity in realm.books[book.name].values()]
    kept = [(name, text) for name, entity in rows for text in (serial.dump(entity), repr(entity))]
    told = [("answer", repr(answer)) for answer in said] + [("log", caplog.text)]
    links = {"freeze": freeze, "not me": not_me, "closing": closing, "reset": reset, "session": step.session}
    assert_no_leak({name: text.reveal().rpartition(".")[2] for name, text in links.items()}, [*kept, *told])
    elsewhere = [(name, text) for name, text in kept if name not in {"customers", "attempts"}]
    assert_no_leak({"address": ANN, "why": WHY, "note": NOTE}, [*elsewhere, *told])
    shown = [("customers", repr(entity)) for name, entity in rows if name == "customers"]
    assert_no_leak({"why": WHY, "note": NOTE}, shown)
