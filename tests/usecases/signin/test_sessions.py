"""Sessions: how long they live, what ends them, and what their owner sees of them."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, StatusReason, Trigger, follow
from shopaccounts.kernel.assurance import SessionScope
from shopaccounts.kernel.errors import BadPolicy, InvalidInput
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, Stamp
from shopaccounts.kernel.web import SameSite
from shopaccounts.signin import (
    SESSIONS,
    NoSession,
    Resumed,
    SessionPolicy,
    SessionUnknown,
    SignedIn,
    SignInRequired,
    WhyNoSession,
)
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, quick_policies, request_from
from shopaccounts.testing.leaks import assert_no_leak
from shopaccounts.testing.recording import Recorder

ANN, HERE = "ann@lamp.example", request_from(agent="a browser")
MOMENT = timedelta(microseconds=1)


def rows(builder, book):
    return tuple(builder.storage.snapshot()[builder.scope.realm].books[book.name].values())


async def sign_in(shop, *, remember=False, agent="a browser"):
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, request_from(agent=agent), remember=remember)
    assert isinstance(step, SignedIn)
    return step


def stopped(customer, trigger):
    return follow(customer, trigger, reason=StatusReason.ABUSE)


async def why(shop, value):
    """Why a value opens nothing, None if it does."""
    answer = await shop.sessions.resume(value, HERE)
    return answer.reason if isinstance(answer, NoSession) else None


# The value


@pytest.mark.proves("SIG-70")
async def test_the_value_of_a_session_is_kept_nowhere_and_its_public_id_opens_nothing(shop, builder) -> None:
    account = await shop.open_account(ANN)
    step = await sign_in(shop)
    text = step.session.reveal()
    prefix, purpose, selector, verifier = text.split(".")
    assert (prefix, purpose, len(selector), len(verifier)) == ("sa1", "ses", 22, 43)
    places = [(str(place), repr(attrs.asdict(session))) for place, session in enumerate(rows(builder, SESSIONS))]
    assert_no_leak({"value": text, "verifier": verifier}, places)
    assert step.public_id not in text
    forged = Secret(f"sa1.ses.{step.public_id}.{verifier}")
    assert await why(shop, forged) is WhyNoSession.UNKNOWN
    assert await why(shop, Secret(step.public_id)) is WhyNoSession.UNKNOWN
    assert await why(shop, account.session) is None


@pytest.mark.proves("SIG-70")
async def test_a_value_with_another_verifier_or_of_another_purpose_opens_nothing(shop, builder) -> None:
    await shop.open_account(ANN)
    one, other = await sign_in(shop), await sign_in(shop)
    mine, theirs = one.session.reveal().split("."), other.session.reveal().split(".")
    assert await why(shop, Secret(".".join([*mine[:3], theirs[3]]))) is WhyNoSession.UNKNOWN
    assert await why(shop, Secret(".".join(["sa1", "chl", *mine[2:]]))) is WhyNoSession.UNKNOWN
    await shop.recovery.request_reset(ANN, HERE)
    assert await why(shop, builder.mailbag.last.token) is WhyNoSession.UNKNOWN


@pytest.mark.proves("SIG-70", "KER-201")
@pytest.mark.parametrize("odd", ["", "nonsense", "sa1.ses.x.y", "x" * 10_000, "\ud800"])
async def test_nonsense_is_no_session(shop, odd) -> None:
    assert await why(shop, Secret(odd)) is WhyNoSession.UNKNOWN
    with pytest.raises(SignInRequired):
        await shop.sessions.list_sessions(Secret(odd), HERE)
    await shop.sessions.sign_out(Secret(odd), HERE)


# How long


@pytest.mark.proves("SIG-71", "SIG-72", "SIG-78")
@pytest.mark.parametrize(
    ("remember", "idle", "absolute"),
    [(False, timedelta(hours=2), timedelta(hours=24)), (True, timedelta(days=14), timedelta(days=30))],
)
async def test_a_session_ends_when_it_is_idle_and_in_any_case_in_the_end(
    shop, builder, remember, idle, absolute
) -> None:
    await shop.open_account(ANN)
    left, used, began = (
        await sign_in(shop, remember=remember),
        await sign_in(shop, remember=remember),
        builder.clock.now(),
    )
    builder.clock.advance(idle - MOMENT)
    assert await why(shop, used.session) is None
    builder.clock.advance(MOMENT)
    assert await why(shop, left.session) is WhyNoSession.IDLE
    while builder.clock.now() + idle / 2 < began + absolute:
        builder.clock.advance(idle / 2)
        assert await why(shop, used.session) is None
    builder.clock.set(began + absolute - MOMENT)
    assert await why(shop, used.session) is None
    builder.clock.set(began + absolute)
    assert await why(shop, used.session) is WhyNoSession.OVER


@pytest.mark.proves("SIG-72")
async def test_activity_moves_the_idle_end_and_neither_the_last_one_nor_the_proofs(shop, builder) -> None:
    await shop.open_account(ANN)
    await sign_in(shop)
    before = rows(builder, SESSIONS)[-1]
    builder.clock.advance(timedelta(hours=1))
    step = await sign_in(shop)
    builder.clock.advance(timedelta(hours=1))
    await shop.sessions.resume(step.session, HERE)
    session = rows(builder, SESSIONS)[-1]
    assert session.idle_until == builder.clock.now() + timedelta(hours=2)
    assert session.ends_at == session.created_at + timedelta(hours=24)
    assert session.auth == step.auth
    for _ in range(22):
        builder.clock.advance(timedelta(hours=1))
        await shop.sessions.resume(step.session, HERE)
    session = rows(builder, SESSIONS)[-1]
    assert session.idle_until == session.ends_at
    assert before.version == 1


@pytest.mark.proves("SIG-71")
async def test_coming_back_is_one_look_and_a_note_every_five_minutes(builder) -> None:
    plain = builder.build()
    await plain.open_account(ANN)
    step = await sign_in(plain)
    recorder = Recorder()
    shop = builder.build(recorder)
    recorder.trace.clear()
    for _ in range(3):
        await shop.sessions.resume(step.session, HERE)
    assert recorder.trace == [("records", "find")] * 3
    builder.clock.advance(timedelta(minutes=5))
    recorder.trace.clear()
    for _ in range(3):
        await shop.sessions.resume(step.session, HERE)
    assert recorder.trace == [("records", "find"), ("records", "record")] + [("records", "find")] * 2


@pytest.mark.proves("SIG-71", "SIG-76")
@pytest.mark.parametrize("stamp", Stamp)
async def test_a_session_ends_when_something_it_rests_on_has_moved(shop, builder, stamp) -> None:
    account = await shop.open_account(ANN)
    await builder.edit(SECURITY, account.id, lambda s: s.bump(stamp))
    expected = None if stamp is Stamp.PROVIDERS else WhyNoSession.REVOKED
    assert await why(shop, account.session) is expected


@pytest.mark.proves("SIG-71", "SIG-76")
async def test_a_session_that_is_older_than_the_account_allows_is_over(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await builder.edit(SECURITY, account.id, lambda s: attrs.evolve(s, not_before=builder.clock.now()))
    later = await sign_in(shop)
    assert await why(shop, account.session) is WhyNoSession.REVOKED
    assert await why(shop, later.session) is None


@pytest.mark.proves("SIG-3", "SIG-71", "SIG-76")
@pytest.mark.parametrize("trigger", [Trigger.SUSPEND, Trigger.REQUEST_CLOSING])
async def test_a_stop_works_at_once(shop, builder, trigger) -> None:
    account = await shop.open_account(ANN)
    await builder.edit(CUSTOMERS, account.id, lambda c: stopped(c, trigger))
    assert await why(shop, account.session) is WhyNoSession.ACCOUNT_STOPPED


@pytest.mark.proves("SIG-76")
async def test_what_ended_with_a_suspension_stays_ended_after_it(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await builder.step(account.id, Trigger.SUSPEND)
    await builder.step(account.id, Trigger.REINSTATE)
    assert await why(shop, account.session) is WhyNoSession.REVOKED
    await sign_in(shop)


@pytest.mark.proves("SIG-76")
async def test_a_reset_ends_every_session(shop, builder) -> None:
    account = await shop.open_account(ANN)
    others = [await sign_in(shop, remember=True) for _ in range(2)]
    builder.clock.advance(timedelta(minutes=1))
    await shop.recovery.request_reset(ANN, HERE)
    await shop.recovery.reset_password(builder.mailbag.last.token, "another lamp by the river", HERE)
    for value in (account.session, *(other.session for other in others)):
        assert await why(shop, value) is WhyNoSession.REVOKED


# Signing out


@pytest.mark.proves("SIG-77")
async def test_signing_out_ends_the_session_on_the_server_and_twice_is_no_error(shop, builder) -> None:
    account = await shop.open_account(ANN)
    for _ in range(2):
        answer = await shop.sessions.sign_out(account.session, HERE)
        assert [cookie.name for cookie in answer.clear_cookies] == ["__Host-session"]
    assert await why(shop, account.session) is WhyNoSession.ENDED
    assert [e.name for e in rows(builder, EVENTS)].count("signin.session_ended") == 1


@pytest.mark.proves("SIG-77")
async def test_who_signs_out_while_the_account_is_stopped_is_signed_out_for_good(shop, builder) -> None:
    account = await shop.open_account(ANN)
    before = await builder.kept(CUSTOMERS, account.id)
    await builder.edit(CUSTOMERS, account.id, lambda c: stopped(c, Trigger.SUSPEND))
    await shop.sessions.sign_out(account.session, HERE)
    await builder.edit(CUSTOMERS, account.id, lambda c: attrs.evolve(c, standing=before.standing))
    assert await why(shop, account.session) is WhyNoSession.ENDED


@pytest.mark.proves("SIG-75", "SIG-76")
async def test_signing_out_everywhere_ends_all_sessions_at_once(shop, builder) -> None:
    account = await shop.open_account(ANN)
    others = [await sign_in(shop, remember=True) for _ in range(3)]
    await shop.sessions.sign_out_everywhere(account.session, HERE)
    for value in (account.session, *(other.session for other in others)):
        assert await why(shop, value) is WhyNoSession.REVOKED
    with pytest.raises(SignInRequired):
        await shop.sessions.sign_out_everywhere(account.session, HERE)
    await sign_in(shop)
    assert "signin.session_ended" in {event.name for event in rows(builder, EVENTS)}


@pytest.mark.proves("SIG-75")
async def test_signing_out_everywhere_asks_as_little_for_a_thousand_sessions_as_for_one(builder) -> None:
    shop = builder.build()
    account = await shop.open_account(ANN)
    recorder = Recorder()
    watched = builder.build(recorder)
    traces = []
    for _ in range(2):
        value = (await sign_in(shop)).session
        recorder.trace.clear()
        await watched.sessions.sign_out_everywhere(value, HERE)
        traces.append(list(recorder.trace))
        for _ in range(20):
            await sign_in(shop)
    assert traces[0] == traces[1]
    assert account


@pytest.mark.proves("SIG-73", "SIG-75")
async def test_ending_the_others_renews_ones_own_value(shop, builder) -> None:
    account = await shop.open_account(ANN)
    mine, other = await sign_in(shop, remember=True), await sign_in(shop)
    kept = rows(builder, SESSIONS)[-2]
    builder.clock.advance(timedelta(minutes=10))
    renewed = await shop.sessions.end_other_sessions(mine.session, HERE)
    assert await why(shop, renewed.session) is None
    assert "signin.session_ended" in {event.name for event in rows(builder, EVENTS)}
    assert await why(shop, mine.session) is WhyNoSession.ENDED
    assert await why(shop, other.session) is WhyNoSession.REVOKED
    successor = rows(builder, SESSIONS)[-1]
    assert (successor.account, successor.public_id) == (account.id, renewed.public_id)
    assert (successor.auth, successor.ends_at, successor.created_at) == (kept.auth, kept.ends_at, kept.created_at)
    assert successor.public_id != kept.public_id
    assert renewed.set_cookies[0].max_age == kept.ends_at - builder.clock.now()


# The list


@pytest.mark.proves("SIG-75")
async def test_the_owner_sees_every_live_session_newest_first(shop, builder) -> None:
    account = await shop.open_account(ANN)
    phone = await sign_in(shop, agent="a phone")
    builder.clock.advance(timedelta(seconds=1))
    gone = await sign_in(shop, agent="a tablet")
    await shop.sessions.sign_out(gone.session, HERE)
    builder.clock.advance(timedelta(seconds=1))
    await sign_in(shop, agent="a laptop")
    listed = await shop.sessions.list_sessions(phone.session, HERE)
    assert [(s.agent, s.current) for s in listed] == [("a laptop", False), ("a phone", True), ("", False)]
    assert (listed[0].level, listed[0].methods, listed[2].methods) == (1, ("password",), ("email_code", "password"))
    assert account


@pytest.mark.proves("SIG-75")
async def test_a_long_list_shows_every_session_that_an_account_may_have(shop, builder) -> None:
    await shop.open_account(ANN)
    for _ in range(70):
        step = await sign_in(shop)
        builder.clock.advance(timedelta(seconds=1))
    listed = await shop.sessions.list_sessions(step.session, HERE)
    assert len(listed) == 50
    assert listed[0].current


@pytest.mark.proves("SIG-75")
async def test_nobody_sees_or_ends_the_session_of_another_account(shop) -> None:
    account = await shop.open_account(ANN)
    stranger = await shop.open_account("eve@lamp.example")
    (theirs,) = await shop.sessions.list_sessions(stranger.session, HERE)
    refusals = []
    for public_id in (theirs.public_id, "unknown"):
        with pytest.raises(SessionUnknown) as refused:
            await shop.sessions.end_session(account.session, public_id, HERE)
        refusals.append((str(refused.value), attrs.asdict(refused.value)))
    assert refusals[0] == refusals[1]
    assert await why(shop, stranger.session) is None


@pytest.mark.proves("SIG-75")
async def test_one_session_can_be_ended_from_another(shop, builder) -> None:
    account = await shop.open_account(ANN)
    phone = await sign_in(shop, agent="a phone")
    for _ in range(2):
        await shop.sessions.end_session(account.session, phone.public_id, HERE)
    assert await why(shop, phone.session) is WhyNoSession.ENDED
    assert await why(shop, account.session) is None
    ended = [e for e in rows(builder, EVENTS) if e.name == "signin.session_ended"]
    assert len(ended) == 1
    assert '"reason":"ended_by_owner"' in ended[0].data


@pytest.mark.proves("KER-201")
@pytest.mark.parametrize("odd", [None, 7, b"x", "x" * 65, "a\nb"])
async def test_what_can_be_no_public_id_is_refused(shop, odd) -> None:
    account = await shop.open_account(ANN)
    with pytest.raises(InvalidInput):
        await shop.sessions.end_session(account.session, odd, HERE)


@pytest.mark.proves("SIG-9")
async def test_a_restricted_session_does_nothing_but_end(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await builder.step(account.id, Trigger.REQUEST_CLOSING)
    closing = (await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)).session
    resumed = await shop.sessions.resume(closing, HERE)
    assert isinstance(resumed, Resumed)
    assert resumed.auth.scope is SessionScope.CLOSING
    for use in (
        shop.sessions.list_sessions(closing, HERE),
        shop.sessions.end_session(closing, "x", HERE),
        shop.sessions.end_other_sessions(closing, HERE),
        shop.sessions.sign_out_everywhere(closing, HERE),
    ):
        with pytest.raises(SignInRequired):
            await use
    builder.clock.advance(timedelta(minutes=10))
    await shop.sessions.resume(closing, HERE)
    assert rows(builder, SESSIONS)[-1].idle_until == rows(builder, SESSIONS)[-1].ends_at
    await shop.sessions.sign_out(closing, HERE)
    assert await why(shop, closing) is WhyNoSession.ENDED


# Policy


@pytest.mark.proves("SIG-72")
@pytest.mark.parametrize(
    "values",
    [
        {"idle": timedelta(0)},
        {"idle": timedelta(hours=25)},
        {"idle_remembered": timedelta(days=31)},
        {"idle_remembered": timedelta(0)},
        {"touch_every": timedelta(hours=2)},
        {"touch_every": timedelta(seconds=-1)},
        {"idle_remembered": timedelta(minutes=5), "absolute_remembered": timedelta(minutes=5)},
        {"restricted": timedelta(0)},
    ],
)
def test_a_policy_that_contradicts_itself_fails_at_start_up(values) -> None:
    with pytest.raises(BadPolicy):
        SessionPolicy(**values)


async def test_a_shop_may_ask_for_stricter_cookies(host) -> None:
    policy = SessionPolicy(same_site=SameSite.STRICT)
    builder = ShopBuilder(host=host, policies=quick_policies(sessions=policy))
    shop = builder.build()
    await shop.open_account(ANN)
    assert (await sign_in(shop)).set_cookies[0].same_site == "Strict"
