"""Numbers of an account: added by a code, used for notices and sign-in, changed by codes, taken back by a link."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import (
    CUSTOMERS,
    AccountStatus,
    ContactRole,
    Delivery,
    LastLoginContact,
    LastNoticeContact,
    NotFound,
    Reach,
    is_verified,
)
from shopaccounts.kernel.contact import ContactKind, LineType
from shopaccounts.kernel.errors import FreshSignInNeeded, Throttled
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.phones import PhoneNotServed
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY
from shopaccounts.kernel.staff import Permission
from shopaccounts.passwords import PASSWORDS, MustChange
from shopaccounts.registration import (
    CONTACT_CHANGES,
    ChangeNotPossible,
    ChangeState,
    CodeExhausted,
    CodeWrong,
    ConfirmationNeeded,
    ContactAdded,
    ContactBelongsElsewhere,
    ContactChanged,
    ContactChangePolicy,
    ContactLinkExpired,
    ContactLinkInvalid,
    ContactLinkStale,
    ContactLinkUsed,
    HolderUnknown,
    OnHold,
    RegistrationForm,
    WhichNumber,
)
from shopaccounts.registration.changing import check_code_live
from shopaccounts.signin import Resumed, SignedIn, SignInRefused, SignInRequired
from shopaccounts.testing.builders import BEGINNING, PASSWORD, SITUATIONS, BuiltShop, ShopBuilder, request_from
from shopaccounts.testing.doubles import StaffRoom
from shopaccounts.testing.phones import with_phones
from shopaccounts.testing.recording import assert_indistinguishable

TEL, NEW, OTHER, ANN = "+4915123456789", "+4915198765432", "+4915155555555", "ann@lamp.example"
HERE = request_from()


@pytest.fixture
def builder(host) -> ShopBuilder:
    """As ``with_phones`` has it."""
    return with_phones(host)


def newest(builder, template, to):
    return [one for one in builder.mailbag.to(to) if one.template == f"registration.{template}"][-1]


async def contacts_of(builder, account):
    return {one.key: one for one in (await builder.kept(CUSTOMERS, account.id)).contacts}


async def added(shop, account, number=TEL):
    """Adds and proves a number; lets time pass, so that more may be sent."""
    started = await shop.contacts.add_contact(account.session, number, HERE)
    code = newest(shop.builder, "add_contact", number).code
    done = await shop.contacts.prove_added_contact(account.session, started.addition, code, HERE)
    shop.builder.clock.advance(timedelta(minutes=2))
    return done


async def with_number(shop, number=TEL):
    """An account with an address and a number, both to sign in by; answers it under its present value."""
    account = await shop.open_account(ANN)
    contact = (await added(shop, account, number)).contact
    value = await shop.contacts.sign_in_by_contact(account.session, contact, HERE)
    return attrs.evolve(account, session=value.session)


async def asked(shop, account, to=NEW):
    answer = await shop.contact_changes.promote_contact(account.session, to, HERE)
    shop.builder.clock.advance(timedelta(minutes=2))
    return answer


async def changed(shop, account, to=NEW):
    """Changes the number with both codes."""
    await asked(shop, account, to)
    builder, prove = shop.builder, shop.contact_changes.prove_number
    old = next(iter(one.key for one in (await contacts_of(builder, account)).values() if _signs_in(one)))
    await prove(account.session, WhichNumber.OLD, newest(builder, "confirm_old_number", old).code, HERE)
    return await prove(account.session, WhichNumber.NEW, newest(builder, "confirm_new_number", to).code, HERE)


def _signs_in(contact):
    return contact.kind is ContactKind.PHONE and ContactRole.LOGIN in contact.roles


async def signs_in(shop, identifier, password=PASSWORD):
    try:
        return isinstance(await shop.signin.sign_in_with_password(identifier, password, HERE), SignedIn)
    except SignInRefused:
        return False


async def fresh(shop: BuiltShop, identifier: str) -> Secret[str]:
    """Answer the session of somebody who has just signed in."""
    step = await shop.signin.sign_in_with_password(identifier, PASSWORD, HERE)
    assert isinstance(step, SignedIn)
    return step.session


async def change_of(builder, account):
    kept = builder.storage.snapshot()["main"].books[CONTACT_CHANGES.name].values()
    return [one for one in kept if one.account == account.id][-1]


# Adding


@pytest.mark.proves("REG-20", "CUS-34", "SIG-80")
async def test_a_number_is_added_by_its_code_and_everybody_hears_of_it(shop, builder) -> None:
    account = await shop.open_account(ANN)
    started = await shop.contacts.add_contact(account.session, "0151 23456789", HERE)
    assert (started.channel, started.masked) == (Channel.SMS, "+49…89")
    letter = builder.mailbag.last
    assert (letter.template, letter.to, set(letter.secrets)) == ("registration.add_contact", TEL, {"code"})
    assert letter.message.expires_at == builder.clock.now() + timedelta(minutes=10)
    done = await shop.contacts.prove_added_contact(account.session, started.addition, letter.code, HERE)
    assert isinstance(done, ContactAdded)
    assert (await contacts_of(builder, account))[TEL].roles == {ContactRole.NOTIFY}
    told = {one.to: one for one in builder.mailbag.letters if one.template == "registration.contact_added"}
    assert {to: one.message.channel for to, one in told.items()} == {ANN: Channel.EMAIL, TEL: Channel.SMS}
    assert told[TEL].variables["kind"] == "phone"
    assert told[TEL].secrets["not_me_link"] == told[ANN].secrets["not_me_link"]
    listed = await shop.contacts.list_contacts(account.session, HERE)
    assert [(one.kind, one.masked) for one in listed] == [("email", "a***@lamp.example"), ("phone", "+49…89")]


@pytest.mark.proves("REG-20", "KER-250")
async def test_nobody_learns_whose_a_number_is_by_adding_it(host) -> None:
    async def use_case(situation, recorder):
        builder = with_phones(host)
        plain = builder.build()
        account = await plain.open_account("bob@lamp.example")
        await plain.arrange(situation, TEL)
        builder.clock.set(BEGINNING + timedelta(hours=3))
        session = await fresh(plain, account.email)
        letters, shop = len(builder.mailbag.letters), builder.build(recorder)
        recorder.trace.clear()
        answer = await shop.contacts.add_contact(session, TEL, HERE)
        return repr(attrs.evolve(answer, addition="drawn anew")), len(builder.mailbag.letters) - letters

    await assert_indistinguishable(use_case, {name: name for name in SITUATIONS})


@pytest.mark.proves("REG-20", "CUS-33")
async def test_an_owner_is_told_and_no_code_adds_the_number(shop, builder) -> None:
    owner = await shop.open_account(TEL)
    account = await shop.open_account(ANN)
    started = await shop.contacts.add_contact(account.session, TEL, HERE)
    letter = builder.mailbag.last
    assert (letter.template, letter.to, letter.secrets) == ("registration.address_wanted", TEL, {})
    assert letter.message.channel is Channel.SMS
    assert letter.message.subject == owner.id
    for number in range(5):
        with pytest.raises((CodeWrong, CodeExhausted)):
            await shop.contacts.prove_added_contact(account.session, started.addition, f"{number:06}", HERE)
    with pytest.raises(CodeExhausted):
        await shop.contacts.prove_added_contact(account.session, started.addition, "000009", HERE)


@pytest.mark.proves("REG-20")
async def test_who_was_faster_keeps_the_number(shop, builder) -> None:
    account = await shop.open_account(ANN)
    started = await shop.contacts.add_contact(account.session, TEL, HERE)
    code = builder.mailbag.last.code
    builder.clock.advance(timedelta(minutes=2))
    await shop.open_account(TEL)
    with pytest.raises(ContactBelongsElsewhere) as refused:
        await shop.contacts.prove_added_contact(account.session, started.addition, code, HERE)
    assert refused.value.contact_kind == "phone"


@pytest.mark.proves("REG-20")
async def test_a_number_is_added_by_the_session_that_asked(shop, builder) -> None:
    account, thief = await shop.open_account(ANN), await shop.open_account("eve@lamp.example")
    started = await shop.contacts.add_contact(account.session, TEL, HERE)
    code = builder.mailbag.last.code
    with pytest.raises(NotFound):
        await shop.contacts.prove_added_contact(thief.session, started.addition, code, HERE)
    builder.clock.advance(timedelta(hours=1))
    with pytest.raises(FreshSignInNeeded):
        await shop.contacts.add_contact(account.session, NEW, HERE)


@pytest.mark.proves("CUS-33", "CUS-32")
async def test_a_family_phone_may_serve_two_accounts_and_sign_one_in(shop, builder) -> None:
    ann, bob = await shop.open_account(ANN), await shop.open_account("bob@lamp.example")
    first, second = await added(shop, ann), await added(shop, bob)
    await shop.contacts.sign_in_by_contact(ann.session, first.contact, HERE)
    with pytest.raises(ContactBelongsElsewhere):
        await shop.contacts.sign_in_by_contact(bob.session, second.contact, HERE)
    assert TEL in await contacts_of(builder, bob)


# Signing in by it


@pytest.mark.proves("CUS-34", "CUS-33", "SIG-80")
async def test_a_proven_number_becomes_one_to_sign_in_by_and_other_sessions_end(shop, builder) -> None:
    account = await shop.open_account(ANN)
    other = (await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)).session
    contact = (await added(shop, account)).contact
    before = len(builder.mailbag.letters)
    value = await shop.contacts.sign_in_by_contact(account.session, contact, HERE)
    assert isinstance(await shop.sessions.resume(value.session, HERE), Resumed)
    assert not isinstance(await shop.sessions.resume(other, HERE), Resumed)
    assert await signs_in(shop, "0151 23456789")
    assert await signs_in(shop, ANN)
    told = builder.mailbag.letters[before:]
    assert {one.to for one in told} == {ANN, TEL}
    assert {one.template for one in told} == {"registration.contact_used"}


@pytest.mark.proves("CUS-34")
async def test_one_signs_in_by_one_proven_number(shop) -> None:
    account = await with_number(shop)
    second = (await added(shop, account, NEW)).contact
    with pytest.raises(ChangeNotPossible) as refused:
        await shop.contacts.sign_in_by_contact(account.session, second, HERE)
    assert refused.value.state == "in_force"
    with pytest.raises(NotFound):
        await shop.contacts.sign_in_by_contact(account.session, "nothing", HERE)


@pytest.mark.proves("CUS-33", "REG-12")
async def test_an_account_that_waits_keeps_nobody_from_their_number(shop) -> None:
    account = await shop.open_account(ANN)
    contact = (await added(shop, account)).contact
    await shop.registration.register(RegistrationForm(identifier=TEL, password=PASSWORD), request_from("198.51.100.8"))
    value = await shop.contacts.sign_in_by_contact(account.session, contact, HERE)
    assert value.session
    assert await signs_in(shop, TEL)


# Removing


@pytest.mark.proves("REG-21", "CUS-35", "CUS-36")
async def test_a_removed_number_hears_of_it_and_can_take_it_back(shop, builder) -> None:
    account = await with_number(shop)
    contact = (await contacts_of(builder, account))[TEL]
    gone = await shop.contacts.remove_contact(account.session, contact.id, HERE)
    assert gone.masked == "+49…89"
    assert TEL not in await contacts_of(builder, account)
    assert not await signs_in(shop, TEL)
    undo = newest(builder, "undo_contact_change", TEL)
    assert (undo.message.channel, set(undo.secrets)) == (Channel.SMS, {"link"})
    notice = newest(builder, "contact_removed", TEL)
    assert (notice.message.channel, notice.variables["kind"]) == (Channel.SMS, "phone")
    assert newest(builder, "contact_removed", ANN)
    await shop.contact_changes.reverse_contact_change(undo.token, HERE)
    assert await contacts_of(builder, account) == {
        ANN: (await contacts_of(builder, account))[ANN],
        TEL: contact,
    }


@pytest.mark.proves("REG-21", "CUS-36")
async def test_what_an_account_cannot_do_without_stays(shop, builder) -> None:
    by_phone = await shop.open_account(TEL)
    (only,) = (await contacts_of(builder, by_phone)).values()
    with pytest.raises(LastLoginContact):
        await shop.contacts.remove_contact(by_phone.session, only.id, HERE)
    with pytest.raises(LastNoticeContact):
        await shop.contacts.use_contact(by_phone.session, only.id, ContactRole.NOTIFY, HERE, use=False)
    account = await with_number(shop, NEW)
    address = (await contacts_of(builder, account))[ANN]
    with pytest.raises(LastNoticeContact):
        await shop.contacts.remove_contact(account.session, address.id, HERE)
    with pytest.raises(LastNoticeContact):
        await shop.contacts.use_contact(account.session, address.id, ContactRole.NOTIFY, HERE, use=False)


@pytest.mark.proves("REG-21", "CUS-35")
async def test_a_number_that_gets_no_notices_leaves_them_to_the_address(shop, builder) -> None:
    account = await shop.open_account(ANN)
    contact = (await added(shop, account)).contact
    await shop.contacts.use_contact(account.session, contact, ContactRole.NOTIFY, HERE, use=False)
    before = len(builder.mailbag.letters)
    await shop.contacts.use_contact(account.session, contact, ContactRole.RECOVERY, HERE)
    assert {one.to for one in builder.mailbag.letters[before:]} == {ANN}


@pytest.mark.proves("SIG-80")
async def test_an_account_without_an_address_hears_by_text_message(shop, builder) -> None:
    account = await shop.open_account(TEL)
    before = len(builder.mailbag.letters)
    await shop.passwords.change_password(account.session, PASSWORD, "another lamp by the river", HERE)
    (letter,) = builder.mailbag.letters[before:]
    assert (letter.to, letter.message.channel) == (TEL, Channel.SMS)
    assert {"not_me_link", "freeze_link"} <= set(letter.secrets)


@pytest.mark.proves("SIG-80")
async def test_an_address_hears_of_it_even_if_it_takes_no_notices(shop, builder) -> None:
    account = await shop.open_account(TEL)
    started = await shop.contacts.add_contact(account.session, ANN, HERE)
    await shop.contacts.prove_added_contact(
        account.session, started.addition, newest(builder, "add_contact", ANN).code, HERE
    )
    mail = (await contacts_of(builder, account))[ANN]
    await builder.edit(
        CUSTOMERS, account.id, lambda c: c.with_contact(attrs.evolve(mail, roles=frozenset({ContactRole.BILLING})))
    )
    told = (await builder.kept(CUSTOMERS, account.id)).notice_contacts(builder.clock.now())
    assert {one.send_to for one in told} == {ANN, TEL}


# Changing


@pytest.mark.proves("REG-70", "REG-60", "REG-65")
async def test_asking_sends_a_code_to_both_numbers_and_changes_nothing(shop, builder) -> None:
    account = await with_number(shop)
    before = await builder.kept(CUSTOMERS, account.id)
    answer = await shop.contact_changes.promote_contact(account.session, "0151 98765432", HERE)
    assert (answer.masked, answer.channel, answer.confirm_old) == ("+49…32", Channel.SMS, True)
    assert answer.expires_at == builder.clock.now() + timedelta(minutes=10)
    assert await builder.kept(CUSTOMERS, account.id) == before
    new, old = newest(builder, "confirm_new_number", NEW), newest(builder, "confirm_old_number", TEL)
    for letter in (new, old):
        assert (letter.message.channel, set(letter.secrets)) == (Channel.SMS, {"code"})
        assert letter.message.expires_at == answer.expires_at
    assert [one.template for one in builder.mailbag.to(NEW)] == ["registration.confirm_new_number"]
    assert newest(builder, "change_requested", ANN)
    assert await signs_in(shop, TEL)


@pytest.mark.proves("REG-70", "REG-61", "REG-64", "REG-66", "SIG-80")
@pytest.mark.parametrize("order", [(WhichNumber.OLD, WhichNumber.NEW), (WhichNumber.NEW, WhichNumber.OLD)])
async def test_both_codes_put_the_new_number_in_force(shop, builder, order) -> None:
    account = await with_number(shop)
    other = (await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)).session
    await asked(shop, account)
    codes = {
        WhichNumber.NEW: newest(builder, "confirm_new_number", NEW).code,
        WhichNumber.OLD: newest(builder, "confirm_old_number", TEL).code,
    }
    first, second = order
    waits = await shop.contact_changes.prove_number(account.session, first, codes[first], HERE)
    assert waits == ConfirmationNeeded(masked="+49…89" if first is WhichNumber.NEW else "+49…32")
    assert await signs_in(shop, TEL)
    done = await shop.contact_changes.prove_number(account.session, second, codes[second], HERE)
    assert isinstance(done, ContactChanged)
    assert done.masked == "+49…32"
    assert await signs_in(shop, NEW)
    assert not await signs_in(shop, TEL)
    assert done.next_value is not None
    assert isinstance(await shop.sessions.resume(done.next_value.session, HERE), Resumed)
    assert not isinstance(await shop.sessions.resume(other, HERE), Resumed)
    contact = (await contacts_of(builder, account))[NEW]
    assert contact.verified.method.value == "code"
    for to in (TEL, NEW, ANN):
        assert newest(builder, "contact_changed", to).variables["kind"] == "phone"
    assert (await builder.kept(SECURITY, account.id)).on_hold_until(builder.clock.now()) == done.on_hold_until
    with pytest.raises(OnHold):
        await shop.contact_changes.promote_contact(done.next_value.session, OTHER, HERE)


@pytest.mark.proves("REG-70", "REG-62", "KER-241")
async def test_a_code_of_one_number_is_no_code_of_the_other(shop, builder) -> None:
    account = await with_number(shop)
    await asked(shop, account)
    new, old = newest(builder, "confirm_new_number", NEW).code, newest(builder, "confirm_old_number", TEL).code
    for which, code in ((WhichNumber.NEW, old), (WhichNumber.OLD, new)):
        with pytest.raises(CodeWrong) as wrong:
            await shop.contact_changes.prove_number(account.session, which, code, HERE)
        assert wrong.value.tries_left == 4
    for left in (3, 2, 1, 0):
        with pytest.raises((CodeWrong, CodeExhausted)):
            await shop.contact_changes.prove_number(account.session, WhichNumber.NEW, f"00000{left}", HERE)
    with pytest.raises(CodeExhausted):
        await shop.contact_changes.prove_number(account.session, WhichNumber.NEW, new, HERE)
    assert isinstance(
        await shop.contact_changes.prove_number(account.session, WhichNumber.OLD, old, HERE), ConfirmationNeeded
    )


@pytest.mark.proves("REG-70", "REG-63")
async def test_a_session_that_neither_asked_nor_is_fresh_confirms_nothing(shop, builder) -> None:
    account = await with_number(shop)
    other = (await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)).session
    builder.clock.advance(timedelta(minutes=20))
    with pytest.raises(FreshSignInNeeded):
        await shop.contact_changes.promote_contact(account.session, NEW, HERE)
    fresh = (await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)).session
    await shop.contact_changes.promote_contact(fresh, NEW, HERE)
    code = newest(builder, "confirm_new_number", NEW).code
    for _ in range(9):
        answer = await shop.contact_changes.prove_number(other, WhichNumber.NEW, code, HERE)
        assert answer == HolderUnknown()
    assert await shop.contact_changes.resend_number_codes(other, HERE) == HolderUnknown()
    assert isinstance(await shop.contact_changes.prove_number(fresh, WhichNumber.NEW, code, HERE), ConfirmationNeeded)
    with pytest.raises(SignInRequired):
        await shop.contact_changes.prove_number(Secret("sa1.ses.nobody.x"), WhichNumber.NEW, code, HERE)


@pytest.mark.proves("REG-70", "KER-245")
async def test_new_codes_kill_the_old_ones_and_keep_the_tries(shop, builder) -> None:
    account = await with_number(shop)
    await asked(shop, account)
    first = newest(builder, "confirm_new_number", NEW).code
    with pytest.raises(CodeWrong):
        await shop.contact_changes.prove_number(account.session, WhichNumber.NEW, "000000", HERE)
    again = await shop.contact_changes.resend_number_codes(account.session, HERE, by_call=True)
    assert again.channel is Channel.VOICE
    assert newest(builder, "confirm_new_number", NEW).message.channel is Channel.VOICE
    with pytest.raises(Throttled):
        await shop.contact_changes.resend_number_codes(account.session, HERE)
    with pytest.raises(CodeWrong) as wrong:
        await shop.contact_changes.prove_number(account.session, WhichNumber.NEW, first, HERE)
    assert wrong.value.tries_left == 3
    old = newest(builder, "confirm_old_number", TEL).code
    await shop.contact_changes.prove_number(account.session, WhichNumber.OLD, old, HERE)
    builder.clock.advance(timedelta(minutes=2))
    before = len(builder.mailbag.letters)
    await shop.contact_changes.resend_number_codes(account.session, HERE)
    assert [one.to for one in builder.mailbag.letters[before:]] == [NEW], "the old one has agreed already"
    new = newest(builder, "confirm_new_number", NEW).code
    done = await shop.contact_changes.prove_number(account.session, WhichNumber.NEW, new, HERE)
    assert isinstance(done, ContactChanged)


@pytest.mark.proves("REG-70", "REG-60")
async def test_one_change_of_a_number_is_pending_beside_one_of_an_address(shop, builder) -> None:
    account = await with_number(shop)
    await asked(shop, account)
    first = newest(builder, "confirm_new_number", NEW).code
    await shop.contact_changes.promote_contact(account.session, "ann@new.example", HERE)
    builder.clock.advance(timedelta(minutes=2))
    await asked(shop, account, OTHER)
    with pytest.raises(CodeWrong):
        await shop.contact_changes.prove_number(account.session, WhichNumber.NEW, first, HERE)
    kept = builder.storage.snapshot()["main"].books[CONTACT_CHANGES.name].values()
    assert sorted((one.kind.value, one.state.value) for one in kept) == [
        ("email", "requested"),
        ("phone", "requested"),
        ("phone", "superseded"),
    ]
    await shop.contact_changes.cancel_contact_change(account.session, HERE, ContactKind.PHONE)
    with pytest.raises(ChangeNotPossible):
        await shop.contact_changes.prove_number(account.session, WhichNumber.NEW, first, HERE)
    with pytest.raises(ChangeNotPossible):
        await shop.contact_changes.resend_number_codes(account.session, HERE)
    await shop.contact_changes.cancel_contact_change(account.session, HERE)


@pytest.mark.proves("REG-70", "REG-69")
async def test_codes_die_with_their_time_and_with_the_accounts_security(shop, builder) -> None:
    account = await with_number(shop)
    await asked(shop, account)
    code = newest(builder, "confirm_new_number", NEW).code
    builder.clock.advance(timedelta(minutes=9))
    with pytest.raises(CodeWrong):
        await shop.contact_changes.prove_number(account.session, WhichNumber.NEW, code, HERE)
    fresh = (await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)).session
    now = (await shop.passwords.change_password(fresh, PASSWORD, "another lamp by the river", HERE)).next_value
    with pytest.raises(ContactLinkStale):
        await shop.contact_changes.prove_number(now.session, WhichNumber.OLD, code, HERE)
    change, then = await change_of(builder, account), builder.clock.now() + timedelta(hours=24)
    with pytest.raises(ContactLinkExpired):
        check_code_live(change, change.new_link.stamps, then)


@pytest.mark.proves("REG-70", "REG-60")
async def test_there_is_nothing_to_change_without_a_number_in_force(shop) -> None:
    account = await shop.open_account(ANN)
    with pytest.raises(ChangeNotPossible) as none:
        await shop.contact_changes.promote_contact(account.session, NEW, HERE)
    assert none.value.state == "none"
    by_phone = await shop.open_account(TEL)
    with pytest.raises(ChangeNotPossible) as same:
        await shop.contact_changes.promote_contact(by_phone.session, "0151 23456789", HERE)
    assert same.value.state == "in_force"


@pytest.mark.proves("REG-70", "REG-60", "KER-250")
async def test_nobody_learns_whose_a_number_is_by_wanting_it(host) -> None:
    async def use_case(situation, recorder):
        builder = with_phones(host)
        plain = builder.build()
        account = await plain.open_account(OTHER)
        await plain.arrange(situation, TEL)
        builder.clock.set(BEGINNING + timedelta(hours=3))
        session = await fresh(plain, account.email)
        letters, shop = len(builder.mailbag.letters), builder.build(recorder)
        recorder.trace.clear()
        answer = await shop.contact_changes.promote_contact(session, TEL, HERE)
        try:
            await shop.contact_changes.prove_number(session, WhichNumber.NEW, "000000", HERE)
        except CodeWrong as wrong:
            return repr(answer), repr(wrong), len(builder.mailbag.letters) - letters

    await assert_indistinguishable(use_case, {name: name for name in SITUATIONS})


@pytest.mark.proves("REG-70", "REG-64")
async def test_a_number_that_was_taken_meanwhile_stays_with_its_owner(shop, builder) -> None:
    account = await with_number(shop)
    await asked(shop, account)
    new, old = newest(builder, "confirm_new_number", NEW).code, newest(builder, "confirm_old_number", TEL).code
    await shop.contact_changes.prove_number(account.session, WhichNumber.OLD, old, HERE)
    owner = await shop.open_account(NEW)
    with pytest.raises(ContactBelongsElsewhere):
        await shop.contact_changes.prove_number(account.session, WhichNumber.NEW, new, HERE)
    assert await signs_in(shop, TEL)
    assert (await builder.kept(CUSTOMERS, owner.id)).status is AccountStatus.ACTIVE


# Taking back


@pytest.mark.proves("REG-70", "REG-68", "REG-67")
async def test_the_old_number_takes_the_change_back_by_a_link_once(shop, builder) -> None:
    account = await with_number(shop)
    done = await changed(shop, account)
    undo = newest(builder, "undo_contact_change", TEL)
    assert (undo.message.channel, undo.message.expires_at) == (Channel.SMS, done.undo_until)
    stranger = await shop.registration.register(RegistrationForm(identifier=TEL), request_from("198.51.100.5"))
    assert builder.mailbag.last.template == "registration.address_held"
    assert builder.mailbag.last.message.channel is Channel.SMS
    with pytest.raises(CodeWrong):
        await shop.registration.complete_registration(stranger.handle, "123456", HERE)
    back = await shop.contact_changes.reverse_contact_change(undo.token, HERE)
    assert back.masked == "+49…89"
    contacts = await contacts_of(builder, account)
    assert set(contacts) == {ANN, TEL}
    assert ContactRole.LOGIN in contacts[TEL].roles
    assert (await builder.kept(PASSWORDS, account.id)).must_change is MustChange.REPORTED
    assert not isinstance(await shop.sessions.resume(done.next_value.session, HERE), Resumed)
    assert newest(builder, "change_undone", TEL).variables["kind"] == "phone"
    with pytest.raises((ContactLinkUsed, ContactLinkStale)):
        await shop.contact_changes.reverse_contact_change(undo.token, HERE)


@pytest.mark.proves("REG-70", "REG-67", "REG-69")
async def test_the_old_number_is_free_when_the_window_is_over(shop, builder) -> None:
    account = await with_number(shop)
    await changed(shop, account)
    builder.clock.advance(timedelta(days=30))
    with pytest.raises((ContactLinkExpired, ContactLinkStale, ContactLinkInvalid)):
        await shop.contact_changes.reverse_contact_change(newest(builder, "undo_contact_change", TEL).token, HERE)
    await shop.upkeep.tick()
    assert (await change_of(builder, account)).state is ChangeState.SETTLED
    assert (await shop.open_account(TEL)).id != account.id


@pytest.mark.proves("REG-70", "REG-61")
async def test_a_phone_only_account_changes_its_number(shop, builder) -> None:
    account = await shop.open_account(TEL)
    done = await changed(shop, account)
    assert isinstance(done, ContactChanged)
    assert await signs_in(shop, NEW)
    assert set(await contacts_of(builder, account)) == {NEW}


@pytest.mark.proves("REG-8")
async def test_a_number_that_is_not_served_is_no_new_number(shop) -> None:
    account = await with_number(shop)
    for wanted in (shop.contact_changes.promote_contact, shop.contacts.add_contact):
        with pytest.raises(PhoneNotServed):
            await wanted(account.session, "030 901820", HERE)


@pytest.mark.proves("REG-70")
async def test_three_changes_in_thirty_days(host) -> None:
    shop = with_phones(host, contact_changes=ContactChangePolicy(per_30_days=1)).build()
    account = await with_number(shop)
    await asked(shop, account)
    with pytest.raises(Throttled):
        await shop.contact_changes.promote_contact(account.session, OTHER, HERE)


# Long unused, and what couriers say


def same(sent):
    """A later request of the browser that asked for a code."""
    return attrs.evolve(HERE, binding=sent.set_cookies[0].value)


@pytest.mark.proves("REG-8")
async def test_a_number_that_was_long_unused_gets_no_code_to_sign_in_and_can_be_proven_anew(shop, builder) -> None:
    account = await with_number(shop)
    builder.clock.advance(timedelta(days=179))
    await shop.code_signin.request_sign_in_code(TEL, Channel.SMS, HERE)
    assert builder.mailbag.last.deliver
    builder.clock.advance(timedelta(days=1))
    await shop.code_signin.request_sign_in_code(TEL, Channel.SMS, HERE)
    assert not builder.mailbag.last.deliver, "it may be somebody else's by now"
    builder.clock.advance(timedelta(minutes=2))
    fresh = await shop.signin.sign_in_with_password(TEL, PASSWORD, HERE)
    started = await shop.contacts.add_contact(fresh.session, TEL, HERE)
    code = newest(builder, "add_contact", TEL).code
    await shop.contacts.prove_added_contact(fresh.session, started.addition, code, HERE)
    contact = (await contacts_of(builder, account))[TEL]
    assert ContactRole.LOGIN in contact.roles
    builder.clock.advance(timedelta(minutes=2))
    await shop.code_signin.request_sign_in_code(TEL, Channel.SMS, HERE)
    assert builder.mailbag.last.deliver


@pytest.mark.proves("REG-8")
async def test_a_code_that_opens_the_account_keeps_the_number_fresh(shop, builder) -> None:
    account = await with_number(shop)
    for _ in range(3):
        builder.clock.advance(timedelta(days=170))
        sent = await shop.code_signin.request_sign_in_code(TEL, Channel.SMS, HERE)
        code = builder.mailbag.last.code
        step = await shop.code_signin.sign_in_with_code(sent.handle, code, same(sent))
        assert isinstance(step, SignedIn)
        assert (await contacts_of(builder, account))[TEL].used_at == builder.clock.now()
    version = (await builder.kept(CUSTOMERS, account.id)).version
    builder.clock.advance(timedelta(hours=3))
    sent = await shop.code_signin.request_sign_in_code(TEL, Channel.SMS, HERE)
    await shop.code_signin.sign_in_with_code(sent.handle, builder.mailbag.last.code, same(sent))
    assert (await builder.kept(CUSTOMERS, account.id)).version == version, "it is noted once a day"


@pytest.mark.proves("REG-8", "CUS-38")
async def test_what_a_courier_says_of_a_number_is_kept_on_the_contact(shop, builder) -> None:
    account = await with_number(shop)
    contact = (await contacts_of(builder, account))[TEL]
    assert contact.reach is Reach.REACHABLE, "its code came back"
    await shop.contact_care.note_delivery(
        account.id, contact.id, Delivery.IMPOSSIBLE, "absent_subscriber", LineType.VOIP
    )
    after = (await contacts_of(builder, account))[TEL]
    assert (after.reach, after.reach_detail, after.value.line) == (
        Reach.UNREACHABLE,
        "absent_subscriber",
        LineType.VOIP,
    )
    assert is_verified(after)
    assert TEL not in {one.send_to for one in (await builder.kept(CUSTOMERS, account.id)).notice_contacts(BEGINNING)}
    await shop.contact_care.note_delivery(account.id, contact.id, Delivery.ARRIVED)
    after = (await contacts_of(builder, account))[TEL]
    assert (after.reach, after.value.line) == (Reach.REACHABLE, LineType.VOIP)


@pytest.mark.proves("CUS-39")
async def test_a_number_is_asked_by_text_message_whether_messages_arrive(shop, builder) -> None:
    account = await with_number(shop)
    contact = (await contacts_of(builder, account))[TEL]
    await shop.contact_care.note_delivery(account.id, contact.id, Delivery.IMPOSSIBLE, "absent_subscriber")
    builder.agents = StaffRoom()
    builder.agents.hire("agent", [Permission.CHECK_CONTACTS])
    builder.scope = attrs.evolve(builder.scope, actor=Actor(kind=ActorKind.AGENT, id="agent"))
    desk = builder.build()
    for channel in (Channel.EMAIL, Channel.VOICE):
        with pytest.raises(ChangeNotPossible):
            await desk.contact_care.check_contact(account.id, contact.id, "the parcel service asks", channel)
    await desk.contact_care.check_contact(account.id, contact.id, "the parcel service asks", Channel.SMS)
    letter = builder.mailbag.last
    assert (letter.to, letter.message.channel, set(letter.secrets)) == (TEL, Channel.SMS, {"link"})
    await shop.contact_care.answer_contact_check(letter.token, HERE)
    assert (await contacts_of(builder, account))[TEL].reach is Reach.REACHABLE


@pytest.mark.proves("CUS-36")
async def test_an_account_without_an_address_is_closed_by_a_link_to_its_number(shop, builder) -> None:
    account = await shop.open_account(TEL)
    asked_for = await shop.closings.request_account_closing(account.session, None, HERE)
    assert asked_for.masked == "+49…89"
    assert (builder.mailbag.last.to, builder.mailbag.last.message.channel) == (TEL, Channel.SMS)
