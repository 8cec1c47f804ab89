"""Signing in by another address: asked for, confirmed at both, and taken back from the old one."""

import contextlib
from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, ContactRole, Trigger, is_verified
from shopaccounts.kernel.assurance import Level, Method, Proof, ProofKind
from shopaccounts.kernel.contact import EmailAddress
from shopaccounts.kernel.errors import FreshSignInNeeded, Rejected, Throttled
from shopaccounts.kernel.ids import ContactId
from shopaccounts.kernel.limits import Window
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, Stamp
from shopaccounts.kernel.sending import SendPolicy
from shopaccounts.passwords import PASSWORDS, MustChange
from shopaccounts.recovery import ResetLinkStale
from shopaccounts.registration import (
    CONTACT_CHANGES,
    ChangeNotPossible,
    ChangeState,
    ConfirmationNeeded,
    ContactBelongsElsewhere,
    ContactChanged,
    ContactLinkExpired,
    ContactLinkInvalid,
    ContactLinkStale,
    ContactLinkUsed,
    HolderUnknown,
    OnHold,
    RegistrationForm,
)
from shopaccounts.signin import SESSIONS, NoSession, Resumed, SignedIn, SignInRefused, SignInRequired
from shopaccounts.testing.builders import PASSWORD, Between, quick_policies, request_from

OLD, NEW, OTHER, HERE = "ann@lamp.example", "ann@new.example", "eve@lamp.example", request_from()
NEW_PASSWORD = "another lamp by the river"


def newest(builder, template, to=None):
    letters = [one for one in builder.mailbag.letters if one.template == f"registration.{template}"]
    return [one for one in letters if to in {None, one.to}][-1]


async def asked(shop, account, to=NEW):
    """Asks, and lets a minute pass, so that another message may go out."""
    answer = await shop.contact_changes.promote_contact(account.session, to, HERE)
    shop.builder.clock.advance(timedelta(minutes=2))
    return answer


async def changed(shop, account, to=NEW):
    """Asks and confirms at both addresses; answers the session that goes on."""
    await asked(shop, account, to)
    builder = shop.builder
    await shop.contact_changes.confirm_change_old(newest(builder, "confirm_old_contact").token, None, HERE)
    new = newest(builder, "confirm_new_contact", to).token
    return await shop.contact_changes.confirm_change_new(new, account.session, HERE)


async def signs_in(shop, email, password=PASSWORD):
    try:
        return isinstance(await shop.signin.sign_in_with_password(email, password, HERE), SignedIn)
    except SignInRefused:
        return False


async def fresh(shop, email):
    return (await shop.signin.sign_in_with_password(email, PASSWORD, HERE)).session


async def change_of(builder, account):
    listed = builder.storage.snapshot()["main"].books["contact_changes"].values()
    return [one for one in listed if one.account == account.id]


@pytest.mark.proves("REG-60", "REG-65")
async def test_asking_changes_nothing_and_tells_every_address_of_the_account(shop, builder) -> None:
    account = await shop.open_account(OLD)
    before = await builder.kept(CUSTOMERS, account.id)
    answer = await asked(shop, account)
    assert (answer.masked, answer.confirm_old) == ("a***@new.example", True)
    assert await builder.kept(CUSTOMERS, account.id) == before
    assert [one.template for one in builder.mailbag.to(NEW)] == ["registration.confirm_new_contact"]
    told = [one.template for one in builder.mailbag.to(OLD)][-2:]
    assert told == ["registration.confirm_old_contact", "registration.change_requested"]
    assert await signs_in(shop, OLD)
    assert not await signs_in(shop, NEW)


@pytest.mark.proves("REG-60")
async def test_asking_takes_a_fresh_proof(shop, builder) -> None:
    account = await shop.open_account(OLD)
    builder.clock.advance(timedelta(minutes=20))
    with pytest.raises(FreshSignInNeeded):
        await shop.contact_changes.promote_contact(account.session, NEW, HERE)


@pytest.mark.proves("REG-14")
async def test_who_waits_for_the_first_proof_asks_for_no_change(shop) -> None:
    started = await shop.registration.register(RegistrationForm(identifier=OLD, password=PASSWORD), HERE)
    for act in (shop.contact_changes.promote_contact, shop.contacts.add_contact):
        with pytest.raises(SignInRequired):
            await act(started.handle, NEW, HERE)


