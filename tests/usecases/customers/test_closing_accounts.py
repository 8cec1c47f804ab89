"""Closing an account: the plan, the proof, the time of grace, staying after all, the end, and coming back."""

from datetime import timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.books import BOOKS
from shopaccounts.customers import (
    CLOSE_ACCOUNT,
    CLOSINGS,
    CUSTOMERS,
    AccountStatus,
    BlockedClosing,
    Blocker,
    ClosingBlocked,
    ClosingDeferred,
    ClosingLinkExpired,
    ClosingLinkInvalid,
    ClosingLinkStale,
    ClosingLinkUsed,
    ClosingPlanStale,
    ClosingStarted,
    ClosingTooSoon,
    ContactTaken,
    CreditLeft,
    Customer,
    LifecyclePolicy,
    NoProvenEmail,
    Origin,
    PointsLost,
    Standing,
    StatusForbids,
    StatusReason,
    SubscriptionEnds,
    Trigger,
    WishlistShared,
    follow,
    plan_closing,
)
from shopaccounts.kernel.errors import BadPolicy, Defect, FreshSignInNeeded, Throttled
from shopaccounts.kernel.ids import CustomerId, RealmId, WorkerId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, Stamp
from shopaccounts.kernel.tickets import TICKETS
from shopaccounts.passwords import PASSWORDS
from shopaccounts.registration import RegistrationForm
from shopaccounts.signin import SESSIONS, AccountClosing, NoSession, Resumed, SignedIn, SignInRefused, SignInRequired
from shopaccounts.testing.builders import BEGINNING, PASSWORD, Between, quick_policies, request_from
from shopaccounts.testing.plugin import BLOCKING

ANN, HERE = "ann@lamp.example", request_from()
NEW = "another lamp by the river"
WHY = "she wrote that she stays"
DAY, MINUTE, SECOND = timedelta(days=1), timedelta(minutes=1), timedelta(seconds=1)
GRACE = timedelta(days=14)
ORDER, INVOICE = Blocker.ORDER_NOT_DELIVERED, Blocker.INVOICE_UNPAID
LOST = (PointsLost(120), CreditLeft(Money(500, "EUR")), SubscriptionEnds("tea"), WishlistShared())


class Holdings:
    """What speaks against a closing, as a test says."""

    def __init__(self, *holdings):
        self.holdings = holdings

    def against(self, account):
        """Answer it."""
        assert account
        return self.holdings


@pytest.fixture
def holdings(builder):
    """Nothing speaks against a closing, until a test says so; from two parts of the shop."""
    one, other = Holdings(), Holdings()
    builder.closing_objections = (one, other)
    return one


def rows(builder, book):
    return tuple(builder.storage.snapshot()["main"].books[book.name].values())


def told(builder):
    return [event.name for event in rows(builder, EVENTS) if event.name.startswith("customers.")]


async def status_of(builder, account):
    return (await builder.kept(CUSTOMERS, account.id)).status


async def asked(shop, builder, account, accepted=None):
    await shop.closings.request_account_closing(account.session, accepted, HERE)
    builder.clock.advance(SECOND)
    return builder.mailbag.last.token


async def closing(shop, builder, account, accepted=None):
    token = await asked(shop, builder, account, accepted)
    return await shop.closings.confirm_account_closing(account.session, token, HERE)


async def closed(shop, builder, account):
    await closing(shop, builder, account)
    builder.clock.advance(GRACE)
    await shop.upkeep.tick()


# The plan

NORA = Customer(
    id=CustomerId("nora"),
    realm=RealmId("main"),
    standing=Standing(status=AccountStatus.ACTIVE),
    created_at=BEGINNING,
    origin=Origin.REGISTRATION,
)
ANYTHING = st.one_of(
    st.sampled_from(Blocker),
    st.builds(PointsLost, st.integers(1, 9)),
    st.builds(SubscriptionEnds, st.sampled_from("ab")),
    st.just(WishlistShared()),
    st.builds(lambda minor: CreditLeft(Money(minor, "EUR")), st.integers(1, 9)),
)


