"""Registering a phone number: by text message or call, with a code and without a link."""

import json
from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, AccountStatus, ContactRole, Reach, VerificationMethod, is_verified
from shopaccounts.kernel.assurance import Level, Method
from shopaccounts.kernel.contact import ContactKind, LineType, PhoneInvalid
from shopaccounts.kernel.errors import BadPolicy, Throttled
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.phones import CountryNotServed, PhoneNotServed, PhonePolicy
from shopaccounts.kernel.sending import SendPolicy
from shopaccounts.passwords import PASSWORDS, PasswordUnacceptable
from shopaccounts.registration import (
    ATTEMPTS,
    CodeExhausted,
    CodeWrong,
    ContactLinkInvalid,
    CorrectionsUsedUp,
    RegistrationForm,
)
from shopaccounts.signin import SESSIONS, SignedIn, SignInRefused
from shopaccounts.testing.builders import BEGINNING, PASSWORD, SITUATIONS, ShopBuilder, request_from
from shopaccounts.testing.phones import with_phones
from shopaccounts.testing.recording import assert_indistinguishable

TEL, TYPED, OTHER, ANN = "+4915123456789", "0151 234 567 89", "+4915198765432", "ann@lamp.example"
HERE = request_from()
FORM = RegistrationForm(identifier=TEL, password=PASSWORD)
TO_THE_OWNER = {
    "active": "registration.already_registered",
    "no password": "registration.already_registered",
    "suspended": "registration.account_suspended",
    "closing": "registration.account_closing",
}


@pytest.fixture
def builder(host) -> ShopBuilder:
    """As ``with_phones`` has it."""
    return with_phones(host)


def rows(builder, book):
    """Everything a book holds, in memory."""
    return tuple(builder.storage.snapshot()[builder.scope.realm].books[book.name].values())


def told(builder):
    return [event.name for event in rows(builder, EVENTS)]


@pytest.mark.proves("REG-8", "REG-10")
async def test_a_number_that_nobody_holds_opens_a_pending_account(shop, builder) -> None:
    started = await shop.registration.register(attrs.evolve(FORM, identifier=TYPED), HERE)
    (customer,), (attempt,) = rows(builder, CUSTOMERS), rows(builder, ATTEMPTS)
    assert customer.status is AccountStatus.PENDING
    (contact,) = customer.contacts
    assert (contact.kind, contact.key, contact.value.stored) == (ContactKind.PHONE, TEL, TYPED)
    assert (contact.value.country, contact.value.line) == ("DE", LineType.MOBILE)
    assert contact.value.plan
    assert not is_verified(contact)
    assert attempt.account == customer.id
    letter = builder.mailbag.last
    assert (letter.template, letter.to, letter.deliver) == ("registration.verify_contact", TEL, True)
    assert letter.message.channel is Channel.SMS
    assert letter.message.expires_at == builder.clock.now() + timedelta(minutes=10)
    assert letter.variables == {"shop": "Lampenhaus", "minutes": "10", "host": "lampenhaus.example"}
    assert set(letter.secrets) == {"code"}, "a phone gets no link"
    assert (started.channel, started.masked) == (Channel.SMS, "+49…89")
    assert told(builder) == ["registration.started", "registration.account_opened"]
    (opened,) = [event for event in rows(builder, EVENTS) if event.name == "registration.account_opened"]
    assert json.loads(opened.data)["way"] == "phone"


@pytest.mark.proves("REG-8", "REG-15", "CUS-31", "CUS-32")
async def test_the_code_proves_the_number_and_opens_the_account(shop, builder) -> None:
    started = await shop.registration.register(FORM, HERE)
    done = await shop.registration.complete_registration(started.handle, builder.mailbag.last.code, HERE)
    assert isinstance(done.step, SignedIn)
    customer = await builder.kept(CUSTOMERS, done.account)
    (contact,) = customer.contacts
    assert customer.status is AccountStatus.ACTIVE
    assert is_verified(contact)
    assert contact.verified.value_key == TEL
    assert contact.verified.method is VerificationMethod.CODE
    assert contact.reach is Reach.REACHABLE
    assert contact.roles == {ContactRole.PRIMARY, ContactRole.LOGIN, ContactRole.NOTIFY}
    assert customer.sign_in_email is None
    assert customer.sign_in_contact.e164 == TEL
    assert {"registration.contact_verified", "registration.account_activated"} < set(told(builder))


@pytest.mark.proves("REG-15")
async def test_a_password_that_was_just_chosen_is_no_second_factor_to_the_code(shop, builder) -> None:
    account = await shop.open_account(TEL)
    (session,) = [one for one in rows(builder, SESSIONS) if one.account == account.id]
    assert session.auth.level is Level.SINGLE
    assert {proof.method for proof in session.auth.proofs} == {Method.SMS_CODE}