@pytest.mark.proves("REG-60")
async def test_the_address_in_force_is_no_change_in_whatever_spelling(shop) -> None:
    account = await shop.open_account(OLD)
    with pytest.raises(ChangeNotPossible):
        await shop.contact_changes.promote_contact(account.session, OLD.upper(), HERE)


@pytest.mark.proves("REG-60")
async def test_a_newer_request_kills_the_links_of_the_older_one(shop, builder) -> None:
    account = await shop.open_account(OLD)
    await asked(shop, account)
    links = [newest(builder, "confirm_new_contact").token, newest(builder, "confirm_old_contact").token]
    await asked(shop, account, "ann@third.example")
    with pytest.raises(ContactLinkStale):
        await shop.contact_changes.confirm_change_new(links[0], account.session, HERE)
    with pytest.raises(ContactLinkStale):
        await shop.contact_changes.confirm_change_old(links[1], account.session, HERE)
    states = [one.state for one in await change_of(builder, account)]
    assert sorted(state.value for state in states) == ["requested", "superseded"]


@pytest.mark.proves("REG-60")
async def test_asking_for_what_is_no_change_uses_up_nothing(shop) -> None:
    account = await shop.open_account(OLD)
    for _ in range(3):
        with pytest.raises(ChangeNotPossible):
            await shop.contact_changes.promote_contact(account.session, OLD, HERE)
    assert await asked(shop, account)


@pytest.mark.proves("REG-61", "REG-64")
async def test_who_confirms_at_the_old_address_last_goes_on_in_the_session_they_have(shop, builder) -> None:
    account = await shop.open_account(OLD)
    await asked(shop, account)
    new, old = (newest(builder, name).token for name in ("confirm_new_contact", "confirm_old_contact"))
    assert isinstance(await shop.contact_changes.confirm_change_new(new, account.session, HERE), ConfirmationNeeded)
    done = await shop.contact_changes.confirm_change_old(old, account.session, HERE)
    assert isinstance(await shop.sessions.resume(done.next_value.session, HERE), Resumed)
    assert isinstance(await shop.sessions.resume(account.session, HERE), NoSession)


@pytest.mark.proves("REG-64", "KER-181")
async def test_a_confirmation_meets_a_change_of_the_accounts_security_that_comes_meanwhile(shop, builder) -> None:
    account = await shop.open_account(OLD)
    await asked(shop, account)
    between = Between(lambda: builder.edit(SECURITY, account.id, lambda s: s.bump(Stamp.PASSWORD)))
    with pytest.raises(ContactLinkStale):
        await builder.build(between).contact_changes.confirm_change_old(
            newest(builder, "confirm_old_contact").token, None, HERE
        )
    assert between.happened
    assert [one.state for one in await change_of(builder, account)] == [ChangeState.REQUESTED]


@pytest.mark.proves("REG-60")
async def test_an_account_asks_three_times_in_thirty_days(shop) -> None:
    account = await shop.open_account(OLD)
    for number in range(3):
        await asked(shop, account, f"ann@{number}.example")
    with pytest.raises(Throttled):
        await asked(shop, account, "ann@4.example")


@pytest.mark.proves("REG-61")
@pytest.mark.parametrize("first", ["old", "new"])
async def test_both_addresses_confirm_in_either_order(shop, builder, first) -> None:
    account = await shop.open_account(OLD)
    await asked(shop, account)
    new, old = newest(builder, "confirm_new_contact").token, newest(builder, "confirm_old_contact").token
    steps = [
        lambda: shop.contact_changes.confirm_change_new(new, account.session, HERE),
        lambda: shop.contact_changes.confirm_change_old(old, account.session, HERE),
    ]
    one, two = steps if first == "new" else reversed(steps)
    waits = await one()
    assert waits == ConfirmationNeeded(masked="a***@lamp.example" if first == "new" else "a***@new.example")
    assert await signs_in(shop, OLD)
    done = await two()
    assert isinstance(done, ContactChanged)
    assert done.masked == "a***@new.example"
    assert await signs_in(shop, NEW)


@pytest.mark.proves("REG-62")
async def test_a_link_for_one_value_proves_no_other(shop, builder) -> None:
    account = await shop.open_account(OLD)
    await asked(shop, account)
    for_new, for_old = newest(builder, "confirm_new_contact").token, newest(builder, "confirm_old_contact").token
    with pytest.raises(ContactLinkInvalid):
        await shop.contact_changes.confirm_change_old(for_new, account.session, HERE)
    with pytest.raises(ContactLinkInvalid):
        await shop.contact_changes.confirm_change_new(for_old, account.session, HERE)
    with pytest.raises(ContactLinkInvalid):
        await shop.contact_changes.reverse_contact_change(for_old, HERE)
    await asked(shop, account, "ann@third.example")
    await shop.contact_changes.confirm_change_old(newest(builder, "confirm_old_contact").token, None, HERE)
    with pytest.raises(ContactLinkStale):
        await shop.contact_changes.confirm_change_new(for_new, account.session, HERE)
    assert not await signs_in(shop, NEW)