@pytest.mark.proves("CUS-17")
@given(st.lists(ANYTHING, max_size=8), st.randoms(use_true_random=False))
def test_a_plan_sorts_what_it_is_told_and_stands_for_exactly_that(known, dice) -> None:
    policy = LifecyclePolicy()
    plan = plan_closing(NORA, known, policy, BEGINNING)
    assert set(plan.blockers) | set(plan.warnings) == set(known)
    assert all(isinstance(one, Blocker) for one in plan.blockers)
    assert not [one for one in plan.warnings if isinstance(one, Blocker)]
    assert plan.closes_at == BEGINNING + GRACE
    mixed = [*known, *known]
    dice.shuffle(mixed)
    assert plan_closing(NORA, mixed, policy, BEGINNING) == plan
    later = plan_closing(NORA, known, policy, BEGINNING + DAY)
    assert later.fingerprint == plan.fingerprint
    more = plan_closing(NORA, [*known, PointsLost(77)], policy, BEGINNING)
    assert more.fingerprint != plan.fingerprint
    assert (
        plan_closing(attrs.evolve(NORA, id=CustomerId("ben")), known, policy, BEGINNING).fingerprint != plan.fingerprint
    )
    assert plan.is_accepted(plan.fingerprint)
    assert plan.is_accepted(None) is not bool(plan.warnings)


@pytest.mark.proves("CUS-17")
async def test_a_customer_sees_the_plan_of_all_parts_of_the_shop_and_nothing_changes(shop, builder) -> None:
    account = await shop.open_account(ANN)
    builder.closing_objections = (Holdings(ORDER, *LOST[:2]), Holdings(*LOST[2:]))
    before = [rows(builder, book) for book in BOOKS]
    plan = await builder.build().closings.plan_account_closing(account.session, HERE)
    assert plan.blockers == (ORDER,)
    assert set(plan.warnings) == set(LOST)
    assert [rows(builder, book) for book in BOOKS] == before
    with pytest.raises(SignInRequired):
        await shop.closings.plan_account_closing(Secret("nothing"), HERE)


@pytest.mark.proves("CUS-17")
@pytest.mark.parametrize(
    "values",
    [
        {"closing_grace": timedelta(days=29)},
        {"closing_grace": -DAY},
        {"reopen_window": -DAY},
        {"unverified_after": timedelta(0)},
    ],
)
def test_a_policy_that_the_law_or_sense_forbids_is_refused(values) -> None:
    with pytest.raises(BadPolicy):
        LifecyclePolicy(**values)


# Asking and proving


@pytest.mark.proves("CUS-18", "SIG-76")
async def test_an_account_is_closed_in_two_steps_and_after_a_time_of_grace(shop, builder) -> None:
    account = await shop.open_account(ANN)
    answer = await shop.closings.request_account_closing(account.session, None, HERE)
    letter = builder.mailbag.last
    assert (letter.template, letter.to, answer.masked) == ("customers.close_account", ANN, "a***@lamp.example")
    assert answer.expires_at - builder.clock.now() == timedelta(hours=1)
    assert await status_of(builder, account) is AccountStatus.ACTIVE
    offer = await shop.closings.peek_account_closing(account.session, letter.token, HERE)
    assert (offer.plan, offer.expires_at) == (answer.plan, answer.expires_at)
    assert await status_of(builder, account) is AccountStatus.ACTIVE

    started = await shop.closings.confirm_account_closing(account.session, letter.token, HERE)
    assert started == ClosingStarted(closes_at=builder.clock.now() + GRACE)
    assert isinstance(await shop.sessions.resume(account.session, HERE), NoSession)
    assert builder.mailbag.last.template == "customers.closing_started"
    assert set(builder.mailbag.last.secrets) == {"not_me_link", "freeze_link"}
    builder.clock.advance(GRACE - MINUTE)
    await shop.upkeep.tick()
    assert await status_of(builder, account) is AccountStatus.CLOSING
    builder.clock.advance(MINUTE)
    await shop.upkeep.tick()
    assert await status_of(builder, account) is AccountStatus.CLOSED
    assert builder.mailbag.last.template == "customers.account_closed"
    assert told(builder) == ["customers.closing_requested", "customers.customer_closed"]
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)


@pytest.mark.proves("CUS-18")
async def test_closing_takes_a_fresh_sign_in(shop, builder) -> None:
    account = await shop.open_account(ANN)
    builder.clock.advance(timedelta(minutes=15))
    with pytest.raises(FreshSignInNeeded):
        await shop.closings.request_account_closing(account.session, None, HERE)


