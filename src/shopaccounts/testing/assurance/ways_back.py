"""The values of an assurance profile about ways back into an account, as tests."""

# ruff: noqa: D102  (a test's name is its sentence)
from typing import Final

import attrs
import pytest

from shopaccounts.assurance import AssuranceProfile
from shopaccounts.customers import ContactRole
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.passwords import PasswordUnacceptable
from shopaccounts.recovery import (
    AgentNotAllowed,
    CaseHelp,
    Evidence,
    EvidenceKind,
    FactorCaseOpened,
    ProofsMissing,
    ResetLinkExpired,
    SecondFactorAt,
)
from shopaccounts.signin import CodeWrong, SecondFactorNeeded, SentCodeAnswer, TotpCode, WayNotOffered
from shopaccounts.testing.assurance.setting import (
    ANN,
    DAY,
    MOMENT,
    NUMBER,
    ConfiguredShop,
    a_network,
    a_password,
    a_protected,
    app_of,
    half_way,
    with_phone,
)
from shopaccounts.testing.builders import BuiltShop, ShopBuilder
from shopaccounts.testing.doubles import StaffRoom

__all__ = ["WayBackValues"]

WHY: Final = "lost everything, knew the last order"


class WayBackValues(ConfiguredShop):
    """What it takes to get back in, and how long that takes."""

    async def test_a_reset_takes_the_second_factor_at_once_or_the_next_sign_in_does(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        await a_protected(shop)
        await shop.recovery.request_reset(ANN, a_network())
        link, fresh = builder.mailbag.last.token, a_password(41)
        if profile.policies.resets.second_factor_at is SecondFactorAt.RESET:
            with pytest.raises(ProofsMissing):
                await shop.recovery.reset_password(link, fresh, a_network())
            code = TotpCode(app_of(shop).next_code())
            await shop.recovery.reset_password(link, fresh, a_network(), second=code)
        else:
            await shop.recovery.reset_password(link, fresh, a_network())
        step = await shop.signin.sign_in_with_password(ANN, fresh, a_network())
        assert isinstance(step, SecondFactorNeeded)

    async def test_a_reset_code_to_a_phone_lives_as_long_as_the_profile_says(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        policy = profile.policies.resets
        account = await shop.open_account(ANN, a_password(40))
        await with_phone(builder, account.id, ContactRole.LOGIN)
        asking = shop.recovery.request_reset(NUMBER, a_network(), Channel.SMS)
        if Channel.SMS not in policy.channels:
            with pytest.raises(WayNotOffered):
                await asking
            return
        handle, code = (await asking).handle, builder.mailbag.last.code
        assert handle is not None
        builder.clock.advance(policy.sms_code_life - MOMENT)
        with pytest.raises((PasswordUnacceptable, ProofsMissing)):  # the code is right, and stays good
            await shop.recovery.reset_with_code(handle, code, "short", a_network())
        builder.clock.advance(MOMENT)
        with pytest.raises((CodeWrong, ResetLinkExpired)):
            await shop.recovery.reset_with_code(handle, code, a_password(41), a_network())

    async def test_a_lost_second_factor_waits_as_long_as_the_profile_says_by_the_mailbox_alone(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        cases = profile.policies.cases
        await a_protected(shop)
        if cases.factor_by_mailbox is None:
            with pytest.raises(Rejected):
                await _lost_factor(shop, Channel.EMAIL)
            return
        opened = await _lost_factor(shop, Channel.EMAIL)
        assert opened.earliest_at == builder.clock.now() + cases.factor_by_mailbox
        assert opened.takes_agent is cases.factor_by_mailbox_takes_agent

    async def test_a_lost_second_factor_waits_as_long_as_the_profile_says_by_mailbox_and_phone(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        wait = profile.policies.cases.factor_by_two_methods
        account = await a_protected(shop)
        await with_phone(builder, account.id, ContactRole.RECOVERY)
        builder.clock.advance(wait or DAY)
        if wait is None:
            with pytest.raises(Rejected):
                await _lost_factor(shop, Channel.EMAIL, Channel.SMS)
            return
        opened = await _lost_factor(shop, Channel.EMAIL, Channel.SMS)
        assert opened.earliest_at == builder.clock.now() + wait
        assert not opened.takes_agent

    async def test_who_lost_everything_takes_two_agents_and_waits_as_long_as_the_profile_says(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        cases = profile.policies.cases
        account = await shop.open_account(ANN, a_password(40))
        first, second = _agent(builder, "eve"), _agent(builder, "bob")
        evidence = [Evidence(kind, right=True) for kind in EvidenceKind][: cases.least_evidence]
        vouching = first.open_case_for(account.id, "ann@new.example", evidence, WHY)
        if cases.everything_by_agents is None:
            with pytest.raises(Rejected):
                await vouching
            return
        case = (await vouching).case
        with pytest.raises(AgentNotAllowed):
            await first.agree_to_case(case, WHY)
        agreed = await second.agree_to_case(case, WHY)
        assert agreed.earliest_at == builder.clock.now() + cases.everything_by_agents


async def _lost_factor(shop: BuiltShop, *channels: Channel) -> FactorCaseOpened:
    """Say at the second step that it is lost, and show what comes by these ways."""
    progress, here = await half_way(shop)
    codes = []
    for channel in channels:
        sent = await shop.lost_factor.send_case_code(progress, channel, here)
        codes.append(SentCodeAnswer(sent.handle, shop.builder.mailbag.last.code))
    return await shop.lost_factor.open_factor_case(progress, codes, here)


def _agent(builder: ShopBuilder, name: str) -> CaseHelp:
    """Answer what an agent does for customers who lost something."""
    staff = StaffRoom()
    staff.hire(name)
    office = attrs.evolve(builder, agents=staff, scope=attrs.evolve(builder.scope, actor=Actor(ActorKind.AGENT, name)))
    return office.build().case_help
