"""The way to a provider and back: what belongs together, and what is refused on the way."""

import hashlib
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS
from shopaccounts.kernel.errors import InsecureTransport, InvalidInput
from shopaccounts.kernel.secret import Secret
from shopaccounts.providers import (
    FLOWS,
    FlowExpired,
    FlowInvalid,
    FlowUsed,
    Intent,
    NoIdTokens,
    OAuthProfile,
    ProviderOff,
    ProviderPolicy,
    ProviderRefused,
    ProviderTokens,
    Why,
)
from shopaccounts.registration import (
    FieldRule,
    FormRejected,
    OpenTo,
    Presence,
    RegistrationForm,
    RegistrationNotOpen,
    RegistrationPolicy,
)
from shopaccounts.signin import SignedIn, SignInRequired
from shopaccounts.testing.builders import request_from
from shopaccounts.testing.providers import signing_key

FRIDA = "frida@lampenhaus.example"
PROVEN = {"email": FRIDA, "email_verified": True}


def reason(refused) -> Any:
    return refused.value.reason


@pytest.mark.proves("PVD-10")
async def test_the_browser_takes_along_what_ties_the_answer_to_it(shops, browser, provider):
    redirect = await browser.goes()
    asked = {
        k: v[0] for k, v in parse_qs(urlsplit(redirect.url("https://lampen.example/authorize").reveal()).query).items()
    }
    (flow,) = shops.rows(FLOWS)
    assert asked["response_type"] == "code"
    assert asked["client_id"] == "the-shop"
    assert asked["redirect_uri"] == flow.redirect_uri == provider.config().redirect_uri
    assert asked["scope"] == "openid email"
    assert asked["code_challenge_method"] == "S256"
    assert asked["state"].startswith("sa1.pst.")
    assert flow.nonce_digest == hashlib.sha256(asked["nonce"].encode()).digest()
    assert redirect.set_cookies[0].name == "__Host-flow"
    assert flow.tickets[0].expires_at - flow.started_at == timedelta(minutes=10)
    order = await browser.returns(redirect)
    challenge = urlsafe_b64encode(hashlib.sha256(order.code_verifier.reveal().encode()).digest()).rstrip(b"=").decode()
    assert challenge == asked["code_challenge"]
    assert order.form["redirect_uri"] == asked["redirect_uri"]
    assert order.code.reveal() == "a code"


@pytest.mark.proves("PVD-10")
async def test_what_is_kept_of_a_flow_is_of_no_use_to_a_thief(shops, browser):
    redirect = await browser.goes()
    order = await browser.returns(redirect)
    kept = repr(attrs.asdict(shops.rows(FLOWS)[0], recurse=True))
    secrets = (redirect.parameters["state"], redirect.parameters["nonce"], order.code_verifier.reveal())
    for secret in (*secrets, order.flow.reveal(), browser.held.reveal(), "a code"):
        assert secret not in kept
        assert secret not in repr(redirect) + repr(order)


@pytest.mark.proves("PVD-11")
async def test_an_answer_that_comes_twice_was_used(browser):
    redirect = await browser.goes()
    await browser.returns(redirect)
    with pytest.raises(FlowUsed):
        await browser.returns(redirect)


@pytest.mark.proves("PVD-11")
async def test_another_browser_can_not_go_on(shops, shop, browser):
    redirect = await browser.goes()
    for thief in (shops.browser(shop), shops.browser(shop)):
        with pytest.raises(ProviderRefused) as refused:
            await thief.returns(redirect)
        assert reason(refused) == "browser"
    thief = shops.browser(shop)
    await thief.goes()
    with pytest.raises(ProviderRefused):
        await thief.returns(redirect)
    assert await browser.returns(redirect)


@pytest.mark.proves("PVD-11")
@pytest.mark.parametrize("state", [None, "", "x", "sa1.pst." + "A" * 22 + "." + "A" * 43, "sa1.ses." + "A" * 66])
async def test_an_answer_without_a_flow_is_none(browser, shop, provider, state):
    redirect = await browser.goes()
    params = provider.answer(redirect) | {"state": state}
    with pytest.raises(FlowInvalid):
        await shop.providers.accept_callback(params, browser.context, provider_id=provider.id)


@pytest.mark.proves("PVD-11")
async def test_the_answer_of_one_provider_is_none_of_another(shops):
    other = shops.another()
    shop = shops(other.config())
    browser = shops.browser(shop)
    redirect = await browser.goes()
    with pytest.raises(FlowInvalid):
        await shop.providers.accept_callback(browser.provider.answer(redirect), browser.context, provider_id="zweite")


