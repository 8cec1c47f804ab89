"""Second steps whose codes go to a contact that is removed, replaced, or comes back; and what keeps numbers fresh."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, ContactPoint, ContactRole, VerificationMethod
from shopaccounts.kernel.contact import ContactKind, EmailAddress, PhoneNumber
from shopaccounts.kernel.errors import FreshSignInNeeded
from shopaccounts.kernel.ids import ContactId
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY
from shopaccounts.passwords import PASSWORDS, FactorProtectsShortPassword, MustChange
from shopaccounts.recovery import ResetPolicy, SecondFactorAt
from shopaccounts.registration import ContactChanged, WhichNumber
from shopaccounts.signin import (
    AUTHENTICATORS,
    Authenticators,
    CodeSignInPolicy,
    CodeWay,
    Factor,
    FactorKind,
    LastWayIn,
    PasswordChangeNeeded,
    RecoveryCodeAnswer,
    Resumed,
    SecondFactorNeeded,
    SentCodeAnswer,
    SignedIn,
    TotpCode,
)
from shopaccounts.testing.apps import enrol_app
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, request_from, without_gaps
from shopaccounts.testing.phones import with_phones

TEL, NEW, ANN = "+4915123456789", "+4915198765432", "ann@lamp.example"
PHONE, TEXT = ContactId("phone"), "text"
HERE = request_from(browser=Secret("the value of the owner's own browser"))
TOLD, IN_FORCE = frozenset({ContactRole.NOTIFY}), frozenset({ContactRole.NOTIFY, ContactRole.LOGIN})
WIDE = attrs.evolve(
    without_gaps(), phone_hourly=without_gaps().mailbox_hourly, phone_daily=without_gaps().mailbox_daily
)


@pytest.fixture
def builder(host) -> ShopBuilder:
    """Shops that reach phones as often as a test wants."""
    return with_phones(host, sends=WIDE)


async def with_contact(builder, account, value, roles, id=PHONE):
    """Give the account a proven contact."""
    now = builder.clock.now()
    kind = ContactKind.PHONE if isinstance(value, PhoneNumber) else ContactKind.EMAIL
    point = ContactPoint(id=id, kind=kind, value=value, roles=roles, added_at=now)
    point = point.proven(VerificationMethod.CODE, "a challenge", now)
    await builder.edit(CUSTOMERS, account.id, lambda c: attrs.evolve(c, contacts=(*c.contacts, point)))


def step(builder, contact=PHONE, kind=FactorKind.SMS):
    return Factor(id=TEXT, kind=kind, created_at=builder.clock.now(), contact=contact)


async def protected(shop, builder, roles=TOLD, *, keeps_app=True):
    """An account with a number that is a second step; its session has shown all it has."""
    account = await shop.open_account(ANN)
    enrolled = await enrol_app(shop.factors, account.session, HERE, builder.clock)
    await with_contact(builder, account, PhoneNumber.parse(TEL), roles)
    shown = (await shop.signin.confirm_identity(enrolled.session, PASSWORD, HERE)).session
    shown = (await shop.signin.confirm_identity(shown, TotpCode(enrolled.app.next_code()), HERE)).session
    code = RecoveryCodeAnswer(enrolled.answer.recovery_codes[0].reveal())
    shown = (await shop.signin.confirm_identity(shown, code, HERE)).session
    text = step(builder)
    await builder.edit(
        AUTHENTICATORS,
        account.id,
        lambda own: attrs.evolve(own, factors=(*own.factors, text) if keeps_app else (text,)),
    )
    builder.clock.advance(timedelta(minutes=2))
    return attrs.evolve(account, session=shown)


async def mail_step(shop, builder):
    """An account whose mailbox is its second step; its session has shown the password alone."""
    account = await shop.open_account(ANN)
    entered = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    (mail,) = (await builder.kept(CUSTOMERS, account.id)).contacts
    customer = await builder.kept(CUSTOMERS, account.id)
    factor = step(builder, mail.id, FactorKind.EMAIL_STEP)
    await builder.add(AUTHENTICATORS, Authenticators(id=account.id, realm=customer.realm, factors=(factor,)))
    builder.clock.advance(timedelta(minutes=2))
    return attrs.evolve(account, session=entered.session), mail


async def goes_to(builder, account):
    """The value of the contact that codes of the second step go to; None where there is no such step any more."""
    own, customer = await builder.kept(AUTHENTICATORS, account.id), await builder.kept(CUSTOMERS, account.id)
    factor = own.factor(TEXT)
    return next((one.key for one in customer.contacts if factor and one.id == factor.contact), None)


async def by_text(shop, builder):
    """Answers where the code went that was sent as the second step of a sign-in."""
    return (await entered_by_text(shop, builder))[0]


async def entered_by_text(shop, builder):
    """Signs in with the password and the code that is sent as the second step; answers where that went as well."""
    builder.clock.advance(timedelta(minutes=2))
    first = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert isinstance(first, SecondFactorNeeded)
    sent = await shop.step_codes.send_step_code(first.progress, TEXT, HERE)
    letter = builder.mailbag.last
    answer = SentCodeAnswer(sent.handle, letter.code, TEXT)
    entered = await shop.second_step.give_second_factor(first.progress, answer, HERE)
    assert isinstance(entered, SignedIn)
    return letter.to, entered


async def kept_contacts(builder, account):
    return {one.key for one in (await builder.kept(CUSTOMERS, account.id)).contacts}


def newest(builder, template, to):
    return [one for one in builder.mailbag.to(to) if one.template == f"registration.{template}"][-1]


def told(builder, name):
    events = builder.storage.snapshot()[builder.scope.realm].books["events"].values()
    return [event for event in events if event.name == name]


async def moved(shop, builder, account, to=NEW):
    """Changes the number that the account signs in by."""
    await shop.contact_changes.promote_contact(account.session, to, HERE)
    code = newest(builder, "confirm_new_number", to).code
    done = await shop.contact_changes.prove_number(account.session, WhichNumber.NEW, code, HERE)
    assert isinstance(done, ContactChanged)
    return done


# Removing


@pytest.mark.proves("SIG-53", "REG-21", "SIG-80")
async def test_with_a_number_goes_the_second_step_that_uses_it(shop, builder) -> None:
    account = await protected(shop, builder)
    stamps = (await builder.kept(SECURITY, account.id)).stamps
    removed = await shop.contacts.remove_contact(account.session, PHONE, HERE)
    own = await builder.kept(AUTHENTICATORS, account.id)
    assert [factor.kind for factor in own.factors] == [FactorKind.TOTP]
    assert own.recovery_codes is not None
    after = (await builder.kept(SECURITY, account.id)).stamps
    assert (after.factors, after.contacts) == (stamps.factors + 1, stamps.contacts + 1)
    assert [event.subject for event in told(builder, "signin.factor_removed")] == [account.id]
    assert {"signin.factor_removed", "registration.contact_removed"} <= {
        one.template for one in builder.mailbag.to(ANN)
    }
    assert isinstance(await shop.sessions.resume(removed.next_value.session, HERE), Resumed)


@pytest.mark.proves("SIG-53", "PAS-23", "SIG-42")
async def test_the_last_second_step_goes_so_only_from_a_password_that_is_long_enough(shop, builder) -> None:
    account = await protected(shop, builder, keeps_app=False)
    await builder.edit(PASSWORDS, account.id, lambda r: attrs.evolve(r, meets_single_factor_minimum=False))
    with pytest.raises(FactorProtectsShortPassword):
        await shop.contacts.remove_contact(account.session, PHONE, HERE)
    assert await goes_to(builder, account) == TEL
    await builder.edit(PASSWORDS, account.id, lambda r: attrs.evolve(r, meets_single_factor_minimum=True))
    await shop.contacts.remove_contact(account.session, PHONE, HERE)
    own = await builder.kept(AUTHENTICATORS, account.id)
    assert (own.factors, own.recovery_codes) == ((), None)


@pytest.mark.proves("SIG-53", "SIG-36")
async def test_a_second_step_has_to_be_shown_before_it_goes_with_its_contact(shop, builder) -> None:
    account, mail = await mail_step(shop, builder)
    await with_contact(builder, account, PhoneNumber.parse(TEL), IN_FORCE)
    await with_contact(builder, account, EmailAddress.parse("ann@home.example"), TOLD, ContactId("second"))
    with pytest.raises(FreshSignInNeeded):
        await shop.contacts.remove_contact(account.session, mail.id, HERE)
    await shop.contacts.remove_contact(account.session, "second", HERE)


@pytest.mark.proves("SIG-53")
async def test_a_number_stays_that_alone_opens_the_account(host) -> None:
    ways = CodeSignInPolicy(ways=frozenset({CodeWay.SMS_CODE}))
    builder = with_phones(host, code_sign_in=ways)
    shop = builder.build()
    account = await shop.open_account(ANN, None)
    await with_contact(builder, account, PhoneNumber.parse(TEL), IN_FORCE)
    with pytest.raises(LastWayIn):
        await shop.contacts.remove_contact(account.session, PHONE, HERE)
    assert await kept_contacts(builder, account) == {ANN, TEL}


@pytest.mark.proves("SIG-53")
async def test_a_number_that_comes_back_is_no_second_step_any_more(shop, builder) -> None:
    account = await protected(shop, builder)
    removed = await shop.contacts.remove_contact(account.session, PHONE, HERE)
    await shop.contact_changes.restore_contact(removed.next_value.session, PHONE, HERE)
    assert {one.id for one in (await builder.kept(CUSTOMERS, account.id)).contacts} >= {PHONE}
    assert await goes_to(builder, account) is None


# Another contact in its place


@pytest.mark.proves("REG-70", "REG-64", "REG-68")
async def test_codes_follow_to_the_new_number_and_back_when_it_is_taken_back(shop, builder) -> None:
    account = await protected(shop, builder, IN_FORCE)
    done = await moved(shop, builder, account)
    assert await goes_to(builder, account) == NEW
    assert told(builder, "signin.factor_removed") == []
    assert isinstance(await shop.sessions.resume(done.next_value.session, HERE), Resumed)
    assert await by_text(shop, builder) == NEW
    await shop.contact_changes.reverse_contact_change(newest(builder, "undo_contact_change", TEL).token, HERE)
    assert await goes_to(builder, account) == TEL
    await builder.edit(PASSWORDS, account.id, lambda r: attrs.evolve(r, must_change=None, must_change_since=None))
    assert await by_text(shop, builder) == TEL


@pytest.mark.proves("REG-68")
async def test_codes_come_back_over_several_changes(shop, builder) -> None:
    account = await protected(shop, builder, IN_FORCE)
    undo = (await moved(shop, builder, account)).next_value, newest(builder, "undo_contact_change", TEL)
    account = attrs.evolve(account, session=undo[0].session)
    await moved(shop, builder, account, "+4915155555555")
    await shop.contact_changes.reverse_contact_change(undo[1].token, HERE)
    assert await goes_to(builder, account) == TEL


@pytest.mark.proves("SIG-84", "REG-68")
async def test_codes_come_back_when_the_owner_objects_to_the_change(shop, builder) -> None:
    account = await protected(shop, builder, IN_FORCE)
    _, thief = await entered_by_text(shop, builder)
    await moved(shop, builder, attrs.evolve(account, session=thief.session))
    assert await goes_to(builder, account) == NEW
    notice = newest(builder, "contact_changed", ANN)
    await shop.objections.not_me_change(notice.ticket("not_me_link"), HERE)
    assert await goes_to(builder, account) == TEL


@pytest.mark.proves("REG-64", "REG-68")
async def test_a_step_by_mail_follows_the_address_and_back(shop, builder) -> None:
    account, _ = await mail_step(shop, builder)
    await shop.contact_changes.promote_contact(account.session, "ann@new.example", HERE)
    old, new = newest(builder, "confirm_old_contact", ANN), newest(builder, "confirm_new_contact", "ann@new.example")
    await shop.contact_changes.confirm_change_old(old.token, None, HERE)
    await shop.contact_changes.confirm_change_new(new.token, account.session, HERE)
    assert await goes_to(builder, account) == "ann@new.example"
    await shop.contact_changes.reverse_contact_change(newest(builder, "undo_contact_change", ANN).token, HERE)
    assert await goes_to(builder, account) == ANN


@pytest.mark.proves("SIG-53")
async def test_a_number_that_one_signs_in_by_as_well_stays_the_second_step(shop, builder) -> None:
    account = await protected(shop, builder)
    await shop.contacts.sign_in_by_contact(account.session, PHONE, HERE)
    assert await goes_to(builder, account) == TEL
    assert await by_text(shop, builder) == TEL


# What keeps a number fresh


async def used_at(builder, account):
    contacts = (await builder.kept(CUSTOMERS, account.id)).contacts
    return next(one.used_at for one in contacts if one.kind is ContactKind.PHONE)


@pytest.mark.proves("REG-8")
async def test_a_second_step_keeps_its_number_fresh(shop, builder) -> None:
    account = await protected(shop, builder)
    await by_text(shop, builder)
    assert await used_at(builder, account) == builder.clock.now()


@pytest.mark.proves("REG-8")
async def test_a_fresh_proof_by_text_message_keeps_the_number_fresh(shop, builder) -> None:
    account = await protected(shop, builder)
    sent = await shop.step_codes.send_confirmation_code(account.session, HERE, TEXT)
    answer = SentCodeAnswer(sent.handle, builder.mailbag.last.code, TEXT)
    await shop.signin.confirm_identity(account.session, answer, HERE)
    assert await used_at(builder, account) == builder.clock.now()


@pytest.mark.proves("REG-8")
async def test_a_reset_by_its_code_keeps_a_number_fresh(shop, builder) -> None:
    account = await shop.open_account(TEL)
    builder.clock.advance(timedelta(days=1))
    sent = await shop.recovery.request_reset(TEL, HERE, Channel.SMS)
    await shop.recovery.reset_with_code(sent.handle, builder.mailbag.last.code, "another lamp by the river", HERE)
    assert await used_at(builder, account) == builder.clock.now()


@pytest.mark.proves("REG-8")
async def test_a_second_factor_at_a_reset_keeps_its_number_fresh(host) -> None:
    builder = with_phones(host, sends=WIDE, resets=ResetPolicy(second_factor_at=SecondFactorAt.RESET))
    shop = builder.build()
    account = await protected(shop, builder)
    await shop.recovery.request_reset(ANN, HERE)
    link = builder.mailbag.last.token
    sent = await shop.recovery.send_reset_factor_code(link, TEXT, HERE)
    second = SentCodeAnswer(sent.handle, builder.mailbag.last.code, TEXT)
    await shop.recovery.reset_password(link, "another lamp by the river", HERE, second=second)
    assert await used_at(builder, account) == builder.clock.now()


# A password that has to be changed, where there is only a number


async def must_change(shop, builder):
    account = await shop.open_account(TEL)
    now = builder.clock.now()
    breached = {"must_change": MustChange.BREACHED, "must_change_since": now}
    await builder.edit(PASSWORDS, account.id, lambda record: attrs.evolve(record, **breached))
    return account


@pytest.mark.proves("PAS-25", "SIG-5", "PAS-16")
async def test_a_password_that_has_to_be_changed_is_changed_by_a_code_to_the_number(shop, builder) -> None:
    await must_change(shop, builder)
    needed = await shop.signin.sign_in_with_password(TEL, PASSWORD, HERE)
    assert isinstance(needed, PasswordChangeNeeded)
    assert (needed.via, needed.session) == ("mailbox", None)
    letter = builder.mailbag.last
    assert (letter.template, letter.to) == ("recovery.reset_code", TEL)
    await shop.recovery.reset_with_code(needed.reset, letter.code, "another lamp by the river", HERE)
    assert isinstance(await shop.signin.sign_in_with_password(TEL, "another lamp by the river", HERE), SignedIn)


@pytest.mark.proves("PAS-25")
async def test_where_nothing_can_be_sent_to_the_number_another_way_back_has_to_do(host) -> None:
    builder = with_phones(host, resets=ResetPolicy(channels=frozenset({Channel.EMAIL})))
    shop = builder.build()
    await must_change(shop, builder)
    before = len(builder.mailbag.letters)
    needed = await shop.signin.sign_in_with_password(TEL, PASSWORD, HERE)
    assert isinstance(needed, PasswordChangeNeeded)
    assert needed.reset is None
    assert len(builder.mailbag.letters) == before
