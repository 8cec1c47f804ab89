"""Getting in by a code to one's phone: by text message, or by a call."""

import re
from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import (
    CUSTOMERS,
    AccountStatus,
    ContactPoint,
    ContactRole,
    LifecyclePolicy,
    Trigger,
    VerificationMethod,
)
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Level, Method, ProofKind
from shopaccounts.kernel.contact import ContactKind, PhoneNumber
from shopaccounts.kernel.ids import ContactId
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.record import Change
from shopaccounts.signin import (
    AUTHENTICATORS,
    Authenticators,
    CodeWrong,
    Factor,
    FactorKind,
    PasswordAnswer,
    SecondFactorNeeded,
    SignedIn,
    WayNotOffered,
)
from shopaccounts.testing.builders import PASSWORD, request_from
from shopaccounts.testing.phones import with_phones
from shopaccounts.testing.recording import assert_indistinguishable

ANN, HERE = "ann@lamp.example", request_from(agent="a browser")
NUMBER = "+4915112345678"
LOGIN, NOTIFY = ContactRole.LOGIN, ContactRole.NOTIFY
SITUATIONS = {
    "active": (LOGIN, NOTIFY),
    "no sign-in number": (NOTIFY,),
    "suspended": (LOGIN, NOTIFY),
    "stale": (LOGIN, NOTIFY),
}
MINUTE = timedelta(minutes=1)


@pytest.fixture
def builder(host):
    """Shops in Germany that reach phones."""
    return with_phones(host)


async def with_number(shop, builder, roles=(ContactRole.LOGIN, ContactRole.NOTIFY)):
    """Open an account that signs in by a phone number as well."""
    account, now = await shop.open_account(ANN), builder.clock.now()
    phone = ContactPoint(
        id=ContactId("phone"),
        kind=ContactKind.PHONE,
        value=PhoneNumber.parse(NUMBER),
        roles=frozenset(roles),
        added_at=now,
    ).proven(VerificationMethod.CODE, "challenge", now)
    await builder.edit(CUSTOMERS, account.id, lambda c: attrs.evolve(c, contacts=(*c.contacts, phone)))
    return account


@pytest.mark.proves("SIG-1", "SIG-15", "KER-246", "KER-263")
@pytest.mark.parametrize("channel", [Channel.SMS, Channel.VOICE])
async def test_a_code_to_the_phone_signs_in(shop, builder, channel) -> None:
    account = await with_number(shop, builder)
    sent = await shop.code_signin.request_sign_in_code(NUMBER, channel, HERE)
    letter = builder.mailbag.last
    assert (letter.to, letter.message.channel, "link" in letter.secrets) == (NUMBER, channel, False)
    assert letter.variables.get("host") == ("lampenhaus.example" if channel is Channel.SMS else None)
    assert NUMBER not in sent.masked
    step = await shop.code_signin.sign_in_with_code(sent.handle, letter.code, HERE)
    assert isinstance(step, SignedIn)
    (proof,) = step.auth.proofs
    assert (step.account, proof.method, proof.kind) == (account.id, Method.SMS_CODE, ProofKind.POSSESSION)


@pytest.mark.proves("KER-221", "KER-251", "KER-250")
async def test_a_number_that_signs_in_nobody_gets_nothing_and_a_handle_all_the_same(shop, builder) -> None:
    await with_number(shop, builder, (ContactRole.NOTIFY,))
    for number in (NUMBER, "+4915187654321"):
        builder.clock.advance(2 * MINUTE)
        sent = await shop.code_signin.request_sign_in_code(number, Channel.SMS, HERE)
        assert not builder.mailbag.last.deliver
        with pytest.raises(CodeWrong):
            await shop.code_signin.sign_in_with_code(sent.handle, builder.mailbag.last.code, HERE)


@pytest.mark.proves("SIG-18")
async def test_a_shop_that_reaches_no_phones_offers_no_codes_to_them(builder) -> None:
    quiet = attrs.evolve(builder, couriers={}).build()
    for channel, way in ((Channel.SMS, "sms_code"), (Channel.VOICE, "voice")):
        with pytest.raises(WayNotOffered) as refused:
            await quiet.code_signin.request_sign_in_code(NUMBER, channel, HERE)
        assert refused.value.way == way


@pytest.mark.proves("SIG-2", "REG-8")
async def test_a_code_to_the_phone_keeps_an_account_that_was_being_closed(host) -> None:
    builder = with_phones(host, lifecycle=LifecyclePolicy(sign_in_cancels_closing=True))
    shop = builder.build()
    account = await with_number(shop, builder)
    await builder.step(account.id, Trigger.REQUEST_CLOSING)
    sent = await shop.code_signin.request_sign_in_code(NUMBER, Channel.SMS, HERE)
    step = await shop.code_signin.sign_in_with_code(sent.handle, builder.mailbag.last.code, HERE)
    assert isinstance(step, SignedIn)
    customer = await builder.kept(CUSTOMERS, account.id)
    assert customer is not None
    assert customer.status is AccountStatus.ACTIVE


@pytest.mark.proves("SIG-1", "KER-270")
async def test_after_a_code_to_the_phone_the_same_phone_is_no_second_step_and_the_password_is(shop, builder) -> None:
    account = await with_number(shop, builder)
    now = builder.clock.now()
    factor = Factor(id="sms", kind=FactorKind.SMS, created_at=now, contact=ContactId("phone"))
    own = Authenticators(id=account.id, realm=builder.scope.realm, factors=(factor,))
    await got(builder.storage.open(builder.scope).record(Change(writes=(AUTHENTICATORS.add(own),))))
    sent = await shop.code_signin.request_sign_in_code(NUMBER, Channel.SMS, HERE)
    there = attrs.evolve(HERE, binding=sent.set_cookies[0].value)
    step = await shop.code_signin.sign_in_with_code(sent.handle, builder.mailbag.last.code, there)
    assert isinstance(step, SecondFactorNeeded)
    assert [option.kind for option in step.options] == ["password"]
    done = await shop.second_step.give_second_factor(step.progress, PasswordAnswer(PASSWORD), there)
    assert isinstance(done, SignedIn)
    assert done.auth.level is Level.MULTI


@pytest.mark.proves("KER-250", "KER-254", "SIG-15")
@pytest.mark.parametrize("channel", [Channel.SMS, Channel.VOICE])
async def test_nobody_learns_who_has_a_number(host, channel) -> None:
    async def use_case(situation, recorder):
        builder = with_phones(host)
        plain = builder.build()
        if situation != "unknown":
            account = await with_number(plain, builder, SITUATIONS[situation])
            if situation == "suspended":
                await builder.step(account.id, Trigger.SUSPEND)
        builder.clock.advance(timedelta(days=200 if situation == "stale" else 3))
        letters = len(builder.mailbag.letters)
        shop = builder.build(recorder)
        recorder.trace.clear()
        answer = repr(await shop.code_signin.request_sign_in_code(NUMBER, channel, HERE))
        when = r"datetime\.datetime\([^)]*\)+"
        return re.sub(when, "then", answer), len(builder.mailbag.letters) - letters

    await assert_indistinguishable(use_case, {name: name for name in ("unknown", *SITUATIONS)})
