"""Values that are renewed: who lost an answer asks again, and an old value that comes back ends the session."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import Trigger
from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.errors import BadPolicy, InsecureTransport
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, Stamp
from shopaccounts.kernel.tickets import TICKETS
from shopaccounts.signin import (
    SESSIONS,
    ActingScope,
    NoSession,
    NotWhileImpersonating,
    RenewalPolicy,
    Resumed,
    SessionPolicy,
    SignInRequired,
    WayNotOffered,
    WhyNoSession,
)
from shopaccounts.testing.builders import PASSWORD, Between, ShopBuilder, quick_policies, request_from
from shopaccounts.testing.doubles import StaffRoom
from shopaccounts.testing.races import race

ANN, HERE = "ann@lamp.example", request_from(agent="LampApp/4.2 (Android 14)")
HOUR, MOMENT = timedelta(hours=1), timedelta(microseconds=1)
GRACE = timedelta(seconds=10)


@pytest.fixture
def builder(host):
    policies = quick_policies(sessions=SessionPolicy(renewal=RenewalPolicy()))
    return ShopBuilder(host=host, policies=policies, entropy=SystemEntropy())


async def sign_in(shop, *, remember=False):
    return (await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE, remember=remember)).session


async def why(shop, value):
    answer = await shop.sessions.resume(value, HERE)
    return answer.reason if isinstance(answer, NoSession) else None


def rows(builder, book):
    return tuple(builder.storage.snapshot()[builder.scope.realm].books[book.name].values())


def alarms(builder):
    events = builder.storage.snapshot()[builder.scope.realm].books["events"].values()
    return [event for event in events if event.name == "signin.session_reuse_detected"]


@pytest.mark.proves("SIG-74")
async def test_a_client_is_told_each_hour_to_have_its_value_renewed(shop, builder) -> None:
    await shop.open_account(ANN)
    value = await sign_in(shop, remember=True)
    assert not (await shop.sessions.resume(value, HERE)).renewal_due
    builder.clock.advance(HOUR)
    assert (await shop.sessions.resume(value, HERE)).renewal_due
    renewed = await shop.sessions.renew(value, HERE)
    assert not (await shop.sessions.resume(renewed.session, HERE)).renewal_due
    assert renewed.set_cookies[0].value == renewed.session


@pytest.mark.proves("SIG-74")
async def test_what_a_value_has_become_is_found_among_however_many_sessions(shop, builder) -> None:
    await shop.open_account(ANN)
    values = [await sign_in(shop) for _ in range(5)]
    builder.policies = quick_policies(sessions=SessionPolicy(renewal=RenewalPolicy(), max_sessions=1))
    shop = builder.build()
    for value in values:
        await shop.sessions.renew(value, HERE)
    builder.clock.advance(2 * GRACE)
    assert [await why(shop, value) for value in values] == [WhyNoSession.ENDED] * 5
    assert len(alarms(builder)) == 5


@pytest.mark.proves("SIG-74", "SIG-72", "SIG-1")
async def test_each_renewal_is_one_generation_and_moves_neither_the_last_end_nor_the_proofs(shop, builder) -> None:
    await shop.open_account(ANN)
    value, values = await sign_in(shop, remember=True), []
    first = rows(builder, SESSIONS)[-1]
    for _ in range(4):
        builder.clock.advance(HOUR)
        values.append(value)
        value = (await shop.sessions.renew(value, HERE)).session
    newest = rows(builder, SESSIONS)[-1]
    assert (newest.generation, newest.family, newest.auth) == (4, first.family, first.auth)
    assert (newest.ends_at, newest.created_at) == (first.ends_at, first.created_at)
    assert newest.idle_until == builder.clock.now() + timedelta(days=14)
    assert await why(shop, value) is None
    assert len(await shop.sessions.list_sessions(value, HERE)) == 1


@pytest.mark.proves("SIG-74")
async def test_whoever_lost_the_answer_asks_again_within_the_grace(shop, builder) -> None:
    await shop.open_account(ANN)
    value = await sign_in(shop)
    lost = await shop.sessions.renew(value, HERE)
    builder.clock.advance(GRACE - MOMENT)
    again = await shop.sessions.renew(value, HERE)
    assert await why(shop, lost.session) is WhyNoSession.ENDED
    assert await why(shop, again.session) is None
    assert rows(builder, SESSIONS)[-1].generation == 1
    assert alarms(builder) == []


@pytest.mark.proves("SIG-74", "SIG-80", "SIG-81")
@pytest.mark.parametrize("how", ["after the grace", "after its use", "two generations later"])
async def test_an_old_value_that_comes_back_ends_the_session_and_its_owner_hears_of_it(shop, builder, how) -> None:
    account = await shop.open_account(ANN)
    value = await sign_in(shop)
    renewed = await shop.sessions.renew(value, HERE)
    if how == "after the grace":
        builder.clock.advance(GRACE)
    elif how == "after its use":
        await shop.sessions.resume(renewed.session, HERE)
    else:
        renewed = await shop.sessions.renew(renewed.session, HERE)
    for _ in range(2):
        with pytest.raises(SignInRequired):
            await shop.sessions.renew(value, HERE)
    assert await why(shop, renewed.session) is WhyNoSession.ENDED
    assert [event.subject for event in alarms(builder)] == [account.id]
    letter = builder.mailbag.to(ANN)[-1]
    assert (letter.template, letter.secrets["device"]) == ("signin.session_reused", "LampApp, Android")
    tickets = [ticket for ticket in rows(builder, TICKETS) if ticket.purpose == "not_me_sign_in"]
    assert tickets[-1].bound == renewed.public_id
    assert await why(shop, account.session) is None, "the account's other sessions go on"


@pytest.mark.proves("SIG-74")
async def test_a_request_that_crossed_the_renewal_does_no_harm_and_a_late_one_ends_the_session(shop, builder) -> None:
    await shop.open_account(ANN)
    value = await sign_in(shop)
    renewed = await shop.sessions.renew(value, HERE)
    await shop.sessions.resume(renewed.session, HERE)
    builder.clock.advance(GRACE - MOMENT)
    assert await why(shop, value) is WhyNoSession.ENDED
    assert await why(shop, renewed.session) is None
    builder.clock.advance(MOMENT)
    assert await why(shop, value) is WhyNoSession.ENDED
    assert await why(shop, renewed.session) is WhyNoSession.ENDED
    assert len(alarms(builder)) == 1
    assert await why(shop, value) is WhyNoSession.ENDED
    assert len(alarms(builder)) == 1


@pytest.mark.proves("SIG-74")
async def test_of_many_renewals_at_once_one_value_lives_on(shop, builder) -> None:
    await shop.open_account(ANN)
    value = await sign_in(shop)
    outcomes = await race(8, lambda _: shop.sessions.renew(value, HERE))
    values = [one.value.session for one in outcomes if one.error is None]
    assert len(values) == 8, [one.error for one in outcomes if one.error]
    live = [isinstance(await shop.sessions.resume(one, HERE), Resumed) for one in values]
    assert live.count(True) == 1
    assert alarms(builder) == []
    assert {session.generation for session in rows(builder, SESSIONS)} == {0, 1}


@pytest.mark.proves("SIG-74", "SIG-76", "KER-222")
@pytest.mark.parametrize("stamp", [stamp for stamp in Stamp if stamp is not Stamp.PROVIDERS])
async def test_what_ends_a_session_ends_its_renewals(shop, builder, stamp) -> None:
    account = await shop.open_account(ANN)
    value = await sign_in(shop)
    renewed = await shop.sessions.renew(value, HERE)
    await builder.edit(SECURITY, account.id, lambda s: s.bump(stamp))
    for old in (value, renewed.session):
        with pytest.raises(SignInRequired):
            await shop.sessions.renew(old, HERE)
    assert await why(shop, renewed.session) is WhyNoSession.REVOKED
    assert alarms(builder) == []


@pytest.mark.proves("SIG-74")
async def test_a_session_that_was_signed_out_is_not_renewed(shop) -> None:
    account = await shop.open_account(ANN)
    await shop.sessions.sign_out(account.session, HERE)
    for value in (account.session, Secret("nonsense")):
        with pytest.raises(SignInRequired):
            await shop.sessions.renew(value, HERE)
    with pytest.raises(InsecureTransport):
        await shop.sessions.renew(account.session, request_from(secure=False))


@pytest.mark.proves("SIG-74")
async def test_a_session_that_may_do_one_thing_only_is_not_renewed(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await builder.step(account.id, Trigger.REQUEST_CLOSING)
    closing = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    with pytest.raises(SignInRequired):
        await shop.sessions.renew(closing.session, HERE)
    assert await why(shop, closing.session) is None


@pytest.mark.proves("SIG-74", "SIG-95")
async def test_an_agent_who_acts_for_a_customer_gets_no_new_value(host) -> None:
    staff = StaffRoom()
    policies = quick_policies(sessions=SessionPolicy(renewal=RenewalPolicy()))
    builder = ShopBuilder(host=host, policies=policies, agents=staff)
    account = await builder.build().open_account(ANN)
    staff.hire("eve", signed_in_at=builder.clock.now())
    builder.scope = attrs.evolve(builder.scope, actor=Actor(ActorKind.AGENT, "eve"))
    office = builder.build()
    begun = await office.impersonation.start_impersonation(account.id, "she asked", ActingScope.ASSIST, HERE)
    with pytest.raises(NotWhileImpersonating):
        await office.sessions.renew(begun.session, HERE)


@pytest.mark.proves("SIG-74", "SIG-76")
async def test_a_renewal_meets_an_end_that_comes_meanwhile(shop, builder) -> None:
    account = await shop.open_account(ANN)
    between = Between(lambda: builder.edit(SECURITY, account.id, lambda s: s.bump(Stamp.ACCOUNT)))
    with pytest.raises(SignInRequired):
        await builder.build(between).sessions.renew(account.session, HERE)
    assert between.happened
    assert [session.generation for session in rows(builder, SESSIONS)] == [0]


@pytest.mark.proves("SIG-74")
async def test_shops_renew_nothing_unless_they_say_so(host) -> None:
    builder = ShopBuilder(host=host)
    shop = builder.build()
    account = await shop.open_account(ANN)
    with pytest.raises(WayNotOffered):
        await shop.sessions.renew(account.session, HERE)
    builder.clock.advance(HOUR)
    resumed = await shop.sessions.resume(account.session, HERE)
    assert isinstance(resumed, Resumed)
    assert not resumed.renewal_due


@pytest.mark.proves("SIG-74")
async def test_a_step_up_goes_on_with_the_same_family(shop, builder) -> None:
    await shop.open_account(ANN)
    value = (await shop.sessions.renew(await sign_in(shop), HERE)).session
    fresh = await shop.signin.confirm_identity(value, PASSWORD, HERE)
    again = await shop.sessions.renew(fresh.session, HERE)
    assert await why(shop, again.session) is None
    with pytest.raises(SignInRequired):
        await shop.sessions.renew(value, HERE)
    assert await why(shop, again.session) is None, "a value that was rotated is dead, and no alarm"
    assert alarms(builder) == []


@pytest.mark.proves("SIG-74")
@pytest.mark.parametrize("values", [{"reuse_grace": timedelta(seconds=-1)}, {"every": GRACE}])
def test_a_policy_of_renewal_that_contradicts_itself_fails_at_start_up(values) -> None:
    with pytest.raises(BadPolicy):
        RenewalPolicy(**values)
    assert attrs.evolve(RenewalPolicy(), every=timedelta(minutes=5)).reuse_grace == GRACE
