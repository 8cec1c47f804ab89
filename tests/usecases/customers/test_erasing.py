"""What is left of a customer who was erased, and what goes with them."""

from datetime import UTC, datetime, timedelta

import attrs
import pytest

from shopaccounts import serial
from shopaccounts.books import BELONGINGS, BOOKS
from shopaccounts.customers import (
    CUSTOMERS,
    AccountStatus,
    Customer,
    Origin,
    Standing,
    StatusForbids,
    StatusReason,
    Tombstone,
    Trigger,
    erased,
    erasure,
    follow,
)
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk, SilentBell
from shopaccounts.kernel.ids import CustomerId, RealmId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.security import SECURITY
from shopaccounts.kernel.tickets import TICKETS
from shopaccounts.passwords import PASSWORDS
from shopaccounts.signin import SESSIONS, NoSession, SignInRefused
from shopaccounts.testing.builders import PASSWORD, request_from
from shopaccounts.testing.leaks import assert_no_leak

ANN, HERE = "ann@lamp.example", request_from()
CAME = datetime(2030, 5, 17, 9, 30, tzinfo=UTC)
NOW = datetime(2031, 1, 1, tzinfo=UTC)
FIRST = datetime(2030, 6, 1, tzinfo=UTC)
IMPERSONAL = {"events", "deliveries", "messages", "customers", "realms"}
"""Books that hold nothing of one person, or whose owner erases by other means: see ``BELONGINGS``."""


def nora(status=AccountStatus.ACTIVE):
    return Customer(
        id=CustomerId("nora"),
        realm=RealmId("main"),
        version=7,
        standing=Standing(status=status, note="words about her", why="other words"),
        locale="de",
        created_at=CAME,
        origin=Origin.REGISTRATION,
    )


@pytest.mark.proves("CUS-21")
def test_a_tombstone_keeps_months_and_ids_and_nothing_else() -> None:
    stone = erased(nora(), "e1", NOW, FIRST)
    assert stone == Customer(
        id=CustomerId("nora"),
        realm=RealmId("main"),
        version=7,
        standing=Standing(status=AccountStatus.ERASED, led_by=Trigger.ERASE),
        created_at=datetime(2030, 5, 1, tzinfo=UTC),
        origin=Origin.REGISTRATION,
        tombstone=Tombstone(erased_at=NOW, erasure_id="e1", first_order_month=FIRST),
    )


@pytest.mark.proves("CUS-21", "CUS-22")
async def test_of_a_real_record_nothing_else_is_left(shop, builder) -> None:
    account = await shop.open_account(ANN)
    stone = erased(await builder.kept(CUSTOMERS, account.id), "e1", builder.clock.now())
    fresh = Customer(
        id=stone.id, realm=stone.realm, standing=stone.standing, created_at=stone.created_at, origin=stone.origin
    )
    assert attrs.evolve(stone, tombstone=None, version=1) == fresh


@pytest.mark.proves("CUS-12", "CUS-21")
def test_who_is_erased_is_erased_once() -> None:
    stone = erased(nora(), "e1", NOW)
    assert erased(stone, "e2", NOW + timedelta(days=1)) is stone
    for trigger in Trigger:
        if trigger is not Trigger.ERASE:
            with pytest.raises(StatusForbids):
                follow(stone, trigger, reason=StatusReason.ABUSE)
    with pytest.raises(StatusForbids):
        erased(nora(AccountStatus.MERGED), "e1", NOW)


OF_CONTRACTS = {book.name for book in BOOKS if ".subscriptions." in book.of.__module__}
"""Contracts and what was paid for them: forgotten by their own context, when it hears that a customer was erased."""


@pytest.mark.proves("CUS-22")
def test_every_book_says_what_becomes_of_it_when_a_customer_is_erased() -> None:
    named = {kept.book.name for kept in (*BELONGINGS.on_closing, *BELONGINGS.on_erasing)}
    assert named | IMPERSONAL | OF_CONTRACTS == {book.name for book in BOOKS}


@pytest.mark.proves("CUS-21", "CUS-22", "SIG-76")
async def test_nothing_of_an_account_outlives_its_customer(shop, builder) -> None:
    account = await shop.open_account(ANN)
    other = await shop.open_account("ben@lamp.example")
    await shop.signin.sign_in_with_password(ANN, PASSWORD, request_from(agent="a rare browser"))
    await shop.recovery.request_reset(ANN, HERE)
    await erase(builder, account)
    assert isinstance(await shop.sessions.resume(account.session, HERE), NoSession)
    assert not isinstance(await shop.sessions.resume(other.session, HERE), NoSession)
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    realm = builder.storage.snapshot()["main"]
    for name in (SECURITY.name, PASSWORDS.name):
        assert account.id not in realm.books[name]
    for name in (SESSIONS.name, TICKETS.name):
        left = [one for one in realm.books[name].values() if account.id in serial.dump(one)]
        assert left == []
    kept = [
        (f"{book.name} {id}", serial.dump(entity)) for book in BOOKS for id, entity in realm.books[book.name].items()
    ]
    assert_no_leak({"address": ANN, "agent": "a rare browser"}, kept)
    (event,) = [event for event in realm.books[EVENTS.name].values() if event.name == "customers.customer_erased"]
    assert event.subject == account.id
    new = await shop.open_account(ANN)
    assert new.id != account.id


@pytest.mark.proves("CUS-22")
async def test_erasing_twice_changes_nothing(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await erase(builder, account)
    assert (await erase(builder, account)).is_empty


async def erase(builder, account):
    """Record the part that the privacy context will record."""
    store = builder.storage.open(builder.scope)
    desk = Desk(scope=builder.scope, records=store, clock=builder.clock, entropy=builder.entropy, bell=SilentBell())
    found = await got(store.find(CUSTOMERS, account.id, bring=BELONGINGS.bring))
    assert found is not None
    part = erasure(desk, found, BELONGINGS, "e1", builder.clock.now())
    await desk.record(part)
    return part


def test_the_month_of_coming_is_the_same_for_all_of_a_month() -> None:
    late = attrs.evolve(nora(), created_at=datetime(2030, 5, 31, 23, 59, 59, 999999, tzinfo=UTC))
    assert erased(late, "e1", NOW).created_at == erased(nora(), "e1", NOW).created_at
