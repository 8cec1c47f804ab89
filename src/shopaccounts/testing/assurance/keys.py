"""The values of an assurance profile about passkeys and accounts elsewhere, as tests."""

# ruff: noqa: D102  (a test's name is its sentence)
import json
from typing import Any

import attrs
import pytest

from shopaccounts.assurance import AssuranceProfile
from shopaccounts.kernel.assurance import Level
from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.secret import Secret
from shopaccounts.providers import AutoLink, Intent, ProviderOff, TrustsEmail, Vouches
from shopaccounts.signin import EnrolmentNeeded, SecondFactorNeeded, SignedIn, SignInRefused, WayNotOffered
from shopaccounts.testing.assurance.setting import ANN, ConfiguredShop, a_browser, a_network, a_password, a_protected
from shopaccounts.testing.authenticator import ES256, STRAIGHT, Bends, SoftwareAuthenticator
from shopaccounts.testing.builders import BuiltShop, ShopBuilder

__all__ = ["KeyValues"]


class KeyValues(ConfiguredShop):
    """What opens an account without anything to remember."""

    async def test_a_passkey_that_verifies_its_user_opens_an_account_alone_where_the_profile_has_them(
        self, shop: BuiltShop, profile: AssuranceProfile
    ) -> None:
        if profile.policies.passkeys is None:
            await _check_no_passkeys(shop)
            return
        mine = await _with_passkey(shop, _device(profile))
        step = await _sign_in(shop, mine)
        assert isinstance(step, SignedIn)
        assert step.auth.level is Level.MULTI

    async def test_a_passkey_that_does_not_verify_its_user_is_one_factor_or_none_as_the_profile_says(
        self, shop: BuiltShop, profile: AssuranceProfile
    ) -> None:
        if profile.policies.passkeys is None:
            await _check_no_passkeys(shop)
            return
        mine, wanted = await _with_passkey(shop, _device(profile)), profile.policies.passkeys.user_verification
        asked = await shop.passkey_signin.passkey_options(a_network(), ANN)
        assert json.loads(asked.options)["userVerification"] == wanted
        signing = _sign_in(shop, mine, Bends(user_verified=False))
        if wanted == "required":
            with pytest.raises(SignInRefused):
                await signing
            return
        assert isinstance(await signing, SecondFactorNeeded)

    async def test_a_passkey_whose_counter_stood_still_is_refused_or_told_as_the_profile_says(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        if profile.policies.passkeys is None:
            await _check_no_passkeys(shop)
            return
        mine = await _with_passkey(shop, _device(profile))
        await _sign_in(shop, mine, Bends(counter=9))
        signing = _sign_in(shop, mine, Bends(counter=9))
        if profile.policies.passkeys.counter == "refuse":
            with pytest.raises(SignInRefused):
                await signing
            return
        assert isinstance(await signing, SignedIn)
        assert builder.mailbag.last.template == "signin.passkey_maybe_cloned"

    # Accounts elsewhere

    async def test_a_provider_opens_an_account_by_its_address_only_where_the_profile_says_so(
        self, shop: BuiltShop, profile: AssuranceProfile
    ) -> None:
        configs = profile.policies.providers.enabled
        if not configs:
            with pytest.raises(ProviderOff):
                await shop.providers.start_provider("elsewhere", Intent.SIGN_IN, a_network())
            return
        account = await shop.open_account(ANN, None)
        for config in configs:
            answer = await a_browser(shop, config.id).comes(account.id, email=ANN, email_verified=True)
            domains, is_told = config.authoritative_domains, config.trusts_email is TrustsEmail.WHEN_VERIFIED
            is_believed = is_told and (not domains or ANN.partition("@")[2] in domains)
            may_open = is_believed and config.auto_link is AutoLink.BOTH_VERIFIED
            assert isinstance(answer, SignedIn | EnrolmentNeeded) is may_open

    async def test_a_provider_counts_for_two_factors_only_by_its_map(
        self, shop: BuiltShop, profile: AssuranceProfile
    ) -> None:
        configs = profile.policies.providers.enabled
        if not configs:
            with pytest.raises(ProviderOff):
                await shop.providers.start_provider("elsewhere", Intent.SIGN_IN, a_network())
            return
        account = await a_protected(shop)
        for config in configs:
            linked: Any = await a_browser(shop, config.id, account.session).comes("ann", Intent.LINK)
            account = attrs.evolve(account, session=linked.next_value.session)
            for said in {*config.amr_map, "pwd", "mfa"}:
                step: Any = await a_browser(shop, config.id).comes("ann", amr=[said])
                is_enough = config.amr_map.get(said) is Vouches.MULTI
                assert isinstance(step, SignedIn if is_enough else SecondFactorNeeded)


def _device(profile: AssuranceProfile) -> SoftwareAuthenticator:
    """Answer a device in a browser that shows a page of the shop."""
    policy = profile.policies.passkeys
    assert policy is not None
    algorithm = ES256 if ES256 in policy.algorithms else policy.algorithms[0]
    return SoftwareAuthenticator(origin=policy.origins[0], algorithm=algorithm, entropy=SystemEntropy())


async def _check_no_passkeys(shop: BuiltShop) -> None:
    account = await shop.open_account(ANN, a_password(40))
    with pytest.raises(WayNotOffered):
        await shop.passkeys.start_adding(account.session, a_network())
    with pytest.raises(WayNotOffered):
        await shop.passkey_signin.passkey_options(a_network())
    with pytest.raises(Rejected):
        await shop.passkey_signin.sign_in_with_passkey(Secret("nothing"), "{}", a_network())


async def _with_passkey(shop: BuiltShop, mine: SoftwareAuthenticator) -> SoftwareAuthenticator:
    """Open an account and add a passkey to it."""
    account, here = await a_protected(shop), a_network()
    asked = await shop.passkeys.start_adding(account.session, here)
    here = attrs.evolve(here, binding=asked.set_cookies[0].value)
    await shop.passkeys.add_passkey(account.session, asked.handle, mine.create(asked.options), "mine", here)
    return mine


async def _sign_in(shop: BuiltShop, mine: SoftwareAuthenticator, bends: Bends = STRAIGHT) -> Any:
    here = a_network()
    asked = await shop.passkey_signin.passkey_options(here, ANN)
    here = attrs.evolve(here, binding=asked.set_cookies[0].value)
    return await shop.passkey_signin.sign_in_with_passkey(asked.handle, mine.get(asked.options, bends), here)
