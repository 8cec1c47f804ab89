"""Bringing a passkey to a device on which nobody is signed in yet."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.kernel.assurance import Level
from shopaccounts.kernel.errors import FreshSignInNeeded, InsecureTransport, InvalidInput, Throttled
from shopaccounts.kernel.secret import Secret
from shopaccounts.passwords import PasswordWasChanged
from shopaccounts.signin import (
    AUTHENTICATORS,
    DEVICE_BINDINGS,
    CodeWrong,
    NoSession,
    PasskeyPolicy,
    PasskeyRefused,
    SignedIn,
)
from shopaccounts.testing.authenticator import Bends, SoftwareAuthenticator
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, quick_policies, request_from
from shopaccounts.testing.doubles import ScriptedEntropy

ANN = "ann@lamp.example"
HERE = request_from(agent="a browser", browser=Secret("the browser at home, quite long"))
THERE = request_from("203.0.113.9", agent="a phone", browser=Secret("the browser of the new phone"))
PASSKEYS = PasskeyPolicy(rp_id="lampenhaus.example", rp_name="Lampenhaus", origins=("https://lampenhaus.example",))
TEN_MINUTES = timedelta(minutes=10)


@pytest.fixture
def builder(host: str) -> ShopBuilder:
    """A shop with passkeys."""
    return ShopBuilder(host=host, policies=quick_policies(passkeys=PASSKEYS))


def device(seed="there"):
    return SoftwareAuthenticator(entropy=ScriptedEntropy(seed))


async def started(shop):
    account = await shop.open_account(ANN)
    return account, await shop.another_device.start_device_binding(account.session, HERE)


def wrong(code):
    text = code.reveal()
    return ("C" if text[0] == "B" else "B") + text[1:]


@pytest.mark.proves("SIG-47", "SIG-81")
async def test_a_code_brings_one_passkey_to_another_device_and_signs_nobody_in(shop, builder) -> None:
    account, binding = await started(shop)
    assert binding.expires_at == builder.clock.now() + TEN_MINUTES
    code = binding.code.reveal()
    assert [len(group) for group in code.split("-")] == [4, 4, 4]
    typed = f" {code.lower().replace('-', ' ')} "
    mine = device()
    asked = await shop.another_device.start_adding(ANN.upper(), typed, THERE)
    added = await shop.another_device.add_passkey(asked.handle, mine.create(asked.options), "phone", THERE)
    assert added.next_value is None
    assert len(added.recovery_codes) == 10
    assert isinstance(await shop.sessions.resume(account.session, HERE), NoSession)
    (kept,) = (await builder.kept(AUTHENTICATORS, account.id)).passkeys
    assert (kept.id, kept.label) == (added.passkey, "phone")
    assert builder.mailbag.last.message.template == "signin.passkey_added"
    signing_in = await shop.passkey_signin.passkey_options(THERE)
    step = await shop.passkey_signin.sign_in_with_passkey(signing_in.handle, mine.get(signing_in.options), THERE)
    assert isinstance(step, SignedIn)
    assert (step.account, step.auth.level) == (account.id, Level.MULTI)


@pytest.mark.proves("SIG-47")
async def test_a_code_is_typed_once_and_its_question_answered_once(shop, builder) -> None:
    account, binding = await started(shop)
    asked = await shop.another_device.start_adding(ANN, binding.code.reveal(), THERE)
    with pytest.raises(CodeWrong):
        await shop.another_device.start_adding(ANN, binding.code.reveal(), THERE)
    first, second = device().create(asked.options), device("another").create(asked.options)
    await shop.another_device.add_passkey(asked.handle, first, "phone", THERE)
    with pytest.raises(PasskeyRefused) as refused:
        await shop.another_device.add_passkey(asked.handle, second, "phone", THERE)
    assert refused.value.reason == "over"
    assert len((await builder.kept(AUTHENTICATORS, account.id)).passkeys) == 1
    assert await builder.kept(DEVICE_BINDINGS, account.id) is None


@pytest.mark.proves("SIG-47", "SIG-20")
async def test_the_question_belongs_to_the_browser_that_gave_the_code(shop) -> None:
    _, binding = await started(shop)
    asked = await shop.another_device.start_adding(ANN, binding.code.reveal(), THERE)
    answer = device().create(asked.options)
    for context in (HERE, request_from(agent="a phone")):
        with pytest.raises(PasskeyRefused):
            await shop.another_device.add_passkey(asked.handle, answer, "x", context)
    bent = device().create(asked.options, Bends(origin="https://evil.example"))
    with pytest.raises(PasskeyRefused):
        await shop.another_device.add_passkey(asked.handle, bent, "x", THERE)
    await shop.another_device.add_passkey(asked.handle, answer, "x", THERE)


@pytest.mark.proves("SIG-47")
async def test_a_code_lives_ten_minutes(shop, builder) -> None:
    _, binding = await started(shop)
    builder.clock.advance(TEN_MINUTES)
    with pytest.raises(CodeWrong):
        await shop.another_device.start_adding(ANN, binding.code.reveal(), THERE)


@pytest.mark.proves("SIG-47")
async def test_a_newer_code_makes_the_earlier_one_worthless(shop) -> None:
    account, first = await started(shop)
    second = await shop.another_device.start_device_binding(account.session, HERE)
    with pytest.raises(CodeWrong):
        await shop.another_device.start_adding(ANN, first.code.reveal(), THERE)
    assert await shop.another_device.start_adding(ANN, second.code.reveal(), THERE)


@pytest.mark.proves("SIG-47", "KER-260", "KER-263")
async def test_wrong_codes_end_the_code_and_make_wait_for_known_and_unknown_addresses_alike(shop, builder) -> None:
    _, binding = await started(shop)
    for address in (ANN, "nobody@lamp.example"):
        for _ in range(5):
            with pytest.raises(CodeWrong):
                await shop.another_device.start_adding(address, wrong(binding.code), THERE)
        with pytest.raises(Throttled) as held:
            await shop.another_device.start_adding(address, wrong(binding.code), THERE)
        assert held.value.retry_after == timedelta(seconds=30)
    builder.clock.advance(timedelta(seconds=31))
    with pytest.raises(CodeWrong):
        await shop.another_device.start_adding(ANN, binding.code.reveal(), THERE)


@pytest.mark.proves("SIG-47")
@pytest.mark.parametrize("address", ["nobody@lamp.example", "bert@lamp.example"])
async def test_a_code_is_good_for_its_own_address_only(shop, address) -> None:
    _, binding = await started(shop)
    await shop.open_account("bert@lamp.example")
    with pytest.raises(CodeWrong):
        await shop.another_device.start_adding(address, binding.code.reveal(), THERE)


@pytest.mark.proves("SIG-47", "KER-222")
async def test_whatever_moves_at_the_account_ends_the_code_and_what_it_began(shop) -> None:
    account, binding = await started(shop)
    asked = await shop.another_device.start_adding(ANN, binding.code.reveal(), THERE)
    answer = device().create(asked.options)
    changed = await shop.passwords.change_password(account.session, PASSWORD, "eight lamps in the summer wind", HERE)
    assert isinstance(changed, PasswordWasChanged)
    assert changed.next_value is not None
    with pytest.raises(PasskeyRefused) as refused:
        await shop.another_device.add_passkey(asked.handle, answer, "x", THERE)
    assert refused.value.reason == "over"
    again = await shop.another_device.start_device_binding(changed.next_value.session, HERE)
    await shop.passwords.change_password(
        changed.next_value.session, "eight lamps in the summer wind", "nine lamps in the summer wind", HERE
    )
    with pytest.raises(CodeWrong):
        await shop.another_device.start_adding(ANN, again.code.reveal(), THERE)


@pytest.mark.proves("SIG-47", "SIG-60")
async def test_a_code_takes_a_fresh_proof(shop, builder) -> None:
    account = await shop.open_account(ANN)
    builder.clock.advance(timedelta(minutes=15))
    with pytest.raises(FreshSignInNeeded):
        await shop.another_device.start_device_binding(account.session, HERE)


@pytest.mark.proves("KER-201", "KER-212")
async def test_what_is_no_text_and_an_open_line_are_refused(shop) -> None:
    _, binding = await started(shop)
    for identifier, code in ((ANN, 7), (ANN, "x" * 65), (None, "x")):
        with pytest.raises(InvalidInput):
            await shop.another_device.start_adding(identifier, code, THERE)
    open_line = attrs.evolve(THERE, secure=False)
    with pytest.raises(InsecureTransport):
        await shop.another_device.start_adding(ANN, binding.code.reveal(), open_line)
    with pytest.raises(InsecureTransport):
        await shop.another_device.add_passkey(Secret("x"), "{}", "x", open_line)