@pytest.mark.proves("PVD-11")
@pytest.mark.parametrize(
    ("config", "iss", "is_good"),
    [
        ({}, None, True),
        ({}, "https://lampen.example", True),
        ({}, "https://zweite.example", False),
        ({}, "", False),
        ({"response_iss_required": True}, None, False),
        ({"response_iss_required": True}, "https://lampen.example", True),
        ({"announces_response_iss": True}, None, False),
        ({"announces_response_iss": True}, "https://lampen.example", True),
    ],
)
async def test_an_answer_says_from_whom_it_is_where_it_must(shops, config, iss, is_good):
    other = shops.another()
    browser = shops.browser(shops(other.config(), **config))
    redirect = await browser.goes()
    more = {} if iss is None else {"iss": iss}
    if is_good:
        assert await browser.returns(redirect, **more)
        return
    with pytest.raises(ProviderRefused) as refused:
        await browser.returns(redirect, **more)
    assert reason(refused) == "issuer"
    with pytest.raises(FlowUsed):
        await browser.returns(redirect, iss="https://lampen.example")


@pytest.mark.proves("PVD-11")
async def test_a_single_provider_that_could_say_so_need_not(shops):
    browser = shops.browser(shops(announces_response_iss=True))
    assert await browser.returns(await browser.goes())


@pytest.mark.proves("PVD-11")
@pytest.mark.parametrize(
    ("error", "key"),
    [
        ("access_denied", "denied"),
        ("login_required", "login_needed"),
        ("server_error", "unavailable"),
        ("<script>", "other"),
        ("", "other"),
    ],
)
async def test_a_no_of_the_provider_ends_the_flow_in_our_words(shops, browser, error, key):
    redirect = await browser.goes()
    with pytest.raises(ProviderRefused) as refused:
        await browser.returns(redirect, error=error)
    assert reason(refused) == key
    assert "providers.sign_in_refused" in shops.told
    with pytest.raises(FlowUsed):
        await browser.returns(redirect)


@pytest.mark.proves("PVD-11")
@pytest.mark.parametrize("params", [None, "state=x", {"code": 1}, {"state": ["a", "b"]}, {"code": "x" * 5000}], ids=str)
async def test_parameters_that_no_provider_sends_are_refused(browser, shop, provider, params):
    redirect = await browser.goes()
    told = provider.answer(redirect) | params if isinstance(params, dict) else params
    with pytest.raises(InvalidInput):
        await shop.providers.accept_callback(told, browser.context, provider_id=provider.id)


@pytest.mark.proves("PVD-10")
async def test_a_flow_ends_by_itself(browser, builder):
    redirect = await browser.goes()
    builder.clock.advance(timedelta(minutes=10))
    with pytest.raises(FlowExpired):
        await browser.returns(redirect)


@pytest.mark.proves("PVD-12")
async def test_a_flow_finishes_once_in_its_own_browser_and_in_time(shops, shop, browser, builder, provider):
    redirect = await browser.goes()
    order = await browser.returns(redirect)
    token = provider.id_token("4711", redirect, **PROVEN)
    with pytest.raises(ProviderRefused) as refused:
        await shop.providers.finish_provider(order.flow, token, shops.browser(shop).context)
    assert reason(refused) == "browser"
    assert isinstance(await shop.providers.finish_provider(order.flow, token, browser.context), SignedIn)
    with pytest.raises(FlowUsed):
        await shop.providers.finish_provider(order.flow, token, browser.context)
    late = await browser.returns(await browser.goes())
    builder.clock.advance(timedelta(minutes=10))
    with pytest.raises(FlowExpired):
        await shop.providers.finish_provider(late.flow, token, browser.context)


@pytest.mark.proves("PVD-12")
async def test_nothing_is_finished_without_the_callback(browser, shop, provider):
    redirect = await browser.goes()
    token = provider.id_token("4711", redirect, **PROVEN)
    with pytest.raises(FlowInvalid):
        await shop.providers.finish_provider(Secret(redirect.parameters["state"]), token, browser.context)


@pytest.mark.proves("PVD-22", "PVD-12")
async def test_a_token_of_another_flow_is_none(shops, shop, browser, provider):
    stolen = provider.id_token("4711", await shops.browser(shop).goes(), **PROVEN)
    order = await browser.returns(await browser.goes())
    with pytest.raises(ProviderRefused) as refused:
        await shop.providers.finish_provider(order.flow, stolen, browser.context)
    assert reason(refused) == "nonce"
    with pytest.raises(FlowUsed):
        await shop.providers.finish_provider(order.flow, stolen, browser.context)


