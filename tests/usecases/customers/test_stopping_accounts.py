"""Stopping an account, by the shop and by its owner, and letting it go on."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import (
    CLOSINGS,
    CUSTOMERS,
    AccountStatus,
    Closing,
    NotFound,
    NoticeLinkExpired,
    NoticeLinkInvalid,
    NoticeLinkStale,
    NoticeLinkUsed,
    StatusForbids,
    StatusReason,
    Trigger,
    follow,
    suspended,
)
from shopaccounts.customers.model import Standing
from shopaccounts.customers.stopping import held, released, sessions_ended
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import Forbidden, InsecureTransport, InvalidInput, StaleWrite
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.staff import Permission
from shopaccounts.recovery import ResetLinkStale
from shopaccounts.signin import AccountSuspended, NoSession, SignedIn
from shopaccounts.testing.builders import PASSWORD, Between, request_from

ANN, HERE = "ann@lamp.example", request_from()
EVE = Actor(ActorKind.AGENT, "eve")
NEW = "another lamp by the river"
WHY = "a chargeback came in"
DISPUTE, HOLD = StatusReason.PAYMENT_DISPUTE, StatusReason.SECURITY_HOLD
DAY = timedelta(days=1)


def misspelt(link, at):
    signs = list(link.reveal())
    signs[at] = "A" if signs[at] != "A" else "B"
    return Secret("".join(signs))


async def status_of(builder, account):
    return (await builder.kept(CUSTOMERS, account.id)).status


def told(builder, name):
    events = builder.storage.snapshot()["main"].books[EVENTS.name].values()
    return [event for event in events if event.name == name]


async def frozen_link(shop, builder, address=ANN, password=NEW):
    """The freeze link of a notice: that of a new password."""
    await shop.recovery.request_reset(address, HERE)
    await shop.recovery.reset_password(builder.mailbag.last.token, password, HERE)
    builder.clock.advance(timedelta(minutes=2))
    return builder.mailbag.last.ticket("freeze_link")


@pytest.mark.proves("CUS-11", "SIG-76", "CUS-8")
async def test_a_stopped_account_lets_nobody_in_and_a_reinstated_one_does(shop, office, builder) -> None:
    account = await shop.open_account(ANN)
    stopped = await office.customers.suspend(account.id, DISPUTE, WHY)
    assert (stopped.status, stopped.reason, stopped.until) == (AccountStatus.SUSPENDED, DISPUTE, None)
    assert isinstance(await shop.sessions.resume(account.session, HERE), NoSession)
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert step == AccountSuspended(reason="payment_dispute", until=None)

    again = await office.customers.reinstate(
        account.id, "it was a mistake of the bank", expected_version=stopped.version
    )
    assert again.status is AccountStatus.ACTIVE
    assert isinstance(await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE), SignedIn)
    assert isinstance(await shop.sessions.resume(account.session, HERE), NoSession)
    (event,) = told(builder, "customers.customer_suspended")
    assert (event.actor.id, event.subject) == ("eve", account.id)
    assert WHY not in event.data
    (event,) = told(builder, "customers.customer_reinstated")
    assert event.actor.id == "eve"
    kept = await builder.kept(CUSTOMERS, account.id)
    assert kept.standing.why == "it was a mistake of the bank"


@pytest.mark.proves("CUS-11")
async def test_the_customer_is_told_of_a_stop_and_of_its_end(shop, office, builder) -> None:
    account = await shop.open_account(ANN)
    await office.customers.suspend(account.id, DISPUTE, WHY)
    await office.customers.reinstate(account.id, WHY)
    templates = [letter.template for letter in builder.mailbag.to(ANN)][-2:]
    assert templates == ["customers.account_stopped", "customers.account_goes_on"]


@pytest.mark.proves("CUS-15")
async def test_nobody_is_warned_by_mail_where_the_law_may_forbid_it(shop, office, builder) -> None:
    account = await shop.open_account(ANN)
    before = len(builder.mailbag.letters)
    await office.customers.suspend(account.id, StatusReason.LEGAL_REQUEST, WHY)
    await office.customers.reinstate(account.id, WHY)
    assert len(builder.mailbag.letters) == before


@pytest.mark.proves("CUS-13")
async def test_stopping_twice_stops_once_for_the_first_reason_and_time(shop, office, builder) -> None:
    account = await shop.open_account(ANN)
    until = builder.clock.now() + DAY
    first = await office.customers.suspend(account.id, DISPUTE, WHY, until=until)
    mails = len(builder.mailbag.letters)
    second = await office.customers.suspend(account.id, StatusReason.ABUSE, WHY, until=until + DAY)
    assert second == first
    assert len(told(builder, "customers.customer_suspended")) == 1
    assert len(builder.mailbag.letters) == mails
    back = await office.customers.reinstate(account.id, WHY)
    assert await office.customers.reinstate(account.id, WHY) == back
    assert len(told(builder, "customers.customer_reinstated")) == 1


@pytest.mark.proves("CUS-11")
async def test_a_stop_until_a_time_is_over_then(shop, office, builder) -> None:
    account = await shop.open_account(ANN)
    await office.customers.suspend(account.id, DISPUTE, WHY, until=builder.clock.now() + DAY)
    builder.clock.advance(DAY)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE), SignedIn)
    assert isinstance(await shop.sessions.resume(account.session, HERE), NoSession)


@pytest.mark.proves("CUS-11")
async def test_after_a_stop_is_over_the_shop_stops_anew(shop, office, builder) -> None:
    account = await shop.open_account(ANN)
    await office.customers.suspend(account.id, DISPUTE, WHY, until=builder.clock.now() + DAY)
    builder.clock.advance(DAY)
    stopped = await office.customers.suspend(account.id, StatusReason.ABUSE, WHY)
    assert (stopped.status, stopped.reason, stopped.until) == (AccountStatus.SUSPENDED, StatusReason.ABUSE, None)


@pytest.mark.proves("CUS-15")
async def test_another_reason_needs_words_and_an_end_lies_ahead(shop, office, builder) -> None:
    account = await shop.open_account(ANN)
    for named in (
        {"note": None},
        {"note": "no"},
        {"note": "x" * 501},
        {"note": "enough", "until": builder.clock.now()},
    ):
        with pytest.raises(InvalidInput):
            await office.customers.suspend(account.id, StatusReason.OTHER, WHY, **named)
    assert await status_of(builder, account) is AccountStatus.ACTIVE


@pytest.mark.proves("CUS-8")
@pytest.mark.parametrize("command", ["suspend", "reinstate", "reopen", "cancel"])
async def test_only_an_agent_who_may_does_it_and_learns_nothing_otherwise(shop, office, staff, command) -> None:
    account = await shop.open_account(ANN)

    async def act(shop, id, why=WHY):
        match command:
            case "suspend":
                return await shop.customers.suspend(id, DISPUTE, why)
            case "cancel":
                return await shop.closings.cancel_closing_for(id, why)
        return await getattr(shop.customers, command)(id, why)

    nobody = AccountId("nobody")
    with pytest.raises(NotFound):
        await act(office, nobody)
    for wrong in ("", None):
        with pytest.raises(InvalidInput):
            await act(office, account.id, wrong)
    for id in (account.id, nobody):
        with pytest.raises(Forbidden):
            await act(shop, id)
    for may in (set(), set(Permission) - {Permission.SUSPEND, Permission.CLOSE}):
        staff.hire("eve", may)
        for id in (account.id, nobody):
            with pytest.raises(Forbidden):
                await act(office, id)


@pytest.mark.proves("CUS-3")
@pytest.mark.parametrize("command", ["suspend", "reinstate", "reopen", "cancel"])
async def test_an_agent_who_looked_at_old_data_is_told_so(shop, office, builder, command) -> None:
    account = await shop.open_account(ANN)
    old = (await builder.kept(CUSTOMERS, account.id)).version - 1
    face = office.closings.cancel_closing_for if command == "cancel" else getattr(office.customers, command)
    arguments = (account.id, DISPUTE, WHY) if command == "suspend" else (account.id, WHY)
    with pytest.raises(StaleWrite):
        await face(*arguments, expected_version=old)


@pytest.mark.proves("CUS-11")
async def test_a_step_from_elsewhere_is_refused_with_both_facts(shop, office) -> None:
    account = await shop.open_account(ANN)
    with pytest.raises(StatusForbids) as refused:
        await office.customers.reinstate(account.id, WHY)
    assert (refused.value.status, refused.value.trigger) == ("active", "reinstate")
    with pytest.raises(StatusForbids):
        await office.customers.reopen(account.id, WHY)


# The owner's hold


@pytest.mark.proves("CUS-15", "SIG-85")
async def test_an_owner_stops_the_account_with_the_link_of_a_notice_and_opens_it_by_a_reset(shop, builder) -> None:
    account = await shop.open_account(ANN)
    link = await frozen_link(shop, builder)
    inside = await shop.signin.sign_in_with_password(ANN, NEW, HERE)
    assert (await shop.customers.peek_freeze(link, HERE)).expires_at > builder.clock.now()
    assert await status_of(builder, account) is AccountStatus.ACTIVE

    assert await shop.customers.freeze_account(link, HERE) is None
    assert builder.mailbag.last.template == "customers.account_frozen"
    assert isinstance(await shop.sessions.resume(inside.session, HERE), NoSession)
    assert await shop.signin.sign_in_with_password(ANN, NEW, HERE) == AccountSuspended(
        reason="security_hold", until=None
    )
    builder.clock.advance(timedelta(minutes=2))
    await shop.recovery.request_reset(ANN, HERE)
    await shop.recovery.reset_password(builder.mailbag.last.token, "a third lamp by the road", HERE)
    assert await status_of(builder, account) is AccountStatus.ACTIVE
    assert isinstance(await shop.sessions.resume(inside.session, HERE), NoSession)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, "a third lamp by the road", HERE), SignedIn)
    assert len(told(builder, "customers.customer_reinstated")) == 1


@pytest.mark.proves("SIG-85", "RCV-2")
async def test_a_reset_link_from_before_the_hold_does_not_lift_it(shop, builder) -> None:
    account = await shop.open_account(ANN)
    link = await frozen_link(shop, builder)
    await shop.recovery.request_reset(ANN, HERE)
    early = builder.mailbag.last.token
    await shop.customers.freeze_account(link, HERE)
    with pytest.raises(Exception, match="link_stale"):
        await shop.recovery.reset_password(early, "a third lamp by the road", HERE)
    assert await status_of(builder, account) is AccountStatus.SUSPENDED


@pytest.mark.proves("SIG-85")
async def test_the_shop_lifts_the_hold_too(shop, office, builder) -> None:
    account = await shop.open_account(ANN)
    await shop.customers.freeze_account(await frozen_link(shop, builder), HERE)
    assert (await office.customers.reinstate(account.id, "she called")).status is AccountStatus.ACTIVE


@pytest.mark.proves("CUS-15")
async def test_a_freeze_link_works_once_for_two_weeks_and_whatever_changes_meanwhile(shop, builder) -> None:
    account = await shop.open_account(ANN)
    link = await frozen_link(shop, builder)
    later = await frozen_link(shop, builder, password="one more lamp by the sea")
    await shop.signin.sign_in_with_password(ANN, "one more lamp by the sea", HERE)
    await shop.customers.freeze_account(link, HERE)
    for look in (shop.customers.peek_freeze, shop.customers.freeze_account):
        with pytest.raises(NoticeLinkUsed):
            await look(link, HERE)
    mails = len(builder.mailbag.letters)
    await shop.customers.freeze_account(later, HERE)
    assert len(builder.mailbag.letters) == mails, "who is stopped is not stopped again"
    assert len(told(builder, "customers.customer_suspended")) == 1
    assert await status_of(builder, account) is AccountStatus.SUSPENDED

    other = await shop.open_account("ben@lamp.example")
    late = await frozen_link(shop, builder, "ben@lamp.example")
    builder.clock.advance(timedelta(days=14))
    with pytest.raises(NoticeLinkExpired):
        await shop.customers.freeze_account(late, HERE)
    assert await status_of(builder, other) is AccountStatus.ACTIVE


@pytest.mark.proves("CUS-15", "CUS-12")
@pytest.mark.parametrize("status", [AccountStatus.CLOSED, AccountStatus.ERASED, AccountStatus.MERGED])
async def test_where_no_account_is_left_there_is_nothing_to_stop(shop, builder, status) -> None:
    account = await shop.open_account(ANN)
    link = await frozen_link(shop, builder)

    def gone(customer):
        return attrs.evolve(customer, standing=attrs.evolve(customer.standing, status=status))

    await builder.edit(CUSTOMERS, account.id, gone)
    for look in (shop.customers.peek_freeze, shop.customers.freeze_account):
        with pytest.raises(NoticeLinkStale):
            await look(link, HERE)


@pytest.mark.proves("CUS-15")
async def test_a_link_that_is_none_is_refused_and_so_is_an_open_line(shop, builder) -> None:
    await shop.open_account(ANN)
    link = await frozen_link(shop, builder)
    not_me = builder.mailbag.last.ticket("not_me_link")
    made_up = [misspelt(link, at=8), misspelt(link, at=-1)]  # its selector, and its secret part
    for wrong in (not_me, Secret("nothing"), *made_up):
        for look in (shop.customers.peek_freeze, shop.customers.freeze_account):
            with pytest.raises(NoticeLinkInvalid):
                await look(wrong, HERE)
    for look in (shop.customers.peek_freeze, shop.customers.freeze_account):
        with pytest.raises(InsecureTransport):
            await look(link, request_from(secure=False))


@pytest.mark.proves("SIG-85")
async def test_an_owners_link_softens_nothing_that_the_shop_decided(shop, office, builder) -> None:
    account = await shop.open_account(ANN)
    link = await frozen_link(shop, builder)
    await office.customers.suspend(account.id, StatusReason.FRAUD_SUSPECTED, WHY)
    await shop.customers.freeze_account(link, HERE)
    builder.clock.advance(timedelta(minutes=2))
    await shop.recovery.request_reset(ANN, HERE)
    assert builder.mailbag.last.template == "recovery.account_suspended"
    back = await office.customers.reinstate(account.id, WHY)
    assert (back.status, back.reason) == (AccountStatus.SUSPENDED, HOLD)
    assert (await office.customers.reinstate(account.id, WHY)).status is AccountStatus.ACTIVE


@pytest.mark.proves("SIG-85")
async def test_a_hold_outlasts_a_stop_of_the_shop_that_ends_by_itself(shop, office, builder) -> None:
    account = await shop.open_account(ANN)
    link = await frozen_link(shop, builder)
    await office.customers.suspend(account.id, DISPUTE, WHY, until=builder.clock.now() + DAY)
    await shop.customers.freeze_account(link, HERE)
    builder.clock.advance(DAY)
    step = await shop.signin.sign_in_with_password(ANN, NEW, HERE)
    assert step == AccountSuspended(reason="security_hold", until=None)
    await shop.recovery.request_reset(ANN, HERE)
    await shop.recovery.reset_password(builder.mailbag.last.token, "a third lamp by the road", HERE)
    assert await status_of(builder, account) is AccountStatus.ACTIVE


@pytest.mark.proves("SIG-85", "CUS-13")
async def test_the_shop_stops_an_account_that_its_owner_has_stopped(shop, office, builder) -> None:
    account = await shop.open_account(ANN)
    await shop.customers.freeze_account(await frozen_link(shop, builder), HERE)
    stopped = await office.customers.suspend(account.id, StatusReason.FRAUD_SUSPECTED, WHY)
    assert stopped.reason is StatusReason.FRAUD_SUSPECTED
    builder.clock.advance(timedelta(minutes=2))
    await shop.recovery.request_reset(ANN, HERE)
    assert builder.mailbag.last.template == "recovery.account_suspended"
    mails = len(builder.mailbag.letters)
    left = await office.customers.reinstate(account.id, WHY)
    assert left.reason is HOLD
    assert await office.customers.suspend(account.id, HOLD, WHY) == left, "who is stopped so is not stopped so again"
    assert len(builder.mailbag.letters) == mails, "nothing goes on yet"


@pytest.mark.proves("SIG-85")
async def test_who_stops_an_account_that_is_being_closed_keeps_it(shop, builder) -> None:
    account = await shop.open_account(ANN)
    link = await frozen_link(shop, builder)
    await builder.step(account.id, Trigger.REQUEST_CLOSING, builder.clock.now() + DAY)
    await shop.customers.freeze_account(link, HERE)
    builder.clock.advance(2 * DAY)
    await shop.upkeep.tick()
    assert await status_of(builder, account) is AccountStatus.SUSPENDED


@pytest.mark.proves("SIG-85")
async def test_who_stops_an_account_takes_back_a_wish_to_leave_that_waits(shop, builder) -> None:
    account = await shop.open_account(ANN)
    link = await frozen_link(shop, builder)
    now = builder.clock.now()
    wish = Closing(id=account.id, realm=builder.scope.realm, asked_at=now, look_at=now + DAY, deferred=True)
    await got(builder.storage.open(builder.scope).record(Change(writes=(CLOSINGS.add(wish),))))
    await shop.customers.freeze_account(link, HERE)
    assert await builder.kept(CLOSINGS, account.id) is None
    await shop.recovery.request_reset(ANN, HERE)
    await shop.recovery.reset_password(builder.mailbag.last.token, "a third lamp by the road", HERE)
    builder.clock.advance(2 * DAY)
    await shop.upkeep.tick()
    assert await status_of(builder, account) is AccountStatus.ACTIVE


@pytest.mark.proves("SIG-85")
async def test_the_owner_lifts_the_hold_and_nothing_that_the_shop_decided(shop, builder) -> None:
    account = await shop.open_account(ANN)
    customer = await builder.kept(CUSTOMERS, account.id)
    stopped = suspended(customer, DISPUTE)
    assert released(stopped) == stopped
    assert released(customer) == customer
    assert released(held(customer)).standing.status is AccountStatus.ACTIVE


@pytest.mark.proves("CUS-15", "SIG-85")
@pytest.mark.parametrize("status", [AccountStatus.GUEST, AccountStatus.PENDING])
async def test_there_is_no_hold_before_there_is_an_account(shop, builder, status) -> None:
    account = await shop.open_account(ANN)
    customer = await builder.kept(CUSTOMERS, account.id)
    with pytest.raises(StatusForbids):
        held(attrs.evolve(customer, standing=Standing(status=status, led_by=None)))


@pytest.mark.proves("CUS-11")
async def test_a_guest_who_is_stopped_has_no_sessions_to_end() -> None:
    assert sessions_ended(None) == ()


# Somebody was faster


@pytest.mark.proves("KER-181", "CUS-3")
async def test_a_stop_by_somebody_who_named_no_version_meets_a_change_that_comes_meanwhile(shop, builder) -> None:
    account = await shop.open_account(ANN)
    between = Between(lambda: builder.edit(CUSTOMERS, account.id, lambda c: attrs.evolve(c, locale="fr")))
    builder.scope = attrs.evolve(builder.scope, actor=EVE)
    stopped = await builder.build(between).customers.suspend(account.id, DISPUTE, WHY)
    assert between.happened
    assert stopped.status is AccountStatus.SUSPENDED
    assert (await builder.kept(CUSTOMERS, account.id)).locale == "fr"


@pytest.mark.proves("KER-181", "SIG-85")
async def test_a_hold_meets_a_stop_that_comes_meanwhile(shop, builder) -> None:
    account = await shop.open_account(ANN)
    link = await frozen_link(shop, builder)
    between = Between(
        lambda: builder.edit(CUSTOMERS, account.id, lambda c: follow(c, Trigger.SUSPEND, reason=StatusReason.ABUSE))
    )
    await builder.build(between).customers.freeze_account(link, HERE)
    assert between.happened
    kept = await builder.kept(CUSTOMERS, account.id)
    assert (kept.status_reason, kept.standing.before.reason) == (StatusReason.ABUSE, HOLD)


@pytest.mark.proves("KER-181", "SIG-85")
async def test_a_reset_lifts_no_hold_beneath_a_stop_that_comes_meanwhile(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await shop.customers.freeze_account(await frozen_link(shop, builder), HERE)
    await shop.recovery.request_reset(ANN, HERE)
    between = Between(lambda: builder.edit(CUSTOMERS, account.id, lambda c: suspended(c, StatusReason.FRAUD_SUSPECTED)))
    with pytest.raises(ResetLinkStale):
        await builder.build(between).recovery.reset_password(
            builder.mailbag.last.token, "a third lamp by the road", HERE
        )
    assert between.happened
    assert (await builder.kept(CUSTOMERS, account.id)).status_reason is StatusReason.FRAUD_SUSPECTED
