"""Linking, proving that an account is one's own, confirming, unlinking."""

from datetime import timedelta
from typing import Any, cast

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS
from shopaccounts.kernel.assurance import Level
from shopaccounts.kernel.errors import FreshSignInNeeded, InvalidInput
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, Stamp
from shopaccounts.providers import (
    FlowExpired,
    FlowInvalid,
    FlowStale,
    FlowUsed,
    IdentityTaken,
    IdentityUnknown,
    Intent,
    LinkNeedsProof,
    LinkOutcome,
    ProviderOff,
    ProviderPolicy,
    ProviderRefused,
    ProviderTokens,
    TooManyIdentities,
    Vouches,
)
from shopaccounts.providers.keeping import MOST_IDENTITIES
from shopaccounts.signin import AUTHENTICATORS, LastWayIn, NoSession, Resumed, SignedIn, SignInRequired
from shopaccounts.testing.builders import PASSWORD, request_from
from shopaccounts.testing.providers import Browser

FRIDA = "frida@lampenhaus.example"
PROVEN = {"email": FRIDA, "email_verified": True}


async def signed_in(browser: Browser, email: str = FRIDA) -> Browser:
    """Let a browser sign in to an account with its password."""
    return browser.keeps(await browser.shop.signin.sign_in_with_password(email, PASSWORD, browser.context)) and browser


async def an_owner(browser: Browser) -> Browser:
    """Answer the browser of an account with a password and nothing else."""
    await browser.shop.open_account(FRIDA)
    return await signed_in(browser)


async def a_linked(browser: Browser) -> Browser:
    """Answer the browser of an account with a password and an identity."""
    owner = await an_owner(browser)
    await owner.comes("4711", Intent.LINK)
    return owner


async def is_live(browser: Browser, session: Secret[str]) -> bool:
    return isinstance(await browser.shop.sessions.resume(session, browser.context), Resumed)


# PVD-33


@pytest.mark.proves("PVD-33")
async def test_who_is_signed_in_links_and_signs_in_with_it_from_then_on(browser, shops, builder):
    owner = await an_owner(browser)
    before = owner.session
    outcome = await owner.comes("4711", Intent.LINK)
    assert isinstance(outcome, LinkOutcome)
    assert not await is_live(owner, before)
    assert await is_live(owner, owner.session)
    (listed,) = await owner.shop.providers.identities(owner.session, owner.context)
    assert listed == outcome.identity
    assert listed.provider == "lampen"
    step = await shops.browser(owner.shop).comes("4711")
    assert isinstance(step, SignedIn)
    assert "providers.linked" in {letter.template for letter in builder.mailbag.to(FRIDA)}
    assert (await builder.kept(SECURITY, step.account)).stamps.providers == 1


@pytest.mark.proves("PVD-33")
async def test_linking_asks_the_provider_for_a_fresh_sign_in(browser):
    owner = await an_owner(browser)
    redirect = await owner.goes(Intent.LINK)
    assert redirect.parameters["prompt"] == "login"


@pytest.mark.proves("PVD-33")
async def test_linking_again_changes_nothing_and_answers_the_same(browser, shops):
    linked = await a_linked(browser)
    events, session = len(shops.told), linked.session
    outcome = await linked.comes("4711", Intent.LINK)
    assert isinstance(outcome, LinkOutcome)
    assert outcome.next_value is None
    assert (outcome.identity,) == await linked.shop.providers.identities(session, linked.context)
    assert len(shops.told) == events


@pytest.mark.proves("PVD-30", "PVD-33")
async def test_an_identity_of_somebody_else_is_taken_and_names_nobody(browser, shops):
    linked = await a_linked(browser)
    await linked.shop.open_account("otto@a.example")
    other = await signed_in(shops.browser(linked.shop), "otto@a.example")
    with pytest.raises(IdentityTaken) as taken:
        await other.comes("4711", Intent.LINK)
    assert attrs.asdict(taken.value) == {}
    assert await other.shop.providers.identities(other.session, other.context) == ()