@pytest.mark.proves("CUS-18")
async def test_a_link_works_once_for_an_hour_and_only_the_newest_one(shop, builder) -> None:
    account = await shop.open_account(ANN)
    first = await asked(shop, builder, account)
    second = await asked(shop, builder, account)
    for look in (shop.closings.peek_account_closing, shop.closings.confirm_account_closing):
        with pytest.raises(ClosingLinkStale):
            await look(account.session, first, HERE)
    builder.clock.advance(timedelta(minutes=60) - SECOND)
    with pytest.raises(ClosingLinkExpired):
        await shop.closings.confirm_account_closing(account.session, second, HERE)
    assert await status_of(builder, account) is AccountStatus.ACTIVE


@pytest.mark.proves("CUS-18")
async def test_a_link_that_was_used_is_used(shop, builder) -> None:
    builder.policies = attrs.evolve(
        builder.policies, lifecycle=LifecyclePolicy(closing_with_blockers=BlockedClosing.DEFER)
    )
    builder.closing_objections = (Holdings(ORDER),)
    shop = builder.build()
    account = await shop.open_account(ANN)
    token = await asked(shop, builder, account)
    await shop.closings.confirm_account_closing(account.session, token, HERE)
    assert told(builder) == ["customers.closing_requested"]
    with pytest.raises(ClosingLinkUsed):
        await shop.closings.confirm_account_closing(account.session, token, HERE)


@pytest.mark.proves("CUS-18")
async def test_a_link_counts_in_the_session_that_asked_and_nowhere_else(shop, builder) -> None:
    account = await shop.open_account(ANN)
    other = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    ben = await shop.open_account("ben@lamp.example")
    token = await asked(shop, builder, account)
    for look in (shop.closings.peek_account_closing, shop.closings.confirm_account_closing):
        with pytest.raises(ClosingLinkStale):
            await look(other.session, token, HERE)
        with pytest.raises(ClosingLinkInvalid):
            await look(ben.session, token, HERE)
        with pytest.raises(SignInRequired):
            await look(Secret("nothing"), token, HERE)
        for wrong in (Secret("nothing"), Secret(f"sa1.cls.{'a' * 22}.{'b' * 43}")):
            with pytest.raises(ClosingLinkInvalid):
                await look(account.session, wrong, HERE)
    await shop.sessions.sign_out(account.session, HERE)
    with pytest.raises(SignInRequired):
        await shop.closings.confirm_account_closing(account.session, token, HERE)


@pytest.mark.proves("CUS-18", "KER-222")
@pytest.mark.parametrize("stamp", [Stamp.ACCOUNT, Stamp.PASSWORD, Stamp.CONTACTS, Stamp.FACTORS])
async def test_a_link_dies_with_every_change_of_the_accounts_security(shop, builder, stamp) -> None:
    account = await shop.open_account(ANN)
    token = await asked(shop, builder, account)
    await builder.edit(SECURITY, account.id, lambda security: security.bump(stamp))
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    same = (await builder.kept(SESSIONS, rows(builder, SESSIONS)[-1].id)).public_id
    ticket = next(ticket for ticket in rows(builder, TICKETS) if ticket.purpose == "close_account")
    await builder.edit(TICKETS, ticket.id, lambda t: attrs.evolve(t, bound=f"{same} {t.bound.split()[1]}"))
    with pytest.raises(ClosingLinkStale):
        await shop.closings.confirm_account_closing(step.session, token, HERE)


@pytest.mark.proves("CUS-18")
async def test_who_loses_something_has_seen_it(shop, builder, holdings) -> None:
    shop = builder.build()
    account = await shop.open_account(ANN)
    holdings.holdings = (PointsLost(120),)
    for unseen in (None, "", "something else"):
        with pytest.raises(ClosingPlanStale):
            await asked(shop, builder, account, unseen)
    plan = await shop.closings.plan_account_closing(account.session, HERE)
    token = await asked(shop, builder, account, plan.fingerprint)
    holdings.holdings = (PointsLost(500),)
    with pytest.raises(ClosingPlanStale):
        await shop.closings.confirm_account_closing(account.session, token, HERE)
    holdings.holdings = (PointsLost(120),)
    assert isinstance(await shop.closings.confirm_account_closing(account.session, token, HERE), ClosingStarted)