@pytest.mark.proves("PVD-22")
async def test_the_name_of_a_token_is_used_once(shops, shop, browser):
    assert isinstance(await browser.comes("4711", jti="x1", **PROVEN), SignedIn)
    with pytest.raises(ProviderRefused) as refused:
        await shops.browser(shop).comes("4711", jti="x1", **PROVEN)
    assert reason(refused) == "replayed"
    assert isinstance(await shops.browser(shop).comes("4711", jti="x2", **PROVEN), SignedIn)


@pytest.mark.proves("PVD-20", "PVD-21")
@pytest.mark.parametrize(
    ("bent", "key"),
    [
        ({"iss": "https://evil.example"}, "issuer"),
        ({"aud": "another"}, "audience"),
        ({"aud": ["the-shop", "another"]}, "party"),
        ({"sub": ""}, "subject"),
        ({"exp": 1}, "expires"),
        ({"iat": True}, "issued"),
        ({"nbf": 9_999_999_999}, "not_before"),
        ({"nonce": "another"}, "nonce"),
    ],
)
async def test_a_bent_token_opens_nothing_and_says_why_in_one_word(shops, browser, bent, key):
    with pytest.raises(ProviderRefused) as refused:
        await browser.comes("4711", **(PROVEN | bent))
    assert reason(refused) == key
    assert "providers.sign_in_refused" in shops.told
    assert "providers.linked" not in shops.told


@pytest.mark.proves("PVD-20")
async def test_a_forged_signature_opens_nothing(browser, shop, provider):
    redirect = await browser.goes()
    order = await browser.returns(redirect)
    claims = provider.claims("4711", redirect.parameters["nonce"], **PROVEN)
    thief = signing_key("thief")
    forged = provider.signed(claims, {"kid": provider.key.kid}, key=thief)
    with pytest.raises(ProviderRefused) as refused:
        await shop.providers.finish_provider(order.flow, forged, browser.context)
    assert reason(refused) == "signature"


@pytest.mark.proves("PVD-24")
async def test_a_token_about_another_access_token_opens_nothing(browser):
    with pytest.raises(ProviderRefused) as refused:
        await browser.comes(
            "4711", more={"tokens": ProviderTokens(access=Secret("mine"))}, at_hash="AAAAAAAAAAAAAAAAAAAAAA", **PROVEN
        )
    assert reason(refused) == "access_token"


async def test_keys_that_can_not_be_had_end_no_flow(browser, shop, provider):
    redirect = await browser.goes()
    order = await browser.returns(redirect)
    token, provider.is_down = provider.id_token("4711", redirect, **PROVEN), True
    with pytest.raises(ProviderRefused) as refused:
        await shop.providers.finish_provider(order.flow, token, browser.context)
    assert reason(refused) == "keys_unavailable"
    provider.is_down = False
    assert isinstance(await shop.providers.finish_provider(order.flow, token, browser.context), SignedIn)


@pytest.mark.parametrize("token", [Secret(""), Secret("x"), Secret("a.b.c"), OAuthProfile(subject="1")], ids=range(4))
async def test_what_is_no_token_is_refused(browser, shop, token):
    order = await browser.returns(await browser.goes())
    with pytest.raises(ProviderRefused) as refused:
        await shop.providers.finish_provider(order.flow, token, browser.context)
    assert reason(refused) == "form"


@pytest.mark.proves("KER-201")
async def test_what_is_not_even_a_secret_text_is_an_error_of_the_host_and_ends_no_flow(browser, shop, provider):
    redirect = await browser.goes()
    order = await browser.returns(redirect)
    for token in (None, 1, "", "a.b.c", Secret(b"x"), Secret("x" * 70_000)):
        with pytest.raises(InvalidInput):
            await shop.providers.finish_provider(order.flow, token, browser.context)
    token = provider.id_token("4711", redirect, **PROVEN)
    assert isinstance(await shop.providers.finish_provider(order.flow, token, browser.context), SignedIn)


