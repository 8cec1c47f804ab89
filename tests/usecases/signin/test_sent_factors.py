"""Phones and the mailbox as second steps: how they become one, and how weak they are."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, ContactPoint, ContactRole, VerificationMethod
from shopaccounts.kernel.assurance import Level
from shopaccounts.kernel.contact import ContactKind, PhoneNumber
from shopaccounts.kernel.errors import FreshSignInNeeded, Throttled
from shopaccounts.kernel.ids import ContactId, RealmId
from shopaccounts.kernel.phones import PhoneNotServed
from shopaccounts.kernel.tickets import forge
from shopaccounts.passwords import PASSWORDS, PasswordUnacceptable
from shopaccounts.signin import (
    AUTHENTICATORS,
    CodeWrong,
    EnrolmentEnded,
    EnrolmentNeedsVerifiedContact,
    FactorKind,
    NumberRisk,
    SecondFactorNeeded,
    SecondFactorPolicy,
    SentCodeAnswer,
    SignedIn,
    TooManyFactors,
    TotpCode,
    WayNotOffered,
)
from shopaccounts.signin.codes.sent import STEP
from shopaccounts.testing.apps import enrol_app
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, request_from
from shopaccounts.testing.doubles import ScriptedEntropy
from shopaccounts.testing.phones import with_phones

ANN, HERE = "ann@lamp.example", request_from(agent="a browser")
NUMBER = "+4915112345678"
PHONE = ContactId("phone")


@pytest.fixture
def builder(host):
    """Shops in Germany that reach phones."""
    return with_phones(host)


class Network:
    """Says what a test wants said of numbers."""

    def __init__(self) -> None:
        self.says: frozenset[NumberRisk] = frozenset()
        self.asked: list[str] = []

    def number(self, number: str) -> frozenset[NumberRisk]:
        """Answer what the test wants."""
        self.asked.append(number)
        return self.says


def told(builder, name):
    events = builder.storage.snapshot()[builder.scope.realm].books["events"].values()
    return [event for event in events if event.name == name]


async def with_phone(builder, account, *, proven=True):
    """Give the account a number."""
    now = builder.clock.now()
    phone = ContactPoint(
        id=PHONE,
        kind=ContactKind.PHONE,
        value=PhoneNumber.parse(NUMBER),
        roles=frozenset({ContactRole.NOTIFY}),
        added_at=now,
    )
    phone = phone.proven(VerificationMethod.CODE, "challenge", now) if proven else phone
    await builder.edit(CUSTOMERS, account.id, lambda c: attrs.evolve(c, contacts=(*c.contacts, phone)))


async def shown(shop, enrolled, session):
    """Show password and app, and answer the session's next value."""
    session = (await shop.signin.confirm_identity(session, PASSWORD, HERE)).session
    return (await shop.signin.confirm_identity(session, TotpCode(enrolled.app.next_code()), HERE)).session


async def with_app_and_phone(builder, shop):
    account = await shop.open_account(ANN)
    enrolled = await enrol_app(shop.factors, account.session, HERE, builder.clock)
    await with_phone(builder, account)
    return account, enrolled, await shown(shop, enrolled, enrolled.session)


async def half_way(shop):
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert isinstance(step, SecondFactorNeeded)
    return step, attrs.evolve(HERE, binding=step.set_cookies[0].value)


@pytest.mark.proves("SIG-33", "SIG-30", "SIG-31")
async def test_a_proven_number_becomes_a_second_step_beside_an_app(shop, builder) -> None:
    account, enrolled, session = await with_app_and_phone(builder, shop)
    sent = await shop.factors.add_sms_factor(session, PHONE, HERE, "My number")
    letter = builder.mailbag.last
    assert letter.to == NUMBER
    assert (await builder.kept(AUTHENTICATORS, account.id)).factors[1:] == ()
    answer = await shop.factors.confirm_sent_factor(session, sent.handle, letter.code, HERE)
    assert answer.recovery_codes == ()
    listed = await shop.factors.factors(answer.next_value.session, HERE)
    factor = listed.factors[1]
    assert (factor.id, factor.kind, factor.label) == (answer.factor, FactorKind.SMS, "My number")
    assert factor.hint
    assert NUMBER not in factor.hint
    assert [event.subject for event in told(builder, "signin.factor_enrolled")] == [account.id] * 2
    builder.clock.advance(timedelta(minutes=5))
    step, there = await half_way(shop)
    assert {option.kind for option in step.options} == {"totp", "sms", "recovery_codes"}
    again = await shop.step_codes.send_step_code(step.progress, answer.factor, there)
    code = SentCodeAnswer(again.handle, builder.mailbag.last.code, answer.factor)
    done = await shop.second_step.give_second_factor(step.progress, code, there)
    assert isinstance(done, SignedIn)
    assert done.auth.level is Level.MULTI
    assert enrolled.id


