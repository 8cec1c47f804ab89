"""Accounts that the shop opens for its customers, and accounts that come from another system."""

import json
from datetime import timedelta
from typing import Any

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, AccountStatus, Origin, VerificationMethod, is_verified
from shopaccounts.kernel.errors import Forbidden, InvalidInput
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.scope import Actor, ActorKind, Scope
from shopaccounts.kernel.security import SECURITY
from shopaccounts.kernel.staff import Permission
from shopaccounts.passwords import PASSWORDS
from shopaccounts.registration import (
    AddressHasAccount,
    ContactLinkInvalid,
    ContactLinkStale,
    RegistrationForm,
    RegistrationPolicy,
)
from shopaccounts.signin import SignedIn, SignInRefused
from shopaccounts.testing.builders import BEGINNING, PASSWORD, ShopBuilder, quick_policies, request_from, without_gaps
from shopaccounts.testing.doubles import StaffRoom

ANN, HERE, WHY = "ann@lamp.example", request_from(), "she asked for it at the counter"
EVE = Actor(ActorKind.AGENT, "eve")
CUSTOMER, PROGRAM = Actor(ActorKind.CUSTOMER, "ann"), Actor(ActorKind.SYSTEM)
TRUSTING = RegistrationPolicy(trust_imported_contacts=True)


@pytest.fixture
def staff():
    return StaffRoom()


@pytest.fixture
def builder(host, staff):
    return ShopBuilder(host=host, agents=staff, policies=quick_policies(sends=without_gaps()))


@pytest.fixture
def office(builder, staff):
    """The same shop on behalf of an agent who may open accounts."""
    staff.hire("eve", signed_in_at=builder.clock.now())
    return acting(builder, EVE)


def acting(builder, actor):
    was, builder.scope = builder.scope, attrs.evolve(Scope.single(), actor=actor)
    shop = builder.build()
    builder.scope = was
    return shop


def rows(builder, book):
    return tuple(builder.storage.snapshot()["main"].books[book.name].values())


@pytest.mark.proves("REG-24")
async def test_an_account_that_staff_opens_waits_without_anything_to_sign_in_with(shop, builder, office) -> None:
    opened = await office.assisted.open_for(ANN, WHY, locale="de")
    (customer,) = rows(builder, CUSTOMERS)
    assert (customer.id, customer.status, customer.origin) == (opened.account, AccountStatus.PENDING, Origin.STAFF)
    assert not is_verified(customer.contacts[0])
    assert not rows(builder, PASSWORDS)
    assert not rows(builder, SECURITY)
    letter = builder.mailbag.last
    assert (letter.template, letter.to, letter.message.locale) == ("registration.account_prepared", ANN, "de")
    assert set(letter.secrets) == {"link"}, "nobody mails a password"
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(ANN, "", HERE)
    (event,) = [e for e in rows(builder, EVENTS) if e.name == "registration.account_opened"]
    assert (json.loads(event.data)["way"], event.actor.id) == ("staff", "eve")


@pytest.mark.proves("REG-24", "REG-51")
async def test_the_owner_takes_it_over_from_the_mailbox(shop, builder, office) -> None:
    opened = await office.assisted.open_for(ANN, WHY)
    form = RegistrationForm(identifier=ANN, password="ann chose this one herself")
    done = await shop.invitations.accept_invitation(builder.mailbag.last.token, form, HERE)
    assert done.account == opened.account
    customer = await builder.kept(CUSTOMERS, done.account)
    assert (customer.status, customer.origin) == (AccountStatus.ACTIVE, Origin.STAFF)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, form.password, HERE), SignedIn)


@pytest.mark.proves("REG-24", "REG-30")
async def test_what_a_stranger_had_prepared_there_is_gone(shop, builder, office) -> None:
    stranger = await shop.registration.register(RegistrationForm(identifier=ANN, password=PASSWORD), HERE)
    code = builder.mailbag.last.code
    await office.assisted.open_for(ANN, WHY)
    with pytest.raises(ContactLinkInvalid):
        await shop.registration.complete_registration(stranger.handle, code, HERE)


