"""Guessing passwords: it gets slower and slower, tells nothing, and never locks the owner out."""

from datetime import timedelta

import pytest

from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.errors import StaleWrite, Throttled, TryLater, Unavailable
from shopaccounts.registration import RegistrationForm
from shopaccounts.signin import SignedIn, SignInRefused
from shopaccounts.testing.builders import PASSWORD, SITUATIONS, ShopBuilder, request_from
from shopaccounts.testing.faults import Fault, Faulty
from shopaccounts.testing.races import race
from shopaccounts.testing.recording import Recorder

ANN, HERE = "ann@lamp.example", request_from()
WRONG = "seven other lamps in the wind"


async def guess(shop, address=ANN, password=WRONG, context=HERE):
    """How long one has to wait, None if the guess was looked at."""
    try:
        await shop.signin.sign_in_with_password(address, password, context)
    except SignInRefused:
        return None
    except Throttled as held:
        return held.retry_after
    return timedelta(0)


@pytest.mark.proves("KER-252")
@pytest.mark.parametrize("situation", SITUATIONS)
async def test_waits_grow_alike_whoever_the_address_belongs_to(shop, builder, situation) -> None:
    await shop.arrange(situation, ANN)
    waits = [await guess(shop) for _ in range(6)]
    assert waits == [None] * 5 + [timedelta(seconds=1)]
    for seconds in (1, 2, 4, 8):
        builder.clock.advance(timedelta(seconds=seconds))
        assert await guess(shop) is None
    assert await guess(shop) == timedelta(seconds=16)


@pytest.mark.proves("KER-252")
@pytest.mark.parametrize("situation", SITUATIONS)
async def test_registering_an_address_does_not_show_by_its_waits_whether_it_was_free(shop, situation) -> None:
    """Otherwise one could wear an address out, register it, and see whether it may be tried again."""
    await shop.arrange(situation, ANN)
    for _ in range(5):
        await guess(shop)
    await shop.registration.register(RegistrationForm(identifier=ANN, password=PASSWORD), HERE)
    assert await guess(shop) == timedelta(seconds=1)


@pytest.mark.proves("KER-206")
async def test_spellings_of_an_address_share_their_waits(shop) -> None:
    for address in ("Ann@lamp.example", ANN, "ANN@LAMP.EXAMPLE", ANN, ANN):
        assert await guess(shop, address) is None
    assert await guess(shop, "aNN@lamp.example") == timedelta(seconds=1)


async def test_the_right_password_has_to_wait_like_any_other(shop, builder) -> None:
    await shop.open_account(ANN)
    for _ in range(5):
        await guess(shop)
    assert await guess(shop, password=PASSWORD) == timedelta(seconds=1)
    builder.clock.advance(timedelta(seconds=1))
    assert await guess(shop, password=PASSWORD) == timedelta(0)


async def test_a_sign_in_forgets_the_failures_before_it(shop) -> None:
    await shop.open_account(ANN)
    for _ in range(3):
        for _ in range(4):
            assert await guess(shop) is None
        assert await guess(shop, password=PASSWORD) == timedelta(0)


async def test_a_sign_in_forgets_nobody_elses_failures(shop) -> None:
    await shop.open_account(ANN)
    await shop.open_account("eve@lamp.example")
    for _ in range(5):
        await guess(shop)
    assert await guess(shop, "eve@lamp.example", PASSWORD) == timedelta(0)
    assert await guess(shop) == timedelta(seconds=1)


@pytest.mark.proves("RCV-10", "KER-265")
async def test_while_a_stranger_guesses_the_owner_comes_in_by_a_reset(shop, builder) -> None:
    await shop.open_account(ANN)
    stranger = request_from("203.0.113.9")
    for _ in range(12):
        while wait := await guess(shop, context=stranger):
            builder.clock.advance(wait)
    assert await guess(shop, password=PASSWORD) > timedelta(minutes=1)
    await shop.recovery.request_reset(ANN, HERE)
    await shop.recovery.reset_password(builder.mailbag.last.token, "another lamp by the river", HERE)
    assert await guess(shop, password="another lamp by the river") == timedelta(0)


async def test_a_network_that_fails_at_many_accounts_has_to_wait(shop, builder) -> None:
    await shop.open_account(ANN)
    for number in range(50):
        assert await guess(shop, f"nobody{number}@lamp.example") is None
    assert await guess(shop, "nobody@lamp.example") == timedelta(seconds=1)
    assert await guess(shop, password=PASSWORD) == timedelta(seconds=1)
    assert await guess(shop, password=PASSWORD, context=request_from("203.0.113.9")) == timedelta(0)
    builder.clock.advance(timedelta(seconds=1))
    assert await guess(shop, password=PASSWORD) == timedelta(0)


async def test_success_does_not_count_against_a_network(shop) -> None:
    await shop.open_account(ANN)
    for _ in range(60):
        assert await guess(shop, password=PASSWORD) == timedelta(0)


async def test_a_held_attempt_writes_nothing_and_reaches_no_hasher(builder) -> None:
    plain = builder.build()
    await plain.open_account(ANN)
    for _ in range(5):
        await guess(plain)
    recorder = Recorder()
    shop = builder.build(recorder)
    before = builder.storage.snapshot()
    assert await guess(shop) == timedelta(seconds=1)
    assert builder.storage.snapshot() == before
    assert not {"verify", "spend", "hash", "record", "swap"} & {method for _, method in recorder.trace}


async def test_of_many_guesses_at_once_five_are_looked_at(host) -> None:
    builder = ShopBuilder(host=host, entropy=SystemEntropy())
    shop = builder.build()
    await shop.open_account(ANN)
    outcomes = await race(16, lambda _: shop.signin.sign_in_with_password(ANN, WRONG, HERE))
    kinds = [type(one.error) for one in outcomes]
    assert (kinds.count(SignInRefused), kinds.count(Throttled)) == (5, 11)


async def test_nobody_gets_in_who_can_not_be_counted(builder) -> None:
    await builder.build().open_account(ANN)
    shop = builder.build(Faulty({("read", number): Fault(Unavailable("connection_lost")) for number in range(1, 9)}))
    with pytest.raises(TryLater):
        await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert isinstance(await builder.build().signin.sign_in_with_password(ANN, PASSWORD, HERE), SignedIn)


@pytest.mark.proves("SIG-7")
async def test_deciding_anew_is_no_further_guess(builder) -> None:
    """Who is right and has to decide again, because something else was stored first, is counted and compared once."""
    await builder.build().open_account(ANN)
    recorder = Recorder()
    lost = Faulty({("record", number): Fault(StaleWrite("security", ANN)) for number in (1, 2, 3)})
    shop = builder.build(lambda port: recorder(lost(port)))
    assert await guess(shop, password=PASSWORD) == timedelta(0)
    asked = [method for _, method in recorder.trace]
    assert (asked.count("swap"), asked.count("verify"), asked.count("find")) == (1, 1, 4)
