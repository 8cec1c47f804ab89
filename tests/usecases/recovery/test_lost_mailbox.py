"""A lost mailbox: what it takes to sign in by another one, how long that takes, and how everybody else says no."""

from datetime import timedelta
from typing import Any

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, ContactPoint, ContactRole, Trigger, VerificationMethod
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.contact import ContactKind, EmailAddress, PhoneNumber
from shopaccounts.kernel.errors import FreshSignInNeeded, InsecureTransport, InvalidInput, Rejected, Throttled
from shopaccounts.kernel.ids import ContactId, WorkerId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, Stamp
from shopaccounts.passwords import PASSWORDS, MustChange
from shopaccounts.recovery import (
    CASES,
    CaseClosed,
    CaseNotReady,
    CaseOpened,
    CasePolicy,
    CaseState,
    ProofsMissing,
    ResetLinkExpired,
    ResetLinkInvalid,
    ResetLinkStale,
    ResetLinkUsed,
    Shown,
)
from shopaccounts.registration import (
    CONTACT_CHANGES,
    ChangeNotPossible,
    ChangeState,
    CodeExhausted,
    CodeWrong,
    ContactBelongsElsewhere,
    DomainNotAccepted,
    RegistrationPolicy,
)
from shopaccounts.signin import (
    SESSIONS,
    ActingScope,
    NoSession,
    NotWhileImpersonating,
    Resumed,
    SecondFactorNeeded,
    SentCodeAnswer,
    SignedIn,
    SignInRefused,
    SignInRequired,
    TotpCode,
    WayNotOffered,
)
from shopaccounts.signin import CodeWrong as WrongCode
from shopaccounts.testing.apps import enrol_app
from shopaccounts.testing.builders import PASSWORD, Between, ShopBuilder, quick_policies, request_from, without_gaps
from shopaccounts.testing.doubles import StaffRoom
from shopaccounts.testing.phones import with_phones

OLD, SECOND, NEW = "ann@old.example", "ann@second.example", "ann@new.example"
HERE, ELSEWHERE = request_from(), request_from("203.0.113.9")
GAPLESS = without_gaps()
PHONES_TOO: dict[str, Any] = {"phone_hourly": GAPLESS.mailbox_hourly, "phone_daily": GAPLESS.mailbox_daily}
MINUTE, HOUR, DAY, WEEK = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(days=7)


@pytest.fixture
def builder(host):
    return ShopBuilder(host=host, policies=quick_policies(sends=without_gaps()))


def rows(builder, book):
    return tuple(builder.storage.snapshot()["main"].books[book.name].values())


def told(builder, name):
    return [event for event in rows(builder, EVENTS) if event.name == name]


def newest(builder, template, to=None):
    letters = reversed(builder.mailbag.letters)
    return next(one for one in letters if one.template == template and to in {None, one.to})


def with_recovery_address(address, at):
    contact = ContactPoint(
        id=ContactId(address),
        kind=ContactKind.EMAIL,
        value=EmailAddress.parse(address),
        added_at=at,
        roles=frozenset({ContactRole.RECOVERY}),
    ).proven(VerificationMethod.CODE, "a challenge", at)
    return lambda customer: attrs.evolve(customer, contacts=(*customer.contacts, contact))


async def an_account(shop, builder, *recovery):
    """An account with recovery addresses that were proven long ago."""
    account = await shop.open_account(OLD)
    for address in recovery or (SECOND,):
        await builder.edit(CUSTOMERS, account.id, with_recovery_address(address, builder.clock.now()))
    builder.clock.advance(WEEK + HOUR)
    return account


async def sign_in(shop, by=OLD):
    step = await shop.signin.sign_in_with_password(by, PASSWORD, HERE)
    assert isinstance(step, SignedIn)
    return step.session


async def started(shop, builder, session):
    await shop.cases.start_mailbox_recovery(session, NEW, HERE)
    return newest(builder, "recovery.prove_mailbox").token, newest(builder, "recovery.recovery_code").code


async def open_case(shop, builder):
    session = await sign_in(shop)
    token, code = await started(shop, builder, session)
    return session, await shop.cases.open_mailbox_case(session, token, code, HERE)


async def attend(shop):
    return await shop.cases.attend_cases(100, WorkerId("test"))


async def ready_case(shop, builder):
    """An open case whose time to wait is over, and whose mails went out."""
    _, opened = await open_case(shop, builder)
    builder.clock.set(opened.earliest_at)
    assert await attend(shop) == 1
    return opened, newest(builder, "recovery.recovery_code").code


async def the_case(builder, opened):
    return await builder.kept(CASES, opened.case)