@pytest.mark.proves("REG-62", "CUS-34")
@pytest.mark.parametrize("happens", ["password", "everywhere"])
async def test_any_change_of_the_accounts_security_kills_a_request(shop, builder, happens) -> None:
    account = await shop.open_account(OLD)
    await asked(shop, account)
    link = newest(builder, "confirm_new_contact").token
    if happens == "password":
        await shop.recovery.request_reset(OLD, HERE)
        await shop.recovery.reset_password(builder.mailbag.last.token, NEW_PASSWORD, HERE)
    else:
        await shop.sessions.sign_out_everywhere(account.session, HERE)
    password = NEW_PASSWORD if happens == "password" else PASSWORD
    session = (await shop.signin.sign_in_with_password(OLD, password, HERE)).session
    with pytest.raises(ContactLinkStale):
        await shop.contact_changes.confirm_change_new(link, session, HERE)


@pytest.mark.proves("REG-63")
async def test_the_new_address_is_proven_by_who_asked_or_has_just_signed_in(shop, builder) -> None:
    account = await shop.open_account(OLD)
    await asked(shop, account)
    link = newest(builder, "confirm_new_contact").token
    stranger = await shop.open_account(OTHER)
    builder.clock.advance(timedelta(minutes=20))
    signed_in = (await shop.signin.sign_in_with_password(OLD, PASSWORD, HERE)).session
    for session in (None, stranger.session):
        assert await shop.contact_changes.confirm_change_new(link, session, HERE) == HolderUnknown()
    builder.clock.advance(timedelta(minutes=20))
    assert await shop.contact_changes.confirm_change_new(link, signed_in, HERE) == HolderUnknown()
    assert [one.state for one in await change_of(builder, account)] == [ChangeState.REQUESTED]
    fresh = (await shop.signin.sign_in_with_password(OLD, PASSWORD, HERE)).session
    assert isinstance(await shop.contact_changes.confirm_change_new(link, fresh, HERE), ConfirmationNeeded)


@pytest.mark.proves("REG-63")
async def test_the_session_that_asked_needs_no_fresh_proof_to_confirm(shop, builder) -> None:
    account = await shop.open_account(OLD)
    await asked(shop, account)
    builder.clock.advance(timedelta(minutes=30))
    link = newest(builder, "confirm_new_contact").token
    assert isinstance(await shop.contact_changes.confirm_change_new(link, account.session, HERE), ConfirmationNeeded)


@pytest.mark.proves("KER-234")
async def test_looking_at_a_link_changes_nothing(shop, builder) -> None:
    account = await shop.open_account(OLD)
    await asked(shop, account)
    for template in ("confirm_new_contact", "confirm_old_contact"):
        for _ in range(2):
            offer = await shop.contact_changes.peek_contact_change(newest(builder, template).token, HERE)
        assert (offer.old, offer.new) == ("a***@lamp.example", "a***@new.example")
    assert [one.state for one in await change_of(builder, account)] == [ChangeState.REQUESTED]


@pytest.mark.proves("REG-64", "KER-223", "KER-220")
async def test_a_change_in_force_moves_everything_at_once(shop, builder) -> None:
    account = await shop.open_account(OLD)
    other = (await shop.signin.sign_in_with_password(OLD, PASSWORD, HERE)).session
    await shop.recovery.request_reset(OLD, HERE)
    reset = builder.mailbag.last.token
    builder.clock.advance(timedelta(minutes=2))
    done = await changed(shop, account)
    customer = await builder.kept(CUSTOMERS, account.id)
    (contact,), (former,) = customer.contacts, customer.former_contacts
    assert contact.value.stored == NEW
    assert is_verified(contact)
    assert contact.roles == {ContactRole.LOGIN, ContactRole.PRIMARY, ContactRole.NOTIFY}
    assert former.contact.value.stored == OLD
    assert former.until == done.undo_until == builder.clock.now() + timedelta(days=30)
    assert isinstance(await shop.sessions.resume(done.next_value.session, HERE), Resumed)
    for dead in (other, account.session):
        assert isinstance(await shop.sessions.resume(dead, HERE), NoSession)
    with pytest.raises(ResetLinkStale):
        await shop.recovery.peek_reset(reset, HERE)
    told = {one.to for one in builder.mailbag.letters if one.template == "registration.contact_changed"}
    assert told == {OLD, NEW}
    assert newest(builder, "undo_contact_change").to == OLD
    assert not await signs_in(shop, OLD)


