"""Proving again who one is while signed in, and what that is good for."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, Trigger, follow
from shopaccounts.kernel.assurance import Level, Method, Operation, Proof, ProofKind, SessionScope
from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.errors import FreshSignInNeeded, InsecureTransport, StaleWrite, Throttled
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, Stamp
from shopaccounts.passwords import PASSWORDS
from shopaccounts.signin import (
    SESSIONS,
    IdleReauth,
    NoSession,
    Resumed,
    SessionPolicy,
    SignInRefused,
    SignInRequired,
    StepUpPolicy,
    WhyNoSession,
)
from shopaccounts.testing.builders import PASSWORD, Between, ShopBuilder, quick_policies, request_from
from shopaccounts.testing.faults import Fault, Faulty
from shopaccounts.testing.races import race
from shopaccounts.testing.recording import Recorder

ANN, HERE = "ann@lamp.example", request_from(agent="a browser")
WRONG = "seven other lamps in the wind"
QUARTER, MOMENT = timedelta(minutes=15), timedelta(microseconds=1)


async def sign_in(shop, address=ANN, password=PASSWORD, *, remember=False):
    return (await shop.signin.sign_in_with_password(address, password, HERE, remember=remember)).session


async def why(shop, value, context=HERE):
    answer = await shop.sessions.resume(value, context)
    return answer.reason if isinstance(answer, NoSession) else None


def rows(builder, book):
    return tuple(builder.storage.snapshot()[builder.scope.realm].books[book.name].values())


def told(builder, name):
    events = builder.storage.snapshot()[builder.scope.realm].books["events"].values()
    return [event for event in events if event.name == name]


@pytest.mark.proves("SIG-60", "SIG-62", "SIG-73")
async def test_a_right_password_makes_a_session_fresh_and_gives_it_a_new_value(shop, builder) -> None:
    await shop.open_account(ANN)
    value = await sign_in(shop)
    before = rows(builder, SESSIONS)[-1]
    builder.clock.advance(QUARTER)
    with pytest.raises(FreshSignInNeeded) as needed:
        await shop.sessions.end_other_sessions(value, HERE)
    assert (needed.value.level, needed.value.max_age) == (1, QUARTER)
    renewed = await shop.signin.confirm_identity(value, PASSWORD, HERE)
    assert await why(shop, value) is WhyNoSession.ENDED
    after = rows(builder, SESSIONS)[-1]
    assert (after.public_id, after.auth.authenticated_at) == (renewed.public_id, builder.clock.now())
    assert (after.created_at, after.device, after.family) == (before.created_at, before.device, before.family)
    assert [(proof.method, proof.at) for proof in after.auth.proofs] == [(Method.PASSWORD, builder.clock.now())]
    assert renewed.set_cookies[0].name == "__Host-session"
    (event,) = told(builder, "signin.step_up_done")
    assert '"methods":["password"]' in event.data
    builder.clock.advance(QUARTER - MOMENT)
    await shop.sessions.end_other_sessions(renewed.session, HERE)


@pytest.mark.proves("SIG-72")
async def test_only_proving_again_moves_the_last_end_of_a_session(shop, builder) -> None:
    await shop.open_account(ANN)
    value = await sign_in(shop)
    for _ in range(20):
        builder.clock.advance(timedelta(hours=1))
        await shop.sessions.resume(value, HERE)
    assert rows(builder, SESSIONS)[-1].ends_at == builder.clock.now() + timedelta(hours=4)
    await shop.signin.confirm_identity(value, PASSWORD, HERE)
    session = rows(builder, SESSIONS)[-1]
    assert session.ends_at == builder.clock.now() + timedelta(hours=24)
    assert session.idle_until == builder.clock.now() + timedelta(hours=2)


@pytest.mark.proves("SIG-72")
async def test_one_factor_does_not_prolong_a_session_of_two(shop, builder) -> None:
    await shop.open_account(ANN)
    value = await sign_in(shop)
    session = rows(builder, SESSIONS)[-1]
    both = (*session.auth.proofs, Proof(method=Method.EMAIL_LINK, kind=ProofKind.POSSESSION, at=builder.clock.now()))
    strong = attrs.evolve(session.auth, proofs=both, level=Level.MULTI)
    await builder.edit(SESSIONS, session.id, lambda s: attrs.evolve(s, auth=strong))
    builder.clock.advance(timedelta(hours=1))
    await shop.signin.confirm_identity(value, PASSWORD, HERE)
    after = rows(builder, SESSIONS)[-1]
    assert (after.ends_at, after.auth.level, len(after.auth.proofs)) == (session.ends_at, Level.MULTI, 2)


@pytest.mark.proves("SIG-61", "SIG-62")
async def test_a_wrong_password_ends_nothing_and_is_counted_like_one_at_the_door(shop, builder) -> None:
    await shop.open_account(ANN)
    value = await sign_in(shop)
    for typed in (WRONG, "", "\ud800", PASSWORD + " ", PASSWORD.upper()):
        with pytest.raises(SignInRefused):
            await shop.signin.confirm_identity(value, typed, HERE)
    with pytest.raises(Throttled) as held:
        await shop.signin.confirm_identity(value, PASSWORD, HERE)
    with pytest.raises(Throttled):
        await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert held.value.retry_after == timedelta(seconds=1)
    assert await why(shop, value) is None
    assert len(told(builder, "signin.step_up_refused")) == 5
    builder.clock.advance(timedelta(seconds=1))
    await shop.signin.confirm_identity(value, PASSWORD, HERE)


@pytest.mark.proves("SIG-61")
async def test_a_right_password_forgets_the_wrong_ones_before_it(shop) -> None:
    await shop.open_account(ANN)
    value = await sign_in(shop)
    for _ in range(2):
        for _ in range(4):
            with pytest.raises(SignInRefused):
                await shop.signin.confirm_identity(value, WRONG, HERE)
        value = (await shop.signin.confirm_identity(value, PASSWORD, HERE)).session


@pytest.mark.proves("SIG-61")
async def test_the_password_of_another_account_is_wrong(shop) -> None:
    await shop.open_account(ANN)
    await shop.open_account("eve@lamp.example", "the lamp of another person")
    value = await sign_in(shop)
    with pytest.raises(SignInRefused):
        await shop.signin.confirm_identity(value, "the lamp of another person", HERE)


@pytest.mark.proves("SIG-61")
async def test_an_account_without_a_password_is_refused_alike_and_costs_the_same(builder) -> None:
    account = await builder.build().open_account(ANN, None)
    recorder = Recorder()
    shop = builder.build(recorder)
    recorder.trace.clear()
    with pytest.raises(SignInRefused):
        await shop.signin.confirm_identity(account.session, PASSWORD, HERE)
    assert ("QuickHasher", "spend") in recorder.trace


@pytest.mark.proves("SIG-63")
async def test_a_proof_is_good_for_its_own_session_alone(shop, builder) -> None:
    await shop.open_account(ANN)
    here, elsewhere = await sign_in(shop), await sign_in(shop)
    builder.clock.advance(QUARTER)
    await shop.signin.confirm_identity(here, PASSWORD, HERE)
    with pytest.raises(FreshSignInNeeded):
        await shop.sessions.end_other_sessions(elsewhere, HERE)


@pytest.mark.proves("SIG-62")
async def test_of_many_who_prove_at_once_one_goes_on(host) -> None:
    builder = ShopBuilder(host=host, entropy=SystemEntropy())
    shop = builder.build()
    await shop.open_account(ANN)
    value = await sign_in(shop)
    outcomes = await race(4, lambda _: shop.signin.confirm_identity(value, PASSWORD, HERE))
    won = [one.value for one in outcomes if one.error is None]
    assert len(won) == 1
    assert {type(one.error) for one in outcomes if one.error} <= {SignInRequired}
    assert isinstance(await shop.sessions.resume(won[0].session, HERE), Resumed)


@pytest.mark.proves("SIG-62", "KER-181")
@pytest.mark.parametrize("what", ["signed out everywhere", "another password"])
async def test_what_happens_meanwhile_is_decided_on(shop, builder, what) -> None:
    account = await shop.open_account(ANN)
    book, change = {
        "signed out everywhere": (SECURITY, lambda s: s.bump(Stamp.ACCOUNT)),
        "another password": (PASSWORDS, lambda p: attrs.evolve(p, hash="$none$")),
    }[what]
    between = Between(lambda: builder.edit(book, account.id, change))
    with pytest.raises((SignInRequired, SignInRefused)):
        await builder.build(between).signin.confirm_identity(account.session, PASSWORD, HERE)
    assert between.happened


@pytest.mark.proves("SIG-62")
async def test_deciding_anew_is_no_further_guess(builder) -> None:
    account = await builder.build().open_account(ANN)
    recorder = Recorder()
    lost = Faulty({("record", number): Fault(StaleWrite("security", ANN)) for number in (1, 2)})
    shop = builder.build(lambda port: recorder(lost(port)))
    await shop.signin.confirm_identity(account.session, PASSWORD, HERE)
    asked = [method for _, method in recorder.trace]
    assert (asked.count("swap"), asked.count("verify")) == (1, 1)


@pytest.mark.proves("SIG-62")
async def test_nobody_proves_anything_without_a_live_session_or_in_clear(shop) -> None:
    account = await shop.open_account(ANN)
    with pytest.raises(InsecureTransport):
        await shop.signin.confirm_identity(account.session, PASSWORD, request_from(secure=False))
    await shop.sessions.sign_out(account.session, HERE)
    for value in (account.session, Secret("nonsense")):
        with pytest.raises(SignInRequired):
            await shop.signin.confirm_identity(value, PASSWORD, HERE)


@pytest.mark.proves("SIG-60")
def test_the_table_of_what_takes_a_fresh_proof() -> None:
    rules = StepUpPolicy().rules
    assert {rule.max_age for rule in rules.values()} == {QUARTER}
    single = {operation for operation, rule in rules.items() if rule.level is Level.SINGLE}
    assert single == {Operation.END_SESSIONS}
    assert {
        Operation.CHANGE_PASSWORD,
        Operation.CHANGE_CONTACTS,
        Operation.CLOSE_ACCOUNT,
        Operation.EXPORT_DATA,
    } <= set(rules)
    assert {Operation.LOOK, Operation.CONFIRM_IDENTITY} & set(rules) == set()
    stricter = StepUpPolicy().within(timedelta(minutes=5))
    assert {rule.max_age for rule in stricter.rules.values()} == {timedelta(minutes=5)}
    assert {op: rule.level for op, rule in stricter.rules.items()} == {op: rule.level for op, rule in rules.items()}


# Sessions for one thing


@pytest.mark.proves("SIG-9")
async def test_a_session_for_closing_lives_half_an_hour_is_not_remembered_and_ends_with_its_task(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await builder.step(account.id, Trigger.REQUEST_CLOSING)
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE, remember=True)
    assert step.set_cookies[0].max_age is None
    resumed = await shop.sessions.resume(step.session, HERE)
    assert resumed.auth.scope is SessionScope.CLOSING
    with pytest.raises(SignInRequired):
        await shop.signin.confirm_identity(step.session, PASSWORD, HERE)
    for use in (shop.sessions.list_devices, shop.sessions.forget_all_devices):
        with pytest.raises(SignInRequired):
            await use(step.session, HERE)
    builder.clock.advance(timedelta(minutes=30) - MOMENT)
    assert await why(shop, step.session) is None
    other = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    builder.clock.advance(MOMENT)
    assert await why(shop, step.session) is WhyNoSession.OVER
    await builder.edit(CUSTOMERS, account.id, lambda c: follow(c, Trigger.CANCEL_CLOSING))
    assert await why(shop, other.session) is WhyNoSession.ACCOUNT_STOPPED


# After idling


@pytest.mark.proves("SIG-72")
async def test_a_shop_may_take_one_factor_after_idling(host) -> None:
    policy = SessionPolicy(idle_reauth=IdleReauth.ANY_FACTOR)
    builder = ShopBuilder(host=host, policies=quick_policies(sessions=policy))
    shop = builder.build()
    await shop.open_account(ANN)
    value, other = await sign_in(shop), await sign_in(shop)
    builder.clock.advance(timedelta(hours=3))
    await sign_in(shop)
    assert await why(shop, value) is WhyNoSession.IDLE
    with pytest.raises(SignInRequired):
        await shop.sessions.list_sessions(value, HERE)
    renewed = await shop.signin.confirm_identity(value, PASSWORD, HERE)
    assert await why(shop, renewed.session) is None
    builder.clock.advance(timedelta(hours=21))
    with pytest.raises(SignInRequired):
        await shop.signin.confirm_identity(other, PASSWORD, HERE)


@pytest.mark.proves("SIG-72")
async def test_otherwise_idling_takes_a_new_sign_in(shop, builder) -> None:
    account = await shop.open_account(ANN)
    builder.clock.advance(timedelta(hours=3))
    with pytest.raises(SignInRequired):
        await shop.signin.confirm_identity(account.session, PASSWORD, HERE)
