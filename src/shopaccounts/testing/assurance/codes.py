"""The values of an assurance profile about codes and links that open an account by themselves, as tests."""

# ruff: noqa: D102  (a test's name is its sentence)
from datetime import datetime
from typing import Any, Final

import attrs
import pytest

from shopaccounts.assurance import AssuranceProfile
from shopaccounts.customers import ContactRole
from shopaccounts.kernel.errors import Rejected, Throttled
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.signin import (
    CodeExhausted,
    CodeSent,
    CodeSignInPolicy,
    CodeWay,
    CodeWrong,
    SecondFactorNeeded,
    SignedIn,
    WayNotOffered,
)
from shopaccounts.testing.assurance.setting import (
    ANN,
    MOMENT,
    NUMBER,
    ConfiguredShop,
    a_network,
    a_password,
    asks_everybody,
    with_phone,
)
from shopaccounts.testing.builders import BuiltShop, ShopBuilder

__all__ = ["CodeValues"]


class CodeValues(ConfiguredShop):
    """Whether a mailbox or a phone opens an account, and how long what is sent is good for."""

    async def test_a_code_to_the_mailbox_is_a_first_proof_or_not_as_the_profile_says(
        self, shop: BuiltShop, profile: AssuranceProfile
    ) -> None:
        await shop.open_account(ANN, a_password(40))
        asking = shop.code_signin.request_sign_in_code(ANN, Channel.EMAIL, a_network())
        if CodeWay.EMAIL_CODE not in profile.policies.code_sign_in.ways:
            with pytest.raises(WayNotOffered):
                await asking
            return
        sent = await asking
        step = await shop.code_signin.sign_in_with_code(sent.handle, shop.builder.mailbag.last.code, _browser(sent))
        assert isinstance(step, _after_the_first_proof(profile))

    async def test_a_link_to_the_mailbox_is_a_first_proof_or_not_as_the_profile_says(
        self, shop: BuiltShop, profile: AssuranceProfile
    ) -> None:
        await shop.open_account(ANN, a_password(40))
        asking = shop.code_signin.request_sign_in_link(ANN, a_network())
        if CodeWay.EMAIL_LINK not in profile.policies.code_sign_in.ways:
            with pytest.raises(WayNotOffered):
                await asking
            return
        here = _browser(await asking)
        step = await shop.code_signin.sign_in_with_link(shop.builder.mailbag.last.token, here)
        assert isinstance(step, _after_the_first_proof(profile))

    async def test_a_code_to_a_phone_is_a_first_proof_or_not_as_the_profile_says(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        account = await shop.open_account(ANN, a_password(40))
        await with_phone(builder, account.id, ContactRole.LOGIN)
        for way, channel in {CodeWay.SMS_CODE: Channel.SMS, CodeWay.VOICE: Channel.VOICE}.items():
            builder.clock.advance(profile.policies.sends.phone_hourly.per)
            asking = shop.code_signin.request_sign_in_code(NUMBER, channel, a_network())
            if way not in profile.policies.code_sign_in.ways:
                with pytest.raises(WayNotOffered):
                    await asking
                continue
            sent = await asking
            step = await shop.code_signin.sign_in_with_code(sent.handle, builder.mailbag.last.code, _browser(sent))
            assert isinstance(step, _after_the_first_proof(profile))

    async def test_the_tries_and_the_life_of_a_sign_in_code_end(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        policy = profile.policies.code_sign_in
        if (asking := await _asking(shop, policy)) is None:
            return
        sent = await asking.ask()
        code = builder.mailbag.last.code
        for _ in range(policy.tries):
            with pytest.raises((CodeWrong, CodeExhausted)):
                await asking.type("wrong", patiently=True)
        with pytest.raises(CodeExhausted):
            await asking.type(code, patiently=True)

        builder.clock.advance(max(profile.policies.sends.phone_hourly.per, policy.waits.cap))
        sent = await asking.ask()
        code = builder.mailbag.last.code
        builder.clock.advance(policy.code_life)
        with pytest.raises(Rejected):
            await shop.code_signin.sign_in_with_code(sent.handle, code, _browser(sent))
        builder.clock.advance(policy.challenge_life - policy.code_life - MOMENT)
        await shop.code_signin.resend_code(sent.handle, _browser(sent))
        code = builder.mailbag.last.code
        builder.clock.advance(MOMENT)
        with pytest.raises(Rejected):
            await shop.code_signin.sign_in_with_code(sent.handle, code, _browser(sent))

    async def test_a_sign_in_code_works_for_as_long_as_the_profile_says(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        policy = profile.policies.code_sign_in
        if (asking := await _asking(shop, policy)) is None:
            return
        sent = await asking.ask()
        code = builder.mailbag.last.code
        builder.clock.advance(policy.code_life - MOMENT)
        assert await shop.code_signin.sign_in_with_code(sent.handle, code, _browser(sent))

    async def test_guesses_at_sign_in_codes_wait_longer_each_time(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        policy = profile.policies.code_sign_in
        if (asking := await _asking(shop, policy)) is None:
            return
        for _ in range(policy.waits.free):
            await asking.wrong()
        expected = policy.waits.base
        while expected < policy.waits.cap:
            assert await asking.held() == expected
            builder.clock.advance(expected)
            await asking.wrong()
            expected = min(2 * expected, policy.waits.cap)
        assert await asking.held() == policy.waits.cap

    async def test_a_phone_gets_so_many_texts_and_no_more(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        sends = profile.policies.sends
        for window in (sends.phone_hourly, sends.phone_daily):
            end, sent = builder.clock.now() + window.per, 0
            while builder.clock.now() < end:
                try:
                    await shop.recovery.request_reset(NUMBER, a_network(), Channel.SMS)
                    sent += 1
                except WayNotOffered:
                    assert Channel.SMS not in profile.policies.resets.channels
                    return
                except Throttled as held:
                    builder.clock.advance(held.retry_after)
            assert 1 <= sent <= window.limit
            builder.clock.advance(sends.phone_daily.per)


WAYS: Final = {
    CodeWay.EMAIL_CODE: (ANN, Channel.EMAIL),
    CodeWay.SMS_CODE: (NUMBER, Channel.SMS),
    CodeWay.VOICE: (NUMBER, Channel.VOICE),
}


def _after_the_first_proof(profile: AssuranceProfile) -> type:
    """Answer what follows: where everybody has a second factor, it is asked for."""
    return SecondFactorNeeded if asks_everybody(profile) else SignedIn


def _browser(sent: CodeSent) -> RequestContext:
    """Answer a request of the browser that asked for a code."""
    return attrs.evolve(a_network(), binding=sent.set_cookies[0].value)


@attrs.define
class _Asking:
    """Somebody who asks for sign-in codes of Ann's, and guesses at them; as one wears out, another is asked for."""

    shop: BuiltShop
    policy: CodeSignInPolicy
    identifier: str
    channel: Channel
    sent: CodeSent | None = None
    left: int = 0
    until: datetime | None = None

    async def ask(self) -> CodeSent:
        """Ask for a code, as soon as another one is sent."""
        clock = self.shop.builder.clock
        while True:
            try:
                self.sent = await self.shop.code_signin.request_sign_in_code(self.identifier, self.channel, a_network())
            except Throttled as held:
                clock.advance(held.retry_after)
                continue
            self.left, self.until = self.policy.tries - 1, clock.now() + self.policy.code_life
            return self.sent

    async def type(self, code: str, *, patiently: bool = False) -> Any:
        """Type a code; *patiently*: as soon as one may."""
        assert self.sent is not None
        while True:
            try:
                return await self.shop.code_signin.sign_in_with_code(self.sent.handle, code, _browser(self.sent))
            except Throttled as held:
                if not patiently:
                    raise
                self.shop.builder.clock.advance(held.retry_after)

    async def wrong(self) -> None:
        """Guess at a code that can still be guessed at."""
        if self.until is None or not self.left or self.shop.builder.clock.now() >= self.until:
            await self.ask()
        self.left -= 1
        with pytest.raises(CodeWrong):
            await self.type("wrong")

    async def held(self) -> Any:
        """Answer how long one has to wait before the next guess."""
        with pytest.raises(Throttled) as refused:
            await self.type("wrong")
        return refused.value.retry_after


async def _asking(shop: BuiltShop, policy: CodeSignInPolicy) -> _Asking | None:
    """Open an account and answer who asks for its codes; None where none are sent, which is refused to everybody."""
    account = await shop.open_account(ANN, a_password(40))
    await with_phone(shop.builder, account.id, ContactRole.LOGIN)
    shop.builder.clock.advance(2 * shop.builder.policies.sends.phone_daily.per)
    offered = next((known for way, known in WAYS.items() if way in policy.ways), None)
    if offered is not None:
        return _Asking(shop, policy, *offered)
    for identifier, channel in WAYS.values():
        with pytest.raises(WayNotOffered):
            await shop.code_signin.request_sign_in_code(identifier, channel, a_network())
    with pytest.raises(Rejected):
        await shop.code_signin.sign_in_with_code(Secret("nothing"), "123456", a_network())
    return None
