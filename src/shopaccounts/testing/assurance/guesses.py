"""The values of an assurance profile about guessing and flooding, as tests."""

# ruff: noqa: D102  (a test's name is its sentence)
import pytest

from shopaccounts.assurance import AssuranceProfile
from shopaccounts.kernel.errors import Rejected, Throttled
from shopaccounts.registration import CodeExhausted, CodeWrong
from shopaccounts.signin import SignedIn, SignInRefused, TotpCode
from shopaccounts.testing.assurance.setting import (
    ANN,
    DAY,
    MOMENT,
    ConfiguredShop,
    a_form,
    a_network,
    a_password,
    guess,
    sign_in,
    wrong_code,
)
from shopaccounts.testing.builders import BuiltShop, ShopBuilder

__all__ = ["GuessValues"]


class GuessValues(ConfiguredShop):
    """How fast one may guess, and how much may be sent."""

    async def test_guesses_wait_longer_each_time(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        wait, expected = profile.policies.attempts.password, profile.policies.attempts.password.base
        await shop.open_account(ANN, a_password(40))
        assert [await guess(shop) for _ in range(wait.free)] == [None] * wait.free
        while expected < wait.cap:
            assert await guess(shop) == expected
            builder.clock.advance(expected)
            assert await guess(shop) is None
            expected = min(2 * expected, wait.cap)
        assert await guess(shop) == wait.cap

    async def test_silence_forgets_failures_as_the_profile_says(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        wait = profile.policies.attempts.password
        await shop.open_account(ANN, a_password(40))
        for _ in range(wait.free):
            await guess(shop)
        builder.clock.advance(wait.forget_after or 300 * DAY)
        assert await guess(shop) is None
        again = await guess(shop)
        assert again is None if wait.forget_after else again == 2 * wait.base

    async def test_a_password_is_disabled_after_so_many_failures_or_never(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        most = profile.policies.attempts.password.disable_after
        await shop.open_account(ANN, a_password(40))
        for _ in range(most or 101):
            while held := await guess(shop):
                builder.clock.advance(held)
        builder.clock.advance(profile.policies.attempts.password.cap)
        if most is None:
            assert isinstance(await sign_in(shop), SignedIn)
            return
        with pytest.raises(SignInRefused):
            await sign_in(shop)
        await shop.recovery.request_reset(ANN, a_network())
        second = TotpCode(builder.apps[ANN].next_code()) if ANN in builder.apps else None
        await shop.recovery.reset_password(builder.mailbag.last.token, a_password(41), a_network(), second=second)
        assert isinstance(await sign_in(shop, a_password(41)), SignedIn)

    async def test_the_tries_and_the_life_of_a_code_end(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        policy = profile.policies.registration
        handle = (await shop.registration.register(a_form(ANN), a_network())).handle
        code = builder.mailbag.last.code
        for _ in range(policy.code_tries - 1):
            with pytest.raises(CodeWrong):
                await shop.registration.complete_registration(handle, "wrong", a_network())
        await wrong_code(shop, handle)
        with pytest.raises(CodeExhausted):
            await shop.registration.complete_registration(handle, code, a_network())

        builder.clock.advance(2 * policy.challenge_life)
        handle = (await shop.registration.register(a_form("bob@lamp.example"), a_network())).handle
        code = builder.mailbag.last.code
        builder.clock.advance(policy.code_life)
        with pytest.raises(Rejected):
            await shop.registration.complete_registration(handle, code, a_network())
        builder.clock.advance(policy.challenge_life - policy.code_life)
        with pytest.raises(Rejected):
            await shop.registration.resend_verification(handle, a_network())

    async def test_the_code_of_a_registration_works_for_as_long_as_the_profile_says(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        handle = (await shop.registration.register(a_form(ANN), a_network())).handle
        code = builder.mailbag.last.code
        builder.clock.advance(profile.policies.registration.code_life - MOMENT)
        assert await shop.registration.complete_registration(handle, code, a_network())

    # Sending

    async def test_a_mailbox_gets_so_many_mails_and_no_more(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        sends = profile.policies.sends
        for window in (sends.mailbox_hourly, sends.mailbox_daily):
            end, sent = builder.clock.now() + window.per, 0
            while builder.clock.now() < end:
                try:
                    await shop.recovery.request_reset(ANN, a_network())
                    sent += 1
                except Throttled as held:
                    builder.clock.advance(held.retry_after)
            assert 1 <= sent <= window.limit
            builder.clock.advance(sends.mailbox_daily.per)

    async def test_a_network_causes_so_many_mails_and_no_more(self, shop: BuiltShop, profile: AssuranceProfile) -> None:
        limit, here = profile.policies.sends.network_hourly.limit, a_network()
        for number in range(limit):
            await shop.recovery.request_reset(f"somebody{number}@lamp.example", here)
        with pytest.raises(Throttled):
            await shop.recovery.request_reset("one.more@lamp.example", here)
