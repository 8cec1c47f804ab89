""" "That wasn't me": what it takes away, what it leaves, and that it gives nothing."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import (
    CLOSINGS,
    CUSTOMERS,
    AccountStatus,
    BlockedClosing,
    Blocker,
    ContactPoint,
    ContactRole,
    LifecyclePolicy,
    StatusReason,
    Trigger,
    VerificationMethod,
    follow,
)
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.contact import ContactKind, EmailAddress
from shopaccounts.kernel.errors import InsecureTransport
from shopaccounts.kernel.ids import ContactId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY
from shopaccounts.passwords import PASSWORDS, MustChange
from shopaccounts.recovery import ResetLinkExpired, ResetLinkInvalid, ResetLinkStale, ResetLinkUsed
from shopaccounts.registration import CONTACT_CHANGES, ChangeState
from shopaccounts.signin import (
    DEVICES,
    NoSession,
    PasswordChangeNeeded,
    RenewalPolicy,
    SessionPolicy,
    SignedIn,
    SignInRefused,
    SignInRequired,
)
from shopaccounts.testing.builders import PASSWORD, Between, ShopBuilder, quick_policies, request_from, without_gaps

ANN, HERE = "ann@lamp.example", request_from()
THIEF = "thief@elsewhere.example"
NEW = "another lamp by the river"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def builder(host):
    return ShopBuilder(host=host, policies=quick_policies(sends=without_gaps()))


def rows(builder, book):
    return tuple(builder.storage.snapshot()["main"].books[book.name].values())


def told(builder, name):
    return [event for event in rows(builder, EVENTS) if event.name == name]


async def strange_sign_in(shop, builder, password=PASSWORD):
    """Somebody signs in from a device that the account doesn't know; its owner is told."""
    builder.clock.advance(MINUTE)
    step = await shop.signin.sign_in_with_password(
        ANN, password, request_from("203.0.113.9", agent="Mozilla/5.0 (X11) Thief/1")
    )
    notice = next(letter for letter in reversed(builder.mailbag.letters) if "not_me_link" in letter.secrets)
    builder.clock.advance(MINUTE)
    return step.session, notice.ticket("not_me_link")


async def change_notice(shop, builder):
    """A notice of a change: somebody has set a new password."""
    await shop.recovery.request_reset(ANN, HERE)
    await shop.recovery.reset_password(builder.mailbag.last.token, NEW, HERE)
    token = builder.mailbag.last.ticket("not_me_link")
    builder.clock.advance(MINUTE)
    return token


async def stolen_address(shop, builder, session, address=THIEF):
    """Whoever holds a session changes the address that one signs in by; answers the change."""

    def newest(template):
        return next(letter for letter in reversed(builder.mailbag.letters) if letter.template == template).token

    await shop.contact_changes.promote_contact(session, address, HERE)
    await shop.contact_changes.confirm_change_old(newest("registration.confirm_old_contact"), None, HERE)
    await shop.contact_changes.confirm_change_new(newest("registration.confirm_new_contact"), session, HERE)
    (change,) = rows(builder, CONTACT_CHANGES)
    return change.id


def added(address, at, *roles):
    contact = ContactPoint(
        id=ContactId(address),
        kind=ContactKind.EMAIL,
        value=EmailAddress.parse(address),
        added_at=at,
        roles=frozenset(roles),
    )
    return contact.proven(VerificationMethod.CODE, "a challenge", at)


def with_contact(contact):
    return lambda customer: attrs.evolve(customer, contacts=(*customer.contacts, contact))


