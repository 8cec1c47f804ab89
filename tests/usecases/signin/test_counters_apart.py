"""Guesses are counted on a Valkey of their own: by the same rules, and nobody gets in while it is gone."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.adapters.valkey import AsyncValkeyCounters, ValkeyCounters
from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.errors import Throttled, TryLater
from shopaccounts.kernel.ids import RealmId
from shopaccounts.kernel.limits import Window
from shopaccounts.kernel.scope import Scope
from shopaccounts.registration import RegistrationForm
from shopaccounts.signin import SignedIn, SignInRefused
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, quick_policies, request_from, without_gaps
from shopaccounts.testing.plugin import BLOCKING
from shopaccounts.testing.races import race
from shopaccounts.testing.recording import Recorder
from shopaccounts.testing.servers import embedded_valkey

ANN, HERE = "ann@lamp.example", request_from()
WRONG = "seven other lamps in the wind"
CROWD = 16


@pytest.fixture
def counters(host, request):
    """Counters on the server of the run."""
    return request.getfixturevalue("valkey_counters" if host == BLOCKING else "late_valkey_counters")


@pytest.fixture
def scope():
    """A realm that no run has had before."""
    return attrs.evolve(Scope.single(), realm=RealmId(SystemEntropy().digits(12)))


@pytest.fixture
def builder(host, counters, scope):
    return ShopBuilder(host=host, entropy=SystemEntropy(), scope=scope, ports={"counters": counters})


async def outcomes_of(builder, password):
    """How sixteen sign-ins at once end."""
    return await race(CROWD, lambda _: builder.build().signin.sign_in_with_password(ANN, password, HERE))


@pytest.mark.proves("KER-260", "KER-154")
async def test_of_sixteen_guesses_at_once_exactly_the_five_free_ones_are_looked_at(shop, builder) -> None:
    await shop.open_account(ANN)
    outcomes = await outcomes_of(builder, WRONG)
    ends = [type(one.error) for one in outcomes]
    assert (ends.count(SignInRefused), ends.count(Throttled)) == (5, CROWD - 5)


@pytest.mark.proves("KER-260", "KER-262")
async def test_waits_grow_and_a_sign_in_forgets_them(shop, builder) -> None:
    await shop.open_account(ANN)
    for _ in range(5):
        with pytest.raises(SignInRefused):
            await shop.signin.sign_in_with_password(ANN, WRONG, HERE)
    with pytest.raises(Throttled) as held:
        await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert held.value.retry_after == timedelta(seconds=1)
    builder.clock.advance(timedelta(seconds=1))
    assert isinstance(await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE), SignedIn)
    for _ in range(5):
        with pytest.raises(SignInRefused):
            await shop.signin.sign_in_with_password(ANN, WRONG, HERE)


@pytest.mark.proves("KER-264")
async def test_of_sixteen_requests_at_once_as_many_messages_go_out_as_the_budget_has(builder) -> None:
    five = attrs.evolve(without_gaps(), mailbox_hourly=Window(limit=5, per=timedelta(hours=1)))
    builder = attrs.evolve(builder, policies=quick_policies(sends=five))
    outcomes = await race(CROWD, lambda _: builder.build().recovery.request_reset(ANN, HERE))
    ends = [type(one.error) for one in outcomes]
    assert (ends.count(type(None)), ends.count(Throttled)) == (5, CROWD - 5)


@pytest.mark.proves("KER-120")
async def test_another_realm_of_the_same_shop_counts_by_itself(builder, scope) -> None:
    here = builder.build()
    there = attrs.evolve(builder, scope=attrs.evolve(scope, realm=RealmId(f"{scope.realm}-b"))).build()
    for shop in (here, there):
        for _ in range(5):
            with pytest.raises(SignInRefused):
                await shop.signin.sign_in_with_password(ANN, WRONG, HERE)
        with pytest.raises(Throttled):
            await shop.signin.sign_in_with_password(ANN, WRONG, HERE)


@pytest.mark.proves("KER-152")
async def test_nothing_on_the_server_tells_who_was_counted(shop, valkey_server, scope) -> None:
    account = await shop.open_account(ANN)
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(ANN, WRONG, HERE)
    await shop.recovery.request_reset(ANN, HERE)
    own = ValkeyCounters(valkey_server.url)
    kept = {key: own._client.hgetall(key) for key in own._client.keys(f"shopaccounts:{{{scope.realm}}}:*")}
    own.close()
    assert len(kept) >= 4
    for planted in (b"ann", b"lamp", b"192.0.2", account.id.encode()):
        assert planted not in repr(kept).encode()


@pytest.fixture
def brief(host, drive):
    """Counters on a server that a test may end."""
    with embedded_valkey() as server:
        counters = (ValkeyCounters if host == BLOCKING else AsyncValkeyCounters)(server.url)
    yield counters
    drive(closed(counters))


async def closed(counters):
    closing = counters.close()
    if closing is not None:
        await closing


@pytest.mark.proves("KER-267")
async def test_nobody_gets_in_uncounted_while_the_server_is_gone(builder, brief) -> None:
    await builder.build().open_account(ANN)
    recorder = Recorder()
    shop = attrs.evolve(builder, ports={"counters": brief}).build(recorder)
    recorder.trace.clear()
    for password in (PASSWORD, WRONG):
        with pytest.raises(TryLater):
            await shop.signin.sign_in_with_password(ANN, password, HERE)
        with pytest.raises(TryLater):
            await shop.registration.register(RegistrationForm(identifier=ANN, password=password), HERE)
    assert [call for call in recorder.trace if call[1] in {"verify", "hash", "record"}] == []
    assert ("counters", "read") in recorder.trace
    assert isinstance(await builder.build().signin.sign_in_with_password(ANN, PASSWORD, HERE), SignedIn)
