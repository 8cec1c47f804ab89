"""The machine stops while somebody comes from a provider, links or unlinks: nothing is half, asking again ends well."""

from datetime import timedelta
from functools import partial
from typing import Any

import attrs
import pytest

from shopaccounts.kernel.ids import RealmId
from shopaccounts.kernel.secret import Secret
from shopaccounts.providers import Intent, ProviderPolicy
from shopaccounts.registration import RegistrationForm
from shopaccounts.signin import AUTHENTICATORS, Authenticators, Identity
from shopaccounts.testing.builders import PASSWORD, request_from
from shopaccounts.testing.providers import Browser, LittleProvider, QuickTokens
from tests.usecases.crashing import assert_ends_well
from tests.usecases.test_other_crashes import ANN, HERE, World

PROVEN = {"email": ANN, "email_verified": True}
NAME = "lampen"
LATER = timedelta(minutes=1)


class Town(World):
    """What survives a crash, and a provider."""

    def __init__(self, host):
        super().__init__(host)
        self.provider = LittleProvider(self.builder.clock.now, NAME)
        policy = ProviderPolicy(configs=(self.provider.config(),))
        self.builder.policies = attrs.evolve(self.builder.policies, providers=policy)
        self.builder.ports = {"id_tokens": QuickTokens(self.provider)}
        self.shop = self.builder.build()
        self.browser = Browser(shop=self.shop, provider=self.provider)

    @property
    def here(self):
        return self.browser.context


async def with_a_link(world):
    """An account that is linked, in any world."""
    account = await world.shop.open_account(ANN)
    link = Identity(
        id="a link", provider=NAME, issuer="https://a.example", subject="1", linked_at=world.builder.clock.now()
    )
    await world.builder.add(AUTHENTICATORS, Authenticators(id=account.id, realm=RealmId("main"), identities=(link,)))
    world.hand = {"session": account.session, "account": account.id, "identity": link.id}


async def at_the_door(_town):
    return None


async def sent_away(town):
    redirect = await town.browser.goes(town.hand.get("intent", Intent.SIGN_IN))
    town.hand |= {"redirect": redirect, "params": town.provider.answer(redirect), "here": town.here}


async def back_again(town):
    await sent_away(town)
    order = await town.browser.returns(town.hand["redirect"])
    token = town.provider.id_token("4711", town.hand["redirect"], **PROVEN)
    town.hand |= {"flow": order.flow, "token": token}


async def signed_in(town):
    account = await town.shop.open_account(ANN)
    town.browser.session = account.session
    town.hand |= {"session": account.session, "account": account.id}


async def about_to_link(town):
    await signed_in(town)
    town.hand["intent"] = Intent.LINK
    await back_again(town)


async def linked(town):
    await signed_in(town)
    outcome = await town.browser.comes("4711", Intent.LINK)
    town.hand |= {"session": town.browser.session, "identity": outcome.identity.id, "here": town.here}


async def about_to_confirm(town):
    await linked(town)
    town.hand["intent"] = Intent.STEP_UP
    await back_again(town)


async def known(town):
    await linked(town)
    town.browser.session = Secret("")
    town.hand["intent"] = Intent.SIGN_IN
    await back_again(town)


async def offered(town):
    await town.shop.open_account(ANN)
    offer = await town.browser.comes("4711", **PROVEN)
    town.builder.clock.advance(LATER)
    step = await town.shop.signin.sign_in_with_password(ANN, PASSWORD, town.here)
    town.hand = {"proposal": offer.proposal, "session": step.session, "here": town.here}


async def without_an_address(town):
    needed = await town.browser.comes("4711")
    town.hand = {"handle": needed.handle, "here": town.here}


async def with_a_new_address(town):
    await without_an_address(town)
    town.builder.clock.advance(LATER)
    account = await town.shop.open_account(ANN)
    town.hand["session"] = account.session