@pytest.mark.proves("PVD-13")
async def test_a_provider_that_is_switched_off_is_off_at_every_step(shops, browser, builder, provider):
    redirect, other = await browser.goes(), shops.browser(browser.shop)
    order = await other.returns(await other.goes())
    off = shops.with_policies(ProviderPolicy(configs=(provider.config(enabled=False),)))
    for name in (provider.id, "nobody"):
        with pytest.raises(ProviderOff):
            await off.providers.start_provider(name, Intent.SIGN_IN, browser.context)
    with pytest.raises(ProviderOff):
        await off.providers.accept_callback(provider.answer(redirect), browser.context, provider_id=provider.id)
    with pytest.raises(ProviderOff):
        await off.providers.finish_provider(order.flow, Secret("x"), other.context)
    with pytest.raises(ProviderOff):
        await off.providers.accept_logout_token(provider.id, Secret("x"), browser.context)
    assert builder.policies.providers.named(provider.id) is None


@pytest.mark.proves("PVD-13")
async def test_sessions_stay_when_a_provider_is_switched_off_unless_the_shop_ends_them(shops, browser, provider):
    step = await browser.comes("4711", **PROVEN)
    stays = shops.with_policies(ProviderPolicy(configs=(provider.config(enabled=False),)))
    assert (await stays.sessions.resume(step.session, browser.context)).account == step.account
    ends = shops.with_policies(ProviderPolicy(configs=(provider.config(enabled=False, end_sessions=True),)))
    assert type(await ends.sessions.resume(step.session, browser.context)).__name__ == "NoSession"


async def test_secrets_travel_encrypted(browser, shop, provider):
    clear = request_from(secure=False)
    redirect = await browser.goes()
    with pytest.raises(InsecureTransport):
        await shop.providers.start_provider(provider.id, Intent.SIGN_IN, clear)
    with pytest.raises(InsecureTransport):
        await shop.providers.accept_callback(provider.answer(redirect), clear, provider_id=provider.id)
    with pytest.raises(InsecureTransport):
        await shop.providers.finish_provider(Secret("x"), Secret("x"), clear)


@pytest.mark.proves("PVD-10")
@pytest.mark.parametrize("intent", [Intent.LINK, Intent.STEP_UP])
async def test_who_links_or_confirms_is_signed_in(shop, browser, provider, intent):
    with pytest.raises(SignInRequired):
        await shop.providers.start_provider(provider.id, intent, browser.context)


@pytest.mark.proves("PVD-30")
async def test_what_the_shop_asks_of_new_customers_is_asked_of_these_too(shops, provider):
    asks = RegistrationPolicy(fields={"first_name": FieldRule(presence=Presence.REQUIRED)})
    shop = shops.with_policies(ProviderPolicy(configs=(provider.config(),)), registration=asks)
    browser = shops.browser(shop)
    redirect = await browser.goes()
    order = await browser.returns(redirect)
    token = provider.id_token("4711", redirect, **PROVEN)
    with pytest.raises(FormRejected):
        await shop.providers.finish_provider(order.flow, token, browser.context)
    form = RegistrationForm(identifier="mallory@evil.example", password="x", fields={"first_name": "Frida"})
    step = await shop.providers.finish_provider(order.flow, token, browser.context, form=form)
    assert isinstance(step, SignedIn)
    assert shops.rows(CUSTOMERS)[0].contacts[0].key == FRIDA


async def test_where_nobody_may_register_nobody_does_this_way(shops, provider):
    closed = RegistrationPolicy(open_to=OpenTo.INVITED)
    shop = shops.with_policies(ProviderPolicy(configs=(provider.config(),)), registration=closed)
    with pytest.raises(RegistrationNotOpen):
        await shops.browser(shop).comes("4711", **PROVEN)


@pytest.mark.proves("PVD-37")
async def test_a_plain_profile_signs_in_like_a_token(shops, provider):
    shop = shops.with_policies(ProviderPolicy(configs=(provider.plain_config(),)))
    browser = shops.browser(shop)
    redirect = await browser.goes()
    assert "nonce" not in redirect.parameters
    order = await browser.returns(redirect)
    profile = OAuthProfile(subject="99", email=FRIDA, email_verified=True)
    step = await shop.providers.finish_provider(order.flow, profile, browser.context)
    assert isinstance(step, SignedIn)
    redirect = await browser.goes()
    order = await browser.returns(redirect)
    again = await shop.providers.finish_provider(order.flow, OAuthProfile(subject="99"), browser.context)
    assert again.account == step.account
    order = await browser.returns(await browser.goes())
    with pytest.raises(ProviderRefused):
        await shop.providers.finish_provider(order.flow, Secret("a.b.c"), browser.context)


def test_a_shop_without_providers_opens_no_token(provider):
    assert NoIdTokens().opened("x", provider.config(), provider.now()).reason is Why.KEYS_UNAVAILABLE