@pytest.mark.proves("SIG-33")
async def test_a_number_is_offered_with_its_warning_and_only_beside_something_stronger(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await with_phone(builder, account)
    listed = await shop.factors.factors(account.session, HERE)
    assert FactorKind.SMS not in {offer.kind for offer in listed.offers}
    with pytest.raises(WayNotOffered):
        await shop.factors.add_sms_factor(account.session, PHONE, HERE)
    enrolled = await enrol_app(shop.factors, account.session, HERE, builder.clock)
    (offer,) = (o for o in (await shop.factors.factors(enrolled.session, HERE)).offers if o.kind is FactorKind.SMS)
    assert (offer.contact, offer.warning) == (PHONE, "sms_is_weaker")
    assert NUMBER not in offer.hint


@pytest.mark.proves("SIG-33")
async def test_a_shop_may_offer_numbers_alone(host) -> None:
    builder = with_phones(host, second_factor=SecondFactorPolicy(sms_needs_alternative=False))
    shop = builder.build()
    account = await shop.open_account(ANN)
    await with_phone(builder, account)
    sent = await shop.factors.add_sms_factor(account.session, PHONE, HERE)
    answer = await shop.factors.confirm_sent_factor(account.session, sent.handle, builder.mailbag.last.code, HERE)
    assert len(answer.recovery_codes) == 10


@pytest.mark.proves("SIG-33")
async def test_a_shop_that_sends_no_texts_offers_none(host) -> None:
    builder = ShopBuilder(host=host)
    shop = builder.build()
    _, _, session = await with_app_and_phone(builder, shop)
    assert FactorKind.SMS not in {offer.kind for offer in (await shop.factors.factors(session, HERE)).offers}
    with pytest.raises(PhoneNotServed):
        await shop.factors.add_sms_factor(session, PHONE, HERE)


@pytest.mark.proves("SIG-33", "SIG-30")
async def test_only_a_proven_number_of_the_account_becomes_one(shop, builder) -> None:
    account = await shop.open_account(ANN)
    enrolled = await enrol_app(shop.factors, account.session, HERE, builder.clock)
    await with_phone(builder, account, proven=False)
    session = await shown(shop, enrolled, enrolled.session)
    email = (await builder.kept(CUSTOMERS, account.id)).contacts[0].id
    for contact in (PHONE, email, "nobody's"):
        with pytest.raises(EnrolmentNeedsVerifiedContact):
            await shop.factors.add_sms_factor(session, contact, HERE)
    assert not any(letter.to == NUMBER and "code" in letter.secrets for letter in builder.mailbag.letters)


@pytest.mark.proves("SIG-33")
async def test_a_number_on_a_new_card_gets_nothing_for_72_hours(host) -> None:
    network = Network()
    builder = with_phones(host)
    builder.ports = {**builder.ports, "risk_signals": network}
    shop = builder.build()
    _, enrolled, session = await with_app_and_phone(builder, shop)
    network.says = frozenset({NumberRisk.RECENT_SIM_CHANGE})
    with pytest.raises(WayNotOffered) as refused:
        await shop.factors.add_sms_factor(session, PHONE, HERE)
    assert (refused.value.way, network.asked) == ("sms", [NUMBER])
    network.says = frozenset()
    builder.clock.advance(timedelta(hours=72) - timedelta(minutes=6))
    fresh = await signed_in(shop, enrolled)
    with pytest.raises(WayNotOffered):
        await shop.factors.add_sms_factor(fresh, PHONE, HERE)
    assert not any(letter.to == NUMBER and "code" in letter.secrets for letter in builder.mailbag.letters)
    builder.clock.advance(timedelta(minutes=7))
    sent = await shop.factors.add_sms_factor(fresh, PHONE, HERE)
    answer = await shop.factors.confirm_sent_factor(fresh, sent.handle, builder.mailbag.last.code, HERE)
    network.says = frozenset({NumberRisk.RECENT_SIM_CHANGE})
    builder.clock.advance(timedelta(minutes=5))
    step, there = await half_way(shop)
    with pytest.raises(WayNotOffered):
        await shop.step_codes.send_step_code(step.progress, answer.factor, there)


async def signed_in(shop, enrolled):
    step, there = await half_way(shop)
    return (await shop.second_step.give_second_factor(step.progress, TotpCode(enrolled.app.next_code()), there)).session


@pytest.mark.proves("SIG-34", "SIG-30")
async def test_the_mailbox_becomes_a_second_step_and_no_second_factor(shop, builder) -> None:
    account = await shop.open_account(ANN)
    offered = {offer.kind for offer in (await shop.factors.factors(account.session, HERE)).offers}
    assert FactorKind.EMAIL_STEP in offered
    sent = await shop.factors.add_email_step(account.session, HERE)
    answer = await shop.factors.confirm_sent_factor(account.session, sent.handle, builder.mailbag.last.code, HERE)
    assert answer.recovery_codes == ()
    session = answer.next_value.session
    with pytest.raises(PasswordUnacceptable):
        await shop.passwords.change_password(session, PASSWORD, "wick9 brass", HERE)
    assert (await builder.kept(PASSWORDS, account.id)) is not None
    builder.clock.advance(timedelta(minutes=5))
    step, there = await half_way(shop)
    (option,) = step.options
    assert (option.kind, option.factor) == ("email_step", answer.factor)
    again = await shop.step_codes.send_step_code(step.progress, answer.factor, there)
    code = SentCodeAnswer(again.handle, builder.mailbag.last.code, answer.factor)
    done = await shop.second_step.give_second_factor(step.progress, code, there)
    assert isinstance(done, SignedIn)
    assert done.auth.level is Level.SINGLE


@pytest.mark.proves("SIG-34", "SIG-32")
async def test_a_step_by_mail_is_removed_by_who_reads_the_mailbox(shop, builder) -> None:
    account = await shop.open_account(ANN)
    sent = await shop.factors.add_email_step(account.session, HERE)
    answer = await shop.factors.confirm_sent_factor(account.session, sent.handle, builder.mailbag.last.code, HERE)
    builder.clock.advance(timedelta(minutes=16))
    session = (await shop.signin.confirm_identity(answer.next_value.session, PASSWORD, HERE)).session
    with pytest.raises(FreshSignInNeeded):
        await shop.factors.remove_factor(session, answer.factor, HERE)
    asked = await shop.step_codes.send_confirmation_code(session, HERE, answer.factor)
    code = SentCodeAnswer(asked.handle, builder.mailbag.last.code, answer.factor)
    session = (await shop.signin.confirm_identity(session, code, HERE)).session
    await shop.factors.remove_factor(session, answer.factor, HERE)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE), SignedIn)