@pytest.mark.proves("CUS-18")
async def test_what_blocks_is_refused_at_both_steps_and_the_link_stays_good(shop, builder, holdings) -> None:
    shop = builder.build()
    account = await shop.open_account(ANN)
    holdings.holdings = (ORDER, INVOICE)
    with pytest.raises(ClosingBlocked) as refused:
        await asked(shop, builder, account)
    assert refused.value.blockers == ("invoice_unpaid", "order_not_delivered")
    holdings.holdings = ()
    token = await asked(shop, builder, account)
    holdings.holdings = (ORDER,)
    with pytest.raises(ClosingBlocked):
        await shop.closings.confirm_account_closing(account.session, token, HERE)
    holdings.holdings = ()
    assert isinstance(await shop.closings.confirm_account_closing(account.session, token, HERE), ClosingStarted)


@pytest.mark.proves("REG-66", "CUS-18")
async def test_an_account_whose_address_was_changed_lately_is_not_closed(shop, builder) -> None:
    account = await shop.open_account(ANN)
    token = await asked(shop, builder, account)
    until = builder.clock.now() + timedelta(minutes=5)
    await builder.edit(SECURITY, account.id, lambda security: attrs.evolve(security, hold_until=until))
    with pytest.raises(ClosingTooSoon) as refused:
        await asked(shop, builder, account)
    assert refused.value.until == until
    with pytest.raises(ClosingTooSoon):
        await shop.closings.confirm_account_closing(account.session, token, HERE)
    builder.clock.advance(timedelta(minutes=5))
    assert isinstance(await shop.closings.confirm_account_closing(account.session, token, HERE), ClosingStarted)


@pytest.mark.proves("CUS-18")
async def test_the_link_goes_to_a_proven_address_or_nowhere(shop, builder) -> None:
    account = await shop.open_account(ANN)

    def unproven(customer):
        return attrs.evolve(customer, contacts=())

    await builder.edit(CUSTOMERS, account.id, unproven)
    with pytest.raises(NoProvenEmail):
        await asked(shop, builder, account)


@pytest.mark.proves("CUS-18")
async def test_a_session_can_not_be_used_to_flood_its_owners_mailbox(builder) -> None:
    builder.policies = quick_policies()
    shop = builder.build()
    account = await shop.open_account(ANN)
    await asked(shop, builder, account)
    with pytest.raises(Throttled):
        await asked(shop, builder, account)


# A wish that waits


@pytest.fixture
def patient(builder):
    """A shop that lets wishes wait."""
    builder.policies = attrs.evolve(
        builder.policies, lifecycle=LifecyclePolicy(closing_with_blockers=BlockedClosing.DEFER)
    )
    waiting = Holdings(ORDER)
    builder.closing_objections = (waiting,)
    return builder.build(), waiting


@pytest.mark.proves("CUS-18")
async def test_a_wish_waits_until_nothing_blocks_it_and_the_time_of_grace_begins_then(patient, builder) -> None:
    shop, waiting = patient
    account = await shop.open_account(ANN)
    answer = await closing(shop, builder, account)
    assert answer == ClosingDeferred(blockers=(ORDER,))
    letter = builder.mailbag.last
    assert (letter.template, letter.variables["blockers"]) == ("customers.closing_deferred", "order_not_delivered")
    assert not isinstance(await shop.sessions.resume(account.session, HERE), NoSession)
    for _ in range(3):
        builder.clock.advance(DAY)
        await shop.upkeep.tick()
        assert await status_of(builder, account) is AccountStatus.ACTIVE
    waiting.holdings = ()
    builder.clock.advance(DAY)
    await shop.upkeep.tick()
    kept = await builder.kept(CUSTOMERS, account.id)
    assert (kept.status, kept.status_until) == (AccountStatus.CLOSING, builder.clock.now() + GRACE)
    assert isinstance(await shop.sessions.resume(account.session, HERE), NoSession)
    assert builder.mailbag.last.template == "customers.closing_started"


@pytest.mark.proves("CUS-18", "CUS-19")
async def test_a_wish_that_waits_is_taken_back(patient, builder) -> None:
    shop, waiting = patient
    account = await shop.open_account(ANN)
    await closing(shop, builder, account)
    await shop.closings.cancel_account_closing(account.session, HERE)
    assert not isinstance(await shop.sessions.resume(account.session, HERE), NoSession)
    assert builder.mailbag.last.template == "customers.closing_canceled"
    waiting.holdings = ()
    builder.clock.advance(2 * DAY)
    await shop.upkeep.tick()
    assert await status_of(builder, account) is AccountStatus.ACTIVE


