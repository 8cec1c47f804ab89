"""Stopping, objecting and closing while others sign in: one order or the other, and nothing between."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.books import BELONGINGS
from shopaccounts.customers import (
    CLOSINGS,
    CUSTOMERS,
    AccountStatus,
    ClosingLinkUsed,
    NoticeLinkUsed,
    StatusReason,
    erasure,
)
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk, SilentBell
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.passwords import PASSWORDS
from shopaccounts.recovery import ResetLinkUsed
from shopaccounts.signin import SESSIONS, AccountSuspended, Resumed, SignedIn, SignInRefused, SignInRequired
from shopaccounts.testing.builders import PASSWORD, request_from
from shopaccounts.testing.doubles import StaffRoom
from shopaccounts.testing.races import assert_one_winner, race

ANN, HERE = "ann@lamp.example", request_from()
NEW = "another lamp by the river"
CROWD = 16
pytestmark = pytest.mark.proves("KER-180")


async def listed(builder, book, group, value):
    """What a group of a book holds."""
    return (await got(builder.storage.open(builder.scope).rows(book, group, value, None, 500))).items


async def noticed(shop, builder):
    """An account, and the notice of its new password."""
    account = await shop.open_account(ANN)
    await shop.recovery.request_reset(ANN, HERE)
    await shop.recovery.reset_password(builder.mailbag.last.token, NEW, HERE)
    builder.clock.advance(timedelta(minutes=2))
    return account, builder.mailbag.last


async def told(builder, account, name):
    return [event for event in await listed(builder, EVENTS, "subject", account.id) if event.name == name]


@pytest.mark.proves("CUS-15")
async def test_one_freeze_link_stops_an_account_once(shop, builder) -> None:
    account, notice = await noticed(shop, builder)
    token = notice.ticket("freeze_link")
    outcomes = await race(CROWD, lambda _: builder.build().customers.freeze_account(token, HERE))
    assert_one_winner(outcomes, NoticeLinkUsed)
    assert len(await told(builder, account, "customers.customer_suspended")) == 1


@pytest.mark.proves("SIG-7", "SIG-85", "SIG-76")
async def test_who_signs_in_while_the_account_is_stopped_is_out_in_the_end(shop, builder) -> None:
    account, notice = await noticed(shop, builder)
    token = notice.ticket("freeze_link")

    async def either(index):
        if index == 0:
            return await builder.build().customers.freeze_account(token, HERE)
        return await builder.build().signin.sign_in_with_password(ANN, NEW, HERE)

    outcomes = await race(4, either)
    assert [one.error for one in outcomes] == [None] * 4
    for one in outcomes[1:]:
        assert isinstance(one.value, SignedIn | AccountSuspended)
    for session in await listed(builder, SESSIONS, "account", account.id):
        assert session.stamps.account == 0
    for one in outcomes[1:]:
        if isinstance(one.value, SignedIn):
            assert not isinstance(await shop.sessions.resume(one.value.session, HERE), Resumed)


@pytest.mark.proves("SIG-83")
async def test_one_objection_counts_once(shop, builder) -> None:
    account, notice = await noticed(shop, builder)
    token = notice.ticket("not_me_link")
    outcomes = await race(CROWD, lambda _: builder.build().objections.not_me_change(token, HERE))
    assert_one_winner(outcomes, ResetLinkUsed)
    assert len(await told(builder, account, "signin.repudiated")) == 1


@pytest.mark.proves("CUS-18")
async def test_one_link_closes_an_account_once(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await shop.closings.request_account_closing(account.session, None, HERE)
    token = builder.mailbag.last.token
    outcomes = await race(
        CROWD, lambda _: builder.build().closings.confirm_account_closing(account.session, token, HERE)
    )
    assert_one_winner(outcomes, ClosingLinkUsed, SignInRequired)
    assert len(await told(builder, account, "customers.closing_requested")) == 1


async def leaving(shop, builder):
    account = await shop.open_account(ANN)
    await shop.closings.request_account_closing(account.session, None, HERE)
    await shop.closings.confirm_account_closing(account.session, builder.mailbag.last.token, HERE)
    return account


@pytest.mark.proves("CUS-18", "KER-180")
async def test_many_workers_close_an_account_once(shop, builder) -> None:
    account = await leaving(shop, builder)
    builder.clock.advance(timedelta(days=14))
    outcomes = await race(4, lambda index: builder.build().closings.finish_closings(10, WorkerId(f"worker-{index}")))
    assert sorted(one.value for one in outcomes) == [0, 0, 0, 1]
    assert len(await told(builder, account, "customers.customer_closed")) == 1
    assert await builder.kept(PASSWORDS, account.id) is None


@pytest.mark.proves("CUS-19")
async def test_who_stays_while_the_account_is_closed_stays_or_is_gone(shop, builder) -> None:
    account = await leaving(shop, builder)
    builder.clock.advance(timedelta(days=14) - timedelta(minutes=1))
    session = (await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)).session
    builder.clock.advance(timedelta(minutes=1))

    async def either(index):
        closings = builder.build().closings
        if index:
            return await closings.finish_closings(10, WorkerId("worker"))
        return await closings.cancel_account_closing(session, HERE)

    outcomes = await race(2, either)
    status = (await builder.kept(CUSTOMERS, account.id)).status
    if outcomes[0].error is None:
        assert status is AccountStatus.ACTIVE
        builder.clock.advance(timedelta(minutes=2))
        await shop.upkeep.tick()
        assert isinstance(await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE), SignedIn)
    else:
        assert isinstance(outcomes[0].error, SignInRequired)
        assert status is AccountStatus.CLOSED
        with pytest.raises(SignInRefused):
            await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert await builder.kept(CLOSINGS, account.id) is None


@pytest.mark.proves("CUS-13")
async def test_many_agents_stop_an_account_once(builder) -> None:
    builder.agents = StaffRoom()
    builder.agents.hire("eve")
    account = await builder.build().open_account(ANN)
    builder.scope = attrs.evolve(builder.scope, actor=Actor(ActorKind.AGENT, "eve"))
    office = builder.build()
    outcomes = await race(3, lambda _: office.customers.suspend(account.id, StatusReason.ABUSE, "as the lawyer says"))
    assert [one.error for one in outcomes] == [None] * 3
    assert len({one.value for one in outcomes}) == 1
    assert len(await told(builder, account, "customers.customer_suspended")) == 1


@pytest.mark.proves("CUS-21", "CUS-22")
async def test_nothing_of_an_erased_account_is_left_in_any_storage(shop, builder) -> None:
    account, _ = await noticed(shop, builder)
    await shop.signin.sign_in_with_password(ANN, NEW, HERE)
    store = builder.storage.open(builder.scope)
    desk = Desk(scope=builder.scope, records=store, clock=builder.clock, entropy=builder.entropy, bell=SilentBell())
    found = await got(store.find(CUSTOMERS, account.id, bring=BELONGINGS.bring))
    assert found is not None
    await desk.record(erasure(desk, found, BELONGINGS, "e1", builder.clock.now()))
    again = await got(store.find(CUSTOMERS, account.id, bring=BELONGINGS.bring))
    assert again is not None
    assert again.it.status is AccountStatus.ERASED
    assert not [kept.book for kept in BELONGINGS.on_closing if not kept.group and again[kept.book]]
    assert not await listed(builder, SESSIONS, "account", account.id)
    assert (await shop.open_account(ANN)).id != account.id