@pytest.mark.proves("PVD-33")
async def test_linking_takes_a_fresh_proof_at_the_start_and_at_the_end(browser, builder):
    owner = await an_owner(browser)
    builder.clock.advance(timedelta(minutes=14))
    redirect = await owner.goes(Intent.LINK)
    order = await owner.returns(redirect)
    builder.clock.advance(timedelta(minutes=2))
    token = owner.provider.id_token("4711", redirect)
    with pytest.raises(FreshSignInNeeded):
        await owner.shop.providers.finish_provider(order.flow, token, owner.context, session=owner.session)
    with pytest.raises(FreshSignInNeeded):
        await owner.goes(Intent.LINK)


@pytest.mark.proves("PVD-12", "PVD-33")
async def test_a_link_is_finished_in_the_session_that_began_it(browser):
    owner = await an_owner(browser)
    redirect = await owner.goes(Intent.LINK)
    order = await owner.returns(redirect)
    token = owner.provider.id_token("4711", redirect)
    finish = owner.shop.providers.finish_provider
    with pytest.raises(SignInRequired):
        await finish(order.flow, token, owner.context)
    again: Any = await owner.shop.signin.sign_in_with_password(FRIDA, PASSWORD, owner.context)
    with pytest.raises(ProviderRefused) as refused:
        await finish(order.flow, token, owner.context, session=again.session)
    assert refused.value.reason == "session"
    await owner.shop.open_account("mallory@a.example")
    thief: Any = await owner.shop.signin.sign_in_with_password("mallory@a.example", PASSWORD, owner.context)
    with pytest.raises(ProviderRefused):
        await finish(order.flow, token, owner.context, session=thief.session)
    assert isinstance(await finish(order.flow, token, owner.context, session=owner.session), LinkOutcome)


@pytest.mark.proves("KER-222", "PVD-34")
async def test_a_link_that_is_under_way_dies_with_an_unlinking(browser, builder):
    linked = await a_linked(browser)
    redirect = await linked.goes(Intent.LINK)
    order = await linked.returns(redirect)
    await builder.edit(SECURITY, (await account_of(linked)), lambda s: s.bump(Stamp.PROVIDERS))
    token = linked.provider.id_token("4712", redirect)
    with pytest.raises(FlowStale):
        await linked.shop.providers.finish_provider(order.flow, token, linked.context, session=linked.session)


async def account_of(browser: Browser) -> str:
    resumed = await browser.shop.sessions.resume(browser.session, browser.context)
    assert isinstance(resumed, Resumed)
    return resumed.account


async def test_an_account_is_linked_with_ten_identities_at_most(browser):
    owner = await an_owner(browser)
    for subject in range(MOST_IDENTITIES):
        await owner.comes(str(subject), Intent.LINK)
    with pytest.raises(TooManyIdentities):
        await owner.comes("one more", Intent.LINK)


# PVD-32


async def an_offer(shops):
    """Answer a browser that was offered to link, and the offer."""
    shop = shops()
    await shop.open_account(FRIDA)
    browser = shops.browser(shop)
    offer = await browser.comes("4711", **PROVEN)
    assert isinstance(offer, LinkNeedsProof)
    shops.builder.clock.advance(timedelta(minutes=1))
    return browser, offer.proposal


@pytest.mark.proves("PVD-32")
async def test_who_signs_in_and_says_yes_is_linked(shops, builder):
    browser, proposal = await an_offer(shops)
    await signed_in(browser)
    answer = browser.shop.providers.answer_proposal
    outcome = browser.keeps(await answer(proposal, browser.session, browser.context, accept=True))
    assert isinstance(outcome, LinkOutcome)
    assert isinstance(await shops.browser(browser.shop).comes("4711"), SignedIn)
    assert "providers.linked" in {letter.template for letter in builder.mailbag.to(FRIDA)}
    with pytest.raises(FlowUsed):
        await answer(proposal, browser.session, browser.context, accept=True)