@pytest.mark.proves("RCV-20", "RCV-22", "RCV-24", "RCV-30", "RCV-31", "REG-64")
async def test_an_owner_without_the_mailbox_signs_in_by_another_one_after_a_week(shop, builder) -> None:
    account = await an_account(shop, builder)
    session = await sign_in(shop)
    answer = await shop.cases.start_mailbox_recovery(session, NEW, HERE)
    assert (answer.masked, answer.code_sent_to) == ("a***@new.example", ("a***@second.example",))
    assert answer.expires_at == builder.clock.now() + DAY
    assert not told(builder, "recovery.case_opened")
    link, code = newest(builder, "recovery.prove_mailbox"), newest(builder, "recovery.recovery_code")
    assert (link.to, code.to) == (NEW, SECOND)

    opened = await shop.cases.open_mailbox_case(session, link.token, code.code, HERE)
    assert opened.earliest_at == builder.clock.now() + WEEK
    assert opened.expires_at == opened.earliest_at + WEEK
    notices = [letter for letter in builder.mailbag.letters if letter.template == "recovery.case_waiting"]
    assert {letter.to for letter in notices} == {OLD, SECOND, NEW}
    assert all({"cancel_link", "not_me_link", "freeze_link"} <= set(letter.secrets) for letter in notices)
    (event,) = told(builder, "recovery.case_opened")
    assert event.subject == account.id
    case = await the_case(builder, opened)
    assert (case.state, set(case.proofs)) == (CaseState.WAITING, {Shown.PASSWORD, Shown.RECOVERY_ADDRESS})

    builder.clock.set(opened.earliest_at)
    await attend(shop)
    fresh = await sign_in(shop)
    code = newest(builder, "recovery.recovery_code").code
    sessions = len(rows(builder, SESSIONS))
    done = await shop.cases.complete_mailbox_case(fresh, opened.handle, code, HERE)
    assert len(rows(builder, SESSIONS)) == sessions
    now = builder.clock.now()
    assert (done.masked, done.on_hold_until, done.undo_until) == ("a***@new.example", now + WEEK, now + 30 * DAY)
    assert (await the_case(builder, opened)).state is CaseState.COMPLETED
    for value in (account.session, session, fresh):
        assert isinstance(await shop.sessions.resume(value, HERE), NoSession)
    assert (await builder.kept(SECURITY, account.id)).hold_until == now + WEEK
    with pytest.raises(SignInRefused):
        await sign_in(shop)
    await sign_in(shop, NEW)
    assert (
        len(told(builder, "recovery.case_completed")) == len(told(builder, "registration.contact_change_applied")) == 1
    )
    changed = [one.to for one in builder.mailbag.letters if one.template == "registration.contact_changed"]
    assert set(changed) == {OLD, SECOND, NEW}


@pytest.mark.proves("RCV-30", "REG-68")
async def test_the_old_mailbox_takes_it_back_afterwards(shop, builder) -> None:
    await an_account(shop, builder)
    opened, code = await ready_case(shop, builder)
    await shop.cases.complete_mailbox_case(await sign_in(shop), opened.handle, code, HERE)
    builder.clock.advance(29 * DAY)
    undo = newest(builder, "registration.undo_contact_change", OLD).token
    assert (await shop.contact_changes.reverse_contact_change(undo, HERE)).masked == "a***@old.example"
    (change,) = rows(builder, CONTACT_CHANGES)
    assert change.state is ChangeState.UNDONE
    kept = await builder.kept(CUSTOMERS, change.account)
    assert {contact.value.stored for contact in kept.contacts} == {OLD, SECOND}


@pytest.mark.proves("RCV-22")
async def test_in_another_browser_the_link_of_the_ready_mail_stands_for_the_handle(shop, builder) -> None:
    await an_account(shop, builder)
    _, code = await ready_case(shop, builder)
    link = newest(builder, "recovery.complete_case", NEW).token
    await shop.cases.complete_mailbox_case(await sign_in(shop), link, code, ELSEWHERE)
    await sign_in(shop, NEW)


@pytest.mark.proves("RCV-22", "RCV-28")
async def test_the_new_mailbox_alone_completes_nothing(shop, builder) -> None:
    await an_account(shop, builder)
    opened, _ = await ready_case(shop, builder)
    link = newest(builder, "recovery.complete_case", NEW).token
    for proof in (link, opened.handle):
        with pytest.raises(ResetLinkInvalid):
            await shop.case_help.complete_case(proof, HERE)
    assert (await the_case(builder, opened)).state is CaseState.READY


@pytest.mark.proves("RCV-22", "RCV-21")
async def test_completing_asks_for_the_proofs_again(shop, builder) -> None:
    await an_account(shop, builder)
    opened, code = await ready_case(shop, builder)
    stale = await sign_in(shop)
    builder.clock.advance(timedelta(minutes=16))
    with pytest.raises(FreshSignInNeeded):
        await shop.cases.complete_mailbox_case(stale, opened.handle, code, HERE)
    session = await sign_in(shop)
    with pytest.raises(ProofsMissing) as refused:
        await shop.cases.complete_mailbox_case(session, opened.handle, None, HERE)
    assert refused.value.needed == ("recovery_address",)
    with pytest.raises(CodeWrong):
        await shop.cases.complete_mailbox_case(session, opened.handle, "000000", HERE)
    with pytest.raises(ResetLinkInvalid):
        await shop.cases.complete_mailbox_case(session, Secret("sa1.rch.nothing"), code, HERE)
    await shop.cases.complete_mailbox_case(session, opened.handle, code, HERE)