@pytest.mark.proves("REG-8")
async def test_a_call_says_the_code_to_a_fixed_line_too(shop, builder) -> None:
    fixed = attrs.evolve(FORM, identifier="030 901820")
    with pytest.raises(PhoneNotServed) as refused:
        await shop.registration.register(fixed, HERE)
    assert refused.value.reason == "line_type"
    started = await shop.registration.register(attrs.evolve(fixed, by_call=True), HERE)
    assert started.channel is Channel.VOICE
    assert builder.mailbag.last.message.channel is Channel.VOICE
    done = await shop.registration.complete_registration(started.handle, builder.mailbag.last.code, HERE)
    assert isinstance(done.step, SignedIn)


@pytest.mark.proves("REG-8")
async def test_another_code_may_come_by_call_and_the_first_one_is_dead(shop, builder) -> None:
    started = await shop.registration.register(FORM, HERE)
    first = builder.mailbag.last.code
    builder.clock.advance(timedelta(minutes=1))
    sent = await shop.registration.resend_verification(started.handle, HERE, by_call=True)
    assert (sent.channel, sent.masked) == (Channel.VOICE, "+49…89")
    letter = builder.mailbag.last
    assert (letter.message.channel, letter.to, set(letter.secrets)) == (Channel.VOICE, TEL, {"code"})
    with pytest.raises(CodeWrong):
        await shop.registration.complete_registration(started.handle, first, HERE)
    await shop.registration.complete_registration(started.handle, letter.code, HERE)


@pytest.mark.proves("REG-8")
async def test_an_address_is_never_called(shop, builder) -> None:
    started = await shop.registration.register(RegistrationForm(identifier=ANN, by_call=True), HERE)
    assert (started.channel, builder.mailbag.last.message.channel) == (Channel.EMAIL, Channel.EMAIL)


@pytest.mark.proves("REG-8", "CUS-29", "ADA-203")
@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("0151 23456789 x12", "extension"),
        ("0800-LAMPEN", "letters"),
        ("112", "short_code"),
        ("0900 1234567", "line_type"),
        ("0180 1234567", "line_type"),
        ("0800 1234567", "line_type"),
        ("+49 32 12345678", "unknown"),
        ("+4915123456789\n", "characters"),
        ("0151 2345678٩", "characters"),
    ],
)
async def test_what_can_prove_nobody_is_refused_before_anything_is_kept(shop, builder, typed, reason) -> None:
    with pytest.raises(PhoneInvalid) as refused:
        await shop.registration.register(attrs.evolve(FORM, identifier=typed), HERE)
    assert refused.value.reason == reason
    assert not builder.mailbag.letters
    assert not rows(builder, EVENTS)


@pytest.mark.proves("REG-8", "KER-264")
async def test_regions_and_countries_are_a_matter_of_policy(host) -> None:
    region = with_phones(host, phones=PhonePolicy(default_country="DE", regions=frozenset({"DE"}))).build()
    with pytest.raises(PhoneNotServed) as refused:
        await region.registration.register(attrs.evolve(FORM, identifier="+43 664 1234567"), HERE)
    assert refused.value.reason == "region"
    country = with_phones(host, sends=SendPolicy(allowed_countries=frozenset({"DE"}))).build()
    with pytest.raises(CountryNotServed):
        await country.registration.register(attrs.evolve(FORM, identifier="+43 664 1234567"), HERE)
    for shop in (region, country):
        await shop.registration.register(FORM, HERE)


@pytest.mark.proves("REG-8")
async def test_a_shop_that_reaches_no_phones_takes_no_numbers(host) -> None:
    shop = ShopBuilder(host=host).build()
    with pytest.raises(PhoneNotServed) as refused:
        await shop.registration.register(FORM, HERE)
    assert refused.value.reason == "off"


@pytest.mark.proves("CUS-29")
async def test_without_numbering_plans_numbers_are_typed_in_international_form(host) -> None:
    builder = attrs.evolve(with_phones(host), ports={})
    shop = builder.build()
    with pytest.raises(PhoneInvalid):
        await shop.registration.register(attrs.evolve(FORM, identifier=TYPED), HERE)
    assert (await shop.open_account(TEL)).id


@pytest.mark.proves("REG-8")
async def test_a_password_may_not_lean_on_the_number(shop) -> None:
    with pytest.raises(PasswordUnacceptable):
        await shop.registration.register(attrs.evolve(FORM, password="4915123456789 ab"), HERE)


# Whoever holds it


