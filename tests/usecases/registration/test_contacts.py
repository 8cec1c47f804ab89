"""Further contacts: added, proven, used and removed."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import (
    CUSTOMERS,
    MAX_CONTACTS,
    ContactInUse,
    ContactLimit,
    ContactPoint,
    ContactRole,
    LastLoginContact,
    LastNoticeContact,
    NotFound,
    Reach,
    is_verified,
)
from shopaccounts.kernel.contact import ContactKind, EmailAddress, PhoneNumber
from shopaccounts.kernel.errors import FreshSignInNeeded
from shopaccounts.kernel.ids import ContactId
from shopaccounts.registration import (
    ADDITIONS,
    ChangeNotPossible,
    CodeExhausted,
    CodeWrong,
    ContactAdded,
    ContactBelongsElsewhere,
    ContactLinkExpired,
    ContactLinkInvalid,
    ContactLinkStale,
    ContactLinkUsed,
    HolderUnknown,
    RegistrationForm,
)
from shopaccounts.signin import NoSession, Resumed, SignInRefused
from shopaccounts.testing.builders import PASSWORD, request_from

ANN, WORK, EVE, HERE = "ann@lamp.example", "ann@work.example", "eve@lamp.example", request_from()
NEW_PASSWORD = "another lamp by the river"


async def added(shop, account, address=WORK):
    """Adds and proves an address; answers the contact's id."""
    await shop.contacts.add_contact(account.session, address, HERE)
    answer = await shop.contacts.confirm_added_contact(shop.builder.mailbag.last.token, account.session, HERE)
    assert isinstance(answer, ContactAdded)
    shop.builder.clock.advance(timedelta(minutes=2))
    return answer.contact


async def contacts_of(builder, account):
    return {one.value.stored: one for one in (await builder.kept(CUSTOMERS, account.id)).contacts}


def newest(builder, template):
    return [one for one in builder.mailbag.letters if one.template == f"registration.{template}"][-1]


@pytest.mark.proves("REG-20", "CUS-34")
async def test_an_address_that_is_added_is_no_contact_before_it_is_proven(shop, builder) -> None:
    account = await shop.open_account(ANN)
    before = await builder.kept(CUSTOMERS, account.id)
    answer = await shop.contacts.add_contact(account.session, WORK, HERE)
    assert answer.masked == "a***@work.example"
    assert [one.template for one in builder.mailbag.to(WORK)] == ["registration.add_contact"]
    assert await builder.kept(CUSTOMERS, account.id) == before
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(WORK, PASSWORD, HERE)


@pytest.mark.proves("REG-20", "REG-19", "CUS-32")
@pytest.mark.parametrize("way", ["code", "link"])
async def test_code_and_link_prove_an_added_address(shop, builder, way) -> None:
    account = await shop.open_account(ANN)
    answer = await shop.contacts.add_contact(account.session, WORK, HERE)
    letter = builder.mailbag.last
    if way == "code":
        proven = await shop.contacts.prove_added_contact(account.session, answer.addition, letter.code, HERE)
    else:
        proven = await shop.contacts.confirm_added_contact(letter.token, account.session, HERE)
    assert proven.masked == "a***@work.example"
    contact = (await contacts_of(builder, account))[WORK]
    assert is_verified(contact)
    assert (contact.roles, contact.reach) == ({ContactRole.NOTIFY}, Reach.REACHABLE)
    told = {one.to for one in builder.mailbag.letters if one.template == "registration.contact_added"}
    assert told == {ANN, WORK}
    assert isinstance(await shop.sessions.resume(account.session, HERE), Resumed)
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(WORK, PASSWORD, HERE)
    with pytest.raises(ContactLinkUsed):
        await shop.contacts.confirm_added_contact(letter.token, account.session, HERE)
    with pytest.raises(ContactLinkUsed):
        await shop.contacts.prove_added_contact(account.session, answer.addition, letter.code, HERE)


@pytest.mark.proves("REG-20")
async def test_adding_takes_a_fresh_proof(shop, builder) -> None:
    account = await shop.open_account(ANN)
    builder.clock.advance(timedelta(minutes=20))
    with pytest.raises(FreshSignInNeeded):
        await shop.contacts.add_contact(account.session, WORK, HERE)


