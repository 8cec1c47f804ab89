"""A faked page, a stolen database, a copied device: what somebody tries with passkeys that aren't theirs."""

import json

import pytest

from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.secret import Secret
from shopaccounts.signin import (
    AUTHENTICATORS,
    PasskeyPolicy,
    PasskeyRefused,
    PasskeyTaken,
    SignedIn,
    SignInRefused,
)
from shopaccounts.testing.authenticator import Bends, HeldPasskey, SoftwareAuthenticator
from shopaccounts.testing.builders import ShopBuilder, quick_policies, request_from
from shopaccounts.testing.doubles import ScriptedEntropy

ANN, EVE = "ann@lamp.example", "eve@lamp.example"
HERE = request_from(browser=Secret("the browser of ann, at her home"))
EVES = request_from("203.0.113.66", browser=Secret("the browser of eve, in her cellar"))
PASSKEYS = PasskeyPolicy(rp_id="lampenhaus.example", rp_name="Lampenhaus", origins=("https://lampenhaus.example",))


@pytest.fixture
def builder(host: str) -> ShopBuilder:
    """A shop with passkeys."""
    return ShopBuilder(host=host, policies=quick_policies(passkeys=PASSKEYS))


def device(name):
    return SoftwareAuthenticator(entropy=ScriptedEntropy(name))


async def owner(shop, address, mine, context=HERE):
    account = await shop.open_account(address)
    asked = await shop.passkeys.start_adding(account.session, context)
    added = await shop.passkeys.add_passkey(account.session, asked.handle, mine.create(asked.options), "phone", context)
    return account.id, added.next_value.session


async def enter(shop, asked, answer, context):
    try:
        return await shop.passkey_signin.sign_in_with_passkey(asked.handle, answer, context)
    except Rejected as refused:
        return type(refused)


@pytest.mark.proves("SIG-23", "SIG-20")
async def test_what_a_customer_answers_to_a_faked_page_is_worth_nothing(shop) -> None:
    mine = device("ann")
    await owner(shop, ANN, mine)
    asked = await shop.passkey_signin.passkey_options(EVES)
    phished = mine.get(asked.options, Bends(origin="https://lampenhaus-sale.example"))
    assert await enter(shop, asked, phished, EVES) is SignInRefused
    overheard = mine.get(asked.options)
    assert await enter(shop, asked, overheard, HERE) is PasskeyRefused, "it was asked in another browser"
    hers = await shop.passkey_signin.passkey_options(HERE)
    assert await enter(shop, hers, overheard, HERE) is SignInRefused, "it answers another question"


@pytest.mark.proves("SIG-23")
async def test_a_stolen_database_holds_nothing_that_signs(shop, builder) -> None:
    mine, eves = device("ann"), device("eve")
    account, _ = await owner(shop, ANN, mine)
    await owner(shop, EVE, eves, EVES)
    kept = await builder.kept(AUTHENTICATORS, account)
    forged = HeldPasskey(
        credential=kept.passkeys[0].credential,
        rp_id="lampenhaus.example",
        user_handle=kept.user_handle,
        key=eves.held[0].key,
    )
    asked = await shop.passkey_signin.passkey_options(EVES)
    assert await enter(shop, asked, eves.get(asked.options, held=forged), EVES) is SignInRefused


@pytest.mark.proves("SIG-22", "SIG-23")
async def test_nobody_takes_a_key_over_or_passes_as_its_owner(shop) -> None:
    mine, eves = device("ann"), device("eve")
    account, _ = await owner(shop, ANN, mine)
    _, session = await owner(shop, EVE, eves, EVES)
    asked = await shop.passkey_signin.passkey_options(EVES)
    as_ann = eves.get(asked.options, Bends(user_handle=mine.held[0].user_handle))
    assert await enter(shop, asked, as_ann, EVES) is SignInRefused
    asked = await shop.passkey_signin.passkey_options(EVES)
    step = await enter(shop, asked, eves.get(asked.options), EVES)
    assert isinstance(step, SignedIn)
    assert step.account != account
    like_anns = SoftwareAuthenticator(entropy=ScriptedEntropy("ann"))
    adding = await shop.passkeys.start_adding(step.session, EVES)
    answer = like_anns.create(adding.options)
    assert like_anns.held[0].credential == mine.held[0].credential
    with pytest.raises(PasskeyTaken):
        await shop.passkeys.add_passkey(step.session, adding.handle, answer, "mine now", EVES)
    assert session != step.session


@pytest.mark.proves("SIG-24")
async def test_a_copied_device_is_told_as_soon_as_both_were_used(shop, builder) -> None:
    mine = device("ann")
    await owner(shop, ANN, mine)
    asked = await shop.passkey_signin.passkey_options(HERE)
    assert isinstance(await enter(shop, asked, mine.get(asked.options), HERE), SignedIn)
    asked = await shop.passkey_signin.passkey_options(EVES)
    copied = mine.get(asked.options, Bends(counter=1))
    assert isinstance(await enter(shop, asked, copied, EVES), SignedIn)
    assert "signin.passkey_maybe_cloned" in {letter.template for letter in builder.mailbag.letters}


@pytest.mark.proves("SIG-25")
async def test_asking_around_for_addresses_finds_no_customer(shop) -> None:
    await owner(shop, ANN, device("ann"))
    asked = [await shop.passkey_signin.passkey_options(EVES, address) for address in (ANN, "nobody@lamp.example")]
    assert [json.loads(one.options)["allowCredentials"] for one in asked] == [[], []]
