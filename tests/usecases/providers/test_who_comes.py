"""Who comes from a provider, and what becomes of them: every row of the table."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, AccountStatus, ContactRole, Trigger, is_verified
from shopaccounts.kernel.assurance import Level, Method
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.secret import Secret
from shopaccounts.passwords import PASSWORDS
from shopaccounts.providers import (
    AutoLink,
    EmailNeeded,
    LinkNeedsProof,
    StandsStill,
    TrustsEmail,
)
from shopaccounts.registration import ADDITIONS, ATTEMPTS, ContactLinkInvalid, RegistrationForm
from shopaccounts.signin import (
    AUTHENTICATORS,
    AccountSuspended,
    SecondFactorNeeded,
    SignedIn,
    SignInRefused,
    TotpCode,
    identity_key,
)
from shopaccounts.testing.apps import enrol_app
from shopaccounts.testing.builders import PASSWORD, request_from

FRIDA = "frida@lampenhaus.example"
PROVEN = {"email": FRIDA, "email_verified": True}


@pytest.mark.proves("PVD-30", "PVD-1")
async def test_who_is_new_gets_an_account_with_the_address_proven(shops, browser, builder):
    step = await browser.comes("4711", **PROVEN)
    assert isinstance(step, SignedIn)
    assert step.auth.level is Level.SINGLE
    customer = await builder.kept(CUSTOMERS, step.account)
    assert customer.status is AccountStatus.ACTIVE
    (contact,) = customer.contacts
    assert is_verified(contact)
    assert contact.verified.method.value == "provider"
    assert ContactRole.LOGIN in contact.roles
    own = await builder.kept(AUTHENTICATORS, step.account)
    assert [(link.issuer, link.subject) for link in own.identities] == [("https://lampen.example", "4711")]
    assert await builder.kept(PASSWORDS, step.account) is None
    assert {"providers.linked", "registration.account_activated", "signin.signed_in"} <= set(shops.told)


@pytest.mark.proves("PVD-30", "PVD-1")
async def test_who_is_linked_signs_in_whatever_the_provider_says_of_addresses(browser, builder):
    first = await browser.comes("4711", **PROVEN)
    for claims in ({}, {"email": "other@a.example", "email_verified": True}, {"email": FRIDA}, PROVEN):
        builder.clock.advance(timedelta(minutes=1))
        step = await browser.comes("4711", **claims)
        assert isinstance(step, SignedIn)
        assert step.account == first.account
        assert step.auth.proofs[0].method is Method.PROVIDER


@pytest.mark.proves("PVD-31")
async def test_another_address_at_the_provider_is_told_and_changes_nothing(shops, browser, builder):
    step = await browser.comes("4711", **PROVEN)
    before = await builder.kept(CUSTOMERS, step.account)
    await browser.comes("4711", **PROVEN)
    assert "providers.upstream_email_differs" not in shops.told
    await browser.comes("4711", email="other@a.example", email_verified=True)
    assert "providers.upstream_email_differs" in shops.told
    assert await builder.kept(CUSTOMERS, step.account) == before


@pytest.mark.proves("PVD-1")
async def test_another_subject_or_issuer_with_the_same_address_is_somebody_else(shops, browser):
    first = await browser.comes("4711", **PROVEN)
    again = await shops.browser(browser.shop).comes("4712", **PROVEN)
    assert isinstance(first, SignedIn)
    assert isinstance(again, LinkNeedsProof)


@pytest.mark.proves("PVD-30", "PVD-25")
@pytest.mark.parametrize(
    "claims",
    [{}, {"email": FRIDA}, {"email": FRIDA, "email_verified": False}, {"email": FRIDA, "email_verified": "true"}],
    ids=["none", "silent", "false", "text"],
)
async def test_without_a_proven_address_one_is_asked_for_and_nothing_is_taken(shops, shop, browser, claims):
    answer = await browser.comes("4711", **claims)
    assert isinstance(answer, EmailNeeded)
    assert shops.rows(CUSTOMERS) == []
    account = await shop.open_account(FRIDA)
    assert account.session


@pytest.mark.proves("PVD-30", "PVD-25")
async def test_a_provider_that_is_not_trusted_with_addresses_proves_none(shops):
    careful = shops(trusts_email=TrustsEmail.NEVER)
    assert isinstance(await shops.browser(careful).comes("4711", **PROVEN), EmailNeeded)


@pytest.mark.proves("PVD-30")
async def test_an_unproven_address_does_not_tell_whether_it_is_known(shop, browser, shops):
    await shop.open_account(FRIDA)
    known = await browser.comes("4711", email=FRIDA)
    unknown = await shops.browser(shop).comes("4712", email="nobody@a.example")
    assert type(known) is type(unknown) is EmailNeeded
    assert known.expires_at == unknown.expires_at


@pytest.mark.proves("PVD-30", "REG-30", "REG-31")
async def test_what_somebody_prepared_for_an_address_is_gone_when_its_owner_comes(shops, shop, browser, builder):
    stranger = request_from("198.51.100.7")
    form = RegistrationForm(identifier=FRIDA, password=PASSWORD, fields={"first_name": "Mallory"}, locale="de")
    started = await shop.registration.register(form, stranger)
    code = builder.mailbag.last.code
    step = await browser.comes("4711", **PROVEN)
    assert isinstance(step, SignedIn)
    customer = await builder.kept(CUSTOMERS, step.account)
    assert customer.fields == {}
    assert customer.locale != "de"
    assert await builder.kept(PASSWORDS, step.account) is None
    assert "guests.account_cleansed" in shops.told
    with pytest.raises(ContactLinkInvalid):
        await shop.registration.complete_registration(started.handle, code, stranger)
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(FRIDA, PASSWORD, stranger)
    assert shops.rows(ATTEMPTS) == []


@pytest.mark.proves("PVD-30")
async def test_an_account_that_has_the_address_is_not_opened_by_that(shops, shop, browser, builder):
    account = await shop.open_account(FRIDA)
    answer = await browser.comes("4711", **PROVEN)
    assert isinstance(answer, LinkNeedsProof)
    assert answer.masked == "f***@lampenhaus.example"
    assert await builder.kept(AUTHENTICATORS, account.id) is None
    assert "providers.proposal_made" in shops.told


@pytest.mark.proves("PVD-30")
async def test_where_the_shop_wants_that_both_proven_addresses_link(shops, builder):
    shop = shops(auto_link=AutoLink.BOTH_VERIFIED)
    account = await shop.open_account(FRIDA)
    step = await shops.browser(shop).comes("4711", **PROVEN)
    assert isinstance(step, SignedIn)
    assert step.account == account.id
    assert "providers.linked" in shops.told
    assert "providers.linked" in {letter.template for letter in builder.mailbag.to(FRIDA)}


@pytest.mark.proves("PVD-30", "SIG-1")
async def test_what_asks_for_a_second_step_is_linked_by_nobody_who_gave_none(shops, builder):
    shop = shops(auto_link=AutoLink.BOTH_VERIFIED)
    account = await shop.open_account(FRIDA)
    context = request_from(agent="a browser", browser=Secret("the browser at home, quite long"))
    enrolled = await enrol_app(shop.factors, account.session, context, builder.clock)
    browser = shops.browser(shop)
    offer = await browser.comes("4711", **PROVEN)
    assert isinstance(offer, LinkNeedsProof)
    assert (await builder.kept(AUTHENTICATORS, account.id)).identities == ()
    half = await shop.signin.sign_in_with_password(FRIDA, PASSWORD, browser.context)
    code = TotpCode(enrolled.app.next_code())
    step = await shop.second_step.give_second_factor(half.progress, code, browser.context)
    await shop.providers.answer_proposal(offer.proposal, step.session, browser.context, accept=True)
    (link,) = (await builder.kept(AUTHENTICATORS, account.id)).identities
    assert link.subject == "4711"
    assert isinstance(await browser.comes("4711", **PROVEN), SecondFactorNeeded)


@pytest.mark.proves("PVD-30")
@pytest.mark.parametrize("situation", ["suspended", "closing"])
@pytest.mark.parametrize("auto", list(AutoLink))
async def test_an_account_that_is_stopped_is_told_to_be_and_neither_linked_nor_doubled(shops, builder, situation, auto):
    shop = shops(auto_link=auto)
    account = await shop.arrange(situation, FRIDA)
    answer = await shops.browser(shop).comes("4711", **PROVEN)
    assert isinstance(answer, StandsStill)
    assert answer.status.value == situation
    assert await builder.kept(AUTHENTICATORS, account) is None
    assert [customer.id for customer in shops.rows(CUSTOMERS)] == [account]


@pytest.mark.proves("PVD-30")
async def test_a_linked_account_that_is_suspended_lets_nobody_in(browser, builder):
    step = await browser.comes("4711", **PROVEN)
    await builder.step(step.account, Trigger.SUSPEND)
    assert isinstance(await browser.comes("4711", **PROVEN), AccountSuspended)


@pytest.mark.proves("PVD-30")
async def test_after_closing_the_address_is_free_and_the_link_is_gone(shop, browser):
    account = await shop.arrange("closed", FRIDA)
    step = await browser.comes("4711", **PROVEN)
    assert isinstance(step, SignedIn)
    assert step.account != account


@pytest.mark.proves("PVD-35")
async def test_only_empty_fields_are_filled_and_it_is_known_from_where(shops, builder):
    shop = shops(import_fields={"given_name": "first_name", "org": "company"}, auto_link=AutoLink.BOTH_VERIFIED)
    step = await shops.browser(shop).comes("4711", given_name="Frida", org="Lampen and more", **PROVEN)
    assert (await builder.kept(CUSTOMERS, step.account)).fields == {"first_name": "Frida"}
    (link,) = (await builder.kept(AUTHENTICATORS, step.account)).identities
    assert link.filled == ("first_name",)
    other = await shop.open_account("otto@a.example")
    await builder.edit(CUSTOMERS, other.id, lambda c: attrs.evolve(c, fields={"first_name": "Otto"}))
    theirs = {"email": "otto@a.example", "email_verified": True, "given_name": "Fritz", "org": "O&Co"}
    assert isinstance(await shops.browser(shop).comes("4712", **theirs), SignedIn)
    assert (await builder.kept(CUSTOMERS, other.id)).fields == {"first_name": "Otto", "company": "O&Co"}
    (link,) = (await builder.kept(AUTHENTICATORS, other.id)).identities
    assert link.filled == ("company",)


@pytest.mark.proves("PVD-1")
async def test_one_identity_opens_one_account(shops, browser):
    step = await browser.comes("4711", **PROVEN)
    (own,) = shops.rows(AUTHENTICATORS)
    assert AUTHENTICATORS.keys(own) == {("identity", identity_key("https://lampen.example", "4711"))}
    assert own.id == step.account


@pytest.mark.proves("PVD-30")
async def test_whoever_wanted_the_address_unproven_loses_it_and_hears_of_that(shops, shop, browser, builder):
    other = await shop.open_account("mallory@a.example")
    signed_in = await shop.signin.sign_in_with_password("mallory@a.example", PASSWORD, request_from())
    added = await shop.contacts.add_contact(signed_in.session, FRIDA, request_from())
    code = builder.mailbag.last.code
    step = await browser.comes("4711", **PROVEN)
    assert isinstance(step, SignedIn)
    assert step.account != other.id
    assert shops.rows(ADDITIONS) == []
    assert "registration.addition_dropped" in {letter.template for letter in builder.mailbag.to("mallory@a.example")}
    assert not [letter for letter in builder.mailbag.to(FRIDA) if letter.template == "registration.addition_dropped"]
    with pytest.raises(Rejected):
        await shop.contacts.prove_added_contact(signed_in.session, added.addition, code, request_from())
    assert [contact.key for contact in (await builder.kept(CUSTOMERS, other.id)).contacts] == ["mallory@a.example"]