@pytest.mark.proves("REG-61")
async def test_a_change_that_the_old_address_confirms_last_ends_every_session_of_others(shop, builder) -> None:
    account = await shop.open_account(OLD)
    await asked(shop, account)
    new, old = newest(builder, "confirm_new_contact").token, newest(builder, "confirm_old_contact").token
    await shop.contact_changes.confirm_change_new(new, account.session, HERE)
    stranger = await shop.open_account(OTHER)
    done = await shop.contact_changes.confirm_change_old(old, stranger.session, HERE)
    assert done.next_value is None
    assert isinstance(await shop.sessions.resume(account.session, HERE), NoSession)
    assert isinstance(await shop.sessions.resume(stranger.session, HERE), Resumed)


@pytest.mark.proves("REG-64", "CUS-33")
async def test_an_address_that_got_an_owner_meanwhile_is_told_to_whoever_has_proven_it(shop, builder) -> None:
    account = await shop.open_account(OLD)
    await asked(shop, account)
    new, old = newest(builder, "confirm_new_contact").token, newest(builder, "confirm_old_contact").token
    await shop.open_account(NEW)
    await shop.contact_changes.confirm_change_old(old, None, HERE)
    before = await builder.kept(CUSTOMERS, account.id)
    for _ in range(2):
        with pytest.raises(ContactBelongsElsewhere):
            await shop.contact_changes.confirm_change_new(new, account.session, HERE)
    assert await builder.kept(CUSTOMERS, account.id) == before


@pytest.mark.proves("REG-60", "CUS-33")
async def test_the_owner_of_an_address_hears_that_somebody_wanted_it(shop, builder) -> None:
    account = await shop.open_account(OLD)
    await shop.open_account(NEW)
    await shop.contact_changes.promote_contact(account.session, NEW.upper(), HERE)
    assert [one.template for one in builder.mailbag.to(NEW)][-1] == "registration.address_wanted"
    assert not [one for one in builder.mailbag.letters if one.template == "registration.confirm_new_contact"]


@pytest.mark.proves("REG-64", "KER-221")
async def test_an_account_that_waits_for_its_first_proof_keeps_nobody_from_the_address(shop, builder) -> None:
    account = await shop.open_account(OLD)
    started = await shop.registration.register(RegistrationForm(identifier=NEW, password=NEW_PASSWORD), HERE)
    code = builder.mailbag.last.code
    builder.clock.advance(timedelta(minutes=2))
    assert isinstance(await changed(shop, account), ContactChanged)
    with pytest.raises(Rejected):
        await shop.registration.complete_registration(started.handle, code, HERE)
    assert not await signs_in(shop, NEW, NEW_PASSWORD)
    assert await signs_in(shop, NEW)


@pytest.mark.proves("REG-65")
async def test_nobody_resets_by_the_new_address_before_it_is_in_force(shop, builder) -> None:
    account = await shop.open_account(OLD)
    await asked(shop, account)
    await shop.contact_changes.confirm_change_new(newest(builder, "confirm_new_contact").token, account.session, HERE)
    await shop.recovery.request_reset(NEW, HERE)
    assert not builder.mailbag.last.deliver
    builder.clock.advance(timedelta(minutes=2))
    await shop.recovery.request_reset(OLD, HERE)
    assert (builder.mailbag.last.to, builder.mailbag.last.deliver) == (OLD, True)


@pytest.mark.proves("REG-66")
async def test_a_change_holds_the_account_for_three_days(shop, builder) -> None:
    account = await shop.open_account(OLD)
    done = await changed(shop, account)
    assert done.on_hold_until == builder.clock.now() + timedelta(hours=72)
    assert (await builder.kept(SECURITY, account.id)).on_hold_until(builder.clock.now())
    with pytest.raises(OnHold) as held:
        await shop.contact_changes.promote_contact(done.next_value.session, "ann@third.example", HERE)
    assert held.value.until == done.on_hold_until
    builder.clock.advance(timedelta(hours=72))
    assert not (await builder.kept(SECURITY, account.id)).on_hold_until(builder.clock.now())
    session = (await shop.signin.sign_in_with_password(NEW, PASSWORD, HERE)).session
    assert await shop.contact_changes.promote_contact(session, "ann@third.example", HERE)