@pytest.mark.proves("RCV-22")
async def test_a_handle_is_of_no_use_in_another_account(shop, builder) -> None:
    await an_account(shop, builder)
    opened, code = await ready_case(shop, builder)
    other = await shop.open_account("eve@else.example")
    with pytest.raises(ResetLinkInvalid):
        await shop.cases.complete_mailbox_case(other.session, opened.handle, code, HERE)
    assert (await the_case(builder, opened)).state is CaseState.READY


@pytest.mark.proves("RCV-20", "RCV-26")
async def test_it_takes_the_whole_time_and_no_sweep(shop, builder) -> None:
    await an_account(shop, builder)
    _, opened = await open_case(shop, builder)
    builder.clock.set(opened.earliest_at - timedelta(seconds=1))
    with pytest.raises(CaseNotReady) as refused:
        await shop.cases.complete_mailbox_case(await sign_in(shop), opened.handle, None, HERE)
    assert refused.value.earliest_at == opened.earliest_at
    builder.clock.set(opened.earliest_at)
    with pytest.raises(ProofsMissing):
        await shop.cases.complete_mailbox_case(await sign_in(shop), opened.handle, None, HERE)
    builder.clock.set(opened.expires_at)
    with pytest.raises(CaseClosed) as over:
        await shop.cases.complete_mailbox_case(await sign_in(shop), opened.handle, None, HERE)
    assert over.value.state == "expired"


@pytest.mark.proves("RCV-20")
async def test_a_password_alone_opens_nothing(shop, builder) -> None:
    account = await shop.open_account(OLD)
    session = await sign_in(shop)
    with pytest.raises(ProofsMissing) as refused:
        await shop.cases.start_mailbox_recovery(session, NEW, HERE)
    assert refused.value.needed == ("recovery_address",)
    await builder.edit(CUSTOMERS, account.id, with_recovery_address(SECOND, builder.clock.now()))
    builder.clock.advance(WEEK - MINUTE)
    with pytest.raises(ProofsMissing):
        await shop.cases.start_mailbox_recovery(await sign_in(shop), NEW, HERE)
    assert not [one for one in builder.mailbag.letters if one.template.startswith("recovery.")]
    builder.clock.advance(MINUTE)
    await shop.cases.start_mailbox_recovery(await sign_in(shop), NEW, HERE)


@pytest.mark.proves("RCV-20")
async def test_a_session_without_a_fresh_password_opens_nothing(shop, builder) -> None:
    await an_account(shop, builder)
    builder.policies = quick_policies(sends=without_gaps(), cases=CasePolicy(proofs_within=MINUTE))
    session = await sign_in(shop)
    builder.clock.advance(5 * MINUTE)
    with pytest.raises(ProofsMissing) as refused:
        await builder.build().cases.start_mailbox_recovery(session, NEW, HERE)
    assert refused.value.needed == ("password",)


@pytest.mark.proves("RCV-20")
async def test_a_shop_may_leave_the_recovery_address_out(shop, builder) -> None:
    await an_account(shop, builder)
    builder.policies = quick_policies(cases=CasePolicy(mailbox_by_recovery_address=None, mailbox_by_phone=None))
    with pytest.raises(ProofsMissing) as refused:
        await builder.build().cases.start_mailbox_recovery(await sign_in(shop), NEW, HERE)
    assert refused.value.needed == ("two_factors",)


@pytest.mark.proves("RCV-21", "KER-244")
async def test_wrong_codes_open_nothing_and_are_counted(shop, builder) -> None:
    await an_account(shop, builder)
    session = await sign_in(shop)
    token, code = await started(shop, builder, session)
    left = []
    for _ in range(5):
        with pytest.raises(CodeWrong) as refused:
            await shop.cases.open_mailbox_case(session, token, "000000", HERE)
        left.append(refused.value.tries_left)
    assert left == [4, 3, 2, 1, 0]
    with pytest.raises(Throttled):
        await shop.cases.open_mailbox_case(session, token, code, HERE)
    builder.clock.advance(10 * MINUTE)
    with pytest.raises(CodeExhausted):
        await shop.cases.open_mailbox_case(session, token, code, HERE)
    assert not told(builder, "recovery.case_opened")