async def signed_out_there(town):
    await linked(town)
    town.builder.clock.advance(LATER)
    town.hand["ended"] = town.provider.logout_token("4711")


def finish(shop, hand):
    return shop.providers.finish_provider(hand["flow"], hand["token"], hand["here"], session=hand.get("session"))


COMMANDS: dict[str, Any] = {
    "go": (at_the_door, lambda shop, _: shop.providers.start_provider(NAME, Intent.SIGN_IN, HERE)),
    "go and link": (
        signed_in,
        lambda shop, hand: shop.providers.start_provider(NAME, Intent.LINK, HERE, hand["session"]),
    ),
    "come back": (
        sent_away,
        lambda shop, hand: shop.providers.accept_callback(hand["params"], hand["here"], provider_id=NAME),
    ),
    "come back with a no": (
        sent_away,
        lambda shop, hand: shop.providers.accept_callback(
            hand["params"] | {"error": "access_denied"}, hand["here"], provider_id=NAME
        ),
    ),
    "come for the first time": (back_again, finish),
    "come again": (known, finish),
    "come with a forged token": (
        back_again,
        lambda shop, hand: shop.providers.finish_provider(hand["flow"], Secret("a.b.c"), hand["here"]),
    ),
    "link": (about_to_link, finish),
    "confirm": (about_to_confirm, finish),
    "say yes": (
        offered,
        lambda shop, hand: shop.providers.answer_proposal(hand["proposal"], hand["session"], hand["here"], accept=True),
    ),
    "say no": (
        offered,
        lambda shop, hand: shop.providers.answer_proposal(
            hand["proposal"], hand["session"], hand["here"], accept=False
        ),
    ),
    "name an address": (
        without_an_address,
        lambda shop, hand: shop.providers.give_email(hand["handle"], RegistrationForm(identifier=ANN), hand["here"]),
    ),
    "link what one came with": (
        with_a_new_address,
        lambda shop, hand: shop.providers.link_after_email(hand["handle"], hand["session"], hand["here"]),
    ),
    "unlink": (
        linked,
        lambda shop, hand: shop.providers.unlink_provider(hand["session"], hand["identity"], hand["here"]),
    ),
    "sign out there": (
        signed_out_there,
        lambda shop, hand: shop.providers.accept_logout_token(NAME, hand["ended"], request_from()),
    ),
}
DONE_BEFORE = {
    "come back": "providers.link_used",
    "come back with a no": "providers.link_used",
    "come for the first time": "providers.link_used",
    "come again": "providers.link_used",
    "come with a forged token": "providers.link_used",
    "link": "providers.link_used",
    "confirm": "providers.link_used",
    "say yes": "signin.required",
    "say no": "providers.link_used",
    "link what one came with": "signin.required",
    "unlink": "signin.required",
    "sign out there": "providers.refused",
}
"""What the same request is told whose effect was stored before the machine stopped."""
REPEATED = {
    "go": {"provider_flows"},
    "go and link": {"provider_flows"},
    "name an address": {
        "guests.account_cleansed",
        "registration.attempt_restarted",
        "registration.started",
        "registration.verify_contact",
    },
}
"""What is there again because somebody asks again; none of it is a thing that may happen once."""


async def begin(host, command):
    """Answer a world in which somebody is about to do something."""
    town = Town(host)
    await COMMANDS[command][0](town)
    return town


async def perform(town, command, wrap=lambda port: port):
    """Do it, through *wrap*."""
    return await COMMANDS[command][1](town.builder.build(wrap), town.hand)


@pytest.mark.proves("TES-107", "KER-154", "PVD-12")
@pytest.mark.parametrize("command", COMMANDS)
async def test_a_crash_loses_nothing_and_the_same_request_ends_well(host, command) -> None:
    await assert_ends_well(
        partial(begin, host, command),
        partial(perform, command=command),
        DONE_BEFORE.get(command),
        REPEATED.get(command, set()),
    )