@pytest.mark.proves("PVD-32")
async def test_who_says_no_is_not(shops):
    browser, proposal = await an_offer(shops)
    await signed_in(browser)
    answer = browser.shop.providers.answer_proposal
    assert await answer(proposal, browser.session, browser.context, accept=False) is None
    with pytest.raises(FlowUsed):
        await answer(proposal, browser.session, browser.context, accept=True)
    assert shops.rows(AUTHENTICATORS) == []


@pytest.mark.proves("PVD-32")
async def test_the_offer_is_for_that_account_browser_and_time(shops, builder):
    browser, proposal = await an_offer(shops)
    shop, answer = browser.shop, browser.shop.providers.answer_proposal
    await shop.open_account("mallory@a.example")
    thief = await shop.signin.sign_in_with_password("mallory@a.example", PASSWORD, browser.context)
    with pytest.raises(SignInRequired):
        await answer(proposal, thief.session, browser.context, accept=True)
    await signed_in(browser)
    other = shops.browser(shop)
    await other.goes()
    with pytest.raises(ProviderRefused):
        await answer(proposal, browser.session, other.context, accept=True)
    builder.clock.advance(timedelta(minutes=10))
    with pytest.raises(FlowExpired):
        await answer(proposal, browser.session, browser.context, accept=True)


@pytest.mark.proves("PVD-32")
async def test_a_session_from_before_the_offer_is_no_proof(shop, browser, builder):
    await shop.open_account(FRIDA)
    await signed_in(browser)
    builder.clock.advance(timedelta(minutes=1))
    redirect = await browser.goes()
    order = await browser.returns(redirect)
    token = browser.provider.id_token("4711", redirect, **PROVEN)
    offer = await shop.providers.finish_provider(order.flow, token, browser.context)
    with pytest.raises(FreshSignInNeeded):
        await shop.providers.answer_proposal(offer.proposal, browser.session, browser.context, accept=True)


@pytest.mark.proves("PVD-32", "KER-222")
@pytest.mark.parametrize("stamp", [Stamp.ACCOUNT, Stamp.PROVIDERS])
async def test_the_offer_dies_when_the_account_changes(shops, builder, stamp):
    browser, proposal = await an_offer(shops)
    await builder.edit(SECURITY, (await account_of(await signed_in(browser))), lambda s: s.bump(stamp))
    await signed_in(browser)
    with pytest.raises(FlowStale):
        await browser.shop.providers.answer_proposal(proposal, browser.session, browser.context, accept=True)


@pytest.mark.proves("PVD-32", "PVD-13")
async def test_the_offer_dies_when_the_provider_is_switched_off(shops):
    browser, proposal = await an_offer(shops)
    await signed_in(browser)
    off = shops.with_policies(ProviderPolicy(configs=(browser.provider.config(enabled=False),)))
    with pytest.raises(ProviderOff):
        await off.providers.answer_proposal(proposal, browser.session, browser.context, accept=True)


@pytest.mark.proves("PVD-32")
async def test_an_offer_links_nothing_that_was_linked_elsewhere_meanwhile(shops):
    browser, proposal = await an_offer(shops)
    shop = browser.shop
    await shop.open_account("otto@a.example")
    otto = await signed_in(shops.browser(shop), "otto@a.example")
    await otto.comes("4711", Intent.LINK)
    await signed_in(browser)
    with pytest.raises(IdentityTaken):
        await shop.providers.answer_proposal(proposal, browser.session, browser.context, accept=True)


@pytest.mark.proves("PVD-32")
async def test_texts_of_other_steps_are_no_offer(shops):
    browser, proposal = await an_offer(shops)
    await signed_in(browser)
    order = await browser.returns(await browser.goes())
    for text in (order.flow, Secret("x"), Secret(proposal.reveal()[:-1] + "_")):
        with pytest.raises(FlowInvalid):
            await browser.shop.providers.answer_proposal(text, browser.session, browser.context, accept=True)


