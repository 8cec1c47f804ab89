"""The values of an assurance profile about passwords, as tests."""

# ruff: noqa: D102  (a test's name is its sentence)
import pytest

from shopaccounts.adapters.argon2 import Argon2Hasher
from shopaccounts.assurance import AssuranceProfile
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import TryLater
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.passwords import FindingCode, OnOutage, prepare
from shopaccounts.shop import Adapters
from shopaccounts.signin import SignedIn
from shopaccounts.testing.assurance.setting import ANN, DAY, ConfiguredShop, Leaks, a_password, findings, sign_in
from shopaccounts.testing.builders import BuiltShop, ShopBuilder

__all__ = ["PasswordValues"]


class PasswordValues(ConfiguredShop):
    """What a password may be, and how it is kept."""

    async def test_a_password_of_the_shortest_length_is_taken_and_a_shorter_one_is_not(
        self, shop: BuiltShop, profile: AssuranceProfile
    ) -> None:
        shortest = profile.policies.passwords.min_single_factor
        assert FindingCode.TOO_SHORT in await findings(shop, a_password(shortest - 1))
        assert not await findings(shop, a_password(shortest))

    async def test_a_password_of_the_longest_length_is_taken_and_a_longer_one_is_not(
        self, shop: BuiltShop, profile: AssuranceProfile
    ) -> None:
        longest = profile.policies.passwords.max_length
        assert not await findings(shop, a_password(longest))
        assert FindingCode.TOO_LONG in await findings(shop, a_password(longest + 1))

    async def test_what_everybody_tries_first_is_refused(self, shop: BuiltShop, profile: AssuranceProfile) -> None:
        rules = {rule.value for rule in profile.policies.passwords.rules}
        found = await findings(shop, "passwordpassword")
        assert (FindingCode.COMMON in found) is ("common" in rules)
        found = await findings(shop, "abcabcabcabcabcabcabcabc")
        assert (FindingCode.PATTERN in found) is ("pattern" in rules)
        found = await findings(shop, "Lampenhaus-2031-Lampenhaus")
        assert (FindingCode.CONTEXT_WORD in found) is ("context" in rules)

    async def test_a_leaked_password_is_refused(self, shop: BuiltShop, profile: AssuranceProfile, leaks: Leaks) -> None:
        leaked = a_password(40)
        leaks.listed.add(leaked)
        asked = profile.policies.passwords.breach is not None
        assert (FindingCode.BREACHED in await findings(shop, leaked)) is asked

    async def test_while_the_list_of_leaks_is_out_a_password_is_taken_or_not_as_the_profile_says(
        self, shop: BuiltShop, profile: AssuranceProfile, leaks: Leaks
    ) -> None:
        leaks.is_out = True
        breach = profile.policies.passwords.breach
        if breach is None or breach.on_outage is OnOutage.ACCEPT_AND_FLAG:
            assert not await findings(shop, a_password(40))
            return
        with pytest.raises(TryLater):
            await findings(shop, a_password(40))

    async def test_a_password_that_leaked_since_is_found_at_sign_in(
        self, shop: BuiltShop, profile: AssuranceProfile, leaks: Leaks
    ) -> None:
        breach = profile.policies.passwords.breach
        await shop.open_account(ANN, a_password(40))
        leaks.listed.add(a_password(40))
        step = await sign_in(shop)
        assert isinstance(step, SignedIn) is not (breach is not None and breach.at_sign_in)

    async def test_people_are_reminded_of_the_age_of_their_password_only_where_the_profile_says_so(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        remind_after = profile.policies.passwords.remind_after
        await shop.open_account(ANN, a_password(40))
        await sign_in(shop)
        builder.clock.advance(remind_after or 10 * 365 * DAY)
        assert await shop.passwords.remind(100, WorkerId("assurance")) == (remind_after is not None)

    async def test_a_password_is_kept_at_the_cost_of_the_profile(
        self, profile: AssuranceProfile, adapters: Adapters
    ) -> None:
        hasher = adapters.hasher or Argon2Hasher(profile.policies.passwords.hashing)
        stored = await got(hasher.hash(prepare(a_password(40)), "ann"))
        match = await got(hasher.verify(stored, prepare(a_password(40)), "ann"))
        assert match.ok
        assert not match.rehash
        assert a_password(40) not in stored.text