@pytest.mark.proves("REG-66")
async def test_whoever_proves_two_factors_changes_the_address_again_in_that_time(shop, builder) -> None:
    account = await shop.open_account(OLD)
    value, now = (await changed(shop, account)).next_value.session, builder.clock.now()
    (here,) = [one for one in builder.storage.snapshot()["main"].books[SESSIONS.name].values() if not one.ended]
    both = (
        Proof(method=Method.PASSWORD, kind=ProofKind.KNOWLEDGE, at=now),
        Proof(method=Method.EMAIL_LINK, kind=ProofKind.POSSESSION, at=now),
    )
    strong = attrs.evolve(here.auth, proofs=both, level=Level.MULTI)
    await builder.edit(SESSIONS, here.id, lambda session: attrs.evolve(session, auth=strong))
    assert await shop.contact_changes.promote_contact(value, "ann@third.example", HERE)


@pytest.mark.proves("REG-60")
async def test_asking_counts_as_a_message_to_the_new_mailbox(builder) -> None:
    shop = builder.build()
    builder.policies = quick_policies(
        sends=SendPolicy(mailbox_hourly=Window(limit=1, per=timedelta(hours=1)), kept_for_owner=0)
    )
    sparing = builder.build()
    one, other = await shop.open_account(OLD), await shop.open_account(OTHER)
    await sparing.contact_changes.promote_contact(one.session, NEW, HERE)
    with pytest.raises(Throttled):
        await sparing.contact_changes.promote_contact(other.session, NEW, HERE)
    assert await change_of(builder, other) == []


@pytest.mark.proves("REG-67", "REG-10")
async def test_the_old_address_is_reserved_until_the_change_settles(shop, builder) -> None:
    account = await shop.open_account(OLD)
    await changed(shop, account)
    eve = await shop.open_account(OTHER)
    form = RegistrationForm(identifier=OLD, password=NEW_PASSWORD)
    started = await shop.registration.register(form, HERE)
    assert builder.mailbag.last.template == "registration.address_held"
    assert builder.mailbag.last.to == OLD
    assert started.masked == "a***@lamp.example"
    builder.clock.advance(timedelta(minutes=2))
    await asked(shop, eve, OLD)
    assert builder.mailbag.to(OLD)[-1].template == "registration.address_wanted"
    builder.clock.advance(timedelta(hours=1))
    await shop.contacts.add_contact(await fresh(shop, OTHER), OLD, HERE)
    assert builder.mailbag.last.template == "registration.address_wanted"
    builder.clock.advance(timedelta(days=30))
    await shop.upkeep.tick()
    await shop.registration.register(form, HERE)
    assert builder.mailbag.last.template == "registration.verify_contact"


@pytest.mark.proves("REG-67")
async def test_the_old_address_neither_signs_in_nor_resets_while_it_is_reserved(shop, builder) -> None:
    account = await shop.open_account(OLD)
    await changed(shop, account)
    assert not await signs_in(shop, OLD)
    await shop.recovery.request_reset(OLD, HERE)
    assert not builder.mailbag.last.deliver


@pytest.mark.proves("REG-68", "CUS-35")
async def test_the_old_address_takes_a_change_back_whatever_happened_since(shop, builder) -> None:
    account = await shop.open_account(OLD)
    done = await changed(shop, account)
    undo = newest(builder, "undo_contact_change").token
    thief = done.next_value.session
    await shop.contacts.add_contact(thief, "thief@lamp.example", HERE)
    added = newest(builder, "add_contact")
    await shop.contacts.confirm_added_contact(added.token, thief, HERE)
    builder.clock.advance(timedelta(minutes=2))
    await shop.recovery.request_reset(NEW, HERE)
    await shop.recovery.reset_password(builder.mailbag.last.token, NEW_PASSWORD, HERE)
    thief = (await shop.signin.sign_in_with_password(NEW, NEW_PASSWORD, HERE)).session
    offer = await shop.contact_changes.peek_contact_change(undo, HERE)
    assert offer.old == "a***@lamp.example"
    await shop.contact_changes.reverse_contact_change(undo, HERE)
    customer = await builder.kept(CUSTOMERS, account.id)
    (contact,) = customer.contacts
    assert contact.value.stored == OLD
    assert is_verified(contact)
    assert ContactRole.LOGIN in contact.roles
    assert customer.former_contacts == ()
    assert isinstance(await shop.sessions.resume(thief, HERE), NoSession)
    assert (await builder.kept(PASSWORDS, account.id)).must_change is MustChange.REPORTED
    assert not await signs_in(shop, NEW, NEW_PASSWORD)
    told = {one.to for one in builder.mailbag.letters if one.template == "registration.change_undone"}
    assert told == {OLD, NEW, "thief@lamp.example"}
    builder.clock.advance(timedelta(minutes=2))
    await shop.recovery.request_reset(OLD, HERE)
    await shop.recovery.reset_password(builder.mailbag.last.token, "my very own lamps again", HERE)
    assert await signs_in(shop, OLD, "my very own lamps again")