# The way of those whose provider proves no address


@pytest.mark.proves("PVD-30")
async def test_who_names_and_proves_an_address_is_linked_with_what_they_came_with(shop, shops, browser, builder):
    needed = await browser.comes("4711")
    started = await shop.providers.give_email(needed.handle, shops.form(FRIDA), browser.context)
    builder.clock.advance(timedelta(minutes=1))
    code = builder.mailbag.last.code
    done = await shop.registration.complete_registration(started.handle, code, browser.context)
    browser.keeps(done.step)
    outcome = browser.keeps(await shop.providers.link_after_email(needed.handle, browser.session, browser.context))
    assert isinstance(outcome, LinkOutcome)
    assert (await shops.browser(shop).comes("4711")).account == done.account
    with pytest.raises(FlowUsed):
        await shop.providers.link_after_email(needed.handle, browser.session, browser.context)


@pytest.mark.proves("PVD-30")
async def test_what_they_came_with_is_linked_in_their_browser_and_after_signing_in(shop, shops, browser, builder):
    await shop.open_account(FRIDA)
    victim = await signed_in(shops.browser(shop))
    builder.clock.advance(timedelta(minutes=1))
    needed = await browser.comes("4711")
    with pytest.raises(ProviderRefused):
        await shop.providers.link_after_email(needed.handle, victim.session, victim.context)
    with pytest.raises(FreshSignInNeeded):
        await shop.providers.link_after_email(needed.handle, victim.session, browser.context)
    with pytest.raises(ProviderRefused):
        await shop.providers.give_email(needed.handle, shops.form("x@a.example"), victim.context)
    assert shops.rows(AUTHENTICATORS) == []


# SIG-61


@pytest.mark.proves("SIG-61")
async def test_a_linked_identity_proves_again_who_one_is(browser, builder, shops):
    linked = await a_linked(browser)
    builder.clock.advance(timedelta(minutes=20))
    with pytest.raises(FreshSignInNeeded):
        await linked.goes(Intent.LINK)
    redirect = await linked.goes(Intent.STEP_UP)
    assert (redirect.parameters["prompt"], redirect.parameters["max_age"]) == ("login", "900")
    before = linked.session
    await linked.comes("4711", Intent.STEP_UP)
    assert not await is_live(linked, before)
    assert await linked.goes(Intent.LINK)
    assert "signin.step_up_done" in shops.told


@pytest.mark.proves("SIG-61")
async def test_an_old_sign_in_at_the_provider_confirms_nothing(browser, builder):
    linked = await a_linked(browser)
    old = int(builder.clock.now().timestamp()) - 961
    for auth_time in (old, ...):
        with pytest.raises(ProviderRefused) as refused:
            await linked.comes("4711", Intent.STEP_UP, auth_time=auth_time)
        assert refused.value.reason == "auth_time"


@pytest.mark.proves("SIG-61")
async def test_an_identity_of_somebody_else_confirms_nothing_and_is_counted(browser, shops):
    linked = await a_linked(browser)
    await shops.browser(linked.shop).comes("4712", email="otto@a.example", email_verified=True)
    before = linked.session
    for subject in ("4712", "4713"):
        with pytest.raises(ProviderRefused) as refused:
            await linked.comes(subject, Intent.STEP_UP)
        assert refused.value.reason == "identity"
    assert shops.told.count("signin.step_up_refused") == 2
    assert await is_live(linked, before)


@pytest.mark.proves("SIG-61", "PVD-37")
async def test_plain_oauth_confirms_nothing_as_it_tells_no_time(shops, provider):
    shop = shops.with_policies(ProviderPolicy(configs=(provider.plain_config(),)))
    await shop.open_account(FRIDA)
    browser = await signed_in(shops.browser(shop))
    with pytest.raises(ProviderRefused):
        await browser.goes(Intent.STEP_UP)


