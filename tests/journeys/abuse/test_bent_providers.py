"""Abuse by way of providers: unproven addresses, accounts made ready for others, forged tokens, links to others."""

from datetime import timedelta
from typing import Any

import pytest

from shopaccounts.customers import CUSTOMERS, is_verified
from shopaccounts.kernel.secret import Secret
from shopaccounts.providers import (
    AutoLink,
    EmailNeeded,
    IdentityTaken,
    Intent,
    LinkNeedsProof,
    ProviderOff,
    ProviderPolicy,
    ProviderRefused,
    Quirk,
    StandsStill,
    TrustsEmail,
)
from shopaccounts.registration import RegistrationForm
from shopaccounts.signin import (
    AUTHENTICATORS,
    CodeSignInPolicy,
    LastWayIn,
    NoSession,
    SignedIn,
    SignInRefused,
    SignInRequired,
)
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, quick_policies, request_from
from shopaccounts.testing.providers import Browser, LittleProvider, QuickTokens, signing_key

VICTIM = "victim@lampenhaus.example"
PROVEN: dict[str, Any] = {"email": VICTIM, "email_verified": True}


class Town:
    """A shop, a provider, and whoever walks between them."""

    def __init__(self, builder: ShopBuilder) -> None:
        self.builder = builder
        self.provider = LittleProvider(lambda: builder.clock.now())  # noqa: PLW0108  (the clock may be replaced)
        builder.ports = {"id_tokens": QuickTokens(self.provider)}

    def opens(self, **changed):
        """Open the shop with its idea of the provider."""
        policy = ProviderPolicy(configs=(self.provider.config(**changed),))
        self.builder.policies = quick_policies(providers=policy)
        self.shop = self.builder.build()
        return self.shop

    def browser(self) -> Browser:
        return Browser(shop=self.shop, provider=self.provider)

    async def signed_in(self, email: str) -> Browser:
        browser = self.browser()
        browser.keeps(await self.shop.signin.sign_in_with_password(email, PASSWORD, browser.context))
        return browser

    def everything(self, book):
        storage: Any = self.builder.storage
        realm = storage.snapshot()[self.builder.scope.realm]
        return list(realm.books[book.name].values())


@pytest.fixture
def town(builder) -> Town:
    town = Town(builder)
    town.opens()
    return town


@pytest.mark.proves("PVD-25", "PVD-30")
@pytest.mark.parametrize(
    "claim",
    [..., None, False, "true", "True", 1, 1.0, "1", ["true"], {"value": True}, [True]],
    ids=lambda value: f"{type(value).__name__} {value}",
)
async def test_a_provider_that_proves_no_address_opens_nobodys_account(town: Town, claim) -> None:
    victim = await town.shop.open_account(VICTIM)
    for auto in AutoLink:
        town.opens(auto_link=auto)
        answer = await town.browser().comes("the thief", email=VICTIM, email_verified=claim)
        assert isinstance(answer, EmailNeeded)
    assert town.everything(AUTHENTICATORS) == []
    assert [customer.id for customer in town.everything(CUSTOMERS)] == [victim.id]


@pytest.mark.proves("PVD-25", "PVD-30")
@pytest.mark.parametrize(
    "changed",
    [
        {"trusts_email": TrustsEmail.NEVER},
        {"authoritative_domains": frozenset({"id.example"})},
        {"quirks": frozenset({Quirk.EMAIL_VERIFIED_AS_NUMBER}), "trusts_email": TrustsEmail.NEVER},
    ],
    ids=["never", "foreign domain", "quirk without trust"],
)
async def test_a_provider_is_not_believed_beyond_what_the_shop_trusts_it_with(town: Town, changed) -> None:
    await town.shop.open_account(VICTIM)
    town.opens(**changed)
    assert isinstance(await town.browser().comes("the thief", **PROVEN), EmailNeeded)
    assert town.everything(AUTHENTICATORS) == []