@pytest.mark.proves("RCV-21")
async def test_without_the_code_or_the_link_nothing_opens(shop, builder) -> None:
    await an_account(shop, builder)
    session = await sign_in(shop)
    token, code = await started(shop, builder, session)
    with pytest.raises(ProofsMissing):
        await shop.cases.open_mailbox_case(session, token, None, HERE)
    with pytest.raises(ResetLinkInvalid):
        await shop.cases.open_mailbox_case(session, Secret("sa1.rmb.nothing"), code, HERE)
    other = await shop.open_account("eve@else.example")
    with pytest.raises(ResetLinkInvalid):
        await shop.cases.open_mailbox_case(other.session, token, code, HERE)
    builder.clock.advance(DAY)
    with pytest.raises(ResetLinkExpired):
        await shop.cases.open_mailbox_case(await sign_in(shop), token, code, HERE)


@pytest.mark.proves("KER-235", "KER-236")
async def test_a_newer_request_replaces_an_older_one_and_a_link_works_once(shop, builder) -> None:
    await an_account(shop, builder)
    session = await sign_in(shop)
    first = await started(shop, builder, session)
    builder.clock.advance(MINUTE)
    second = await started(shop, builder, session)
    with pytest.raises(ResetLinkStale):
        await shop.cases.open_mailbox_case(session, *first, HERE)
    await shop.cases.open_mailbox_case(session, *second, HERE)
    with pytest.raises(ResetLinkUsed):
        await shop.cases.open_mailbox_case(session, *second, HERE)


@pytest.mark.proves("RCV-20", "KER-181")
@pytest.mark.parametrize("does", ["asks", "opens", "completes"])
async def test_what_happens_between_reading_and_recording_counts(shop, builder, does) -> None:
    account = await an_account(shop, builder)
    opened: Any
    opened, code = await ready_case(shop, builder) if does == "completes" else (None, "")
    session = await sign_in(shop)
    token, code = await started(shop, builder, session) if does == "opens" else (None, code)
    between = Between(lambda: builder.edit(SECURITY, account.id, lambda security: security.bump(Stamp.ACCOUNT)))
    cases = builder.build(between).cases
    acts = {
        "asks": lambda: cases.start_mailbox_recovery(session, NEW, HERE),
        "opens": lambda: cases.open_mailbox_case(session, token, code, HERE),
        "completes": lambda: cases.complete_mailbox_case(session, opened.handle, code, HERE),
    }
    with pytest.raises(SignInRequired):
        await acts[does]()
    assert between.happened
    assert not told(builder, "recovery.case_completed")
    assert bool(told(builder, "recovery.case_opened")) is (does == "completes")


@pytest.mark.proves("RCV-20", "RCV-24")
async def test_an_account_has_one_open_case(shop, builder) -> None:
    await an_account(shop, builder)
    session, opened = await open_case(shop, builder)
    builder.clock.advance(MINUTE)
    with pytest.raises(CaseNotReady) as refused:
        await shop.cases.open_mailbox_case(session, *await started(shop, builder, session), HERE)
    assert refused.value.earliest_at == opened.earliest_at
    builder.clock.set(opened.expires_at)
    _, later = await open_case(shop, builder)
    assert (await the_case(builder, opened)).state is CaseState.EXPIRED
    assert (await the_case(builder, later)).state is CaseState.WAITING


@pytest.mark.proves("RCV-24", "KER-234")
async def test_whoever_reads_a_notice_cancels_for_good(shop, builder) -> None:
    await an_account(shop, builder)
    session, opened = await open_case(shop, builder)
    link = newest(builder, "recovery.case_waiting", OLD).ticket("cancel_link")
    offer = await shop.cases.peek_cancel(link, ELSEWHERE)
    assert (offer.kind, offer.earliest_at, offer.expires_at) == ("mailbox", opened.earliest_at, opened.expires_at)
    assert (await the_case(builder, opened)).state is CaseState.WAITING
    await shop.cases.cancel_case(link, ELSEWHERE)
    assert (await the_case(builder, opened)).state is CaseState.CANCELLED
    assert '"reason":"notice"' in told(builder, "recovery.case_cancelled")[0].data
    assert {one.to for one in builder.mailbag.letters if one.template == "recovery.case_ended"} == {OLD, SECOND}
    with pytest.raises(ResetLinkUsed):
        await shop.cases.cancel_case(link, ELSEWHERE)
    assert isinstance(await shop.sessions.resume(session, HERE), Resumed)
    builder.clock.set(opened.earliest_at)
    with pytest.raises(CaseClosed) as refused:
        await shop.cases.complete_mailbox_case(await sign_in(shop), opened.handle, None, HERE)
    assert refused.value.state == "cancelled"


@pytest.mark.proves("RCV-24", "RCV-30")
async def test_each_notice_cancels_and_late_ones_tell_what_became_of_it(shop, builder) -> None:
    await an_account(shop, builder)
    opened, code = await ready_case(shop, builder)
    first = next(one for one in builder.mailbag.to(OLD) if one.template == "recovery.case_waiting")
    last = newest(builder, "recovery.case_ready", OLD)
    assert first.secrets["cancel_link"] != last.secrets["cancel_link"]
    await shop.cases.complete_mailbox_case(await sign_in(shop), opened.handle, code, HERE)
    for link in (first.ticket("cancel_link"), last.ticket("cancel_link")):
        with pytest.raises(CaseClosed) as refused:
            await shop.cases.cancel_case(link, ELSEWHERE)
        assert refused.value.state == "completed"


