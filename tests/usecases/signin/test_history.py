"""The security history of an account."""

import csv
import io
from datetime import timedelta

import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.paging import CursorInvalid
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.scope import ActorKind
from shopaccounts.signin import SignInRefused, SignInRequired
from shopaccounts.signin.history import SHOWN_FOR
from shopaccounts.testing.builders import PASSWORD, request_from
from shopaccounts.testing.toys import happened

ANN, BEN, HERE = "ann@lamp.example", "ben@lamp.example", request_from(agent="a browser")
MOMENT = timedelta(microseconds=1)


async def sign_in(shop):
    return (await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)).session


@pytest.mark.proves("SIG-91", "SIG-90")
async def test_an_owner_sees_what_happened_newest_first_and_nothing_of_anybody_else(shop, builder) -> None:
    await shop.open_account(ANN)
    builder.clock.advance(timedelta(minutes=5))
    await shop.open_account(BEN)
    value = await sign_in(shop)
    page = await shop.history.security_history(value, HERE)
    whats = [entry.what for entry in page.items]
    assert whats[0] == "signin.signed_in"
    assert whats[-1] == "registration.account_opened"
    assert whats.count("registration.account_opened") == 1
    assert [entry.at for entry in page.items] == sorted((entry.at for entry in page.items), reverse=True)
    assert page.items[0].facts["methods"] == ["password"]
    assert "network" not in page.items[0].facts
    assert page.next is None


@pytest.mark.proves("SIG-91")
async def test_it_is_read_page_by_page_and_a_cursor_is_good_for_its_owner_alone(shop, builder) -> None:
    await shop.open_account(ANN)
    for _ in range(7):
        value = await sign_in(shop)
        builder.clock.advance(timedelta(minutes=1))
    whole = (await shop.history.security_history(value, HERE, limit=100)).items
    met, cursor = [], None
    while True:
        page = await shop.history.security_history(value, HERE, cursor, limit=3)
        assert len(page.items) <= 3
        met += page.items
        cursor = page.next
        if cursor is None:
            break
        last = cursor
    assert tuple(met) == whole
    ben = await shop.open_account(BEN)
    for stolen in (last, last[:-1], "1", "x"):
        with pytest.raises(CursorInvalid):
            await shop.history.security_history(ben.session, HERE, stolen)


@pytest.mark.proves("SIG-91")
async def test_it_goes_back_ninety_days_and_what_is_kept_goes_back_further(shop, builder) -> None:
    await shop.open_account(ANN)
    await sign_in(shop)
    first = builder.clock.now()
    await shop.upkeep.tick()
    builder.clock.advance(SHOWN_FOR)
    await shop.upkeep.tick()
    value = await sign_in(shop)
    assert min(e.at for e in (await shop.history.security_history(value, HERE)).items) == first
    builder.clock.advance(MOMENT)
    assert min(e.at for e in (await shop.history.security_history(value, HERE)).items) > first
    builder.clock.advance(timedelta(days=400) - SHOWN_FOR)
    await shop.upkeep.tick()
    kept = [e for e in builder.storage.snapshot()["main"].books["events"].values() if e.occurred_at <= first]
    assert not [e for e in kept if e.is_security]


@pytest.mark.proves("SIG-91", "SIG-90")
async def test_what_strangers_try_fills_nobodys_history(shop) -> None:
    account = await shop.open_account(ANN)
    before = (await shop.history.security_history(account.session, HERE)).items
    for _ in range(3):
        with pytest.raises(SignInRefused):
            await shop.signin.sign_in_with_password(ANN, "not the password at all", HERE)
    assert (await shop.history.security_history(account.session, HERE)).items == before


@pytest.mark.proves("SIG-91")
async def test_nobody_sees_it_without_a_session(shop) -> None:
    account = await shop.open_account(ANN)
    await shop.sessions.sign_out(account.session, HERE)
    with pytest.raises(SignInRequired):
        await shop.history.security_history(account.session, HERE)
    with pytest.raises(SignInRequired):
        await shop.history.security_history_csv(account.session, HERE)


@pytest.mark.proves("SIG-90")
async def test_it_says_who_did_it(shop) -> None:
    account = await shop.open_account(ANN)
    entries = (await shop.history.security_history(account.session, HERE)).items
    assert {(entry.by, entry.agent) for entry in entries} == {(ActorKind.CUSTOMER, None)}


@pytest.mark.proves("KER-207", "SIG-91")
async def test_the_table_for_spreadsheets_has_a_row_for_each_entry(shop) -> None:
    account = await shop.open_account(ANN)
    text = await shop.history.security_history_csv(account.session, HERE)
    head, *rows = csv.reader(io.StringIO(text))
    entries = (await shop.history.security_history(account.session, HERE, limit=100)).items
    assert head == ["at", "what", "by", "agent", "facts"]
    assert [row[1] for row in rows] == [entry.what for entry in entries]
    assert text.endswith("\r\n")


@pytest.mark.proves("SIG-91")
async def test_what_else_happens_to_a_customer_stands_elsewhere(shop, builder) -> None:
    account, now = await shop.open_account(ANN), builder.clock.now()
    bought = attrs.evolve(
        happened(builder.scope, "a parcel", account.id), occurred_at=now, recorded_at=now, kept_until=now
    )
    await got(builder.storage.open(builder.scope).record(Change(events=(bought,))))
    whats = [entry.what for entry in (await shop.history.security_history(account.session, HERE)).items]
    assert bought.name not in whats
    assert "signin.signed_in" in whats
