"""The values of an assurance profile about other ways in: a changed address, security questions; as tests."""

# ruff: noqa: D102  (a test's name is its sentence)
from typing import Any, Final

import pytest

from shopaccounts.assurance import AssuranceProfile
from shopaccounts.customers import ContactRole
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.secret import Secret
from shopaccounts.recovery import ProofsMissing, Question
from shopaccounts.registration import ConfirmationNeeded, ContactChanged, ContactLinkExpired, OnHold
from shopaccounts.signin import SentCodeAnswer, WayNotOffered
from shopaccounts.testing.assurance.setting import (
    ANN,
    DAY,
    MOMENT,
    SPARE,
    ConfiguredShop,
    a_network,
    a_password,
    a_session,
    asks_everybody,
    with_phone,
    with_recovery_address,
)
from shopaccounts.testing.builders import BuiltShop, ShopBuilder

__all__ = ["ContactValues"]

NEW: Final = "ann@new.example"
THIRD: Final = "ann@third.example"


class ContactValues(ConfiguredShop):
    """How an address is changed, for how long that can be taken back, and whether questions are asked."""

    async def test_a_new_address_is_in_force_once_the_old_one_has_agreed_or_two_factors_have(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        account = await shop.open_account(ANN, a_password(40))
        await shop.contact_changes.promote_contact(account.session, NEW, a_network())
        new = _link(builder, "confirm_new_contact")
        answer = await shop.contact_changes.confirm_change_new(new, account.session, a_network())
        if asks_everybody(profile):
            assert isinstance(answer, ContactChanged)
            return
        assert isinstance(answer, ConfirmationNeeded)
        old = _link(builder, "confirm_old_contact")
        assert isinstance(await shop.contact_changes.confirm_change_old(old, None, a_network()), ContactChanged)

    async def test_after_a_change_nothing_of_value_leaves_the_account_for_as_long_as_the_profile_says(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        done, next_session = await _changed(shop)
        assert done.on_hold_until == builder.clock.now() + profile.policies.contact_changes.hold_after
        if not asks_everybody(profile):  # two factors lift it
            with pytest.raises(OnHold):
                await shop.contact_changes.promote_contact(next_session, THIRD, a_network())
        builder.clock.set(done.on_hold_until)
        builder.apps[NEW] = builder.apps.get(ANN)  # type: ignore[assignment]  # asked for only where there is one
        step: Any = await shop.enter(NEW, a_password(40), a_network())
        assert await shop.contact_changes.promote_contact(step.session, THIRD, a_network())

    async def test_a_change_can_be_taken_back_for_as_long_as_the_profile_says(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        done, _ = await _changed(shop)
        assert done.undo_until == builder.clock.now() + profile.policies.contact_changes.undo_window
        undo = _link(builder, "undo_contact_change")
        builder.clock.set(done.undo_until - MOMENT)
        await shop.contact_changes.peek_contact_change(undo, a_network())
        builder.clock.set(done.undo_until)
        with pytest.raises(ContactLinkExpired):
            await shop.contact_changes.reverse_contact_change(undo, a_network())

    async def test_a_lost_mailbox_waits_as_long_as_the_profile_says_or_is_not_offered(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        cases = profile.policies.cases
        by_two_factors = asks_everybody(profile)
        wait = cases.mailbox_by_two_factors if by_two_factors else cases.mailbox_by_recovery_address
        account = await shop.open_account(ANN, a_password(40))
        await with_recovery_address(builder, account.id)
        builder.clock.advance(wait or 30 * DAY)
        session = await a_session(shop)
        starting = shop.cases.start_mailbox_recovery(session, NEW, a_network())
        if wait is None:
            with pytest.raises(ProofsMissing):
                await starting
            return
        await starting
        link = builder.mailbag.to(NEW)[-1].token
        code = None if by_two_factors else builder.mailbag.to(SPARE)[-1].code
        opened = await shop.cases.open_mailbox_case(session, link, code, a_network())
        assert opened.earliest_at == builder.clock.now() + wait

    async def test_a_phone_vouches_for_who_lost_the_mailbox_as_the_profile_says_or_not_at_all(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        cases = profile.policies.cases
        account = await shop.open_account(ANN, a_password(40))
        await with_phone(builder, account.id, ContactRole.RECOVERY)
        builder.clock.advance(cases.mailbox_by_phone or 30 * DAY)
        session = await a_session(shop)
        sending = shop.cases.send_phone_code(session, a_network())
        if cases.mailbox_by_phone is None:
            with pytest.raises(WayNotOffered):
                await sending
            return
        code = SentCodeAnswer((await sending).handle, builder.mailbag.last.code)
        await shop.cases.start_mailbox_recovery(session, NEW, a_network())
        link = builder.mailbag.to(NEW)[-1].token
        opened = await shop.cases.open_mailbox_case(session, link, None, a_network(), code)
        quickest = cases.mailbox_by_two_factors if asks_everybody(profile) else cases.mailbox_by_phone
        assert opened.earliest_at == builder.clock.now() + (quickest or cases.mailbox_by_phone)

    async def test_security_questions_are_asked_only_where_the_profile_says_so(
        self, shop: BuiltShop, profile: AssuranceProfile
    ) -> None:
        account = await shop.open_account(ANN, a_password(40))
        setting = shop.questions.set_questions(account.session, _ANSWERS, a_network())
        if profile.policies.questions.enabled:
            await setting
            return
        with pytest.raises(Rejected):
            await setting


_ANSWERS: Final = {
    Question.FIRST_PET: "a goldfish called Ottokar",
    Question.FIRST_CONCERT: "The Velvet Lampshades",
    Question.WORST_HOLIDAY: "rain in Bremen",
}


async def _changed(shop: BuiltShop) -> tuple[ContactChanged, Secret[str]]:
    """Change the address of a new account; answer what came of it, and the session that goes on."""
    account = await shop.open_account(ANN, a_password(40))
    await shop.contact_changes.promote_contact(account.session, NEW, a_network())
    new = _link(shop.builder, "confirm_new_contact")
    if "registration.confirm_old_contact" in {letter.template for letter in shop.builder.mailbag.letters}:
        await shop.contact_changes.confirm_change_old(_link(shop.builder, "confirm_old_contact"), None, a_network())
    done = await shop.contact_changes.confirm_change_new(new, account.session, a_network())
    assert isinstance(done, ContactChanged)
    assert done.next_value is not None
    return done, done.next_value.session


def _link(builder: ShopBuilder, template: str) -> Secret[str]:
    """Answer the ticket in the newest mail of a kind."""
    return next(one for one in reversed(builder.mailbag.letters) if one.template == f"registration.{template}").token