@pytest.mark.proves("RCV-24")
async def test_cancelling_at_the_last_moment_wins(shop, builder) -> None:
    await an_account(shop, builder)
    opened, code = await ready_case(shop, builder)
    await shop.cases.cancel_case(newest(builder, "recovery.case_ready", OLD).ticket("cancel_link"), ELSEWHERE)
    with pytest.raises(CaseClosed):
        await shop.cases.complete_mailbox_case(await sign_in(shop), opened.handle, code, HERE)


@pytest.mark.proves("RCV-24")
async def test_after_a_cancel_there_is_a_day_of_peace(shop, builder) -> None:
    await an_account(shop, builder)
    session, opened = await open_case(shop, builder)
    await shop.cases.cancel_case_here(session, HERE)
    assert (await the_case(builder, opened)).state is CaseState.CANCELLED
    builder.clock.advance(DAY - MINUTE)
    session = await sign_in(shop)
    again = await started(shop, builder, session)
    with pytest.raises(CaseClosed) as refused:
        await shop.cases.open_mailbox_case(session, *again, HERE)
    assert refused.value.state == "cancelled"
    builder.clock.advance(MINUTE)
    assert isinstance(await shop.cases.open_mailbox_case(session, *again, HERE), CaseOpened)


@pytest.mark.proves("RCV-24", "SIG-96")
async def test_any_session_of_the_account_cancels_and_no_agent_who_acts_for_it(shop, builder) -> None:
    staff = StaffRoom()
    staff.hire("eve", signed_in_at=builder.clock.now() + WEEK + HOUR)
    builder.agents = staff
    shop = builder.build()
    account = await an_account(shop, builder)
    other = await sign_in(shop)
    _, opened = await open_case(shop, builder)
    office = attrs.evolve(builder, scope=attrs.evolve(builder.scope, actor=Actor(ActorKind.AGENT, "eve"))).build()
    acting = await office.impersonation.start_impersonation(account.id, "a question", ActingScope.ASSIST, HERE)
    with pytest.raises(NotWhileImpersonating):
        await shop.cases.cancel_case_here(acting.session, HERE)
    with pytest.raises(NotWhileImpersonating):
        await shop.cases.start_mailbox_recovery(acting.session, NEW, HERE)
    builder.clock.advance(HOUR)
    (seen,) = await shop.cases.list_cases(other, HERE)
    assert (seen.case, seen.state, seen.masked) == (opened.case, "waiting", "a***@new.example")
    await shop.cases.cancel_case_here(other, HERE)
    assert await shop.cases.list_cases(other, HERE) == ()
    with pytest.raises(CaseClosed):
        await shop.cases.cancel_case_here(other, HERE)


@pytest.mark.proves("RCV-25", "SIG-83")
async def test_cancelling_as_not_me_puts_whoever_asked_out(shop, builder) -> None:
    account = await an_account(shop, builder)
    session, opened = await open_case(shop, builder)
    link = newest(builder, "recovery.case_waiting", OLD).ticket("cancel_link")
    await shop.cases.cancel_case(link, ELSEWHERE, not_me=True)
    assert (await the_case(builder, opened)).state is CaseState.CANCELLED
    assert '"reason":"not_me"' in told(builder, "recovery.case_cancelled")[0].data
    assert isinstance(await shop.sessions.resume(session, HERE), NoSession)
    assert (await builder.kept(PASSWORDS, account.id)).must_change is MustChange.REPORTED
    assert len(told(builder, "signin.repudiated")) == 1
    assert newest(builder, "recovery.choose_new_password", OLD)


@pytest.mark.proves("RCV-24")
@pytest.mark.parametrize("happens", ["a new password", "signed out everywhere", "a stop", "another address"])
async def test_what_changes_the_account_blocks_the_case(shop, builder, happens) -> None:
    account = await an_account(shop, builder)
    session, opened = await open_case(shop, builder)
    if happens == "a new password":
        await shop.recovery.request_reset(OLD, HERE)
        await shop.recovery.reset_password(newest(builder, "recovery.reset_password").token, PASSWORD + "!", HERE)
    elif happens == "signed out everywhere":
        await shop.sessions.sign_out_everywhere(session, HERE)
    elif happens == "a stop":
        await builder.step(account.id, Trigger.SUSPEND)
    else:
        await shop.contacts.remove_contact(session, SECOND, HERE)
    link = newest(builder, "recovery.case_waiting", OLD).ticket("cancel_link")
    with pytest.raises(CaseClosed) as refused:
        await shop.cases.peek_cancel(link, HERE)
    assert refused.value.state == "blocked"
    builder.clock.advance(DAY)
    assert await attend(shop) == 1
    assert (await the_case(builder, opened)).state is CaseState.BLOCKED
    assert len(told(builder, "recovery.case_blocked")) == 1
    assert newest(builder, "recovery.case_ended", OLD)