@pytest.mark.proves("SIG-83", "SIG-76", "SIG-80")
async def test_a_sign_in_that_was_not_the_owners_ends_and_the_password_is_no_longer_enough(shop, builder) -> None:
    account = await shop.open_account(ANN)
    strange, token = await strange_sign_in(shop, builder)
    before = rows(builder, SECURITY)
    assert (await shop.objections.peek_not_me_sign_in(token, HERE)).expires_at > builder.clock.now()
    assert rows(builder, SECURITY) == before

    assert await shop.objections.not_me_sign_in(token, HERE) is None
    for value in (strange, account.session):
        assert isinstance(await shop.sessions.resume(value, HERE), NoSession)
    (event,) = told(builder, "signin.repudiated")
    assert event.subject == account.id
    assert (await builder.kept(PASSWORDS, account.id)).must_change is MustChange.REPORTED
    assert [letter.template for letter in builder.mailbag.to(ANN)][-2:] == [
        "recovery.account_protected",
        "recovery.choose_new_password",
    ]
    assert {"not_me_link", "freeze_link"} <= set(builder.mailbag.to(ANN)[-2].secrets)
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert isinstance(step, PasswordChangeNeeded)
    assert step.session is None

    builder.clock.advance(MINUTE)
    await shop.recovery.request_reset(ANN, HERE)
    await shop.recovery.reset_password(builder.mailbag.last.token, NEW, HERE)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, NEW, HERE), SignedIn)
    assert isinstance(await shop.sessions.resume(strange, HERE), NoSession)


@pytest.mark.proves("SIG-83", "CUS-15")
async def test_the_device_of_a_stranger_is_a_stranger_again(shop, builder) -> None:
    account = await shop.open_account(ANN)
    known = (await builder.kept(DEVICES, account.id)).devices
    _, token = await strange_sign_in(shop, builder)
    assert len((await builder.kept(DEVICES, account.id)).devices) == len(known) + 1
    await shop.objections.not_me_sign_in(token, HERE)
    assert (await builder.kept(DEVICES, account.id)).devices == known


@pytest.mark.proves("SIG-83")
async def test_contacts_that_a_stranger_added_are_gone_and_the_owners_stay(shop, builder) -> None:
    account = await shop.open_account(ANN)
    long_ago = builder.clock.now() - timedelta(days=40)
    second = added("ann@work.example", long_ago, ContactRole.RECOVERY, ContactRole.NOTIFY)
    await builder.edit(CUSTOMERS, account.id, with_contact(second))
    _, token = await strange_sign_in(shop, builder)
    theirs = added(THIEF, builder.clock.now(), ContactRole.LOGIN, ContactRole.NOTIFY)
    await builder.edit(CUSTOMERS, account.id, with_contact(theirs))
    await shop.objections.not_me_sign_in(token, HERE)
    kept = await builder.kept(CUSTOMERS, account.id)
    assert {contact.value.stored for contact in kept.contacts} == {ANN, "ann@work.example"}
    assert (await builder.kept(SECURITY, account.id)).stamps.contacts == 1
    resets = [letter.to for letter in builder.mailbag.letters if letter.template == "recovery.choose_new_password"]
    assert resets == [ANN, "ann@work.example"]
    assert "recovery.account_protected" in {letter.template for letter in builder.mailbag.to(THIEF)}


@pytest.mark.proves("SIG-83")
async def test_an_owner_is_left_with_a_contact_to_sign_in_by(shop, builder) -> None:
    account = await shop.open_account(ANN)
    _, token = await strange_sign_in(shop, builder)

    def only_this(customer):
        (mail,) = customer.contacts
        return attrs.evolve(customer, contacts=(attrs.evolve(mail, added_at=builder.clock.now()),))

    await builder.edit(CUSTOMERS, account.id, only_this)
    await shop.objections.not_me_sign_in(token, HERE)
    assert len((await builder.kept(CUSTOMERS, account.id)).contacts) == 1


async def closing(shop, builder, session):
    await shop.closings.request_account_closing(session, None, HERE)
    await shop.closings.confirm_account_closing(session, builder.mailbag.last.token, HERE)


@pytest.mark.proves("SIG-83", "SIG-84")
@pytest.mark.parametrize("which", ["not_me_change", "not_me_sign_in"])
async def test_a_closing_that_a_stranger_asked_for_is_off(shop, builder, which) -> None:
    account = await shop.open_account(ANN)
    strange, of_sign_in = await strange_sign_in(shop, builder)
    await closing(shop, builder, strange)
    token = builder.mailbag.last.ticket("not_me_link") if which == "not_me_change" else of_sign_in
    await getattr(shop.objections, which)(token, HERE)
    assert (await builder.kept(CUSTOMERS, account.id)).status is AccountStatus.ACTIVE
    assert rows(builder, CLOSINGS) == ()
    builder.clock.advance(timedelta(days=15))
    await shop.upkeep.tick()
    assert (await builder.kept(CUSTOMERS, account.id)).status is AccountStatus.ACTIVE