@pytest.mark.proves("REG-20", "CUS-37")
async def test_only_who_asked_or_has_just_signed_in_proves_an_added_address(shop, builder) -> None:
    account = await shop.open_account(ANN)
    answer = await shop.contacts.add_contact(account.session, WORK, HERE)
    letter, eve = builder.mailbag.last, await shop.open_account(EVE)
    other = (await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)).session
    builder.clock.advance(timedelta(minutes=20))
    for session in (None, eve.session, other):
        assert await shop.contacts.confirm_added_contact(letter.token, session, HERE) == HolderUnknown()
    assert await shop.contacts.prove_added_contact(other, answer.addition, letter.code, HERE) == HolderUnknown()
    assert (await shop.contacts.peek_added_contact(letter.token, HERE)).masked == "a***@work.example"
    assert isinstance(await shop.contacts.confirm_added_contact(letter.token, account.session, HERE), ContactAdded)


@pytest.mark.proves("CUS-1")
async def test_a_foreign_addition_or_contact_is_answered_like_a_missing_one(shop, builder) -> None:
    account = await shop.open_account(ANN)
    answer = await shop.contacts.add_contact(account.session, WORK, HERE)
    code, eve = builder.mailbag.last.code, await shop.open_account(EVE)
    anns = (await builder.kept(CUSTOMERS, account.id)).contacts[0].id
    for addition in (answer.addition, "none"):
        with pytest.raises(NotFound):
            await shop.contacts.prove_added_contact(eve.session, addition, code, HERE)
    for contact in (anns, "none"):
        with pytest.raises(NotFound):
            await shop.contacts.remove_contact(eve.session, contact, HERE)
        with pytest.raises(NotFound):
            await shop.contacts.use_contact(eve.session, contact, ContactRole.RECOVERY, HERE)


@pytest.mark.proves("REG-20", "KER-244")
async def test_five_wrong_codes_end_an_addition(shop, builder) -> None:
    account = await shop.open_account(ANN)
    answer = await shop.contacts.add_contact(account.session, WORK, HERE)
    code, left = builder.mailbag.last.code, []
    for _ in range(5):
        with pytest.raises(CodeWrong) as wrong:
            await shop.contacts.prove_added_contact(account.session, answer.addition, "wrong", HERE)
        left.append(wrong.value.tries_left)
    assert left == [4, 3, 2, 1, 0]
    with pytest.raises(CodeExhausted):
        await shop.contacts.prove_added_contact(account.session, answer.addition, code, HERE)


@pytest.mark.proves("REG-20", "CUS-33")
async def test_an_address_of_another_account_is_told_to_its_owner_and_guessing_leads_nowhere(shop, builder) -> None:
    account, eve = await shop.open_account(ANN), await shop.open_account(EVE)
    answer = await shop.contacts.add_contact(account.session, EVE, HERE)
    assert (builder.mailbag.last.template, builder.mailbag.last.to) == ("registration.address_wanted", EVE)
    assert builder.mailbag.last.message.subject == eve.id
    for code in ("000000", "123456"):
        with pytest.raises(CodeWrong):
            await shop.contacts.prove_added_contact(account.session, answer.addition, code, HERE)