@pytest.mark.proves("PVD-30", "REG-30", "REG-31")
async def test_an_account_made_ready_for_a_victim_is_not_what_the_victim_gets(town: Town, builder) -> None:
    thief = request_from("198.51.100.66")
    form = RegistrationForm(identifier=VICTIM, password=PASSWORD)
    started = await town.shop.registration.register(form, thief)
    code = builder.mailbag.last.code
    step = await town.browser().comes("the victim", **PROVEN)
    assert isinstance(step, SignedIn)
    with pytest.raises(SignInRefused):
        await town.shop.signin.sign_in_with_password(VICTIM, PASSWORD, thief)
    with pytest.raises(Exception, match="registration"):
        await town.shop.registration.complete_registration(started.handle, code, thief)
    (own,) = town.everything(AUTHENTICATORS)
    assert [link.subject for link in own.identities] == ["the victim"]


@pytest.mark.proves("PVD-30", "REG-31")
async def test_a_link_made_ready_for_a_victim_leads_nowhere(town: Town, builder) -> None:
    """The thief comes first, with an identity and the victim's address unproven; then the victim registers."""
    thief = town.browser()
    needed = await thief.comes("the thief", email=VICTIM)
    await town.shop.providers.give_email(needed.handle, RegistrationForm(identifier=VICTIM), thief.context)
    builder.clock.advance(timedelta(minutes=2))
    victim = await town.shop.open_account(VICTIM)
    answer = await town.browser().comes("the thief", email=VICTIM)
    assert isinstance(answer, EmailNeeded)
    for session in (victim.session, Secret("x")):
        with pytest.raises((ProviderRefused, SignInRequired)):
            await town.shop.providers.link_after_email(needed.handle, session, request_from())
    assert town.everything(AUTHENTICATORS) == []


@pytest.mark.proves("PVD-31", "PVD-30")
async def test_coming_from_a_provider_proves_no_address_of_an_account_that_there_was_before(town: Town) -> None:
    await town.shop.open_account("mallory@evil.example")
    thief = await town.signed_in("mallory@evil.example")
    await thief.comes("the thief", Intent.LINK, **PROVEN)
    step = await town.browser().comes("the thief", **PROVEN)
    (customer,) = town.everything(CUSTOMERS)
    assert step.account == customer.id
    assert [contact.key for contact in customer.contacts if is_verified(contact)] == ["mallory@evil.example"]


@pytest.mark.proves("PVD-20", "PVD-21", "PVD-22", "PVD-24", "ADA-204")
async def test_forged_tokens_open_nothing(town: Town) -> None:
    await town.browser().comes("the victim", **PROVEN)
    provider, thief_key = town.provider, signing_key("thief")
    thief = town.browser()
    for bend in range(9):
        redirect = await thief.goes()
        order = await thief.returns(redirect)
        good = provider.claims("the victim", redirect.parameters["nonce"])
        forged = [
            provider.signed(good, {"kid": provider.key.kid}, key=thief_key),
            provider.signed(good, {"jwk": thief_key.as_dict(private=False)}, key=thief_key),
            provider.signed(good, key=signing_key("secret", "oct"), alg="HS256"),
            Secret(".".join((*provider.signed(good).reveal().split(".")[:2], ""))),
            provider.signed(good | {"aud": "another shop"}),
            provider.signed(good | {"nonce": "of another browser"}),
            provider.signed(good | {"exp": 1, "iat": 1}),
            provider.signed(good, {"typ": "at+jwt"}),
            provider.signed(good, {"kid": "unheard of"}),
        ][bend]
        with pytest.raises(ProviderRefused):
            await town.shop.providers.finish_provider(order.flow, forged, thief.context)
    assert not thief.session.reveal()


@pytest.mark.proves("PVD-11", "PVD-12", "PVD-22")
async def test_what_is_stolen_on_the_way_is_worth_nothing_elsewhere(town: Town) -> None:
    victim, thief = town.browser(), town.browser()
    redirect = await victim.goes()
    await thief.goes()
    with pytest.raises(ProviderRefused):
        await thief.returns(redirect)
    order = await victim.returns(redirect)
    token = town.provider.id_token("the victim", redirect, **PROVEN)
    with pytest.raises(ProviderRefused):
        await town.shop.providers.finish_provider(order.flow, token, thief.context)
    other = await thief.returns(await thief.goes())
    with pytest.raises(ProviderRefused):
        await town.shop.providers.finish_provider(other.flow, token, thief.context)
    assert isinstance(await town.shop.providers.finish_provider(order.flow, token, victim.context), SignedIn)