@pytest.mark.proves("PVD-23")
async def test_strength_counts_where_the_configuration_says_what_it_is_worth(shops):
    shop = shops(amr_map={"mfa": Vouches.MULTI})
    strong = await shops.browser(shop).comes("4711", amr=["mfa"], **PROVEN)
    assert strong.auth.level is Level.MULTI
    weak = await shops.browser(shop).comes("4711", amr=["pwd"])
    assert weak.auth.level is Level.SINGLE


# PVD-34


@pytest.mark.proves("PVD-34", "SIG-76")
async def test_unlinking_ends_what_the_identity_opened_and_nothing_else(browser, shops, builder):
    linked = await a_linked(browser)
    by_it = shops.browser(linked.shop)
    await by_it.comes("4711")
    by_password = await signed_in(shops.browser(linked.shop))
    (identity,) = await linked.shop.providers.identities(linked.session, linked.context)
    answer: Any = await linked.shop.providers.unlink_provider(linked.session, identity.id, linked.context)
    linked.session = answer.next_value.session
    assert await is_live(linked, linked.session)
    assert await is_live(by_password, by_password.session)
    gone = await linked.shop.sessions.resume(by_it.session, by_it.context)
    assert isinstance(gone, NoSession)
    listed = await linked.shop.sessions.list_sessions(linked.session, linked.context)
    assert [session.methods for session in listed if "provider" in session.methods] == []
    assert len(listed) == 3
    assert await linked.shop.providers.identities(linked.session, linked.context) == ()
    assert "providers.unlinked" in {letter.template for letter in builder.mailbag.to(FRIDA)}
    assert "providers.unlinked" in shops.told
    assert (await builder.kept(SECURITY, gone_account(shops))).stamps.providers == 2


def gone_account(shops) -> Any:
    (customer,) = shops.rows(CUSTOMERS)
    return customer.id


@pytest.mark.proves("PVD-34", "SIG-53")
async def test_the_last_way_in_stays(shops):
    shop = shops()
    browser = shops.browser(shop)
    await browser.comes("4711", **PROVEN)
    shops.builder.policies = attrs.evolve(shops.builder.policies, code_sign_in=shops.no_codes)
    shop = shops.builder.build()
    (identity,) = await shop.providers.identities(browser.session, browser.context)
    with pytest.raises(LastWayIn):
        await shop.providers.unlink_provider(browser.session, identity.id, browser.context)
    assert await shop.providers.identities(browser.session, browser.context) == (identity,)


@pytest.mark.proves("PVD-13", "SIG-53")
async def test_a_provider_that_is_switched_off_is_no_way_in(shops):
    other = shops.another()
    shop = shops(other.config())
    browser = shops.browser(shop)
    await browser.comes("4711", **PROVEN)
    browser.provider = other
    await browser.comes("22", Intent.LINK)
    policy = ProviderPolicy(configs=(shops.provider.config(), other.config(enabled=False)))
    off = shops.with_policies(policy, code_sign_in=shops.no_codes)
    first, second = await off.providers.identities(browser.session, browser.context)
    with pytest.raises(LastWayIn):
        await off.providers.unlink_provider(browser.session, first.id, browser.context)
    assert await off.providers.unlink_provider(browser.session, second.id, browser.context)


@pytest.mark.proves("PVD-34")
async def test_who_unlinks_what_they_came_with_signs_in_anew(shops, shop, browser):
    step = await browser.comes("4711", **PROVEN)
    (identity,) = await shop.providers.identities(step.session, browser.context)
    answer = await shop.providers.unlink_provider(step.session, identity.id, browser.context)
    assert answer.next_value is None
    assert [cookie.name for cookie in answer.clear_cookies] == ["__Host-session"]
    assert not await is_live(browser, step.session)
    assert isinstance(await shops.browser(shop).comes("4711", **PROVEN), LinkNeedsProof)