@pytest.mark.proves("REG-10")
@pytest.mark.parametrize("situation", SITUATIONS)
async def test_one_attempt_and_one_message_are_recorded_in_every_situation(shop, builder, situation) -> None:
    await shop.arrange(situation, TEL)
    before = len(builder.mailbag.letters)
    await shop.registration.register(FORM, HERE)
    attempts = [one for one in rows(builder, ATTEMPTS) if one.value.key == TEL]
    assert len([one for one in attempts if one.started_at == builder.clock.now()]) == 1
    assert len(builder.mailbag.letters) == before + 1
    letter = builder.mailbag.last
    assert letter.template == TO_THE_OWNER.get(situation, "registration.verify_contact")
    assert (letter.to, letter.deliver, letter.message.channel) == (TEL, True, Channel.SMS)


@pytest.mark.proves("KER-250", "KER-252", "KER-254", "REG-10", "REG-8")
@pytest.mark.parametrize("password", [PASSWORD, None], ids=["with a password", "without"])
async def test_nobody_learns_whose_a_number_is(host, password) -> None:
    async def use_case(situation, recorder):
        builder = with_phones(host)
        await builder.build().arrange(situation, TEL)
        builder.clock.set(BEGINNING + timedelta(days=3))
        letters = len(builder.mailbag.letters)
        shop = builder.build(recorder)
        recorder.trace.clear()
        form = attrs.evolve(FORM, password=password, identifier=TYPED)
        answers = [repr(await shop.registration.register(form, HERE))]
        try:
            await shop.registration.register(form, HERE)
        except Throttled as held:
            answers.append(repr(held))
        return answers, len(builder.mailbag.letters) - letters

    await assert_indistinguishable(use_case, {name: name for name in SITUATIONS})


@pytest.mark.proves("REG-10", "REG-15")
async def test_an_owner_keeps_the_number_and_the_decoy_ends_like_any_challenge(shop, builder) -> None:
    account = await shop.open_account(TEL)
    before = await builder.kept(CUSTOMERS, account.id)
    started = await shop.registration.register(attrs.evolve(FORM, identifier=TYPED), HERE)
    assert builder.mailbag.last.to == TEL
    assert not builder.mailbag.last.secrets
    for _ in range(4):
        with pytest.raises(CodeWrong):
            await shop.registration.complete_registration(started.handle, "123456", HERE)
    with pytest.raises((CodeWrong, CodeExhausted)):
        await shop.registration.complete_registration(started.handle, "123456", HERE)
    with pytest.raises(CodeExhausted):
        await shop.registration.complete_registration(started.handle, "123456", HERE)
    assert await builder.kept(CUSTOMERS, account.id) == before


@pytest.mark.proves("REG-12", "REG-30")
async def test_whoever_registered_somebody_elses_number_first_has_nothing_of_it(shop, builder) -> None:
    thief = await shop.registration.register(attrs.evolve(FORM, password="the thief's own lamp in here"), HERE)
    old_code = builder.mailbag.last.code
    builder.clock.advance(timedelta(minutes=2))
    owner = await shop.registration.register(FORM, request_from("198.51.100.9"))
    done = await shop.registration.complete_registration(owner.handle, builder.mailbag.last.code, HERE)
    with pytest.raises(ContactLinkInvalid):
        await shop.registration.complete_registration(thief.handle, old_code, HERE)
    builder.clock.advance(timedelta(minutes=2))
    assert isinstance(await shop.signin.sign_in_with_password(TEL, PASSWORD, HERE), SignedIn)
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(TEL, "the thief's own lamp in here", HERE)
    assert len([one for one in rows(builder, PASSWORDS) if one.id == done.account]) == 1


@pytest.mark.proves("REG-18")
async def test_a_mistyped_number_is_corrected_to_another_number_or_an_address(shop, builder) -> None:
    started = await shop.registration.register(FORM, HERE)
    for to, channel in ((OTHER, Channel.SMS), (ANN, Channel.EMAIL), (TEL, Channel.SMS)):
        builder.clock.advance(timedelta(minutes=2))
        again = await shop.registration.change_attempt_contact(started.handle, to, HERE)
        assert (again.channel, builder.mailbag.last.message.channel, builder.mailbag.last.to) == (channel, channel, to)
    builder.clock.advance(timedelta(minutes=2))
    with pytest.raises(CorrectionsUsedUp):
        await shop.registration.change_attempt_contact(started.handle, OTHER, HERE)
    done = await shop.registration.complete_registration(started.handle, builder.mailbag.last.code, HERE)
    (contact,) = (await builder.kept(CUSTOMERS, done.account)).contacts
    assert contact.key == TEL


