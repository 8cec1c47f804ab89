"""Proving an address: by the code in the browser that asked, by the link there, or by the link from elsewhere."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, AccountStatus, ContactRole, StatusReason, Trigger, follow, is_verified
from shopaccounts.kernel.assurance import Level, Method
from shopaccounts.kernel.errors import InsecureTransport, InvalidInput
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY
from shopaccounts.passwords import PASSWORDS, PasswordUnacceptable
from shopaccounts.registration import (
    ATTEMPTS,
    CodeExhausted,
    CodeWrong,
    ContactConfirmed,
    ContactLinkExpired,
    ContactLinkInvalid,
    ContactLinkStale,
    ContactLinkUsed,
    HolderUnknown,
    RegistrationForm,
)
from shopaccounts.signin import Resumed, SignedIn, SignInRefused
from shopaccounts.testing.builders import PASSWORD, request_from

ANN = "ann@lamp.example"
HERE, ELSEWHERE = request_from(), request_from("203.0.113.9")
FORM = RegistrationForm(identifier=ANN, password=PASSWORD, locale="de", return_path="/lamps")


def rows(builder, book):
    return tuple(builder.storage.snapshot()[builder.scope.realm].books[book.name].values())


def told(builder):
    return [event.name for event in rows(builder, EVENTS)]


async def register(shop, form=FORM):
    """The handle, and the letter that went out."""
    answer = await shop.registration.register(form, HERE)
    return answer.handle, shop.builder.mailbag.last


# With the code


@pytest.mark.proves("REG-15", "REG-23", "SIG-1")
async def test_the_code_and_the_handle_together_open_the_account_and_sign_in(shop, builder) -> None:
    handle, letter = await register(shop)
    done = await shop.registration.complete_registration(handle, letter.code, HERE)
    customer = await builder.kept(CUSTOMERS, done.account)
    (contact,) = customer.contacts
    assert customer.status is AccountStatus.ACTIVE
    assert customer.standing.until is None
    assert is_verified(contact)
    assert ContactRole.LOGIN in contact.roles
    assert (await builder.kept(PASSWORDS, done.account)).hash
    assert await builder.kept(SECURITY, done.account)
    assert (done.return_path, customer.locale) == ("/lamps", "de")
    assert isinstance(done.step, SignedIn)
    assert done.step.auth.level is Level.SINGLE
    assert {proof.method for proof in done.step.auth.proofs} == {Method.EMAIL_CODE, Method.PASSWORD}
    assert isinstance(await shop.sessions.resume(done.step.session, HERE), Resumed)
    assert told(builder)[2:] == [
        "registration.contact_verified",
        "registration.account_activated",
        "signin.signed_in",
    ]


@pytest.mark.proves("REG-15")
async def test_an_account_without_a_password_is_opened_by_the_mailbox_alone(shop, builder) -> None:
    handle, letter = await register(shop, RegistrationForm(identifier=ANN))
    done = await shop.registration.complete_registration(handle, letter.code, HERE)
    assert [proof.method for proof in done.step.auth.proofs] == [Method.EMAIL_CODE]
    assert not rows(builder, PASSWORDS)


@pytest.mark.proves("REG-23")
async def test_an_account_comes_alive_once(shop, builder) -> None:
    handle, letter = await register(shop)
    await shop.registration.complete_registration(handle, letter.code, HERE)
    with pytest.raises(ContactLinkUsed):
        await shop.registration.complete_registration(handle, letter.code, HERE)
    with pytest.raises(ContactLinkUsed):
        await shop.registration.confirm_contact(letter.token, handle, HERE)
    with pytest.raises(ContactLinkUsed):
        await shop.registration.take_over_contact(letter.token, PASSWORD, HERE)
    assert told(builder).count("registration.account_activated") == 1


@pytest.mark.proves("REG-15")
async def test_after_five_wrong_codes_the_right_one_is_of_no_use(shop) -> None:
    handle, letter = await register(shop)
    wrong = f"{(int(letter.code) + 1) % 1_000_000:06}"
    left = []
    for _ in range(5):
        with pytest.raises(CodeWrong) as refused:
            await shop.registration.complete_registration(handle, wrong, HERE)
        left.append(refused.value.tries_left)
    assert left == [4, 3, 2, 1, 0]
    for code in (letter.code, wrong):
        with pytest.raises(CodeExhausted):
            await shop.registration.complete_registration(handle, code, HERE)


@pytest.mark.proves("REG-15")
async def test_the_right_code_is_read_with_spaces_and_hyphens(shop) -> None:
    handle, letter = await register(shop)
    typed = f" {letter.code[:3]}-{letter.code[3:]} "
    await shop.registration.complete_registration(handle, typed, HERE)


@pytest.mark.proves("REG-19")
async def test_a_code_is_worth_nothing_with_another_handle(shop, builder) -> None:
    handle, _ = await register(shop)
    _, other = await register(shop, attrs.evolve(FORM, identifier="eve@lamp.example"))
    with pytest.raises(CodeWrong):
        await shop.registration.complete_registration(handle, other.code, HERE)
    assert all(c.status is AccountStatus.PENDING for c in rows(builder, CUSTOMERS))


@pytest.mark.proves("REG-15")
async def test_a_code_is_over_after_ten_minutes_and_its_handle_after_thirty(shop, builder) -> None:
    handle, letter = await register(shop)
    builder.clock.advance(timedelta(minutes=10))
    with pytest.raises(CodeWrong):
        await shop.registration.complete_registration(handle, letter.code, HERE)
    builder.clock.advance(timedelta(minutes=20))
    with pytest.raises(ContactLinkExpired):
        await shop.registration.complete_registration(handle, letter.code, HERE)


@pytest.mark.proves("REG-15")
async def test_a_code_is_good_until_the_last_moment(shop, builder) -> None:
    handle, letter = await register(shop)
    builder.clock.advance(timedelta(minutes=10) - timedelta(microseconds=1))
    await shop.registration.complete_registration(handle, letter.code, HERE)


@pytest.mark.proves("REG-19")
async def test_a_link_is_no_handle_and_a_handle_no_link(shop) -> None:
    handle, letter = await register(shop)
    with pytest.raises(ContactLinkInvalid):
        await shop.registration.complete_registration(letter.token, letter.code, HERE)
    with pytest.raises(ContactLinkInvalid):
        await shop.registration.take_over_contact(handle, PASSWORD, HERE)


@pytest.mark.proves("REG-19")
async def test_a_link_with_one_character_changed_is_none(shop) -> None:
    _, letter = await register(shop)
    text = letter.token.reveal()
    for place in (-1, -44):
        forged = text[:place] + ("A" if text[place] != "A" else "B") + (text[place + 1 :] if place != -1 else "")
        with pytest.raises(ContactLinkInvalid):
            await shop.registration.peek_contact(Secret(forged), HERE)


# With the link, in the browser that asked


@pytest.mark.proves("REG-16", "CUS-37")
async def test_the_link_confirms_in_the_browser_that_asked_and_signs_nobody_in(shop, builder) -> None:
    handle, letter = await register(shop)
    builder.clock.advance(timedelta(hours=23))
    confirmed = await shop.registration.confirm_contact(letter.token, handle, HERE)
    assert isinstance(confirmed, ContactConfirmed)
    assert confirmed.return_path == "/lamps"
    assert (await builder.kept(CUSTOMERS, confirmed.account)).status is AccountStatus.ACTIVE
    assert "signin.signed_in" not in told(builder)
    await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)


@pytest.mark.proves("REG-16", "CUS-37")
@pytest.mark.parametrize("holds", ["nothing", "the handle of another", "nonsense"])
async def test_the_link_from_elsewhere_confirms_nothing_and_stays_good(shop, builder, holds) -> None:
    handle, letter = await register(shop)
    other, _ = await register(shop, attrs.evolve(FORM, identifier="eve@lamp.example"))
    shown = {"nothing": None, "the handle of another": other, "nonsense": Secret("nonsense")}[holds]
    before = builder.storage.snapshot()
    assert await shop.registration.confirm_contact(letter.token, shown, ELSEWHERE) == HolderUnknown()
    assert builder.storage.snapshot() == before
    assert isinstance(await shop.registration.confirm_contact(letter.token, handle, HERE), ContactConfirmed)


@pytest.mark.proves("CUS-37")
async def test_looking_at_a_link_changes_nothing_however_often(shop, builder) -> None:
    _, letter = await register(shop)
    before = builder.storage.snapshot()
    for _ in range(3):
        offer = await shop.registration.peek_contact(letter.token, ELSEWHERE)
    assert builder.storage.snapshot() == before
    assert (offer.masked, offer.expires_at) == ("a***@lamp.example", builder.clock.now() + timedelta(hours=24))
    assert (offer.referrer_policy, offer.cache_control) == ("no-referrer", "no-store")


@pytest.mark.proves("REG-16")
async def test_a_link_is_over_after_a_day(shop, builder) -> None:
    handle, letter = await register(shop)
    builder.clock.advance(timedelta(hours=24))
    for use in (
        shop.registration.peek_contact(letter.token, HERE),
        shop.registration.confirm_contact(letter.token, handle, HERE),
        shop.registration.take_over_contact(letter.token, PASSWORD, HERE),
    ):
        with pytest.raises(ContactLinkExpired):
            await use


# With the link, from elsewhere


@pytest.mark.proves("REG-17", "REG-30", "GUE-25")
async def test_who_takes_an_address_over_gets_nothing_that_the_attempt_brought(shop, builder) -> None:
    handle, letter = await register(shop)
    done = await shop.registration.take_over_contact(letter.token, "my own lamps by the river", ELSEWHERE)
    customer = await builder.kept(CUSTOMERS, done.account)
    assert customer.status is AccountStatus.ACTIVE
    assert (customer.locale, done.return_path) == ("en", "/")
    assert [proof.method for proof in done.step.auth.proofs] == [Method.EMAIL_LINK]
    assert told(builder)[2:] == [
        "guests.account_cleansed",
        "registration.contact_verified",
        "registration.account_activated",
        "signin.signed_in",
    ]
    assert '"locale":"en"' in next(e.data for e in rows(builder, EVENTS) if e.name == "registration.account_activated")
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    await shop.signin.sign_in_with_password(ANN, "my own lamps by the river", ELSEWHERE)
    with pytest.raises(CodeWrong):
        await shop.registration.complete_registration(handle, letter.code, HERE)


@pytest.mark.proves("REG-17", "KER-251")
async def test_who_started_an_attempt_does_not_learn_that_somebody_else_took_it_over(shop, builder) -> None:
    """The handle goes on like that of an attempt at an address that had an owner all along."""
    handle, letter = await register(shop)
    await shop.registration.take_over_contact(letter.token, "my own lamps by the river", ELSEWHERE)
    builder.clock.advance(timedelta(minutes=2))
    sent = await shop.registration.resend_verification(handle, HERE)
    assert sent.masked == "a***@lamp.example"
    assert not builder.mailbag.last.deliver
    with pytest.raises(CodeWrong):
        await shop.registration.complete_registration(handle, builder.mailbag.last.code, HERE)
    with pytest.raises(ContactLinkInvalid):
        await shop.registration.peek_contact(builder.mailbag.last.token, HERE)


@pytest.mark.proves("REG-17")
async def test_a_password_that_will_not_do_leaves_the_link_good(shop, builder) -> None:
    _, letter = await register(shop)
    before = builder.storage.snapshot()
    for password, error in (("short", PasswordUnacceptable), (None, InvalidInput), (7, InvalidInput)):
        with pytest.raises(error):
            await shop.registration.take_over_contact(letter.token, password, ELSEWHERE)
    assert builder.storage.snapshot() == before
    await shop.registration.take_over_contact(letter.token, "my own lamps by the river", ELSEWHERE)


# What has gone another way since


@pytest.mark.proves("REG-19")
@pytest.mark.parametrize("change", ["suspended", "erased", "another address"])
async def test_a_proof_for_what_has_changed_since_proves_nothing(shop, builder, change) -> None:
    handle, letter = await register(shop)
    (customer,) = rows(builder, CUSTOMERS)
    changed = {
        "suspended": lambda c: follow(c, Trigger.SUSPEND, reason=StatusReason.ABUSE),
        "erased": lambda c: follow(attrs.evolve(c, contacts=()), Trigger.ERASE),
        "another address": lambda c: attrs.evolve(c, contacts=()),
    }
    await builder.edit(CUSTOMERS, customer.id, changed[change])
    before = rows(builder, CUSTOMERS)
    with pytest.raises(CodeWrong):
        await shop.registration.complete_registration(handle, "000000" if letter.code != "000000" else "1" * 6, HERE)
    for use in (
        shop.registration.complete_registration(handle, letter.code, HERE),
        shop.registration.peek_contact(letter.token, HERE),
        shop.registration.confirm_contact(letter.token, handle, HERE),
        shop.registration.take_over_contact(letter.token, PASSWORD, HERE),
    ):
        with pytest.raises(ContactLinkStale):
            await use
    assert rows(builder, CUSTOMERS) == before


# Another mail


@pytest.mark.proves("REG-15")
async def test_another_mail_brings_another_code_and_link_and_keeps_the_count(shop, builder) -> None:
    handle, first = await register(shop)
    with pytest.raises(CodeWrong):
        await shop.registration.complete_registration(handle, "wrong", HERE)
    builder.clock.advance(timedelta(minutes=2))
    sent = await shop.registration.resend_verification(handle, HERE)
    second = builder.mailbag.last
    assert (second.to, second.message.locale, second.deliver) == (ANN, "de", True)
    assert sent.expires_at == builder.clock.now() + timedelta(minutes=10)
    with pytest.raises(CodeWrong) as refused:
        await shop.registration.complete_registration(handle, first.code, HERE)
    assert refused.value.tries_left == 3
    with pytest.raises(ContactLinkInvalid):
        await shop.registration.peek_contact(first.token, HERE)
    await shop.registration.complete_registration(handle, second.code, HERE)


@pytest.mark.proves("REG-15")
async def test_more_mails_do_not_keep_a_challenge_alive(shop, builder) -> None:
    handle, _ = await register(shop)
    builder.clock.advance(timedelta(minutes=25))
    sent = await shop.registration.resend_verification(handle, HERE)
    assert sent.expires_at == builder.clock.now() + timedelta(minutes=5)
    builder.clock.advance(timedelta(minutes=5))
    with pytest.raises(ContactLinkExpired):
        await shop.registration.resend_verification(handle, HERE)


@pytest.mark.proves("REG-15")
async def test_no_other_code_is_sent_when_no_tries_are_left(shop, builder) -> None:
    handle, _ = await register(shop)
    for _ in range(5):
        with pytest.raises(CodeWrong):
            await shop.registration.complete_registration(handle, "wrong", HERE)
    builder.clock.advance(timedelta(minutes=2))
    letters = len(builder.mailbag.letters)
    with pytest.raises(CodeExhausted):
        await shop.registration.resend_verification(handle, HERE)
    assert len(builder.mailbag.letters) == letters


# Odd input


@pytest.mark.proves("KER-201")
@pytest.mark.parametrize("odd", [None, 7, b"text", ["x"], Secret(b"bytes"), Secret("x" * 200)])
async def test_what_can_be_no_handle_and_no_link_is_refused(shop, odd) -> None:
    for use in (
        shop.registration.complete_registration(odd, "123456", HERE),
        shop.registration.resend_verification(odd, HERE),
        shop.registration.peek_contact(odd, HERE),
        shop.registration.confirm_contact(odd, None, HERE),
        shop.registration.take_over_contact(odd, PASSWORD, HERE),
    ):
        with pytest.raises(InvalidInput):
            await use


@pytest.mark.proves("KER-201")
@pytest.mark.parametrize("odd", [None, 123456, b"1", "1" * 65, "\ud800"])
async def test_what_can_be_no_code_costs_no_try(shop, builder, odd) -> None:
    handle, _ = await register(shop)
    with pytest.raises(InvalidInput):
        await shop.registration.complete_registration(handle, odd, HERE)
    assert rows(builder, ATTEMPTS)[0].challenge.tries == 0


async def test_nothing_is_proven_over_an_unencrypted_connection(shop) -> None:
    handle, letter = await register(shop)
    bare = request_from(secure=False)
    for use in (
        shop.registration.complete_registration(handle, letter.code, bare),
        shop.registration.resend_verification(handle, bare),
        shop.registration.peek_contact(letter.token, bare),
        shop.registration.confirm_contact(letter.token, handle, bare),
        shop.registration.take_over_contact(letter.token, PASSWORD, bare),
    ):
        with pytest.raises(InsecureTransport):
            await use
