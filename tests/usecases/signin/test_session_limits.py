"""How many sessions an account has at once, to which browser they belong, and how the shop's own people end them."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import FREEZE, NOT_ME_CHANGE, NOT_ME_SIGN_IN
from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.errors import BadPolicy, Forbidden, InvalidInput
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.scope import Actor, ActorKind, Scope
from shopaccounts.kernel.security import SECURITY
from shopaccounts.kernel.staff import Permission
from shopaccounts.kernel.tickets import TICKETS
from shopaccounts.signin import (
    REALMS,
    SESSIONS,
    NoSession,
    Overflow,
    SessionPolicy,
    SessionUnknown,
    SignInRefused,
    TooManySessions,
    WhyNoSession,
)
from shopaccounts.signin.model import EndReason
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, quick_policies, request_from
from shopaccounts.testing.doubles import StaffRoom
from shopaccounts.testing.races import race
from shopaccounts.testing.recording import Recorder

ANN, HERE = "ann@lamp.example", request_from(agent="Mozilla/5.0 (X11; Linux) Firefox/133.0")
WHY = "stolen laptop"


def built(host, **policy):
    return ShopBuilder(host=host, policies=quick_policies(sessions=SessionPolicy(**policy)), entropy=SystemEntropy())


async def sign_in(shop, builder, *, remember=False):
    builder.clock.advance(timedelta(seconds=1))
    return (await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE, remember=remember)).session


async def why(shop, value, context=HERE):
    answer = await shop.sessions.resume(value, context)
    return answer.reason if isinstance(answer, NoSession) else None


def rows(builder, book):
    return tuple(builder.storage.snapshot()[builder.scope.realm].books[book.name].values())


def told(builder, name):
    events = builder.storage.snapshot()[builder.scope.realm].books["events"].values()
    return [event for event in events if event.name == name]


# How many at once


@pytest.mark.proves("SIG-75")
def test_an_account_has_fifty_sessions_at_once_unless_a_shop_says_otherwise() -> None:
    assert (SessionPolicy().max_sessions, SessionPolicy().overflow) == (50, Overflow.END_OLDEST)
    for most in (0, 251):
        with pytest.raises(BadPolicy):
            SessionPolicy(max_sessions=most)


@pytest.mark.proves("SIG-75")
async def test_one_session_too_many_ends_the_oldest_and_no_other(host) -> None:
    builder = built(host, max_sessions=3)
    shop = builder.build()
    values = [(await shop.open_account(ANN)).session]
    values += [await sign_in(shop, builder) for _ in range(4)]
    ended = [await why(shop, value) for value in values]
    assert ended == [WhyNoSession.ENDED] * 2 + [None] * 3
    assert [event.data.count("crowded_out") for event in told(builder, "signin.session_ended")] == [1, 1]


@pytest.mark.proves("SIG-75")
async def test_what_has_ended_takes_nobodys_place(host) -> None:
    builder = built(host, max_sessions=3)
    shop = builder.build()
    keeps = (await shop.open_account(ANN)).session
    for _ in range(8):
        await shop.sessions.sign_out(await sign_in(shop, builder), HERE)
    assert await why(shop, keeps) is None
    idle = [await sign_in(shop, builder) for _ in range(2)]
    for _ in range(3):
        builder.clock.advance(timedelta(hours=1))
        await shop.sessions.resume(keeps, HERE)
    later = [await sign_in(shop, builder) for _ in range(2)]
    assert [await why(shop, value) for value in (keeps, *idle, *later)] == [
        None,
        WhyNoSession.IDLE,
        WhyNoSession.IDLE,
        None,
        None,
    ]
    assert told(builder, "signin.session_ended")[-1].data.count("signed_out") == 1
    assert [s.ended for s in rows(builder, SESSIONS)].count(EndReason.LAPSED) == 2


@pytest.mark.proves("SIG-75")
async def test_a_shop_may_refuse_one_more_instead(host) -> None:
    builder = built(host, max_sessions=2, overflow=Overflow.REFUSE)
    shop = builder.build()
    first = (await shop.open_account(ANN)).session
    second = await sign_in(shop, builder)
    with pytest.raises(TooManySessions) as refused:
        await sign_in(shop, builder)
    assert refused.value.most == 2
    assert [await why(shop, value) for value in (first, second)] == [None, None]
    await shop.sessions.sign_out(first, HERE)
    assert await why(shop, await sign_in(shop, builder)) is None


@pytest.mark.proves("SIG-8", "SIG-75")
async def test_many_at_once_all_come_in_and_the_next_one_puts_away_what_is_too_much(host) -> None:
    builder = built(host, max_sessions=3)
    shop = builder.build()
    await shop.open_account(ANN)
    outcomes = await race(5, lambda _: shop.signin.sign_in_with_password(ANN, PASSWORD, HERE))  # so many tries are free
    assert [one.error for one in outcomes] == [None] * 5
    await sign_in(shop, builder)
    assert sum(session.ended is None for session in rows(builder, SESSIONS)) == 3


LISTED = ("records", "rows")


@pytest.mark.proves("SIG-75")
@pytest.mark.parametrize("overflow", Overflow)
async def test_sessions_are_read_only_where_as_many_are_open_as_there_may_be(host, overflow) -> None:
    builder, recorder = built(host, max_sessions=3, overflow=overflow), Recorder()
    shop = builder.build(recorder)
    await shop.open_account(ANN)
    for _ in range(2):
        await sign_in(shop, builder)
    assert LISTED not in recorder.trace, "there was room for all of them"
    builder.clock.advance(timedelta(days=2))
    await sign_in(shop, builder)
    assert recorder.trace.count(LISTED) == 1
    assert [s.ended for s in rows(builder, SESSIONS)] == [EndReason.LAPSED] * 3 + [None]
    for _ in range(2):
        await sign_in(shop, builder)
    assert recorder.trace.count(LISTED) == 1, "three were put away, so there was room for two more"


@pytest.mark.proves("SIG-75")
async def test_a_strangers_guesses_read_no_sessions_and_take_nobodys_place(host) -> None:
    builder, recorder = built(host, max_sessions=2), Recorder()
    shop = builder.build(recorder)
    values = [(await shop.open_account(ANN)).session, await sign_in(shop, builder)]
    for _ in range(3):
        with pytest.raises(SignInRefused):
            await shop.signin.sign_in_with_password(ANN, "not the password of anybody", HERE)
    assert LISTED not in recorder.trace
    assert [await why(shop, value) for value in values] == [None, None]
    assert await why(shop, await sign_in(shop, builder)) is None
    assert [await why(shop, value) for value in values] == [WhyNoSession.ENDED, None]


@pytest.mark.proves("SIG-75")
async def test_what_nobody_puts_away_at_the_door_is_removed_when_its_time_is_over(host) -> None:
    builder = built(host)
    shop = builder.build()
    await shop.open_account(ANN)
    await sign_in(shop, builder)
    builder.clock.advance(timedelta(days=60))
    await sign_in(shop, builder)
    assert [s.ended for s in rows(builder, SESSIONS)] == [None] * 3
    await shop.upkeep.tick()
    assert len(rows(builder, SESSIONS)) == 1


# Whose browser it is


@pytest.mark.proves("SIG-79")
async def test_a_shop_may_bind_sessions_to_the_kind_of_browser(host) -> None:
    builder = built(host, pin_agent=True)
    shop = builder.build()
    await shop.open_account(ANN)
    value = await sign_in(shop, builder)
    newer = request_from("203.0.113.9", agent="Mozilla/5.0 (Windows NT 10.0) Firefox/140.0")
    assert await why(shop, value, newer) is None, "another version, system and network is the same kind of browser"
    assert await why(shop, value, request_from(agent="curl/8.9")) is WhyNoSession.OTHER_AGENT
    assert await why(shop, value) is WhyNoSession.ENDED
    assert "other_agent" in told(builder, "signin.session_ended")[-1].data


@pytest.mark.proves("SIG-79")
async def test_otherwise_a_session_goes_on_whatever_a_browser_calls_itself(shop, builder) -> None:
    await shop.open_account(ANN)
    value = await sign_in(shop, builder)
    assert await why(shop, value, request_from("203.0.113.9", agent="curl/8.9")) is None


# By the shop's own people


@pytest.fixture
def staff():
    return StaffRoom()


@pytest.fixture
def builder(host, staff):
    return ShopBuilder(host=host, agents=staff)


@pytest.fixture
def office(builder, staff):
    """The same shop on behalf of an agent."""
    staff.hire("eve", signed_in_at=builder.clock.now())
    builder.scope = attrs.evolve(builder.scope, actor=Actor(ActorKind.AGENT, "eve"))
    office = builder.build()
    builder.scope = Scope.single()
    return office


@pytest.mark.proves("SIG-92", "SIG-76", "KER-224")
async def test_an_agent_ends_the_sessions_of_one_customer(shop, builder, office) -> None:
    ann, ben = await shop.open_account(ANN), await shop.open_account("ben@lamp.example")
    other = await sign_in(shop, builder)
    await office.sessions.end_sessions_of(ann.id, WHY)
    assert [await why(shop, value) for value in (ann.session, other, ben.session)] == [
        WhyNoSession.REVOKED,
        WhyNoSession.REVOKED,
        None,
    ]
    (event,) = told(builder, "signin.sessions_ended_by_staff")
    assert (event.subject, event.actor.id) == (ann.id, "eve")
    security = await builder.kept(SECURITY, ann.id)
    assert security.ended_why == WHY
    assert await why(shop, await sign_in(shop, builder)) is None, "the account is not locked"


@pytest.mark.proves("SIG-92", "SIG-76", "KER-224")
async def test_an_agent_ends_the_sessions_of_everybody(shop, builder, office) -> None:
    sessions = [(await shop.open_account(f"{name}@lamp.example")).session for name in ("ann", "ben")]
    for _ in range(2):
        await office.sessions.end_sessions_of_everybody(WHY)
        assert [await why(shop, value) for value in sessions] == [WhyNoSession.REVOKED] * len(sessions)
        later = await sign_in(shop, builder)
        assert await why(shop, later) is None
        assert len(await shop.sessions.list_sessions(later, HERE)) == 1
        sessions.append(later)
    (realm,) = rows(builder, REALMS)
    assert (realm.why, len(told(builder, "signin.sessions_ended_by_staff"))) == (WHY, 2)


@pytest.mark.proves("KER-224")
async def test_everybody_is_everybody_of_one_realm(builder, office) -> None:
    await office.sessions.end_sessions_of_everybody(WHY)
    builder.scope = attrs.evolve(builder.scope, realm="elsewhere")
    elsewhere = builder.build()
    account = await elsewhere.open_account(ANN)
    assert await why(elsewhere, account.session) is None


@pytest.mark.proves("KER-224")
async def test_what_staff_ended_takes_nobodys_place(host, staff) -> None:
    builder = ShopBuilder(
        host=host,
        agents=staff,
        policies=quick_policies(sessions=SessionPolicy(max_sessions=1, overflow=Overflow.REFUSE)),
        scope=attrs.evolve(Scope.single(), actor=Actor(ActorKind.AGENT, "eve")),
    )
    staff.hire("eve", signed_in_at=builder.clock.now())
    shop = builder.build()
    await shop.open_account(ANN)
    await shop.sessions.end_sessions_of_everybody(WHY)
    assert await why(shop, await sign_in(shop, builder)) is None


@pytest.mark.proves("SIG-92")
@pytest.mark.parametrize("who", ["nobody", "an agent without the right", "an agent who left"])
async def test_nobody_else_ends_anything(shop, builder, office, staff, who) -> None:
    ann = await shop.open_account(ANN)
    here = shop if who == "nobody" else office
    if who == "an agent without the right":
        staff.hire("eve", {Permission.SUSPEND}, signed_in_at=builder.clock.now())
    if who == "an agent who left":
        staff.agents.pop("eve")
    for act in (here.sessions.end_sessions_of(ann.id, WHY), here.sessions.end_sessions_of_everybody(WHY)):
        with pytest.raises(Forbidden):
            await act
    assert await why(shop, ann.session) is None


@pytest.mark.proves("SIG-92")
async def test_a_reason_and_an_account_that_exists_are_wanted(shop, office) -> None:
    ann = await shop.open_account(ANN)
    for reason in ("", "  ", None, "x" * 501):
        with pytest.raises(InvalidInput):
            await office.sessions.end_sessions_of(ann.id, reason)
    with pytest.raises(SessionUnknown):
        await office.sessions.end_sessions_of(AccountId("nobody"), WHY)
    assert await why(shop, ann.session) is None


# Whoever changes something stays


@pytest.mark.proves("KER-223", "SIG-73")
async def test_the_session_that_changes_the_password_goes_on_and_every_other_one_ends(shop, builder) -> None:
    await shop.open_account(ANN)
    here, elsewhere = await sign_in(shop, builder), await sign_in(shop, builder)
    changed = await shop.passwords.change_password(here, PASSWORD, "another lamp by the river", HERE)
    assert [await why(shop, value) for value in (here, elsewhere)] == [WhyNoSession.ENDED, WhyNoSession.REVOKED]
    assert await why(shop, changed.next_value.session) is None
    objections = [one for one in rows(builder, TICKETS) if one.purpose in {"not_me_change", "freeze_account"}]
    assert len(objections) >= 2, "what the owner of the mailbox may still do depends on no stamp"
    assert all(use.depends_on == frozenset() for use in (FREEZE, NOT_ME_CHANGE, NOT_ME_SIGN_IN))