@pytest.mark.proves("REG-68", "KER-222")
async def test_a_change_is_taken_back_once(shop, builder) -> None:
    account = await shop.open_account(OLD)
    await changed(shop, account)
    undo = newest(builder, "undo_contact_change").token
    await shop.contact_changes.reverse_contact_change(undo, HERE)
    with pytest.raises(ContactLinkUsed):
        await shop.contact_changes.reverse_contact_change(undo, HERE)


@pytest.mark.proves("REG-68")
async def test_taking_back_a_change_ends_the_later_ones_and_their_links(shop, builder) -> None:
    account = await shop.open_account(OLD)
    done = await changed(shop, account)
    first = newest(builder, "undo_contact_change").token
    builder.clock.advance(timedelta(hours=73))
    session = (await shop.signin.sign_in_with_password(NEW, PASSWORD, HERE)).session
    await changed(shop, attrs.evolve(account, session=session), "ann@third.example")
    second = newest(builder, "undo_contact_change").token
    assert done
    await shop.contact_changes.reverse_contact_change(first, HERE)
    with pytest.raises(ContactLinkStale):
        await shop.contact_changes.reverse_contact_change(second, HERE)
    customer = await builder.kept(CUSTOMERS, account.id)
    assert [one.value.stored for one in customer.contacts] == [OLD]
    assert customer.former_contacts == ()


@pytest.mark.proves("REG-68")
@pytest.mark.parametrize("trigger", [Trigger.SUSPEND, Trigger.REQUEST_CLOSING])
async def test_a_change_is_taken_back_from_an_account_that_was_stopped(shop, builder, trigger) -> None:
    account = await shop.open_account(OLD)
    await changed(shop, account)
    await builder.step(account.id, trigger)
    await shop.contact_changes.reverse_contact_change(newest(builder, "undo_contact_change").token, HERE)
    assert (await builder.kept(CUSTOMERS, account.id)).contacts[0].value.stored == OLD


@pytest.mark.proves("REG-68")
async def test_an_account_that_was_closed_is_not_brought_back(shop, builder) -> None:
    account = await shop.open_account(OLD)
    await changed(shop, account)
    await builder.step(account.id, Trigger.REQUEST_CLOSING)
    await builder.step(account.id, Trigger.CLOSE)
    with pytest.raises(ContactLinkStale):
        await shop.contact_changes.reverse_contact_change(newest(builder, "undo_contact_change").token, HERE)


@pytest.mark.proves("REG-69")
async def test_after_the_window_a_change_has_settled(shop, builder) -> None:
    account = await shop.open_account(OLD)
    await changed(shop, account)
    builder.clock.advance(timedelta(days=30))
    with pytest.raises(ContactLinkExpired):
        await shop.contact_changes.reverse_contact_change(newest(builder, "undo_contact_change").token, HERE)
    await shop.upkeep.tick()
    await shop.upkeep.tick()
    assert [one.state for one in await change_of(builder, account)] == [ChangeState.SETTLED]
    assert (await builder.kept(CUSTOMERS, account.id)).former_contacts == ()
    events = [one.name for one in builder.storage.snapshot()["main"].books["events"].values()]
    assert events.count("registration.contact_change_settled") == 1


@pytest.mark.proves("REG-69")
async def test_a_request_that_nobody_confirms_expires(shop, builder) -> None:
    account = await shop.open_account(OLD)
    await asked(shop, account)
    builder.clock.advance(timedelta(hours=24))
    with pytest.raises(ContactLinkExpired):
        await shop.contact_changes.peek_contact_change(newest(builder, "confirm_new_contact").token, HERE)
    await shop.upkeep.tick()
    assert [one.state for one in await change_of(builder, account)] == [ChangeState.EXPIRED]


