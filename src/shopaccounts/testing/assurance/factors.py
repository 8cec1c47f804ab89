"""The values of an assurance profile about second factors, as tests."""

# ruff: noqa: D102  (a test's name is its sentence)
from datetime import timedelta
from typing import Any, Final

import attrs
import pytest

from shopaccounts.assurance import AssuranceProfile
from shopaccounts.customers import ContactRole
from shopaccounts.kernel.errors import Rejected, Throttled
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.web import DEVICE_COOKIE
from shopaccounts.passwords import FindingCode, PasswordUnacceptable
from shopaccounts.signin import (
    CodeWrong,
    EnrolmentNeeded,
    FactorKind,
    RecoveryCodeAnswer,
    SecondFactorNeeded,
    SignedIn,
    TotpCode,
    WayNotOffered,
)
from shopaccounts.testing.apps import enrol_app
from shopaccounts.testing.assurance.setting import (
    ANN,
    DAY,
    MOMENT,
    PHONE,
    ConfiguredShop,
    a_form,
    a_network,
    a_password,
    a_protected,
    a_session,
    app_of,
    asks_everybody,
    half_way,
    with_phone,
)
from shopaccounts.testing.builders import BuiltShop, ShopBuilder

__all__ = ["FactorValues"]

_BITS_OF_A_CHARACTER: Final = 5


