"""The values of an assurance profile about strangers and staff, as tests."""

# ruff: noqa: D102  (a test's name is its sentence)
from collections.abc import Callable, Coroutine
from typing import Any, Final

import attrs
import pytest

from shopaccounts.assurance import AssuranceProfile
from shopaccounts.kernel.errors import InsecureTransport, Rejected
from shopaccounts.kernel.ids import RealmId
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.time import FixedClock
from shopaccounts.signin import ActingScope, ImpersonationNotAllowed, SignedIn, SignInRefused
from shopaccounts.testing.assurance.setting import ANN, DAY, ConfiguredShop, a_form, a_network, a_password, why
from shopaccounts.testing.builders import BEGINNING, SITUATIONS, BuiltShop, ShopBuilder, request_from
from shopaccounts.testing.doubles import StaffRoom
from shopaccounts.testing.recording import Recorder, assert_indistinguishable

__all__ = ["StrangerValues"]


class StrangerValues(ConfiguredShop):
    """What strangers learn, and what agents may do."""

    @pytest.mark.parametrize("act", ["register", "sign_in", "request_reset"])
    async def test_nobody_learns_who_is_a_customer(self, builder: ShopBuilder, act: str) -> None:
        async def use_case(situation: str, recorder: Recorder) -> object:
            scope = attrs.evolve(builder.scope, realm=RealmId(f"{builder.scope.realm} {situation}"))
            own = attrs.evolve(builder, scope=scope, clock=FixedClock(BEGINNING))
            await own.build().arrange(situation, ANN)
            own.clock.set(BEGINNING + 3 * DAY)
            before, shop = len(own.mailbag.letters), own.build(recorder)
            answer = await outcome(NEUTRAL[act](shop))
            return answer, len(own.mailbag.letters) - before

        await assert_indistinguishable(use_case, {name: name for name in SITUATIONS})

    async def test_nobody_is_signed_in_before_an_address_is_proven(self, shop: BuiltShop) -> None:
        await shop.registration.register(a_form(ANN), a_network())
        with pytest.raises(SignInRefused):
            await shop.signin.sign_in_with_password(ANN, a_password(40), a_network())

    async def test_a_sign_in_from_a_device_that_nobody_knows_is_told(
        self, shop: BuiltShop, builder: ShopBuilder
    ) -> None:
        await shop.open_account(ANN, a_password(40))
        builder.clock.advance(2 * DAY)
        before = len(builder.mailbag.letters)
        assert isinstance(await shop.enter(ANN, a_password(40), a_network()), SignedIn)
        assert "signin.new_device" in {letter.template for letter in builder.mailbag.letters[before:]}

    async def test_no_secret_is_taken_over_an_open_connection(self, shop: BuiltShop) -> None:
        here = request_from(secure=False)
        attempts: tuple[Callable[[], Coroutine[Any, Any, Any]], ...] = (
            lambda: shop.registration.register(a_form(ANN), here),
            lambda: shop.signin.sign_in_with_password(ANN, a_password(40), here),
            lambda: shop.recovery.request_reset(ANN, here),
            lambda: shop.sessions.resume(Secret("x"), here),
        )
        for attempt in attempts:
            with pytest.raises(InsecureTransport):
                await attempt()

    # Staff

    @pytest.mark.parametrize("wanted", ActingScope)
    async def test_agents_act_for_customers_as_far_as_the_profile_says(
        self, builder: ShopBuilder, profile: AssuranceProfile, wanted: ActingScope
    ) -> None:
        policy, staff = profile.policies.impersonation, StaffRoom()
        account = await builder.build().open_account(ANN, a_password(40))
        clerk = attrs.evolve(builder.scope, actor=Actor(ActorKind.AGENT, "clerk"))
        office = attrs.evolve(builder, agents=staff, scope=clerk).build()
        staff.hire("clerk", signed_in_at=builder.clock.now())
        beginning = office.impersonation.start_impersonation(account.id, "an order is lost", wanted, a_network())
        if wanted not in policy.scopes:
            with pytest.raises(ImpersonationNotAllowed):
                await beginning
            return
        acting = await beginning
        assert acting.until == builder.clock.now() + policy.life
        builder.clock.advance(policy.life)
        assert await why(office, acting.session) is not None


async def outcome(work: Coroutine[Any, Any, Any]) -> str:
    try:
        return repr(await work)
    except Rejected as refused:
        return repr(refused)


NEUTRAL: Final[dict[str, Callable[[BuiltShop], Coroutine[Any, Any, Any]]]] = {
    "register": lambda shop: shop.registration.register(a_form(ANN), request_from()),
    "sign_in": lambda shop: shop.signin.sign_in_with_password(ANN, "a wrong password", request_from()),
    "request_reset": lambda shop: shop.recovery.request_reset(ANN, request_from()),
}
