"""Many unlink, link or come from a provider at the same moment; on every kind of storage."""

from typing import Any

import attrs
import pytest

from shopaccounts.kernel.secret import Secret
from shopaccounts.passwords import PASSWORDS
from shopaccounts.providers import (
    FlowUsed,
    IdentityTaken,
    IdentityUnknown,
    Intent,
    OAuthProfile,
    ProviderPolicy,
)
from shopaccounts.signin import (
    AUTHENTICATORS,
    CodeSignInPolicy,
    LastWayIn,
    SignedIn,
    SignInRequired,
)
from shopaccounts.testing.builders import PASSWORD, request_from
from shopaccounts.testing.providers import LittleProvider
from shopaccounts.testing.races import assert_one_winner, race

FRIDA = "frida@lampenhaus.example"
pytestmark = pytest.mark.proves("KER-180")


def with_providers(builder, *ids: str):
    """Answer a shop that works with these, and lets nobody in by a mailed code."""
    configs = tuple(LittleProvider(builder.clock.now, id).plain_config() for id in ids)
    builder.policies = attrs.evolve(
        builder.policies,
        providers=ProviderPolicy(configs=configs),
        code_sign_in=CodeSignInPolicy(ways=frozenset()),
    )
    return builder.build()


async def arrival(shop, provider: str, intent=Intent.SIGN_IN, session=None, held=None):
    """Go to a provider and back; answer the flow, and the browser it belongs to."""
    here = request_from(browser=held)
    redirect = await shop.providers.start_provider(provider, intent, here, session)
    for cookie in redirect.set_cookies:
        here = request_from(browser=cookie.value)
    params = {"state": redirect.parameters["state"], "code": "x"}
    order = await shop.providers.accept_callback(params, here, provider_id=provider)
    return order.flow, here


def profile(subject: str = "1") -> OAuthProfile:
    return OAuthProfile(subject=subject, email=FRIDA, email_verified=True)


async def comes(shop, provider: str, subject: str = "1") -> SignedIn:
    flow, here = await arrival(shop, provider)
    step = await shop.providers.finish_provider(flow, profile(subject), here)
    assert isinstance(step, SignedIn)
    return step


async def links(shop, provider: str, session: Secret[str], subject: str) -> Secret[str]:
    flow, here = await arrival(shop, provider, Intent.LINK, session)
    outcome: Any = await shop.providers.finish_provider(flow, profile(subject), here, session=session)
    value: Secret[str] = outcome.next_value.session
    return value


@pytest.mark.proves("PVD-34", "SIG-53")
async def test_of_the_last_two_ways_in_one_stays_however_many_unlink_at_once(builder) -> None:
    shop = with_providers(builder, "eins", "zwei")
    step = await comes(shop, "eins")
    await links(shop, "zwei", step.session, "2")
    sessions = [(await comes(shop, "eins")).session for _ in range(16)]
    here = request_from()
    ids = [one.id for one in await shop.providers.identities(sessions[0], here)]
    outcomes = await race(
        16, lambda index: builder.build().providers.unlink_provider(sessions[index], ids[index % 2], here)
    )
    losers = {type(one.error) for one in outcomes if one.error is not None}
    assert losers <= {LastWayIn, IdentityUnknown, SignInRequired}
    assert sum(one.error is None for one in outcomes) == 1
    assert len((await builder.kept(AUTHENTICATORS, step.account)).identities) == 1


@pytest.mark.proves("PVD-34", "SIG-53")
async def test_a_password_and_an_identity_that_go_at_once_leave_one(builder) -> None:
    shop = with_providers(builder, "eins")
    account = await shop.open_account(FRIDA)
    here = request_from()
    sessions = [(await shop.signin.sign_in_with_password(FRIDA, PASSWORD, here)).session for _ in range(8)]
    sessions[0] = await links(shop, "eins", sessions[0], "1")
    sessions = [(await shop.signin.sign_in_with_password(FRIDA, PASSWORD, here)).session for _ in range(16)]
    (identity,) = await shop.providers.identities(sessions[0], here)

    def goes(index: int):
        shop = builder.build()
        if index % 2:
            return shop.providers.unlink_provider(sessions[index], identity.id, here)
        return shop.passwords.remove_password(sessions[index], here)

    outcomes = await race(16, goes)
    assert sum(one.error is None for one in outcomes) == 1
    own, password = await builder.kept(AUTHENTICATORS, account.id), await builder.kept(PASSWORDS, account.id)
    assert bool(own.identities) is not (password is not None)


@pytest.mark.proves("PVD-12", "PVD-11")
async def test_a_flow_that_many_finish_at_once_lets_one_in(builder) -> None:
    shop = with_providers(builder, "eins")
    await comes(shop, "eins")
    flow, here = await arrival(shop, "eins")
    outcomes = await race(8, lambda _: builder.build().providers.finish_provider(flow, profile(), here))
    assert_one_winner(outcomes, FlowUsed)


@pytest.mark.proves("PVD-1")
async def test_an_identity_that_comes_many_times_at_once_opens_one_account(builder) -> None:
    shop = with_providers(builder, "eins")
    arrivals = [await arrival(shop, "eins") for _ in range(8)]
    outcomes = await race(
        8, lambda index: builder.build().providers.finish_provider(arrivals[index][0], profile(), arrivals[index][1])
    )
    assert [one.error for one in outcomes] == [None] * 8
    assert len({one.value.account for one in outcomes}) == 1


@pytest.mark.proves("PVD-1", "PVD-30")
async def test_an_identity_that_two_accounts_link_at_once_belongs_to_one(builder) -> None:
    shop = with_providers(builder, "eins")
    begun = []
    for name in ("ann", "bob", "cem", "dia"):
        account = await shop.open_account(f"{name}@lamp.example")
        flow, here = await arrival(shop, "eins", Intent.LINK, account.session)
        begun.append((flow, here, account.session))

    def finish(index: int):
        flow, here, session = begun[index]
        return builder.build().providers.finish_provider(flow, profile("7"), here, session=session)

    assert_one_winner(await race(4, finish), IdentityTaken)
