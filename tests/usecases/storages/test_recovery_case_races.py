"""Many open, cancel and complete one recovery case at the same moment; on every kind of storage."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, ContactPoint, ContactRole, VerificationMethod
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.contact import ContactKind, EmailAddress
from shopaccounts.kernel.ids import ContactId, WorkerId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.recovery import CASES, CaseClosed, CaseNotReady, CaseState, ResetLinkStale, ResetLinkUsed
from shopaccounts.signin import SignInRequired
from shopaccounts.testing.builders import PASSWORD, request_from
from shopaccounts.testing.races import assert_one_winner, race

OLD, SECOND, NEW, HERE = "ann@old.example", "ann@second.example", "ann@new.example", request_from()
WEEK = timedelta(days=7)
pytestmark = pytest.mark.proves("KER-180", "RCV-24")


def with_second(customer):
    point = ContactPoint(
        id=ContactId(SECOND),
        kind=ContactKind.EMAIL,
        value=EmailAddress.parse(SECOND),
        added_at=customer.created_at,
        roles=frozenset({ContactRole.RECOVERY}),
    ).proven(VerificationMethod.CODE, "a challenge", customer.created_at)
    return attrs.evolve(customer, contacts=(*customer.contacts, point))


async def told(builder, account):
    rows = await got(builder.storage.open(builder.scope).rows(EVENTS, "subject", account, None, 500))
    return [event.name for event in rows.items]


async def signed_in(shop):
    return (await shop.signin.sign_in_with_password(OLD, PASSWORD, HERE)).session


def newest(builder, template):
    return next(one for one in reversed(builder.mailbag.letters) if one.template == template)


async def asked(shop, builder):
    """An account, a session of its owner, and what came by mail."""
    account = await shop.open_account(OLD)
    await builder.edit(CUSTOMERS, account.id, with_second)
    builder.clock.advance(WEEK + timedelta(hours=1))
    session = await signed_in(shop)
    await shop.cases.start_mailbox_recovery(session, NEW, HERE)
    link, code = newest(builder, "recovery.prove_mailbox").token, newest(builder, "recovery.recovery_code").code
    return account, session, link, code


async def ready(shop, builder):
    account, session, link, code = await asked(shop, builder)
    opened = await shop.cases.open_mailbox_case(session, link, code, HERE)
    builder.clock.set(opened.earliest_at)
    await shop.cases.attend_cases(10, WorkerId("test"))
    return account, opened, newest(builder, "recovery.recovery_code").code


async def test_of_many_who_open_a_case_one_does(shop, builder) -> None:
    account, session, link, code = await asked(shop, builder)
    outcomes = await race(4, lambda _: builder.build().cases.open_mailbox_case(session, link, code, HERE))
    assert_one_winner(outcomes, ResetLinkUsed, ResetLinkStale, CaseNotReady)
    assert (await told(builder, account.id)).count("recovery.case_opened") == 1


@pytest.mark.proves("KER-236")
async def test_of_many_who_complete_a_case_one_does(shop, builder) -> None:
    account, opened, code = await ready(shop, builder)
    session = await signed_in(shop)
    outcomes = await race(4, lambda _: builder.build().cases.complete_mailbox_case(session, opened.handle, code, HERE))
    assert_one_winner(outcomes, CaseClosed, SignInRequired)
    events = await told(builder, account.id)
    assert events.count("recovery.case_completed") == events.count("registration.contact_change_applied") == 1


@pytest.mark.proves("RCV-30")
async def test_a_case_is_cancelled_or_completed_and_never_both(shop, builder) -> None:
    account, opened, code = await ready(shop, builder)
    session = await signed_in(shop)
    cancel = newest(builder, "recovery.case_ready").ticket("cancel_link")

    async def act(index):
        cases = builder.build().cases
        if index % 2:
            return await cases.cancel_case(cancel, HERE)
        return await cases.complete_mailbox_case(session, opened.handle, code, HERE)

    outcomes = await race(4, act)
    assert_one_winner(outcomes, CaseClosed, ResetLinkUsed, SignInRequired)
    events, case = await told(builder, account.id), await builder.kept(CASES, opened.case)
    assert events.count("recovery.case_cancelled") + events.count("recovery.case_completed") == 1
    assert events.count("registration.contact_change_applied") == (case.state is CaseState.COMPLETED)


@pytest.mark.proves("RCV-26")
async def test_many_workers_at_once_tell_once(shop, builder) -> None:
    account, session, link, code = await asked(shop, builder)
    opened = await shop.cases.open_mailbox_case(session, link, code, HERE)
    builder.clock.set(opened.earliest_at)
    outcomes = await race(6, lambda index: builder.build().cases.attend_cases(10, WorkerId(f"worker {index}")))
    assert [one.error for one in outcomes] == [None] * 6
    assert sum(one.value for one in outcomes) == 1
    assert (await told(builder, account.id)).count("recovery.case_ready") == 1