@pytest.mark.proves("REG-19")
async def test_a_code_proves_only_the_number_that_it_went_to(shop, builder) -> None:
    started = await shop.registration.register(FORM, HERE)
    code = builder.mailbag.last.code
    builder.clock.advance(timedelta(minutes=2))
    await shop.registration.change_attempt_contact(started.handle, OTHER, HERE)
    with pytest.raises(CodeWrong):
        await shop.registration.complete_registration(started.handle, code, HERE)


@pytest.mark.proves("REG-22")
async def test_a_number_that_nobody_proves_is_free_again(shop, builder) -> None:
    await shop.registration.register(FORM, HERE)
    builder.clock.advance(timedelta(days=31))
    await shop.upkeep.tick()
    assert [customer.contacts for customer in rows(builder, CUSTOMERS)] == [()]


@pytest.mark.proves("KER-264")
async def test_one_number_gets_three_codes_an_hour_however_it_is_spelled(shop, builder) -> None:
    spellings = [TEL, TYPED, "+49 (0)151 23456789", "0049 151 23456789"]
    for spelling in spellings[:3]:
        await shop.registration.register(attrs.evolve(FORM, identifier=spelling), HERE)
        builder.clock.advance(timedelta(minutes=1))
    with pytest.raises(Throttled) as held:
        await shop.registration.register(attrs.evolve(FORM, identifier=spellings[3]), request_from("198.51.100.3"))
    assert held.value.retry_after == timedelta(minutes=57)


# Signing in by it


@pytest.mark.proves("REG-13", "REG-8")
async def test_who_asks_for_a_code_to_sign_in_before_the_number_is_proven_gets_the_one_that_proves_it(
    shop, builder
) -> None:
    started = await shop.registration.register(FORM, HERE)
    builder.clock.advance(timedelta(minutes=2))
    await shop.code_signin.request_sign_in_code(TYPED, Channel.SMS, HERE)
    letter = builder.mailbag.last
    assert (letter.template, letter.to, letter.message.channel) == ("registration.verify_contact", TEL, Channel.SMS)
    assert set(letter.secrets) == {"code"}
    await shop.registration.complete_registration(started.handle, letter.code, HERE)


@pytest.mark.proves("KER-206", "ADA-203")
@pytest.mark.parametrize("typed", [TEL, TYPED, "+49 151 23456789", "(0151) 23456789"])
async def test_one_signs_in_by_the_number_however_it_is_spelled(shop, typed) -> None:
    await shop.open_account(TEL)
    assert isinstance(await shop.signin.sign_in_with_password(typed, PASSWORD, HERE), SignedIn)
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(OTHER, PASSWORD, HERE)


@pytest.mark.proves("ADA-203")
async def test_a_stored_number_signs_in_although_its_plan_has_changed(shop, builder, monkeypatch) -> None:
    await shop.open_account(TEL)
    monkeypatch.setattr("phonenumbers.is_valid_number", lambda _: False)
    for typed in (TEL, TYPED):
        assert isinstance(await shop.signin.sign_in_with_password(typed, PASSWORD, HERE), SignedIn)
    quiet = attrs.evolve(builder, couriers={}).build()
    assert isinstance(await quiet.signin.sign_in_with_password(TEL, PASSWORD, HERE), SignedIn)


@pytest.mark.proves("KER-206")
async def test_what_can_be_no_number_is_refused_for_everybody(shop) -> None:
    for typed in ("+49 151", "0151x", "+4915123456789\n"):
        with pytest.raises(PhoneInvalid):
            await shop.signin.sign_in_with_password(typed, PASSWORD, HERE)


@pytest.mark.proves("CUS-33")
async def test_a_number_that_only_gets_notices_signs_nobody_in(shop, builder) -> None:
    account = await shop.open_account(ANN)
    added = await shop.contacts.add_contact(account.session, TEL, HERE)
    await shop.contacts.prove_added_contact(account.session, added.addition, builder.mailbag.last.code, HERE)
    builder.clock.advance(timedelta(minutes=5))
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(TEL, PASSWORD, HERE)
    assert (await shop.open_account(TEL)).id != account.id


def test_a_policy_is_checked_when_the_shop_is_made() -> None:
    with pytest.raises(BadPolicy):
        PhonePolicy(default_country="Germany")


@pytest.mark.proves("SIG-80")
async def test_the_owner_of_a_stopped_account_without_an_address_is_told_by_text_message(shop, builder) -> None:
    await shop.arrange("suspended", TEL)
    before = len(builder.mailbag.letters)
    step = await shop.signin.sign_in_with_password(TEL, PASSWORD, HERE)
    assert type(step).__name__ == "AccountSuspended"
    (letter,) = builder.mailbag.letters[before:]
    assert (letter.template, letter.to, letter.message.channel) == ("signin.suspended_tried", TEL, Channel.SMS)