@pytest.mark.proves("PVD-34")
async def test_only_the_owner_unlinks_and_only_freshly(browser, shops, builder):
    linked = await a_linked(browser)
    shop = linked.shop
    (identity,) = await shop.providers.identities(linked.session, linked.context)
    await shop.open_account("mallory@a.example")
    thief = await signed_in(shops.browser(shop), "mallory@a.example")
    for id in (identity.id, "nobody's"):
        with pytest.raises(IdentityUnknown):
            await shop.providers.unlink_provider(thief.session, id, thief.context)
    builder.clock.advance(timedelta(minutes=16))
    with pytest.raises(FreshSignInNeeded):
        await shop.providers.unlink_provider(linked.session, identity.id, linked.context)
    with pytest.raises(SignInRequired):
        await shop.providers.unlink_provider(Secret("x"), identity.id, linked.context)


# PVD-36


@pytest.mark.proves("PVD-36")
async def test_tokens_are_not_kept_unless_the_shop_wants_them_sealed(shops):
    tokens = ProviderTokens(access=Secret("an access token"), refresh=Secret("a refresh token"))
    forgets = shops.browser(shops())
    await forgets.comes("4711", more={"tokens": tokens}, **PROVEN)
    (own,) = shops.rows(AUTHENTICATORS)
    assert own.identities[0].tokens is None
    keeps = Browser(shop=shops(keep_tokens=True), provider=shops.provider)
    await keeps.comes("4711", more={"tokens": tokens})
    (own,) = shops.rows(AUTHENTICATORS)
    assert b"token" not in own.identities[0].tokens.data
    id = own.identities[0].id
    assert await keeps.shop.providers.kept_tokens(keeps.session, id, keeps.context) == tokens
    await keeps.comes("4711")
    assert await keeps.shop.providers.kept_tokens(keeps.session, id, keeps.context) == tokens
    await keeps.shop.providers.unlink_provider(keeps.session, id, keeps.context)
    (own,) = shops.rows(AUTHENTICATORS)
    assert own.identities == ()
    with pytest.raises(SignInRequired):
        await keeps.shop.providers.kept_tokens(keeps.session, id, keeps.context)


# PVD-26


@pytest.mark.proves("PVD-26")
async def test_who_signs_out_at_the_provider_is_signed_out_here(browser, shops, builder):
    linked = await a_linked(browser)
    shop, provider = linked.shop, linked.provider
    by_it = shops.browser(shop)
    await by_it.comes("4711")
    builder.clock.advance(timedelta(minutes=1))
    token = provider.logout_token("4711")
    await shop.providers.accept_logout_token(provider.id, token, request_from())
    assert not await is_live(by_it, by_it.session)
    assert await is_live(linked, linked.session)
    assert "providers.sessions_ended" in shops.told
    with pytest.raises(ProviderRefused) as refused:
        await shop.providers.accept_logout_token(provider.id, token, request_from())
    assert refused.value.reason == "replayed"
    builder.clock.advance(timedelta(minutes=1))
    assert isinstance(await by_it.comes("4711"), SignedIn)
    assert await is_live(by_it, by_it.session)


@pytest.mark.proves("PVD-26")
async def test_what_is_no_word_of_the_provider_ends_nothing(browser, shops, builder):
    linked = await a_linked(browser)
    shop, provider = linked.shop, linked.provider
    by_it = shops.browser(shop)
    redirect = await by_it.goes()
    await by_it.comes("4711")
    builder.clock.advance(timedelta(minutes=1))
    await shop.providers.accept_logout_token(provider.id, provider.logout_token("somebody else"), request_from())
    bent: Any = (
        provider.id_token("4711", redirect),
        provider.logout_token("4711", nonce="x"),
        provider.logout_token("4711", iat=1),
        provider.logout_token("4711", aud="another"),
        provider.logout_token("4711", sub=...),
        Secret("a.b.c"),
    )
    for token in bent:
        with pytest.raises(ProviderRefused):
            await shop.providers.accept_logout_token(provider.id, token, request_from())
    with pytest.raises(InvalidInput):
        await shop.providers.accept_logout_token(provider.id, cast("Secret[str]", None), request_from())
    assert await is_live(by_it, by_it.session)