@pytest.mark.proves("PVD-32", "PVD-33", "PVD-30")
async def test_nobody_links_what_is_not_proven_to_be_theirs(town: Town, builder) -> None:
    await town.shop.open_account(VICTIM)
    await town.shop.open_account("mallory@evil.example")
    victim = await town.signed_in(VICTIM)
    builder.clock.advance(timedelta(minutes=1))
    comer = town.browser()
    offer = await comer.comes("the thief", **PROVEN)
    assert isinstance(offer, LinkNeedsProof)
    mallory: Any = await town.shop.signin.sign_in_with_password("mallory@evil.example", PASSWORD, comer.context)
    answer = town.shop.providers.answer_proposal
    with pytest.raises(SignInRequired):
        await answer(offer.proposal, mallory.session, comer.context, accept=True)
    with pytest.raises(ProviderRefused):
        await answer(offer.proposal, victim.session, victim.context, accept=True)
    with pytest.raises(Exception, match="fresh_sign_in_needed"):
        await answer(offer.proposal, victim.session, comer.context, accept=True)
    assert town.everything(AUTHENTICATORS) == []


@pytest.mark.proves("PVD-33", "PVD-30", "SIG-61")
async def test_an_identity_of_somebody_else_is_neither_linked_nor_a_fresh_proof(town: Town) -> None:
    await town.browser().comes("the victim", **PROVEN)
    await town.shop.open_account("mallory@evil.example")
    thief = await town.signed_in("mallory@evil.example")
    with pytest.raises(IdentityTaken):
        await thief.comes("the victim", Intent.LINK)
    with pytest.raises(ProviderRefused):
        await thief.comes("the victim", Intent.STEP_UP)


@pytest.mark.proves("PVD-34", "SIG-76")
async def test_a_link_that_a_thief_made_dies_with_its_sessions(town: Town) -> None:
    await town.shop.open_account(VICTIM)
    owner = await town.signed_in(VICTIM)
    await owner.comes("the thief", Intent.LINK)
    thief = town.browser()
    await thief.comes("the thief")
    (identity,) = await town.shop.providers.identities(owner.session, owner.context)
    await town.shop.providers.unlink_provider(owner.session, identity.id, owner.context)
    assert isinstance(await town.shop.sessions.resume(thief.session, thief.context), NoSession)
    assert isinstance(await town.browser().comes("the thief", **PROVEN), LinkNeedsProof)


@pytest.mark.proves("PVD-13", "SIG-53")
async def test_a_provider_that_is_switched_off_opens_and_links_nothing(town: Town) -> None:
    browser = town.browser()
    await browser.comes("the victim", **PROVEN)
    begun = await browser.returns(await browser.goes())
    town.opens(enabled=False)
    with pytest.raises(ProviderOff):
        await town.shop.providers.finish_provider(begun.flow, Secret("x"), browser.context)
    with pytest.raises(ProviderOff):
        await Browser(shop=town.shop, provider=town.provider).goes()


@pytest.mark.proves("PVD-34", "SIG-53")
async def test_nobody_is_tricked_into_giving_up_the_last_way_in(town: Town, builder) -> None:
    policy = ProviderPolicy(configs=(town.provider.config(),))
    builder.policies = quick_policies(providers=policy, code_sign_in=CodeSignInPolicy(ways=frozenset()))
    town.shop = builder.build()
    browser = town.browser()
    await browser.comes("the victim", **PROVEN)
    (identity,) = await town.shop.providers.identities(browser.session, browser.context)
    with pytest.raises(LastWayIn):
        await town.shop.providers.unlink_provider(browser.session, identity.id, browser.context)


@pytest.mark.proves("PVD-30")
@pytest.mark.parametrize("situation", ["suspended", "closing"])
async def test_a_stopped_account_is_not_opened_round_the_back(town: Town, situation) -> None:
    account = await town.shop.arrange(situation, VICTIM)
    answer = await town.browser().comes("the victim", **PROVEN)
    assert isinstance(answer, StandsStill)
    assert [customer.id for customer in town.everything(CUSTOMERS)] == [account]