@pytest.mark.proves("REG-24")
async def test_opening_it_again_sends_a_new_invitation_and_the_earlier_is_dead(shop, builder, office) -> None:
    first = await office.assisted.open_for(ANN, WHY)
    earlier = builder.mailbag.last.token
    again = await office.assisted.open_for(ANN, WHY)
    assert again.account == first.account
    with pytest.raises(ContactLinkStale):
        await shop.invitations.peek_invitation(earlier, HERE)
    await shop.invitations.peek_invitation(builder.mailbag.last.token, HERE)


@pytest.mark.proves("REG-24")
@pytest.mark.parametrize("situation", ["active", "suspended", "closing"])
async def test_an_address_that_has_an_owner_gets_no_other_account(shop, builder, office, situation) -> None:
    await shop.arrange(situation, ANN)
    before = builder.storage.snapshot()
    for opening in (office.assisted.open_for(ANN, WHY), acting(builder, PROGRAM).assisted.import_account(ANN)):
        with pytest.raises(AddressHasAccount):
            await opening
    assert builder.storage.snapshot() == before


@pytest.mark.proves("REG-24")
async def test_only_an_agent_with_the_right_opens_accounts(shop, builder, staff, office) -> None:
    with pytest.raises(InvalidInput):
        await office.assisted.open_for(ANN, None)
    with pytest.raises(Forbidden):
        await shop.assisted.open_for(ANN, WHY)
    staff.hire("eve", {Permission.SUSPEND}, signed_in_at=builder.clock.now())
    for opening in (
        office.assisted.open_for(ANN, WHY),
        office.assisted.import_account(ANN),
        acting(builder, CUSTOMER).assisted.import_account(ANN),
    ):
        with pytest.raises(Forbidden):
            await opening
    assert not rows(builder, CUSTOMERS)


@pytest.mark.proves("REG-24")
@pytest.mark.parametrize("invite", [True, False])
async def test_an_imported_account_waits_for_its_owner(builder, invite) -> None:
    opened = await acting(builder, PROGRAM).assisted.import_account(ANN, invite=invite)
    (customer,) = rows(builder, CUSTOMERS)
    assert (customer.status, customer.origin) == (AccountStatus.PENDING, Origin.IMPORT)
    assert (opened.invitation is not None, len(builder.mailbag.letters)) == (invite, int(invite))


@pytest.mark.proves("REG-24")
@pytest.mark.parametrize(
    ("policy", "proof", "field"),
    [
        (RegistrationPolicy(), {"verified_at": BEGINNING, "verified_by": "import"}, "verified_at"),
        (TRUSTING, {"verified_at": BEGINNING}, "verified_by"),
        (TRUSTING, {"verified_at": BEGINNING, "verified_by": "staff"}, "verified_by"),
        (TRUSTING, {"verified_at": BEGINNING + timedelta(seconds=1), "verified_by": "import"}, "verified_at"),
    ],
)
async def test_a_proof_of_elsewhere_counts_only_in_a_shop_that_trusts_it(host, policy, proof, field) -> None:
    builder: Any = ShopBuilder(host=host, policies=quick_policies(registration=policy))
    with pytest.raises(InvalidInput) as refused:
        await acting(builder, PROGRAM).assisted.import_account(ANN, **proof)
    assert refused.value.field == field


@pytest.mark.proves("REG-24", "REG-33")
@pytest.mark.parametrize("situation", ["unknown", "pending", "closed"])
async def test_a_trusted_proof_brings_the_account_to_life_and_nothing_to_sign_in_with(host, situation) -> None:
    builder: Any = ShopBuilder(host=host, policies=quick_policies(registration=TRUSTING, sends=without_gaps()))
    shop = builder.build()
    held = await shop.arrange(situation, ANN)
    mails = len(builder.mailbag.letters)
    proof = {"verified_at": BEGINNING, "verified_by": "import"}
    opened = await acting(builder, PROGRAM).assisted.import_account(ANN, **proof)
    customer = await builder.kept(CUSTOMERS, opened.account)
    assert (opened.account == held) is (situation == "pending")
    assert customer.status is AccountStatus.ACTIVE
    verified = customer.contacts[0].verified
    assert (verified.method, verified.at) == (VerificationMethod.IMPORT, BEGINNING)
    assert await builder.kept(PASSWORDS, opened.account) is None
    assert len(builder.mailbag.letters) == mails
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    await shop.recovery.request_reset(ANN, HERE)
    await shop.recovery.reset_password(builder.mailbag.last.token, "ann chose this one herself", HERE)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, "ann chose this one herself", HERE), SignedIn)