class FactorValues(ConfiguredShop):
    """Who has a second factor, which kinds there are, and how each of them counts."""

    async def test_a_first_proof_opens_an_account_unless_the_profile_asks_everybody_for_a_second(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        started = await shop.registration.register(a_form(ANN), a_network())
        code = builder.mailbag.last.code
        done = await shop.registration.complete_registration(started.handle, code, a_network())
        alone: Any = EnrolmentNeeded if asks_everybody(profile) else SignedIn
        assert isinstance(done.step, alone)
        step = await shop.signin.sign_in_with_password(ANN, a_password(40), a_network())
        assert isinstance(step, alone)
        if isinstance(step, EnrolmentNeeded):
            with pytest.raises(Rejected):
                await shop.sessions.end_other_sessions(step.session, a_network())

    async def test_who_has_a_second_factor_is_asked_for_it(self, shop: BuiltShop) -> None:
        await a_protected(shop)
        progress, here = await half_way(shop)
        code = app_of(shop).next_code()
        assert isinstance(await shop.second_step.give_second_factor(progress, TotpCode(code), here), SignedIn)

    async def test_the_kinds_of_second_factors_are_those_of_the_profile(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        kinds = profile.policies.second_factor.kinds
        account = await a_protected(shop)
        await with_phone(builder, account.id, ContactRole.NOTIFY)
        listed = await shop.factors.factors(account.session, a_network())
        sent = {FactorKind.SMS, FactorKind.EMAIL_STEP}
        assert {offer.kind for offer in listed.offers} & sent == kinds & sent
        assert (listed.recovery_codes is not None) is (FactorKind.RECOVERY_CODES in kinds)
        for kind, adding in {
            FactorKind.SMS: shop.factors.add_sms_factor(account.session, PHONE, a_network()),
            FactorKind.EMAIL_STEP: shop.factors.add_email_step(account.session, a_network()),
        }.items():
            if kind in kinds:
                await adding
                continue
            with pytest.raises(WayNotOffered):
                await adding

    async def test_texts_are_a_second_factor_only_beside_a_stronger_one_and_with_a_warning(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        policy = profile.policies.second_factor
        started = await shop.registration.register(a_form(ANN), a_network())
        done: Any = await shop.registration.complete_registration(
            started.handle, builder.mailbag.last.code, a_network()
        )
        await with_phone(builder, done.account, ContactRole.NOTIFY)
        adding = shop.factors.add_sms_factor(done.step.session, PHONE, a_network())
        if policy.offers(FactorKind.SMS) and not policy.sms_needs_alternative:
            await adding
        else:
            with pytest.raises(WayNotOffered):
                await adding
        enrolled = await enrol_app(shop.factors, done.step.session, a_network(), builder.clock)
        builder.apps[ANN] = enrolled.app
        listed = await shop.factors.factors(await a_session(shop), a_network())
        warnings = [offer.warning for offer in listed.offers if offer.kind is FactorKind.SMS]
        assert warnings == ["sms_is_weaker"] * policy.offers(FactorKind.SMS)

    async def test_a_password_beside_a_second_factor_may_be_shorter(
        self, shop: BuiltShop, profile: AssuranceProfile
    ) -> None:
        shortest, current = profile.policies.passwords.min_with_second_factor, a_password(40)
        session = (await a_protected(shop)).session
        with pytest.raises(PasswordUnacceptable) as refused:
            await shop.passwords.change_password(session, current, a_password(shortest - 1), a_network())
        assert FindingCode.TOO_SHORT in {finding.code for finding in refused.value.findings}
        assert await shop.passwords.change_password(session, current, a_password(shortest), a_network())

    # Apps

    async def test_so_many_earlier_and_later_codes_of_an_app_count_as_the_profile_says(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        await a_protected(shop)
        app, totp = app_of(shop), profile.policies.totp
        for steps in range(-3, 4):
            builder.clock.advance(10 * app.period)
            progress, here = await half_way(shop)
            code = app.code(builder.clock.now() + steps * app.period)
            giving = shop.second_step.give_second_factor(progress, TotpCode(code), here)
            if -totp.past_steps <= steps <= totp.future_steps:
                assert isinstance(await giving, SignedIn)
                continue
            with pytest.raises(CodeWrong):
                await giving

    async def test_a_code_of_an_app_works_once_and_no_older_one_after_it(self, shop: BuiltShop) -> None:
        await a_protected(shop)
        app = app_of(shop)
        older, code = app.next_code(), app.next_code()
        progress, here = await half_way(shop)
        assert isinstance(await shop.second_step.give_second_factor(progress, TotpCode(code), here), SignedIn)
        progress, here = await half_way(shop)
        for used in (code, older):
            with pytest.raises(CodeWrong):
                await shop.second_step.give_second_factor(progress, TotpCode(used), here)

    async def test_guesses_at_a_second_step_wait_longer_each_time(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        wait = profile.policies.attempts.factor
        session, expected = (await a_protected(shop)).session, wait.base
        assert [await _guess(shop, session) for _ in range(wait.free)] == [None] * wait.free
        while expected < wait.cap:
            assert await _guess(shop, session) == expected
            builder.clock.advance(expected)
            assert await _guess(shop, session) is None
            expected = min(2 * expected, wait.cap)
        assert await _guess(shop, session) == wait.cap

    async def test_a_second_step_is_disabled_after_so_many_failures_or_never(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        attempts = profile.policies.attempts
        most, longest = attempts.password.disable_after, max(attempts.password.cap, attempts.factor.cap)
        await a_protected(shop)
        for _ in range(most or 101):
            builder.clock.advance(longest)
            progress, here = await half_way(shop)
            with pytest.raises((CodeWrong, WayNotOffered)):
                await shop.second_step.give_second_factor(progress, TotpCode(_WRONG), here)
        builder.clock.advance(longest)
        progress, here = await half_way(shop)
        giving = shop.second_step.give_second_factor(progress, TotpCode(app_of(shop).next_code()), here)
        if most is None:
            assert isinstance(await giving, SignedIn)
            return
        with pytest.raises(WayNotOffered):
            await giving

    # Recovery codes, trusted devices

    async def test_recovery_codes_are_as_many_and_as_long_as_the_profile_says_and_replaced_or_not(
        self, shop: BuiltShop, profile: AssuranceProfile
    ) -> None:
        policy = profile.policies.recovery_codes
        session = (await a_protected(shop)).session
        renewing = shop.factors.renew_recovery_codes(session, a_network())
        if not profile.policies.second_factor.offers(FactorKind.RECOVERY_CODES):
            with pytest.raises(WayNotOffered):
                await renewing
            return
        codes = [code.reveal() for code in (await renewing).recovery_codes]
        assert len(codes) == policy.count
        assert {len(code.replace("-", "")) * _BITS_OF_A_CHARACTER for code in codes} == {policy.bits}
        progress, here = await half_way(shop)
        step: Any = await shop.second_step.give_second_factor(progress, RecoveryCodeAnswer(codes[0]), here)
        assert (step.recovery_code is not None) is policy.replace_used
        progress, here = await half_way(shop)
        with pytest.raises(CodeWrong):
            await shop.second_step.give_second_factor(progress, RecoveryCodeAnswer(codes[0]), here)

    async def test_a_device_stands_for_the_second_step_for_as_long_as_the_profile_says_or_never(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        trusted_for = profile.policies.devices.trusted_for
        await a_protected(shop)
        progress, here = await half_way(shop)
        code = TotpCode(app_of(shop).next_code())
        step: Any = await shop.second_step.give_second_factor(progress, code, here, trust_device=True)
        device = next(cookie.value for cookie in step.set_cookies if cookie.name == DEVICE_COOKIE)
        known, until = attrs.evolve(a_network(), device=device), builder.clock.now() + (trusted_for or 30 * DAY)
        if trusted_for is not None:
            builder.clock.set(until - MOMENT)
            step = await shop.signin.sign_in_with_password(ANN, a_password(40), known)
            assert step.second_step == "device"
            builder.clock.set(until)
        step = await shop.signin.sign_in_with_password(ANN, a_password(40), known)
        assert isinstance(step, SecondFactorNeeded)


_WRONG: Final = "no code"


async def _guess(shop: BuiltShop, session: Secret[str]) -> timedelta | None:
    """Guess at the app of somebody who is signed in; answer how long that has to wait, None if it was looked at."""
    await shop.sessions.resume(session, a_network())
    try:
        await shop.signin.confirm_identity(session, TotpCode(_WRONG), a_network())
    except CodeWrong:
        return None
    except Throttled as held:
        return held.retry_after
    raise AssertionError
