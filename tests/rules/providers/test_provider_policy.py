"""Which configurations of providers would let forged tokens in, and are refused at start-up."""

from datetime import timedelta

import pytest

from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.providers.policy import (
    AutoLink,
    ProviderConfig,
    ProviderKind,
    ProviderPolicy,
    TrustsEmail,
)

GOOD = {
    "id": "lampen",
    "issuer": "https://id.example",
    "client_id": "the-shop",
    "redirect_uri": "https://shop.example/back",
    "keys": "https://id.example/keys",
}


def config(**changed) -> ProviderConfig:
    return ProviderConfig(**(GOOD | changed))


@pytest.mark.proves("PVD-2")
@pytest.mark.parametrize(
    "changed",
    [
        {"algorithms": ()},
        {"algorithms": ("none",)},
        {"algorithms": ("RS256", "HS256")},
        {"algorithms": ("HS512",)},
        {"algorithms": ("dir",)},
        {"issuer": "http://id.example"},
        {"issuer": "http://localhost"},
        {"issuer": "id.example"},
        {"issuer": ""},
        {"issuer": "https://id.example/{tenant}"},
        {"allowed_tenants": frozenset({"a"})},
        {"auto_link": AutoLink.BOTH_VERIFIED},
        {"keys": "http://id.example/keys"},
        {"keys": ""},
        {"redirect_uri": "http://shop.example/back"},
        {"redirect_uri": "https://shop.example/back#x"},
        {"id": "Lampen"},
        {"id": ""},
        {"id": "https://id.example"},
        {"client_id": ""},
        {"scopes": ("email",)},
        {"authoritative_domains": frozenset({"Lampenhaus.example"})},
        {"max_age": timedelta(0)},
    ],
)
def test_a_provider_that_would_let_anybody_in_is_refused(changed):
    with pytest.raises(BadPolicy):
        config(**changed)


@pytest.mark.proves("PVD-2")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {}),
        ({}, {"id": "again"}),
        (
            {"issuer": "https://id.example/{tenant}", "allowed_tenants": frozenset({"a", "b"})},
            {"id": "again", "issuer": "https://id.example/b"},
        ),
    ],
)
def test_no_two_providers_are_one(one, other):
    with pytest.raises(BadPolicy):
        ProviderPolicy(configs=(config(**one), config(**other)))


@pytest.mark.proves("PVD-2")
def test_one_issuer_may_know_two_clients():
    both = (config(), config(id="other", client_id="the-other-shop"))
    assert ProviderPolicy(configs=both).enabled == both


def test_local_addresses_serve_development():
    assert config(keys="http://127.0.0.1:9/keys", redirect_uri="http://localhost:8000/back")


@pytest.mark.proves("PVD-13")
def test_a_provider_that_is_switched_off_is_not_there():
    policy = ProviderPolicy(configs=(config(enabled=False), config(id="other", client_id="x")))
    assert policy.named("lampen") is None
    assert policy.named("nobody") is None
    assert policy.named("other") is policy.enabled[0]


@pytest.mark.proves("PVD-1")
def test_plain_oauth_has_its_own_name_for_an_issuer():
    plain = ProviderConfig(id="hub", kind=ProviderKind.OAUTH2, client_id="c", redirect_uri="https://shop.example/b")
    assert plain.issuers == {"hub"}
    assert config().issuers == {"https://id.example"}


def test_by_default_a_provider_is_believed_as_little_as_possible():
    careful = config()
    assert careful.trusts_email is TrustsEmail.NEVER
    assert careful.auto_link is AutoLink.NEVER
    assert not careful.amr_map
    assert not careful.keep_tokens
    assert careful.scopes == ("openid", "email")


@pytest.mark.parametrize("name", ["flow_life", "proposal_life", "email_life"])
@pytest.mark.parametrize("life", [timedelta(0), timedelta(minutes=31)])
@pytest.mark.proves("PVD-10")
def test_a_flow_lives_for_minutes(name, life):
    with pytest.raises(BadPolicy):
        ProviderPolicy(**{name: life})


@pytest.mark.proves("PVD-10", "PVD-32")
def test_what_goes_through_a_browser_lives_ten_minutes_at_most():
    assert ProviderPolicy().flow_life == ProviderPolicy().proposal_life == timedelta(minutes=10)
    with pytest.raises(BadPolicy):
        ProviderPolicy(flow_life=timedelta(minutes=11))
    with pytest.raises(BadPolicy):
        ProviderPolicy(proposal_life=timedelta(minutes=11))
