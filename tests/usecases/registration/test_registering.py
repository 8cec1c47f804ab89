"""Registering an address: what is recorded and what goes out, for each way the address may stand with the shop."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, AccountStatus, StatusReason, Trigger, follow, is_verified
from shopaccounts.kernel.contact import EmailInvalid, EmailUnsupportedCharacters
from shopaccounts.kernel.errors import BadPolicy, InsecureTransport, InvalidInput, Throttled
from shopaccounts.kernel.limits import Window
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.security import SECURITY
from shopaccounts.passwords import PASSWORDS, PasswordUnacceptable
from shopaccounts.registration import (
    ATTEMPTS,
    CodeWrong,
    ContactLinkInvalid,
    RegistrationForm,
    RegistrationPolicy,
)
from shopaccounts.signin import SignInRefused
from shopaccounts.testing.builders import PASSWORD, SITUATIONS, ShopBuilder, quick_policies, request_from, without_gaps

ANN = "ann@lamp.example"
HERE = request_from()
ORDINARY = RegistrationForm(identifier=ANN, password=PASSWORD)
TO_THE_OWNER = {
    "active": "registration.already_registered",
    "no password": "registration.already_registered",
    "suspended": "registration.account_suspended",
    "closing": "registration.account_closing",
}


def rows(builder, book):
    """Everything a book holds, in memory."""
    return tuple(builder.storage.snapshot()[builder.scope.realm].books[book.name].values())


def told(builder):
    return [event.name for event in rows(builder, EVENTS)]


@pytest.mark.proves("REG-10")
async def test_an_address_that_nobody_holds_opens_a_pending_account(shop, builder) -> None:
    started = await shop.registration.register(ORDINARY, HERE)
    (customer,), (attempt,) = rows(builder, CUSTOMERS), rows(builder, ATTEMPTS)
    assert customer.status is AccountStatus.PENDING
    assert customer.standing.until == builder.clock.now() + timedelta(days=30)
    assert not is_verified(customer.contacts[0])
    assert attempt.account == customer.id
    assert not rows(builder, PASSWORDS), "the account has none of it before the address is proven"
    assert not rows(builder, SECURITY)
    letter = builder.mailbag.last
    assert (letter.template, letter.to, letter.deliver) == ("registration.verify_contact", ANN, True)
    assert letter.variables == {"shop": "Lampenhaus", "minutes": "10"}
    assert set(letter.secrets) == {"code", "link"}
    assert told(builder) == ["registration.started", "registration.account_opened"]
    assert (started.channel, started.masked) == (Channel.EMAIL, "a***@lamp.example")
    assert started.resend_after == timedelta(seconds=60)
    assert started.expires_at == builder.clock.now() + timedelta(minutes=10)


@pytest.mark.proves("REG-10")
@pytest.mark.parametrize("situation", SITUATIONS)
async def test_one_attempt_and_one_message_are_recorded_in_every_situation(shop, builder, situation) -> None:
    await shop.arrange(situation, ANN)
    before = len(builder.mailbag.letters)
    await shop.registration.register(ORDINARY, HERE)
    attempts = [attempt for attempt in rows(builder, ATTEMPTS) if attempt.value.stored == ANN]
    assert len([a for a in attempts if a.started_at == builder.clock.now()]) == 1
    assert len(builder.mailbag.letters) == before + 1
    assert builder.mailbag.last.template == TO_THE_OWNER.get(situation, "registration.verify_contact")
    assert builder.mailbag.last.deliver


@pytest.mark.proves("REG-10")
@pytest.mark.parametrize("situation", TO_THE_OWNER)
async def test_an_owner_is_told_and_nothing_else_happens_to_the_account(shop, builder, situation) -> None:
    account = await shop.arrange(situation, ANN)
    before = [await builder.kept(book, account) for book in (CUSTOMERS, SECURITY, PASSWORDS)]
    started = await shop.registration.register(ORDINARY, HERE)
    assert [await builder.kept(book, account) for book in (CUSTOMERS, SECURITY, PASSWORDS)] == before
    assert len(rows(builder, CUSTOMERS)) == 1
    assert told(builder)[-1] == "registration.duplicate_attempted"
    (decoy,) = [attempt for attempt in rows(builder, ATTEMPTS) if attempt.account is None]
    assert decoy.own_password is None
    assert not builder.mailbag.last.secrets
    with pytest.raises(CodeWrong):
        await shop.registration.complete_registration(started.handle, "123456", HERE)


@pytest.mark.proves("REG-10")
async def test_mail_to_an_owner_goes_to_the_spelling_that_the_owner_proved(shop, builder) -> None:
    await shop.open_account("Ann@lamp.example")
    await shop.registration.register(RegistrationForm(identifier="ANN@LAMP.example"), HERE)
    assert builder.mailbag.last.to == "Ann@lamp.example"


@pytest.mark.proves("REG-10")
async def test_mail_to_an_owner_is_in_the_owners_language(shop, builder) -> None:
    started = await shop.registration.register(attrs.evolve(ORDINARY, locale="de"), HERE)
    await shop.registration.complete_registration(started.handle, builder.mailbag.last.code, HERE)
    builder.clock.advance(timedelta(minutes=2))
    await shop.registration.register(attrs.evolve(ORDINARY, locale="fr"), HERE)
    assert builder.mailbag.last.message.locale == "de"


@pytest.mark.proves("REG-10")
async def test_a_suspension_that_is_over_counts_no_more(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await builder.step(account.id, Trigger.SUSPEND, until=builder.clock.now() + timedelta(minutes=5))
    builder.clock.advance(timedelta(minutes=5))
    await shop.registration.register(ORDINARY, HERE)
    assert builder.mailbag.last.template == "registration.already_registered"


@pytest.mark.proves("REG-12")
async def test_a_pending_account_whose_suspension_is_over_can_start_over(shop, builder) -> None:
    account = await shop.arrange("pending", ANN)
    until = builder.clock.now() + timedelta(minutes=5)
    await builder.edit(CUSTOMERS, account, lambda c: follow(c, Trigger.SUSPEND, reason=StatusReason.ABUSE, until=until))
    builder.clock.set(until)
    started = await shop.registration.register(ORDINARY, HERE)
    await shop.registration.complete_registration(started.handle, builder.mailbag.last.code, HERE)
    assert (await builder.kept(CUSTOMERS, account)).status is AccountStatus.ACTIVE


@pytest.mark.proves("REG-11")
async def test_a_new_account_shares_nothing_with_a_record_that_had_the_address(shop, builder) -> None:
    old = await shop.arrange("closed", ANN)
    before = await builder.kept(CUSTOMERS, old)
    account = await shop.open_account(ANN)
    assert account.id != old
    assert await builder.kept(CUSTOMERS, old) == before


@pytest.mark.proves("REG-12")
async def test_registering_a_waiting_address_again_keeps_nothing_of_the_earlier_attempt(shop, builder) -> None:
    first = await shop.registration.register(attrs.evolve(ORDINARY, locale="de", return_path="/trap"), HERE)
    code, link = builder.mailbag.last.code, builder.mailbag.last.token
    (customer,) = rows(builder, CUSTOMERS)
    builder.clock.advance(timedelta(minutes=2))
    second = await shop.registration.register(attrs.evolve(ORDINARY, password="the second of two winters"), HERE)
    (again,), (attempt,) = rows(builder, CUSTOMERS), rows(builder, ATTEMPTS)
    assert (again.id, again.version) == (customer.id, 2)
    assert (again.locale, attempt.return_path) == ("en", "/")
    assert again.contacts[0].id != customer.contacts[0].id
    assert again.standing.until == builder.clock.now() + timedelta(days=30)
    assert told(builder)[-2:] == ["guests.account_cleansed", "registration.attempt_restarted"]
    with pytest.raises(ContactLinkInvalid):
        await shop.registration.complete_registration(first.handle, code, HERE)
    with pytest.raises(ContactLinkInvalid):
        await shop.registration.take_over_contact(link, PASSWORD, HERE)
    await shop.registration.complete_registration(second.handle, builder.mailbag.last.code, HERE)
    builder.clock.advance(timedelta(minutes=2))
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    await shop.signin.sign_in_with_password(ANN, "the second of two winters", HERE)


@pytest.mark.proves("REG-12")
async def test_an_attempt_is_replaced_although_the_key_of_its_digest_was_changed(shop, builder) -> None:
    first = await shop.registration.register(ORDINARY, HERE)
    code = builder.mailbag.last.code
    (attempt,) = rows(builder, ATTEMPTS)
    await builder.edit(ATTEMPTS, attempt.id, lambda a: attrs.evolve(a, contact="made with an older key"))
    builder.clock.advance(timedelta(minutes=2))
    await shop.registration.register(ORDINARY, HERE)
    with pytest.raises(ContactLinkInvalid):
        await shop.registration.complete_registration(first.handle, code, HERE)


@pytest.mark.proves("REG-1")
def test_a_form_can_set_nothing_else_about_an_account() -> None:
    assert [field.name for field in attrs.fields(RegistrationForm)] == [
        "identifier",
        "password",
        "locale",
        "return_path",
        "fields",
        "accepted",
        "choices",
        "by_call",
    ]
    with pytest.raises(TypeError):
        RegistrationForm(identifier=ANN, status="active")  # type: ignore[call-arg]


@pytest.mark.proves("REG-1")
async def test_a_page_of_another_site_is_not_returned_to(shop, builder) -> None:
    started = await shop.registration.register(attrs.evolve(ORDINARY, return_path="//evil.example/"), HERE)
    done = await shop.registration.complete_registration(started.handle, builder.mailbag.last.code, HERE)
    assert done.return_path == "/"


@pytest.mark.proves("REG-1")
async def test_a_form_shows_neither_address_nor_password() -> None:
    text = repr(RegistrationForm(identifier=ANN, password=PASSWORD))
    assert ANN not in text
    assert PASSWORD not in text


@pytest.mark.proves("REG-2")
async def test_an_account_without_a_password_has_no_record_of_one(shop, builder) -> None:
    account = await shop.open_account(ANN, password=None)
    assert await builder.kept(PASSWORDS, account.id) is None
    for guess in ("", " ", PASSWORD, "None"):
        with pytest.raises(SignInRefused):
            await shop.signin.sign_in_with_password(ANN, guess, HERE)


@pytest.mark.proves("REG-10")
@pytest.mark.parametrize("situation", SITUATIONS)
async def test_a_password_is_judged_before_anything_is_asked_of_the_shops_books(shop, builder, situation) -> None:
    await shop.arrange(situation, ANN)
    before, letters = builder.storage.snapshot()["main"].books, len(builder.mailbag.letters)
    with pytest.raises(PasswordUnacceptable):
        await shop.registration.register(attrs.evolve(ORDINARY, password="too short"), HERE)
    assert builder.storage.snapshot()["main"].books == before
    assert len(builder.mailbag.letters) == letters


@pytest.mark.proves("KER-201")
@pytest.mark.parametrize(
    "form",
    [
        {"identifier": None},
        {"identifier": [ANN, "eve@lamp.example"]},
        {"identifier": ANN.encode()},
        {"identifier": "a" * 321},
        {"identifier": "ann\r\nbcc@lamp.example"},
        {"identifier": "\u200bann@lamp.example"},
        {"identifier": "ann"},
        {"password": 7},
        {"password": ["x"]},
        {"password": "a" * 1025},
        {"locale": 5},
        {"locale": "../../etc"},
    ],
)
async def test_what_can_be_no_form_is_refused_before_any_port_is_called(shop, builder, form) -> None:
    with pytest.raises((InvalidInput, EmailInvalid, EmailUnsupportedCharacters)):
        await shop.registration.register(attrs.evolve(ORDINARY, **form), HERE)
    assert not builder.storage.snapshot()["main"].counters


async def test_nothing_is_taken_from_an_unencrypted_request(shop, builder) -> None:
    with pytest.raises(InsecureTransport):
        await shop.registration.register(ORDINARY, request_from(secure=False))
    assert not builder.storage.snapshot()["main"].counters


@pytest.mark.proves("KER-252")
@pytest.mark.parametrize("situation", SITUATIONS)
async def test_a_network_registers_twenty_times_an_hour_whoever_has_the_addresses(host, situation) -> None:
    builder = ShopBuilder(host=host, policies=quick_policies(sends=without_gaps()))
    shop = builder.build()
    await shop.arrange(situation, ANN)
    for _ in range(20):
        await shop.registration.register(ORDINARY, HERE)
    with pytest.raises(Throttled) as held:
        await shop.registration.register(ORDINARY, HERE)
    assert held.value.retry_after == timedelta(hours=1)
    builder.clock.advance(held.value.retry_after)
    await shop.registration.register(ORDINARY, HERE)


@pytest.mark.parametrize(
    "values",
    [
        {"code_life": timedelta(0)},
        {"code_life": timedelta(minutes=11)},
        {"code_life": timedelta(seconds=90)},
        {"challenge_life": timedelta(minutes=5)},
        {"challenge_life": timedelta(minutes=31)},
        {"code_tries": 0},
        {"code_tries": 11},
        {"link_life": timedelta(0)},
        {"link_life": timedelta(hours=25)},
    ],
)
@pytest.mark.proves("REG-15")
def test_a_policy_that_weakens_codes_or_links_fails_at_start_up(values) -> None:
    with pytest.raises(BadPolicy):
        RegistrationPolicy(**values)


async def test_how_many_may_register_is_a_matter_of_policy(host) -> None:
    strict = RegistrationPolicy(attempts_per_network=Window(limit=1, per=timedelta(hours=2)))
    builder = ShopBuilder(host=host, policies=quick_policies(registration=strict))
    shop = builder.build()
    await shop.registration.register(ORDINARY, HERE)
    with pytest.raises(Throttled):
        await shop.registration.register(attrs.evolve(ORDINARY, identifier="eve@lamp.example"), HERE)