@pytest.mark.proves("SIG-83")
async def test_an_owners_own_earlier_wish_to_leave_stands(builder) -> None:
    class Order:
        def against(self, _account):
            return (Blocker.ORDER_NOT_DELIVERED,)

    lifecycle = LifecyclePolicy(closing_with_blockers=BlockedClosing.DEFER)
    builder.policies = attrs.evolve(builder.policies, lifecycle=lifecycle)
    builder.closing_objections = (Order(),)
    shop = builder.build()
    account = await shop.open_account(ANN)
    await closing(shop, builder, account.session)
    _, token = await strange_sign_in(shop, builder)
    await shop.objections.not_me_sign_in(token, HERE)
    assert len(rows(builder, CLOSINGS)) == 1


@pytest.mark.proves("SIG-84", "SIG-82")
async def test_a_password_that_was_not_set_by_the_owner_has_to_be_changed(shop, builder) -> None:
    account = await shop.open_account(ANN)
    token = await change_notice(shop, builder)
    stranger = await shop.signin.sign_in_with_password(ANN, NEW, HERE)
    await shop.objections.not_me_change(token, HERE)
    assert isinstance(await shop.sessions.resume(stranger.session, HERE), NoSession)
    assert (await builder.kept(PASSWORDS, account.id)).must_change is MustChange.REPORTED
    (event,) = told(builder, "signin.repudiated")
    assert '"session":null' in event.data


@pytest.mark.proves("SIG-83")
async def test_an_account_without_a_password_is_protected_too(shop, builder) -> None:
    account = await shop.open_account(ANN)
    token = await change_notice(shop, builder)
    step = await shop.signin.sign_in_with_password(ANN, NEW, HERE)
    kept = await builder.kept(PASSWORDS, account.id)
    await got(builder.storage.open(builder.scope).record(Change(removals=(PASSWORDS.remove(kept),))))
    await shop.objections.not_me_change(token, HERE)
    assert isinstance(await shop.sessions.resume(step.session, HERE), NoSession)


@pytest.mark.proves("SIG-83", "SIG-84")
async def test_an_objection_works_once_for_two_weeks_and_whatever_a_thief_does_meanwhile(shop, builder) -> None:
    await shop.open_account(ANN)
    token = await change_notice(shop, builder)
    await shop.signin.sign_in_with_password(ANN, NEW, HERE)
    await shop.objections.not_me_change(token, HERE)
    for look in (shop.objections.peek_not_me_change, shop.objections.not_me_change):
        with pytest.raises(ResetLinkUsed):
            await look(token, HERE)
    assert len(told(builder, "signin.repudiated")) == 1
    late = builder.mailbag.to(ANN)[-2].ticket("not_me_link")
    builder.clock.advance(timedelta(days=14))
    for look in (shop.objections.peek_not_me_change, shop.objections.not_me_change):
        with pytest.raises(ResetLinkExpired):
            await look(late, HERE)


@pytest.mark.proves("SIG-83", "SIG-84")
async def test_a_link_that_is_none_is_refused_and_so_is_an_open_line(shop, builder) -> None:
    await shop.open_account(ANN)
    token = await change_notice(shop, builder)
    frozen = builder.mailbag.last.ticket("freeze_link")
    objections = shop.objections
    unknown = Secret(token.reveal().replace(token.reveal()[8:12], "AAAA"))
    for wrong in (frozen, unknown, Secret("nothing")):
        for look in (objections.peek_not_me_change, objections.not_me_change):
            with pytest.raises(ResetLinkInvalid):
                await look(wrong, HERE)
    for look in (objections.peek_not_me_sign_in, objections.not_me_sign_in):
        with pytest.raises(ResetLinkInvalid):
            await look(token, HERE)
    for look in (objections.peek_not_me_change, objections.not_me_change):
        with pytest.raises(InsecureTransport):
            await look(token, request_from(secure=False))
    assert told(builder, "signin.repudiated") == []