@pytest.mark.proves("REG-69")
async def test_any_session_of_the_account_cancels_a_request(shop, builder) -> None:
    account = await shop.open_account(OLD)
    await asked(shop, account)
    other = (await shop.signin.sign_in_with_password(OLD, PASSWORD, HERE)).session
    builder.clock.advance(timedelta(minutes=40))
    await shop.contact_changes.cancel_contact_change(other, HERE)
    with pytest.raises(ContactLinkStale):
        await shop.contact_changes.confirm_change_new(
            newest(builder, "confirm_new_contact").token, account.session, HERE
        )
    with pytest.raises(ChangeNotPossible):
        await shop.contact_changes.cancel_contact_change(other, HERE)


@pytest.mark.proves("REG-69", "SIG-84")
async def test_who_objects_to_a_request_cancels_it_and_who_objects_to_a_change_takes_it_back(shop, builder) -> None:
    account = await shop.open_account(OLD)
    await asked(shop, account)
    await shop.objections.not_me_change(objection(newest(builder, "change_requested")), HERE)
    assert [one.state for one in await change_of(builder, account)] == [ChangeState.CANCELLED]
    other = await shop.open_account(OTHER)
    await changed(shop, other, NEW)
    await shop.objections.not_me_change(objection(newest(builder, "contact_changed")), HERE)
    with pytest.raises(ContactLinkStale):
        await shop.contact_changes.reverse_contact_change(newest(builder, "undo_contact_change").token, HERE)
    assert (await builder.kept(CUSTOMERS, other.id)).contacts[0].value.stored == OTHER


@pytest.mark.proves("SIG-84")
async def test_who_objects_to_a_removal_takes_back_what_was_changed_after_it_too(shop, builder) -> None:
    account = await shop.open_account(OLD)
    await shop.contacts.add_contact(account.session, OTHER, HERE)
    added = await shop.contacts.confirm_added_contact(builder.mailbag.last.token, account.session, HERE)
    builder.clock.advance(timedelta(minutes=2))
    thiefs = await shop.enter(OLD, context=HERE)
    removed = await shop.contacts.remove_contact(thiefs.session, added.contact, HERE)
    builder.clock.advance(timedelta(minutes=2))
    await changed(shop, attrs.evolve(account, session=removed.next_value.session))
    await shop.objections.not_me_change(objection(newest(builder, "contact_removed")), HERE)
    stored = {one.value.stored: one.roles for one in (await builder.kept(CUSTOMERS, account.id)).contacts}
    assert stored.keys() == {OLD, OTHER}
    assert ContactRole.LOGIN in stored[OLD]


def objection(letter):
    return Secret(letter.secrets["not_me_link"].partition("token=")[2])


@pytest.mark.proves("REG-60", "REG-64")
async def test_a_contact_of_the_account_may_be_put_in_force(shop, builder) -> None:
    account = await shop.open_account(OLD)
    await shop.contacts.add_contact(account.session, NEW, HERE)
    await shop.contacts.confirm_added_contact(builder.mailbag.last.token, account.session, HERE)
    builder.clock.advance(timedelta(minutes=2))
    await changed(shop, account)
    customer = await builder.kept(CUSTOMERS, account.id)
    assert [one.value.stored for one in customer.contacts] == [NEW]
    assert await signs_in(shop, NEW)


async def test_links_of_changes_open_nothing_once_they_are_purged(shop, builder) -> None:
    account = await shop.open_account(OLD)
    await asked(shop, account)
    builder.clock.advance(timedelta(days=60))
    await shop.upkeep.tick()
    assert (
        await builder.kept(CONTACT_CHANGES, newest(builder, "confirm_new_contact").token.reveal().split(".")[2]) is None
    )
    with pytest.raises(ContactLinkInvalid):
        await shop.contact_changes.peek_contact_change(newest(builder, "confirm_new_contact").token, HERE)