@pytest.mark.proves("REG-20")
async def test_an_address_that_got_an_owner_meanwhile_is_told_to_whoever_has_proven_it(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await shop.contacts.add_contact(account.session, WORK, HERE)
    link = builder.mailbag.last.token
    builder.clock.advance(timedelta(minutes=2))
    await shop.open_account(WORK)
    with pytest.raises(ContactBelongsElsewhere):
        await shop.contacts.confirm_added_contact(link, account.session, HERE)
    assert WORK not in await contacts_of(builder, account)


@pytest.mark.proves("CUS-33")
async def test_an_address_that_is_only_written_to_may_be_shared(shop, builder) -> None:
    ann, eve = await shop.open_account(ANN), await shop.open_account(EVE)
    for account in (ann, eve):
        await added(shop, account, "family@lamp.example")
    for account in (ann, eve):
        assert "family@lamp.example" in await contacts_of(builder, account)
    started = await shop.registration.register(
        RegistrationForm(identifier="family@lamp.example", password=PASSWORD), HERE
    )
    done = await shop.registration.complete_registration(started.handle, builder.mailbag.last.code, HERE)
    assert done.account not in {ann.id, eve.id}


@pytest.mark.proves("CUS-34", "KER-222")
@pytest.mark.parametrize("way", ["code", "link"])
async def test_any_change_of_the_accounts_security_kills_an_addition(shop, builder, way) -> None:
    account = await shop.open_account(ANN)
    answer = await shop.contacts.add_contact(account.session, WORK, HERE)
    letter = builder.mailbag.last
    await shop.recovery.request_reset(ANN, HERE)
    await shop.recovery.reset_password(builder.mailbag.last.token, NEW_PASSWORD, HERE)
    session = (await shop.signin.sign_in_with_password(ANN, NEW_PASSWORD, HERE)).session
    if way == "code":
        proof = shop.contacts.prove_added_contact(session, answer.addition, letter.code, HERE)
    else:
        proof = shop.contacts.confirm_added_contact(letter.token, session, HERE)
    with pytest.raises(ContactLinkStale):
        await proof


@pytest.mark.proves("REG-20")
async def test_an_addition_ends_with_its_link(shop, builder) -> None:
    account = await shop.open_account(ANN)
    answer = await shop.contacts.add_contact(account.session, WORK, HERE)
    letter = builder.mailbag.last
    builder.clock.advance(timedelta(hours=24))
    session = (await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)).session
    with pytest.raises(ContactLinkExpired):
        await shop.contacts.peek_added_contact(letter.token, HERE)
    with pytest.raises(ContactLinkExpired):
        await shop.contacts.prove_added_contact(session, answer.addition, letter.code, HERE)
    builder.clock.advance(timedelta(seconds=1))
    await shop.upkeep.tick()
    assert await builder.kept(ADDITIONS, answer.addition) is None
    with pytest.raises(ContactLinkInvalid):
        await shop.contacts.peek_added_contact(letter.token, HERE)