@pytest.mark.proves("SIG-83")
@pytest.mark.parametrize(
    "status", [AccountStatus.PENDING, AccountStatus.CLOSED, AccountStatus.ERASED, AccountStatus.MERGED]
)
async def test_where_no_account_is_left_there_is_nothing_to_protect(shop, builder, status) -> None:
    account = await shop.open_account(ANN)
    token = await change_notice(shop, builder)
    await builder.edit(
        CUSTOMERS, account.id, lambda c: attrs.evolve(c, standing=attrs.evolve(c.standing, status=status))
    )
    for look in (shop.objections.peek_not_me_change, shop.objections.not_me_change):
        with pytest.raises(ResetLinkStale):
            await look(token, HERE)


@pytest.mark.proves("SIG-83", "SIG-3")
async def test_objecting_lifts_no_stop_of_the_shop_and_mails_no_way_around_it(shop, builder) -> None:
    account = await shop.open_account(ANN)
    token = await change_notice(shop, builder)
    await builder.edit(CUSTOMERS, account.id, lambda c: follow(c, Trigger.SUSPEND, reason=StatusReason.ABUSE))
    await shop.objections.not_me_change(token, HERE)
    assert (await builder.kept(CUSTOMERS, account.id)).status is AccountStatus.SUSPENDED
    assert builder.mailbag.last.template == "recovery.account_protected"


@pytest.mark.proves("SIG-84", "REG-68")
@pytest.mark.parametrize("which", ["not_me_change", "not_me_sign_in"])
async def test_a_changed_sign_in_address_is_the_owners_again(shop, builder, which) -> None:
    account = await shop.open_account(ANN)
    strange, of_sign_in = await strange_sign_in(shop, builder)
    changed = await stolen_address(shop, builder, strange)
    of_change = next(letter for letter in reversed(builder.mailbag.to(ANN)) if "not_me_link" in letter.secrets).ticket(
        "not_me_link"
    )
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    builder.clock.advance(MINUTE)
    token = of_change if which == "not_me_change" else of_sign_in
    await getattr(shop.objections, which)(token, HERE)
    assert (await builder.kept(CONTACT_CHANGES, changed)).state is ChangeState.UNDONE
    kept = await builder.kept(CUSTOMERS, account.id)
    assert [contact.value.stored for contact in kept.contacts] == [ANN]
    letter = builder.mailbag.last
    assert (letter.template, letter.to) == ("recovery.choose_new_password", ANN)
    await shop.recovery.reset_password(letter.token, NEW, HERE)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, NEW, HERE), SignedIn)
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(THIEF, NEW, HERE)


@pytest.mark.proves("SIG-83")
async def test_a_change_under_way_is_off(shop, builder) -> None:
    await shop.open_account(ANN)
    strange, token = await strange_sign_in(shop, builder)
    await shop.contact_changes.promote_contact(strange, THIEF, HERE)
    await shop.objections.not_me_sign_in(token, HERE)
    assert [change.state for change in rows(builder, CONTACT_CHANGES)] == [ChangeState.CANCELLED]


@pytest.mark.proves("KER-181", "SIG-83")
async def test_a_contact_that_a_thief_adds_meanwhile_is_gone_too(shop, builder) -> None:
    account = await shop.open_account(ANN)
    _, token = await strange_sign_in(shop, builder)
    theirs = added(THIEF, builder.clock.now(), ContactRole.RECOVERY, ContactRole.NOTIFY)
    between = Between(lambda: builder.edit(CUSTOMERS, account.id, with_contact(theirs)))
    await builder.build(between).objections.not_me_sign_in(token, HERE)
    assert between.happened
    kept = await builder.kept(CUSTOMERS, account.id)
    assert [contact.value.stored for contact in kept.contacts] == [ANN]


