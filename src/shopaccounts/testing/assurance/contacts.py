"""The values of an assurance profile about other ways in: a changed address, security questions; as tests."""

# ruff: noqa: D102  (a test's name is its sentence)
from typing import Any, Final

import attrs
import pytest

from shopaccounts.assurance import AssuranceProfile
from shopaccounts.customers import CUSTOMERS, ContactPoint, ContactRole, Customer, VerificationMethod
from shopaccounts.kernel.contact import ContactKind, EmailAddress
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.ids import ContactId
from shopaccounts.kernel.secret import Secret
from shopaccounts.recovery import ProofsMissing, Question
from shopaccounts.registration import ConfirmationNeeded, ContactChanged, ContactLinkExpired, OnHold
from shopaccounts.testing.assurance.setting import (
    ANN,
    DAY,
    MOMENT,
    ConfiguredShop,
    a_network,
    a_password,
    a_session,
)
from shopaccounts.testing.builders import BuiltShop, ShopBuilder

__all__ = ["ContactValues"]

NEW: Final = "ann@new.example"
SPARE: Final = "ann@spare.example"
THIRD: Final = "ann@third.example"


class ContactValues(ConfiguredShop):
    """How an address is changed, for how long that can be taken back, and whether questions are asked."""

    async def test_a_new_address_is_in_force_once_the_old_one_has_agreed(
        self, shop: BuiltShop, builder: ShopBuilder
    ) -> None:
        account = await shop.open_account(ANN, a_password(40))
        await shop.contact_changes.promote_contact(account.session, NEW, a_network())
        new, old = _link(builder, "confirm_new_contact"), _link(builder, "confirm_old_contact")
        answer = await shop.contact_changes.confirm_change_new(new, account.session, a_network())
        assert isinstance(answer, ConfirmationNeeded)
        assert isinstance(await shop.contact_changes.confirm_change_old(old, None, a_network()), ContactChanged)

    async def test_after_a_change_nothing_of_value_leaves_the_account_for_as_long_as_the_profile_says(
        self, shop: BuiltShop, builder: ShopBuilder, profile: AssuranceProfile
    ) -> None:
        done, next_session = await _changed(shop)
        assert done.on_hold_until == builder.clock.now() + profile.policies.contact_changes.hold_after
        with pytest.raises(OnHold):
            await shop.contact_changes.promote_contact(next_session, THIRD, a_network())
        builder.clock.set(done.on_hold_until)
        step: Any = await shop.signin.sign_in_with_password(NEW, a_password(40), a_network())
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
        wait = profile.policies.cases.mailbox_by_recovery_address
        account = await shop.open_account(ANN, a_password(40))
        await builder.edit(CUSTOMERS, account.id, _with_recovery_address)
        builder.clock.advance(wait or 30 * DAY)
        session = await a_session(shop)
        starting = shop.cases.start_mailbox_recovery(session, NEW, a_network())
        if wait is None:
            with pytest.raises(ProofsMissing):
                await starting
            return
        await starting
        link, code = builder.mailbag.to(NEW)[-1].token, builder.mailbag.to(SPARE)[-1].code
        opened = await shop.cases.open_mailbox_case(session, link, code, a_network())
        assert opened.earliest_at == builder.clock.now() + wait

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


def _with_recovery_address(customer: Customer) -> Customer:
    spare = ContactPoint(
        id=ContactId(f"spare of {customer.id}"),
        kind=ContactKind.EMAIL,
        value=EmailAddress.parse(SPARE),
        roles=frozenset({ContactRole.RECOVERY}),
        added_at=customer.created_at,
    ).proven(VerificationMethod.CODE, "spare", customer.created_at)
    return attrs.evolve(customer, contacts=(*customer.contacts, spare))


async def _changed(shop: BuiltShop) -> tuple[ContactChanged, Secret[str]]:
    """Change the address of a new account; answer what came of it, and the session that goes on."""
    account = await shop.open_account(ANN, a_password(40))
    await shop.contact_changes.promote_contact(account.session, NEW, a_network())
    old, new = _link(shop.builder, "confirm_old_contact"), _link(shop.builder, "confirm_new_contact")
    await shop.contact_changes.confirm_change_old(old, None, a_network())
    done = await shop.contact_changes.confirm_change_new(new, account.session, a_network())
    assert isinstance(done, ContactChanged)
    assert done.next_value is not None
    return done, done.next_value.session


def _link(builder: ShopBuilder, template: str) -> Secret[str]:
    """Answer the ticket in the newest mail of a kind."""
    return next(one for one in reversed(builder.mailbag.letters) if one.template == f"registration.{template}").token