@pytest.mark.proves("RCV-20", "RCV-26")
async def test_everybody_hears_of_it_day_by_day_until_its_end(shop, builder) -> None:
    await an_account(shop, builder)
    _, opened = await open_case(shop, builder)
    for _ in range(28):
        builder.clock.advance(12 * HOUR)
        await attend(shop)
        assert await attend(shop) == 0
    letters = [one.template for one in builder.mailbag.to(OLD) if one.template.startswith("recovery.")]
    assert letters == ["recovery.case_waiting"] * 7 + ["recovery.case_ready", "recovery.case_ended"]
    links = [one for one in builder.mailbag.to(NEW) if one.template == "recovery.complete_case"]
    assert len(links) == 7
    assert builder.clock.now() == opened.expires_at
    assert (await the_case(builder, opened)).state is CaseState.EXPIRED
    assert len(told(builder, "recovery.case_ready")) == len(told(builder, "recovery.case_expired")) == 1


@pytest.mark.proves("RCV-26")
async def test_a_sweep_that_comes_late_tells_once_what_it_has_come_to(shop, builder) -> None:
    await an_account(shop, builder)
    _, opened = await open_case(shop, builder)
    builder.clock.set(opened.earliest_at + 3 * DAY)
    await shop.upkeep.tick()
    assert (await the_case(builder, opened)).state is CaseState.READY
    assert len([one for one in builder.mailbag.to(OLD) if one.template == "recovery.case_waiting"]) == 1
    builder.clock.set(opened.expires_at + DAY)
    await shop.upkeep.tick()
    assert (await the_case(builder, opened)).state is CaseState.EXPIRED


@pytest.mark.proves("RCV-26")
async def test_a_case_is_kept_for_over_a_year_and_a_request_for_a_day(shop, builder) -> None:
    await an_account(shop, builder)
    _, opened = await open_case(shop, builder)
    builder.clock.advance(MINUTE)
    await started(shop, builder, await sign_in(shop))
    builder.clock.set(opened.expires_at)
    await shop.upkeep.tick()
    assert [case.id for case in rows(builder, CASES)] == [opened.case]
    builder.clock.advance(400 * DAY)
    await shop.upkeep.tick()
    assert len(rows(builder, CASES)) == 1
    builder.clock.advance(MINUTE)
    await shop.upkeep.tick()
    assert rows(builder, CASES) == ()


@pytest.mark.proves("RCV-30", "REG-60")
async def test_an_address_of_somebody_else_is_told_and_never_taken(shop, builder) -> None:
    await shop.open_account(NEW)
    await an_account(shop, builder)
    session = await sign_in(shop)
    answer = await shop.cases.start_mailbox_recovery(session, NEW, HERE)
    assert answer.masked == "a***@new.example"
    assert newest(builder, "registration.address_wanted").to == NEW
    assert not [one for one in builder.mailbag.letters if one.template == "recovery.prove_mailbox"]


@pytest.mark.proves("RCV-30", "REG-64")
async def test_an_address_that_somebody_else_took_meanwhile_is_not_taken_away(shop, builder) -> None:
    await an_account(shop, builder)
    opened, code = await ready_case(shop, builder)
    await shop.open_account(NEW)
    with pytest.raises(ContactBelongsElsewhere):
        await shop.cases.complete_mailbox_case(await sign_in(shop), opened.handle, code, HERE)
    await sign_in(shop)
    assert rows(builder, CONTACT_CHANGES) == ()


@pytest.mark.proves("RCV-30", "REG-64")
async def test_an_address_that_somebody_else_took_before_the_case_opens_none(shop, builder) -> None:
    await an_account(shop, builder)
    session = await sign_in(shop)
    token, code = await started(shop, builder, session)
    await shop.open_account(NEW)
    with pytest.raises(ContactBelongsElsewhere):
        await shop.cases.open_mailbox_case(session, token, code, HERE)


@pytest.mark.proves("RCV-31")
async def test_two_recovery_addresses_each_get_the_code(shop, builder) -> None:
    await an_account(shop, builder, SECOND, "ann@third.example")
    answer = await shop.cases.start_mailbox_recovery(await sign_in(shop), NEW, HERE)
    assert answer.code_sent_to == ("a***@second.example", "a***@third.example")
    codes = [one for one in builder.mailbag.letters if one.template == "recovery.recovery_code"]
    assert [one.to for one in codes] == [SECOND, "ann@third.example"]
    assert codes[0].code == codes[1].code