@pytest.mark.proves("SIG-83")
async def test_what_the_owner_changed_before_stays_changed(shop, builder) -> None:
    account = await shop.open_account(THIEF)
    changed = await stolen_address(shop, builder, account.session, ANN)
    builder.clock.advance(MINUTE)
    _, token = await strange_sign_in(shop, builder)
    before = await builder.kept(SECURITY, account.id)
    await shop.objections.not_me_sign_in(token, HERE)
    assert (await builder.kept(CONTACT_CHANGES, changed)).state is ChangeState.APPLIED
    assert [contact.value.stored for contact in (await builder.kept(CUSTOMERS, account.id)).contacts] == [ANN]
    was, now = before.stamps, (await builder.kept(SECURITY, account.id)).stamps
    assert (now.account, now.password, now.contacts) == (was.account + 1, was.password + 1, was.contacts)


@pytest.mark.proves("SIG-83", "SIG-74")
async def test_a_session_that_is_objected_to_late_is_objected_to_from_its_beginning(builder) -> None:
    builder.policies = attrs.evolve(builder.policies, sessions=SessionPolicy(renewal=RenewalPolicy()))
    shop = builder.build()
    account = await shop.open_account(ANN)
    strange, _ = await strange_sign_in(shop, builder)
    theirs = added(THIEF, builder.clock.now(), ContactRole.RECOVERY, ContactRole.NOTIFY)
    await builder.edit(CUSTOMERS, account.id, with_contact(theirs))
    await shop.sessions.renew(strange, HERE)
    builder.clock.advance(MINUTE)
    with pytest.raises(SignInRequired):
        await shop.sessions.renew(strange, HERE)
    notice = builder.mailbag.to(ANN)[-1]
    assert notice.template == "signin.session_reused"
    await shop.objections.not_me_sign_in(notice.ticket("not_me_link"), HERE)
    assert [contact.value.stored for contact in (await builder.kept(CUSTOMERS, account.id)).contacts] == [ANN]


@pytest.mark.proves("SIG-83", "CUS-11")
async def test_who_was_stopped_until_a_while_ago_finds_back(shop, builder) -> None:
    account = await shop.open_account(ANN)
    token, until = await change_notice(shop, builder), builder.clock.now() + MINUTE
    stop = {"reason": StatusReason.ABUSE, "until": until}
    await builder.edit(CUSTOMERS, account.id, lambda c: follow(c, Trigger.SUSPEND, **stop))
    builder.clock.advance(MINUTE)
    await shop.objections.not_me_change(token, HERE)
    assert builder.mailbag.last.template == "recovery.choose_new_password"


@pytest.mark.proves("SIG-83")
async def test_no_way_back_goes_to_a_contact_that_was_proven_since(shop, builder) -> None:
    account = await shop.open_account(ANN)
    before = builder.clock.now()
    _, token = await strange_sign_in(shop, builder)
    now = builder.clock.now()
    late = attrs.evolve(added(THIEF, now, ContactRole.RECOVERY, ContactRole.NOTIFY), added_at=before)
    await builder.edit(CUSTOMERS, account.id, with_contact(late))
    await shop.objections.not_me_sign_in(token, HERE)
    resets = [letter.to for letter in builder.mailbag.letters if letter.template == "recovery.choose_new_password"]
    assert resets == [ANN]


@pytest.mark.proves("SIG-83", "KER-221")
@pytest.mark.parametrize(("days", "is_told"), [(1, False), (29, False), (31, True)])
async def test_an_address_for_recovery_gets_a_link_only_once_it_is_no_recent_one(shop, builder, days, is_told) -> None:
    """Else a thief adds one, waits for any notice, objects, and chooses the next password."""
    await shop.open_account(ANN)
    session = (await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)).session
    await shop.contacts.add_contact(session, THIEF, HERE)
    added = await shop.contacts.confirm_added_contact(builder.mailbag.last.token, session, HERE)
    await shop.contacts.use_contact(session, added.contact, ContactRole.RECOVERY, HERE)
    builder.clock.advance(timedelta(days=days))
    session = (await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)).session
    await shop.passwords.change_password(session, PASSWORD, NEW, HERE)
    builder.clock.advance(MINUTE)
    notice = builder.mailbag.to(THIEF)[-1]
    assert notice.template == "passwords.was_changed"
    await shop.objections.not_me_change(notice.ticket("not_me_link"), HERE)
    links = {one.to for one in builder.mailbag.letters if one.template == "recovery.choose_new_password"}
    assert links == ({ANN, THIEF} if is_told else {ANN})