@pytest.mark.proves("CUS-18")
async def test_asking_again_while_a_wish_waits_replaces_it(patient, builder) -> None:
    shop, waiting = patient
    account = await shop.open_account(ANN)
    await closing(shop, builder, account)
    waiting.holdings = ()
    assert isinstance(await closing(shop, builder, account), ClosingStarted)
    assert len(rows(builder, CLOSINGS)) == 1


@pytest.mark.proves("CUS-18")
async def test_the_wish_of_somebody_who_is_gone_waits_no_longer(patient, builder) -> None:
    shop, _ = patient
    account = await shop.open_account(ANN)
    await closing(shop, builder, account)
    await builder.step(account.id, Trigger.ERASE)
    builder.clock.advance(DAY)
    await shop.upkeep.tick()
    assert rows(builder, CLOSINGS) == ()
    assert await status_of(builder, account) is AccountStatus.ERASED


# Staying


@pytest.mark.proves("CUS-19", "CUS-16", "SIG-2")
async def test_who_signs_in_meanwhile_may_stay_and_do_nothing_else(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await closing(shop, builder, account)
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert isinstance(step, AccountClosing)
    assert await status_of(builder, account) is AccountStatus.CLOSING
    with pytest.raises(SignInRequired):
        await shop.closings.plan_account_closing(step.session, HERE)
    await shop.closings.cancel_account_closing(step.session, HERE)
    assert await status_of(builder, account) is AccountStatus.ACTIVE
    assert builder.mailbag.last.template == "customers.closing_canceled"
    assert told(builder)[-1] == "customers.closing_canceled"
    assert rows(builder, CLOSINGS) == ()
    builder.clock.advance(2 * GRACE)
    await shop.upkeep.tick()
    assert await status_of(builder, account) is AccountStatus.ACTIVE


@pytest.mark.proves("SIG-9", "CUS-19")
async def test_a_session_that_stopped_a_closing_has_done_its_task_and_never_lives_again(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await closing(shop, builder, account)
    first = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    await shop.closings.cancel_account_closing(first.session, HERE)
    with pytest.raises(SignInRequired):
        await shop.closings.cancel_account_closing(first.session, HERE)
    again = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert isinstance(again, SignedIn)
    await closing(shop, builder, attrs.evolve(account, session=again.session))
    for value in (account.session, first.session, again.session):
        with pytest.raises(SignInRequired):
            await shop.closings.cancel_account_closing(value, HERE)


@pytest.mark.proves("CUS-19", "CUS-13")
async def test_who_is_not_leaving_stays_without_a_word(shop, office, builder) -> None:
    account = await shop.open_account(ANN)
    mails, before = len(builder.mailbag.letters), await builder.kept(CUSTOMERS, account.id)
    await shop.closings.cancel_account_closing(account.session, HERE)
    await office.closings.cancel_closing_for(account.id, WHY)
    assert await builder.kept(CUSTOMERS, account.id) == before
    assert len(builder.mailbag.letters) == mails
    assert told(builder) == []


@pytest.mark.proves("CUS-18")
async def test_the_link_that_began_it_is_used_up_also_for_who_stays(shop, office, builder) -> None:
    account = await shop.open_account(ANN)
    await closing(shop, builder, account)
    await office.closings.cancel_closing_for(account.id, WHY)
    (link,) = [one for one in rows(builder, TICKETS) if one.purpose == CLOSE_ACCOUNT.name]
    assert link.spent_at is not None


@pytest.mark.proves("CUS-19", "CUS-3")
async def test_an_agent_who_looked_at_what_still_holds_keeps_the_account(shop, office, builder) -> None:
    account = await shop.open_account(ANN)
    await closing(shop, builder, account)
    seen = (await builder.kept(CUSTOMERS, account.id)).version
    await office.closings.cancel_closing_for(account.id, WHY, expected_version=seen)
    assert await status_of(builder, account) is AccountStatus.ACTIVE


@pytest.mark.proves("CUS-19", "KER-181")
async def test_an_agent_who_named_no_version_keeps_the_account_whatever_comes_meanwhile(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await closing(shop, builder, account)
    between = Between(lambda: builder.edit(CUSTOMERS, account.id, lambda c: attrs.evolve(c, locale="fr")))
    builder.scope = attrs.evolve(builder.scope, actor=Actor(ActorKind.AGENT, "eve"))
    await builder.build(between).closings.cancel_closing_for(account.id, WHY)
    assert between.happened
    assert await status_of(builder, account) is AccountStatus.ACTIVE


@pytest.mark.proves("CUS-19")
async def test_an_agent_keeps_an_account_as_its_owner_wished(shop, office, builder) -> None:
    account = await shop.open_account(ANN)
    await closing(shop, builder, account)
    await office.closings.cancel_closing_for(account.id, WHY)
    kept = await builder.kept(CUSTOMERS, account.id)
    assert (kept.status, kept.standing.why) == (AccountStatus.ACTIVE, WHY)
    (event,) = [event for event in rows(builder, EVENTS) if event.name == "customers.closing_canceled"]
    assert event.actor.id == "eve"


@pytest.mark.proves("CUS-19")
async def test_who_was_stopped_before_is_stopped_again_by_staying(shop, office, builder) -> None:
    account = await shop.open_account(ANN)
    await builder.step(account.id, Trigger.SUSPEND)
    await builder.step(account.id, Trigger.REQUEST_CLOSING)
    await office.closings.cancel_closing_for(account.id, WHY)
    assert await status_of(builder, account) is AccountStatus.SUSPENDED


@pytest.mark.proves("CUS-19")
@pytest.mark.parametrize("by_sign_in", [False, True])
async def test_signing_in_keeps_the_account_only_where_the_shop_wants_it_so(builder, by_sign_in) -> None:
    lifecycle = LifecyclePolicy(sign_in_cancels_closing=by_sign_in)
    builder.policies = attrs.evolve(builder.policies, lifecycle=lifecycle)
    shop = builder.build()
    account = await shop.open_account(ANN)
    await closing(shop, builder, account)
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert isinstance(step, SignedIn if by_sign_in else AccountClosing)
    assert isinstance(await shop.sessions.resume(step.session, HERE), Resumed)
    builder.clock.advance(GRACE)
    await shop.upkeep.tick()
    expected = AccountStatus.ACTIVE if by_sign_in else AccountStatus.CLOSED
    assert await status_of(builder, account) is expected
    if by_sign_in:
        assert rows(builder, CLOSINGS) == ()
        assert told(builder)[-1] == "customers.closing_canceled"


# The end


@pytest.mark.proves("CUS-17")
async def test_what_blocks_is_looked_at_again_at_the_end(shop, builder, holdings) -> None:
    shop = builder.build()
    account = await shop.open_account(ANN)
    await closing(shop, builder, account)
    builder.clock.advance(GRACE)
    holdings.holdings = (Blocker.RETURN_OPEN,)
    await shop.upkeep.tick()
    assert await status_of(builder, account) is AccountStatus.CLOSING
    assert (await builder.kept(CLOSINGS, account.id)).look_at == builder.clock.now() + DAY
    holdings.holdings = ()
    await shop.upkeep.tick()
    assert await status_of(builder, account) is AccountStatus.CLOSING
    builder.clock.advance(DAY)
    await shop.upkeep.tick()
    assert await status_of(builder, account) is AccountStatus.CLOSED


@pytest.mark.proves("CUS-11", "SIG-76")
async def test_nothing_that_opens_an_account_outlives_it(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await closing(shop, builder, account)
    last = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    builder.clock.advance(GRACE)
    assert await shop.closings.finish_closings(10, WorkerId("w")) == 1
    assert await shop.closings.finish_closings(10, WorkerId("w")) == 0
    for value in (account.session, last.session):
        assert isinstance(await shop.sessions.resume(value, HERE), NoSession)
    for book in (PASSWORDS, SESSIONS, CLOSINGS):
        assert rows(builder, book) == ()
    assert (await builder.kept(SECURITY, account.id)).stamps.account >= 2


@pytest.mark.proves("CUS-18")
async def test_a_row_that_is_early_waits(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await closing(shop, builder, account)
    ends_at = (await builder.kept(CLOSINGS, account.id)).look_at
    await builder.edit(CLOSINGS, account.id, lambda row: attrs.evolve(row, look_at=builder.clock.now()))
    await shop.upkeep.tick()
    assert await status_of(builder, account) is AccountStatus.CLOSING
    assert (await builder.kept(CLOSINGS, account.id)).look_at == ends_at
    builder.clock.advance(GRACE)
    await shop.upkeep.tick()
    assert await status_of(builder, account) is AccountStatus.CLOSED


# Coming back


@pytest.mark.proves("CUS-20")
async def test_who_registers_after_closing_is_somebody_new(shop, office, builder) -> None:
    old = await shop.open_account(ANN)
    await closed(shop, builder, old)
    new = await shop.open_account(ANN, NEW)
    assert new.id != old.id
    assert await status_of(builder, old) is AccountStatus.CLOSED
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    with pytest.raises(ContactTaken):
        await office.customers.reopen(old.id, WHY)
    assert await status_of(builder, old) is AccountStatus.CLOSED


@pytest.mark.proves("CUS-11", "CUS-20")
@pytest.mark.parametrize("way", ["reset", "registering"])
async def test_a_closed_account_is_reopened_and_proven_anew(shop, office, builder, way) -> None:
    account = await shop.open_account(ANN)
    await closed(shop, builder, account)
    builder.clock.advance(timedelta(days=29))
    standing = await office.customers.reopen(account.id, WHY)
    assert standing.status is AccountStatus.PENDING
    assert await office.customers.reopen(account.id, WHY) == standing
    assert builder.mailbag.last.template == "customers.account_reopened"
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    if way == "reset":
        await shop.recovery.request_reset(ANN, HERE)
        step = (await shop.registration.take_over_contact(builder.mailbag.last.token, NEW, HERE)).step
    else:
        form = RegistrationForm(identifier=ANN, password=NEW)
        handle = (await shop.registration.register(form, HERE)).handle
        step = (await shop.registration.complete_registration(handle, builder.mailbag.last.code, HERE)).step
    assert isinstance(step, SignedIn)
    assert step.account == account.id
    assert isinstance(await shop.sessions.resume(account.session, HERE), NoSession)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, NEW, HERE), SignedIn)


@pytest.mark.proves("CUS-11")
async def test_after_a_while_a_closed_account_stays_closed(shop, office, builder) -> None:
    account = await shop.open_account(ANN)
    await closed(shop, builder, account)
    builder.clock.advance(timedelta(days=30))
    with pytest.raises(StatusForbids) as refused:
        await office.customers.reopen(account.id, WHY)
    assert (refused.value.status, refused.value.trigger) == ("closed", "reopen")


# Somebody was faster


@pytest.mark.proves("KER-181", "CUS-18")
@pytest.mark.parametrize("defers", [False, True])
@pytest.mark.parametrize("what", ["stopped", "on hold"])
async def test_an_account_that_changes_meanwhile_is_not_closed(shop, builder, defers, what) -> None:
    if defers:
        lifecycle = LifecyclePolicy(closing_with_blockers=BlockedClosing.DEFER)
        builder.policies = attrs.evolve(builder.policies, lifecycle=lifecycle)
        builder.closing_objections = (Holdings(ORDER),)
    account = await shop.open_account(ANN)
    token = await asked(builder.build(), builder, account)
    until = builder.clock.now() + DAY

    def held_up(security):
        return attrs.evolve(security, hold_until=until)

    def stopped(customer):
        return follow(customer, Trigger.SUSPEND, reason=StatusReason.ABUSE)

    def change():
        if what == "on hold":
            return builder.edit(SECURITY, account.id, held_up)
        return builder.edit(CUSTOMERS, account.id, stopped)

    between = Between(change)
    with pytest.raises((ClosingTooSoon, SignInRequired)):
        await builder.build(between).closings.confirm_account_closing(account.session, token, HERE)
    assert between.happened
    assert rows(builder, CLOSINGS) == ()


# Other parts of the shop


class Later:
    """A part of the shop that answers later."""

    async def against(self, _account):
        return (ORDER,)


@pytest.mark.proves("CUS-17")
async def test_a_part_of_the_shop_may_answer_later_in_a_host_that_waits(builder, host) -> None:
    builder.closing_objections = (Later(),)
    if host == BLOCKING:
        with pytest.raises(Defect, match=r"Later\.against"):
            builder.build()
        return
    shop = builder.build()
    account = await shop.open_account(ANN)
    assert (await shop.closings.plan_account_closing(account.session, HERE)).blockers == (ORDER,)