@pytest.mark.proves("SIG-30", "SIG-44", "KER-263")
async def test_wrong_codes_cost_tries_and_make_wait(shop, builder) -> None:
    account = await shop.open_account(ANN)
    sent = await shop.factors.add_email_step(account.session, HERE)
    code = builder.mailbag.last.code
    left = []
    for _ in range(4):
        with pytest.raises(CodeWrong) as wrong:
            await shop.factors.confirm_sent_factor(account.session, sent.handle, "000000", HERE)
        left.append(wrong.value.tries_left)
    assert left == [4, 3, 2, 1]
    answer = await shop.factors.confirm_sent_factor(account.session, sent.handle, code, HERE)
    assert answer.factor
    builder.clock.advance(timedelta(minutes=2))
    account = await shop.open_account("bea@lamp.example")
    sent = await shop.factors.add_email_step(account.session, HERE)
    code = builder.mailbag.last.code
    for _ in range(5):
        with pytest.raises(CodeWrong):
            await shop.factors.confirm_sent_factor(account.session, sent.handle, "000000", HERE)
    with pytest.raises(Throttled):
        await shop.factors.confirm_sent_factor(account.session, sent.handle, code, HERE)


@pytest.mark.proves("SIG-30")
async def test_each_kind_is_confirmed_by_its_own_value(shop, builder) -> None:
    account = await shop.open_account(ANN)
    none = forge(STEP.handle, RealmId("main"), ScriptedEntropy("nobody's")).text
    with pytest.raises(EnrolmentEnded):
        await shop.factors.confirm_sent_factor(account.session, none, "123456", HERE)
    await shop.factors.start_totp(account.session, "", HERE)
    with pytest.raises(EnrolmentEnded):
        await shop.factors.confirm_sent_factor(account.session, none, "123456", HERE)
    sent = await shop.factors.add_email_step(account.session, HERE)
    with pytest.raises(EnrolmentEnded):
        await shop.factors.confirm_totp(account.session, builder.mailbag.last.code, HERE)
    builder.clock.advance(timedelta(minutes=1))
    other = await shop.factors.add_email_step(account.session, HERE)
    code = builder.mailbag.last.code
    refused = await failing(lambda: shop.factors.confirm_sent_factor(account.session, sent.handle, code, HERE))
    assert refused.startswith("signin.link")
    answer = await shop.factors.confirm_sent_factor(account.session, other.handle, code, HERE)
    with pytest.raises(TooManyFactors):
        await shop.factors.add_email_step(answer.next_value.session, HERE)


async def failing(attempt: Callable[[], Any]) -> str:
    """Answer the code of the rejection that this ends in."""
    try:
        await attempt()
    except Exception as error:  # noqa: BLE001  (whichever it is)
        return str(error)
    return ""