@pytest.mark.proves("RCV-31", "RCV-20")
async def test_a_recovery_address_takes_the_place_of_the_lost_one(shop, builder) -> None:
    await an_account(shop, builder)
    session = await sign_in(shop)
    await shop.cases.start_mailbox_recovery(session, SECOND, HERE)
    token, code = newest(builder, "recovery.prove_mailbox").token, newest(builder, "recovery.recovery_code").code
    opened = await shop.cases.open_mailbox_case(session, token, code, HERE)
    builder.clock.set(opened.earliest_at)
    await attend(shop)
    code = newest(builder, "recovery.recovery_code").code
    await shop.cases.complete_mailbox_case(await sign_in(shop), opened.handle, code, HERE)
    await sign_in(shop, SECOND)


@pytest.mark.proves("RCV-31")
async def test_the_lost_address_is_no_recovery_address(shop, builder) -> None:
    account = await shop.open_account(OLD)
    await builder.edit(CUSTOMERS, account.id, with_role)
    builder.clock.advance(WEEK + HOUR)
    with pytest.raises(ProofsMissing):
        await shop.cases.start_mailbox_recovery(await sign_in(shop), NEW, HERE)


def with_role(customer):
    (contact,) = customer.contacts
    return customer.with_contact(attrs.evolve(contact, roles=contact.roles | {ContactRole.RECOVERY}))


async def test_what_can_be_no_new_address_is_refused(shop, builder) -> None:
    await an_account(shop, builder)
    session = await sign_in(shop)
    with pytest.raises(ChangeNotPossible):
        await shop.cases.start_mailbox_recovery(session, OLD, HERE)
    with pytest.raises(Rejected):
        await shop.cases.start_mailbox_recovery(session, "no address", HERE)
    builder.policies = quick_policies(registration=RegistrationPolicy(blocked_domains=frozenset({"new.example"})))
    with pytest.raises(DomainNotAccepted):
        await builder.build().cases.start_mailbox_recovery(session, NEW, HERE)
    with pytest.raises(InvalidInput):
        await shop.cases.open_mailbox_case(session, Secret(f"sa1.rmb.{'a' * 22}.{'b' * 43}"), 7, HERE)


@pytest.mark.proves("KER-264")
async def test_messages_are_limited_as_all_are(shop, builder) -> None:
    await an_account(shop, builder)
    builder.policies = quick_policies()
    shop = builder.build()
    session = await sign_in(shop)
    await shop.cases.start_mailbox_recovery(session, NEW, HERE)
    with pytest.raises(Throttled):
        await shop.cases.start_mailbox_recovery(session, NEW, HERE)
    with pytest.raises(Throttled):
        await shop.cases.start_mailbox_recovery(session, "another@new.example", HERE)


@pytest.mark.proves("KER-210")
async def test_nothing_of_it_goes_over_an_open_line(shop, builder) -> None:
    account, opened = await an_account(shop, builder), Secret("sa1.crc.x")
    line = request_from(secure=False)
    for call in (
        shop.cases.start_mailbox_recovery(account.session, NEW, line),
        shop.cases.open_mailbox_case(account.session, opened, None, line),
        shop.cases.complete_mailbox_case(account.session, opened, None, line),
        shop.cases.peek_cancel(opened, line),
        shop.cases.cancel_case(opened, line),
        shop.cases.cancel_case_here(account.session, line),
        shop.cases.list_cases(account.session, line),
    ):
        with pytest.raises(InsecureTransport):
            await call


async def test_nobody_who_is_not_signed_in_starts_or_cancels(shop, builder) -> None:
    await an_account(shop, builder)
    nobody = Secret("sa1.ses.nobody")
    for call in (
        shop.cases.start_mailbox_recovery(nobody, NEW, HERE),
        shop.cases.cancel_case_here(nobody, HERE),
        shop.cases.list_cases(nobody, HERE),
    ):
        with pytest.raises(SignInRequired):
            await call


@pytest.mark.proves("RCV-26")
async def test_a_case_whose_account_is_gone_ends_without_a_word(shop, builder) -> None:
    account = await an_account(shop, builder)
    _, opened = await open_case(shop, builder)
    store, kept = builder.storage.open(builder.scope), await builder.kept(CUSTOMERS, account.id)
    await got(store.record(Change(removals=(CUSTOMERS.remove(kept),))))
    letters = len(builder.mailbag.letters)
    with pytest.raises(ResetLinkInvalid):
        await shop.cases.peek_cancel(newest(builder, "recovery.case_waiting").ticket("cancel_link"), HERE)
    builder.clock.advance(DAY)
    await attend(shop)
    assert (await the_case(builder, opened)).state is CaseState.BLOCKED
    assert len(builder.mailbag.letters) == letters