@pytest.mark.proves("CUS-32")
async def test_a_customer_has_ten_contacts_at_most(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await builder.edit(CUSTOMERS, account.id, lambda c: attrs.evolve(c, contacts=(*c.contacts, *phones(8, c))))
    await shop.contacts.add_contact(account.session, WORK, HERE)
    first = builder.mailbag.last.token
    await shop.contacts.add_contact(account.session, "ann@third.example", HERE)
    second = builder.mailbag.last.token
    await shop.contacts.confirm_added_contact(first, account.session, HERE)
    with pytest.raises(ContactLimit) as full:
        await shop.contacts.confirm_added_contact(second, account.session, HERE)
    assert full.value.limit == MAX_CONTACTS
    with pytest.raises(ContactLimit):
        await shop.contacts.add_contact(account.session, "ann@fourth.example", HERE)


def phones(count, customer):
    return tuple(
        ContactPoint(
            id=ContactId(f"phone {number}"),
            kind=ContactKind.PHONE,
            value=PhoneNumber(f"+4930123450{number}", f"+4930123450{number}"),
            added_at=customer.created_at,
        )
        for number in range(count)
    )


@pytest.mark.proves("REG-20")
async def test_a_proven_contact_is_not_added_twice(shop) -> None:
    account = await shop.open_account(ANN)
    with pytest.raises(ChangeNotPossible):
        await shop.contacts.add_contact(account.session, ANN.upper(), HERE)


@pytest.mark.proves("REG-20")
async def test_an_unproven_contact_of_the_account_is_proven_by_adding_it(shop, builder) -> None:
    account = await shop.open_account(ANN)
    imported = ContactPoint(
        id=ContactId("imported"),
        kind=ContactKind.EMAIL,
        value=EmailAddress.parse(WORK),
        added_at=builder.clock.now(),
    )
    await builder.edit(CUSTOMERS, account.id, lambda c: attrs.evolve(c, contacts=(*c.contacts, imported)))
    await added(shop, account)
    contact = (await contacts_of(builder, account))[WORK]
    assert contact.id == "imported"
    assert is_verified(contact)


@pytest.mark.proves("CUS-6", "CUS-30")
async def test_a_customer_sees_the_contacts_masked(shop) -> None:
    account = await shop.open_account(ANN)
    await added(shop, account)
    one, two = await shop.contacts.list_contacts(account.session, HERE)
    assert (one.masked, one.roles, one.verified, one.reach) == (
        "a***@lamp.example",
        ("login", "notify", "primary"),
        True,
        "reachable",
    )
    assert (two.masked, two.roles) == ("a***@work.example", ("notify",))


@pytest.mark.proves("CUS-32")
async def test_a_proven_contact_recovers_if_its_owner_says_so(shop, builder) -> None:
    account = await shop.open_account(ANN)
    contact = await added(shop, account)
    await shop.contacts.use_contact(account.session, contact, ContactRole.RECOVERY, HERE)
    assert (await contacts_of(builder, account))[WORK].roles == {ContactRole.NOTIFY, ContactRole.RECOVERY}
    told = {one.to for one in builder.mailbag.letters if one.template == "registration.contact_used"}
    assert told == {ANN, WORK}
    before = len(builder.mailbag.letters)
    await shop.contacts.use_contact(account.session, contact, ContactRole.RECOVERY, HERE)
    assert len(builder.mailbag.letters) == before
    await shop.contacts.use_contact(account.session, contact, ContactRole.RECOVERY, HERE, use=False)
    assert (await contacts_of(builder, account))[WORK].roles == {ContactRole.NOTIFY}


@pytest.mark.proves("CUS-32")
async def test_an_unproven_contact_serves_nothing_and_nobody_says_by_what_one_signs_in(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await builder.edit(CUSTOMERS, account.id, lambda c: attrs.evolve(c, contacts=(*c.contacts, *phones(1, c))))
    contact = await added(shop, account)
    with pytest.raises(ChangeNotPossible):
        await shop.contacts.use_contact(account.session, "phone 0", ContactRole.RECOVERY, HERE)
    for role in (ContactRole.LOGIN, ContactRole.PRIMARY):
        with pytest.raises(ChangeNotPossible):
            await shop.contacts.use_contact(account.session, contact, role, HERE)


@pytest.mark.proves("REG-21", "CUS-35")
async def test_a_removed_contact_hears_of_it_and_can_come_back(shop, builder) -> None:
    account = await shop.open_account(ANN)
    contact = await added(shop, account)
    other = (await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)).session
    removed = await shop.contacts.remove_contact(account.session, contact, HERE)
    assert removed.masked == "a***@work.example"
    assert removed.until == builder.clock.now() + timedelta(days=30)
    assert WORK not in await contacts_of(builder, account)
    told = {one.to for one in builder.mailbag.letters if one.template == "registration.contact_removed"}
    assert told == {ANN, WORK}
    assert isinstance(await shop.sessions.resume(removed.next_value.session, HERE), Resumed)
    assert isinstance(await shop.sessions.resume(other, HERE), NoSession)
    undo = newest(builder, "undo_contact_change")
    assert undo.to == WORK
    assert (await shop.contact_changes.peek_contact_change(undo.token, HERE)).new is None
    await shop.contact_changes.reverse_contact_change(undo.token, HERE)
    assert (await contacts_of(builder, account))[WORK].id == contact
    assert isinstance(await shop.sessions.resume(removed.next_value.session, HERE), NoSession)


@pytest.mark.proves("CUS-35")
async def test_a_removed_contact_hears_of_what_happens_for_thirty_days(shop, builder) -> None:
    account = await shop.open_account(ANN)
    removed = await shop.contacts.remove_contact(account.session, await added(shop, account), HERE)
    await shop.contacts.add_contact(removed.next_value.session, "ann@third.example", HERE)
    await shop.contacts.confirm_added_contact(builder.mailbag.last.token, removed.next_value.session, HERE)
    assert builder.mailbag.to(WORK)[-1].template == "registration.contact_added"
    builder.clock.advance(timedelta(days=30))
    await shop.upkeep.tick()
    customer = await builder.kept(CUSTOMERS, account.id)
    assert customer.former_contacts == ()
    assert WORK not in {contact.stored for contact in customer.notice_contacts(builder.clock.now())}


@pytest.mark.proves("REG-21", "CUS-36")
async def test_the_last_contact_to_sign_in_by_can_not_be_removed(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await added(shop, account)
    with pytest.raises(LastLoginContact):
        await shop.contacts.remove_contact(account.session, (await contacts_of(builder, account))[ANN].id, HERE)


@pytest.mark.proves("REG-21")
async def test_the_last_address_for_notices_can_be_neither_removed_nor_silenced(shop, builder) -> None:
    account = await shop.open_account(ANN)
    contact = await added(shop, account)
    login = (await contacts_of(builder, account))[ANN].id
    await shop.contacts.use_contact(account.session, login, ContactRole.NOTIFY, HERE, use=False)
    with pytest.raises(LastNoticeContact):
        await shop.contacts.use_contact(account.session, contact, ContactRole.NOTIFY, HERE, use=False)
    with pytest.raises(LastNoticeContact):
        await shop.contacts.remove_contact(account.session, contact, HERE)


@pytest.mark.proves("CUS-36")
async def test_a_contact_that_something_writes_to_is_not_removed(shop, builder) -> None:
    account = await shop.open_account(ANN)
    contact = await added(shop, account)
    uses = Subscriptions()
    builder.ports = {"contact_uses": uses}
    other = builder.build()
    with pytest.raises(ContactInUse) as used:
        await other.contacts.remove_contact(account.session, contact, HERE)
    assert used.value.in_use_by == ("subscription",)
    assert uses.asked == [(account.id, contact)]


class Subscriptions:
    def __init__(self):
        self.asked = []

    def uses(self, account, contact):
        self.asked.append((account, contact))
        return ("subscription",)


@pytest.mark.proves("SIG-80")
async def test_nobody_silences_the_address_that_signs_in(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await added(shop, account, WORK)
    owners = (await contacts_of(builder, account))[ANN].id
    await shop.contacts.use_contact(account.session, owners, ContactRole.NOTIFY, HERE, use=False)
    assert builder.mailbag.to(ANN)[-1].template == "registration.contact_used"
    await shop.passwords.change_password(account.session, PASSWORD, NEW_PASSWORD, HERE)
    assert {one.to for one in builder.mailbag.letters if one.template == "passwords.was_changed"} == {ANN, WORK}


@pytest.mark.proves("SIG-80")
async def test_an_address_hears_that_it_hears_no_more(shop, builder) -> None:
    account = await shop.open_account(ANN)
    silenced = await added(shop, account, WORK)
    await shop.contacts.use_contact(account.session, silenced, ContactRole.NOTIFY, HERE, use=False)
    assert builder.mailbag.to(WORK)[-1].template == "registration.contact_used"
    await shop.passwords.change_password(account.session, PASSWORD, NEW_PASSWORD, HERE)
    assert builder.mailbag.to(WORK)[-1].template == "registration.contact_used"


@pytest.mark.proves("SIG-80", "REG-60")
async def test_an_account_full_of_contacts_can_still_move_its_sign_in(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await builder.edit(CUSTOMERS, account.id, lambda c: attrs.evolve(c, contacts=(*c.contacts, *phones(9, c))))
    assert len((await builder.kept(CUSTOMERS, account.id)).contacts) == MAX_CONTACTS
    await shop.contact_changes.promote_contact(account.session, WORK, HERE)
    for side in ("old", "new"):
        confirm = getattr(shop.contact_changes, f"confirm_change_{side}")
        await confirm(newest(builder, f"confirm_{side}_contact").token, account.session, HERE)
    assert (await builder.kept(CUSTOMERS, account.id)).sign_in_email.stored == WORK
    assert builder.mailbag.to(ANN)[-1].template == "registration.contact_changed"