@pytest.mark.proves("REG-67", "REG-68")
@pytest.mark.parametrize("by_way_of", [(NEW,), (NEW, OTHER)], ids=["one address", "two"])
async def test_no_address_in_between_comes_back_when_the_owner_goes_back_to_the_old_one(
    shop, builder, by_way_of
) -> None:
    account, at = await shop.open_account(OLD), OLD
    for email in (*by_way_of, OLD):
        await promoted(shop, builder, at, email)
        at = email
    customer = await builder.kept(CUSTOMERS, account.id)
    assert [contact.value.stored for contact in customer.contacts] == [OLD]
    assert customer.former_contacts == ()
    for letter in builder.mailbag.letters:
        if letter.to in by_way_of and letter.template == "registration.undo_contact_change":
            with pytest.raises(ContactLinkStale):
                await shop.contact_changes.reverse_contact_change(letter.token, HERE)
        if letter.to in by_way_of and letter.template == "registration.contact_changed":
            with contextlib.suppress(Rejected):
                await shop.objections.not_me_change(letter.ticket("not_me_link"), HERE)
    undo = [one.to for one in builder.mailbag.letters if one.template == "registration.undo_contact_change"]
    assert undo == [OLD, *by_way_of[:-1]], "the last change has no link that takes it back"
    assert not await signs_in(shop, NEW)
    await shop.open_account(NEW)


async def promoted(shop, builder, old, new):
    """Puts *new* in the place of *old*, as whoever reads both does, and lets the hold pass."""
    session = (await shop.signin.sign_in_with_password(old, PASSWORD, HERE)).session
    await shop.contact_changes.promote_contact(session, new, HERE)
    await shop.contact_changes.confirm_change_old(newest(builder, "confirm_old_contact", old).token, None, HERE)
    await shop.contact_changes.confirm_change_new(newest(builder, "confirm_new_contact", new).token, session, HERE)
    builder.clock.advance(timedelta(days=4))


@pytest.mark.proves("REG-68")
async def test_whoever_goes_back_after_the_time_to_take_back_leaves_an_address_that_can(shop, builder) -> None:
    account = await shop.open_account(OLD)
    await promoted(shop, builder, OLD, NEW)
    builder.clock.advance(timedelta(days=27))
    await promoted(shop, builder, NEW, OLD)
    customer = await builder.kept(CUSTOMERS, account.id)
    assert [former.contact.value.stored for former in customer.former_contacts] == [NEW]
    await shop.contact_changes.reverse_contact_change(newest(builder, "undo_contact_change", NEW).token, HERE)
    assert (await builder.kept(CUSTOMERS, account.id)).sign_in_email.stored == NEW


@pytest.mark.proves("REG-64", "REG-68", "REG-69")
async def test_the_shop_hears_of_every_step_of_a_change(shop, builder) -> None:
    account = await shop.open_account(OLD)
    await changed(shop, account)
    await shop.contact_changes.reverse_contact_change(newest(builder, "undo_contact_change").token, HERE)
    other = await shop.open_account(OTHER)
    await asked(shop, other, "eve@new.example")
    await shop.contact_changes.cancel_contact_change(other.session, HERE)
    names = [event.name for event in builder.storage.snapshot()["main"].books["events"].values()]
    steps = [name.removeprefix("registration.contact_change_") for name in names if "contact_change_" in name]
    assert steps == ["requested", "applied", "undone", "requested", "cancelled"]


@pytest.mark.proves("REG-68")
async def test_a_change_of_an_account_without_a_password_is_taken_back_too(shop, builder) -> None:
    account = await shop.open_account(OLD, None)
    await changed(shop, account)
    await shop.contact_changes.reverse_contact_change(newest(builder, "undo_contact_change").token, HERE)
    assert [one.value.stored for one in (await builder.kept(CUSTOMERS, account.id)).contacts] == [OLD]


@pytest.mark.proves("SIG-84")
async def test_who_objects_to_a_change_takes_back_what_was_added_since_it_was_asked_for(shop, builder) -> None:
    account = await shop.open_account(OLD)
    await asked(shop, account)

    def with_theirs(customer):
        theirs = attrs.evolve(customer.contacts[0], id=ContactId("theirs"), value=EmailAddress.parse(OTHER))
        theirs = attrs.evolve(theirs, roles=frozenset(), added_at=builder.clock.now(), verified=None)
        return attrs.evolve(customer, contacts=(*customer.contacts, theirs))

    await builder.edit(CUSTOMERS, account.id, with_theirs)
    builder.clock.advance(timedelta(minutes=2))
    await shop.contact_changes.confirm_change_old(newest(builder, "confirm_old_contact").token, None, HERE)
    await shop.contact_changes.confirm_change_new(newest(builder, "confirm_new_contact").token, account.session, HERE)
    await shop.objections.not_me_change(objection(newest(builder, "contact_changed")), HERE)
    assert [one.value.stored for one in (await builder.kept(CUSTOMERS, account.id)).contacts] == [OLD]