@pytest.mark.proves("RCV-20", "RCV-30")
async def test_who_signs_in_with_two_factors_waits_three_days_and_needs_no_code(shop, builder) -> None:
    account = await shop.open_account(OLD)
    browser = request_from(browser=Secret("the value of the owner's own browser"))
    app = (await enrol_app(shop.factors, account.session, browser, builder.clock)).app

    async def with_the_app():
        step = await shop.signin.sign_in_with_password(OLD, PASSWORD, browser)
        assert isinstance(step, SecondFactorNeeded)
        done = await shop.second_step.give_second_factor(step.progress, TotpCode(app.next_code()), browser)
        assert isinstance(done, SignedIn)
        return done.session

    session = await with_the_app()
    answer = await shop.cases.start_mailbox_recovery(session, NEW, browser)
    assert answer.code_sent_to == ()
    link = newest(builder, "recovery.prove_mailbox").token
    opened = await shop.cases.open_mailbox_case(session, link, None, browser)
    assert opened.earliest_at == builder.clock.now() + 3 * DAY
    assert (await the_case(builder, opened)).proofs == (Shown.TWO_FACTORS,)
    builder.clock.set(opened.earliest_at)
    with pytest.raises(SignInRequired):
        await shop.cases.complete_mailbox_case(session, opened.handle, None, browser)
    done = await shop.cases.complete_mailbox_case(await with_the_app(), opened.handle, None, browser)
    assert done.masked == "a***@new.example"


TEL = "+4915123456789"


async def with_a_phone(host):
    """An account with a phone for recovery that was proven long ago."""
    phones = with_phones(host, sends=attrs.evolve(without_gaps(), **PHONES_TOO))
    shop = phones.build()
    account = await shop.open_account(OLD)
    now = phones.clock.now()
    point = ContactPoint(
        id=ContactId(TEL),
        kind=ContactKind.PHONE,
        value=PhoneNumber.parse(TEL),
        added_at=now,
        roles=frozenset({ContactRole.RECOVERY, ContactRole.NOTIFY}),
    ).proven(VerificationMethod.CODE, "a challenge", now)
    await phones.edit(CUSTOMERS, account.id, lambda c: attrs.evolve(c, contacts=(*c.contacts, point)))
    return phones, shop


async def by_phone(phones, shop, session):
    sent = await shop.cases.send_phone_code(session, HERE)
    assert phones.mailbag.last.to == TEL
    return SentCodeAnswer(sent.handle, phones.mailbag.last.code)


@pytest.mark.proves("RCV-20", "RCV-22", "RCV-30")
async def test_with_the_password_and_a_phone_it_takes_a_week(host) -> None:
    phones, shop = await with_a_phone(host)
    phones.clock.advance(WEEK - MINUTE)
    with pytest.raises(WayNotOffered):
        await shop.cases.send_phone_code(await sign_in(shop), HERE)
    phones.clock.advance(MINUTE)
    session = await sign_in(shop)
    answer = await shop.cases.start_mailbox_recovery(session, NEW, HERE)
    assert answer.code_sent_to == ()
    link = newest(phones, "recovery.prove_mailbox").token
    with pytest.raises(ProofsMissing) as refused:
        await shop.cases.open_mailbox_case(session, link, None, HERE)
    assert "phone_code" in refused.value.needed or "recovery_address" in refused.value.needed
    code = await by_phone(phones, shop, session)
    with pytest.raises(WrongCode) as wrong:
        await shop.cases.open_mailbox_case(session, link, None, HERE, attrs.evolve(code, code="000000"))
    assert wrong.value.tries_left == 4
    with pytest.raises(InvalidInput):
        await shop.cases.open_mailbox_case(session, link, None, HERE, "000000")
    opened = await shop.cases.open_mailbox_case(session, link, None, HERE, code)
    assert opened.earliest_at == phones.clock.now() + WEEK
    case = await phones.kept(CASES, opened.case)
    assert set(case.proofs) == {Shown.PASSWORD, Shown.PHONE_CODE}

    phones.clock.set(opened.earliest_at)
    fresh = await sign_in(shop)
    with pytest.raises(ProofsMissing) as refused:
        await shop.cases.complete_mailbox_case(fresh, opened.handle, None, HERE)
    assert refused.value.needed == ("phone_code",)
    other = await by_phone(phones, shop, await sign_in(shop))
    with pytest.raises(ResetLinkInvalid):
        await shop.cases.complete_mailbox_case(fresh, opened.handle, None, HERE, other)
    again = await by_phone(phones, shop, fresh)
    done = await shop.cases.complete_mailbox_case(fresh, opened.handle, None, HERE, again)
    assert done.masked == "a***@new.example"


@pytest.mark.proves("RCV-30")
async def test_a_shop_may_leave_the_phone_out(host) -> None:
    phones, shop = await with_a_phone(host)
    phones.clock.advance(WEEK)
    phones.policies = attrs.evolve(phones.policies, cases=CasePolicy(mailbox_by_phone=None))
    shop = phones.build()
    with pytest.raises(WayNotOffered):
        await shop.cases.send_phone_code(await sign_in(shop), HERE)
    with pytest.raises(ProofsMissing):
        await shop.cases.start_mailbox_recovery(await sign_in(shop), NEW, HERE)
