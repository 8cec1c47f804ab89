"""The values of an assurance profile about sessions and links, as tests."""

# ruff: noqa: D102  (a test's name is its sentence)
from collections.abc import Callable, Coroutine
from typing import Any, Final

import pytest

from shopaccounts.assurance import AssuranceProfile
from shopaccounts.kernel.assurance import Operation
from shopaccounts.kernel.errors import FreshSignInNeeded, Rejected
from shopaccounts.kernel.secret import Secret
from shopaccounts.recovery import ResetLinkExpired
from shopaccounts.registration import ContactLinkExpired
from shopaccounts.signin import IdleReauth, Overflow, TooManySessions, WayNotOffered, WhyNoSession
from shopaccounts.testing.assurance.setting import (
    ANN,
    MOMENT,
    SECOND,
    ConfiguredShop,
    a_form,
    a_network,
    a_password,
    a_session,
    sign_in,
    why,
)
from shopaccounts.testing.builders import BuiltShop, ShopBuilder

__all__ = ["SessionValues"]


class SessionValues(ConfiguredShop):
    """How long sessions and links live."""

    async def test_a_session_ends_when_it_is_idle(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        idle = profile.policies.sessions.idle
        await shop.open_account(ANN, a_password(40))
        left, used = await a_session(shop), await a_session(shop)
        builder.clock.advance(idle - MOMENT)
        assert await why(shop, used) is None
        builder.clock.advance(MOMENT)
        assert await why(shop, left) in {WhyNoSession.IDLE, WhyNoSession.OVER}

    async def test_an_idle_session_goes_on_with_one_proof_or_not_at_all(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        sessions = profile.policies.sessions
        await shop.open_account(ANN, a_password(40))
        idle = await a_session(shop)
        builder.clock.advance(sessions.idle)
        goes_on = sessions.idle_reauth is IdleReauth.ANY_FACTOR and sessions.idle < sessions.absolute
        if goes_on:
            following = await shop.signin.confirm_identity(idle, a_password(40), a_network())
            assert await why(shop, following.session) is None
            return
        with pytest.raises(Rejected):
            await shop.signin.confirm_identity(idle, a_password(40), a_network())

    async def test_a_session_ends_however_busy_it_is(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        idle, absolute = profile.policies.sessions.lives(remembered=False)
        await shop.open_account(ANN, a_password(40))
        busy, end = await a_session(shop), builder.clock.now() + absolute
        while builder.clock.now() + idle / 2 < end:
            builder.clock.advance(idle / 2)
            assert await why(shop, busy) is None
        builder.clock.set(end)
        assert await why(shop, busy) is WhyNoSession.OVER

    async def test_who_wants_to_is_remembered_or_not_as_the_profile_says(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        sessions = profile.policies.sessions
        await shop.open_account(ANN, a_password(40))
        step = await sign_in(shop, remember=True)
        assert (step.set_cookies[0].max_age is not None) is sessions.remembers
        idle, _ = sessions.lives(remembered=sessions.remembers)
        builder.clock.advance(idle - MOMENT)
        assert await why(shop, step.session) is None
        builder.clock.advance(idle)
        assert await why(shop, step.session) is not None

    async def test_the_oldest_session_ends_when_there_are_too_many(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        sessions = profile.policies.sessions
        opened = [(await shop.open_account(ANN, a_password(40))).session]
        for _ in range(sessions.max_sessions - 1):
            opened.append(await a_session(shop))
            builder.clock.advance(SECOND)
        assert await why(shop, opened[0]) is None
        if sessions.overflow is Overflow.REFUSE:
            with pytest.raises(TooManySessions):
                await a_session(shop)
            return
        assert await why(shop, await a_session(shop)) is None
        assert await why(shop, opened[0]) is not None
        assert await why(shop, opened[-1]) is None

    async def test_a_session_value_is_renewed_only_where_the_profile_says_so(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        renewal = profile.policies.sessions.renewal
        await shop.open_account(ANN, a_password(40))
        first = await a_session(shop)
        if renewal is None:
            with pytest.raises(WayNotOffered):
                await shop.sessions.renew(first, a_network())
            return
        following = await shop.sessions.renew(first, a_network())
        builder.clock.advance(renewal.reuse_grace + SECOND)
        with pytest.raises(Rejected):
            await shop.sessions.renew(first, a_network())
        assert await why(shop, following.session) is not None

    async def test_what_matters_asks_for_a_proof_that_is_fresh(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        for operation, act in ACTS.items():
            max_age = profile.policies.step_up.rules[operation].max_age
            account = await shop.open_account(f"{operation.value}@lamp.example", a_password(40))
            builder.clock.advance(max_age)
            with pytest.raises(FreshSignInNeeded):
                await act(shop, account.session)

    # Links

    async def test_a_reset_link_lives_as_long_as_the_profile_says(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        await shop.open_account(ANN, a_password(40))
        await shop.recovery.request_reset(ANN, a_network())
        link = builder.mailbag.last.token
        builder.clock.advance(profile.policies.resets.link_life - MOMENT)
        await shop.recovery.peek_reset(link, a_network())
        builder.clock.advance(MOMENT)
        with pytest.raises(ResetLinkExpired):
            await shop.recovery.reset_password(link, a_password(41), a_network())

    async def test_a_verification_link_lives_as_long_as_the_profile_says(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        await shop.registration.register(a_form(ANN), a_network())
        link = builder.mailbag.last.token
        builder.clock.advance(profile.policies.registration.link_life - MOMENT)
        await shop.registration.peek_contact(link, a_network())
        builder.clock.advance(MOMENT)
        with pytest.raises(ContactLinkExpired):
            await shop.registration.take_over_contact(link, a_password(41), a_network())


ACTS: Final[dict[Operation, Callable[[BuiltShop, Secret[str]], Coroutine[Any, Any, Any]]]] = {
    Operation.END_SESSIONS: lambda shop, value: shop.sessions.end_other_sessions(value, a_network()),
    Operation.CHANGE_PASSWORD: lambda shop, value: shop.passwords.remove_password(value, a_network()),
    Operation.CHANGE_FACTORS: lambda shop, value: shop.factors.start_totp(value, "another", a_network()),
}
