"""Many answer one invitation, invite at the last free place, or correct one attempt at the same moment."""

import pytest

from shopaccounts.customers import CUSTOMERS, AccountStatus
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import Rejected, Throttled
from shopaccounts.registration import (
    INVITATIONS,
    ContactLinkUsed,
    CorrectionsUsedUp,
    InvitationPolicy,
    RegistrationForm,
    RegistrationPolicy,
)
from shopaccounts.signin import SESSIONS
from shopaccounts.testing.builders import PASSWORD, quick_policies, request_from, without_gaps
from shopaccounts.testing.races import assert_one_winner, race

ANN, BOB, HERE = "ann@lamp.example", "bob@lamp.example", request_from()
CROWD = 16
pytestmark = pytest.mark.proves("KER-180")


def form(address):
    return RegistrationForm(identifier=address, password=PASSWORD)


async def listed(builder, book, group, value):
    return (await got(builder.storage.open(builder.scope).rows(book, group, value, None, 500))).items


@pytest.mark.proves("REG-52")
async def test_one_invitation_is_accepted_once(shop, builder) -> None:
    bob = await shop.open_account(BOB)
    invited = await shop.invitations.invite(bob.session, ANN, HERE)
    token = builder.mailbag.last.token
    outcomes = await race(CROWD, lambda _: builder.build().invitations.accept_invitation(token, form(ANN), HERE))
    done = assert_one_winner(outcomes, ContactLinkUsed)
    assert (await builder.kept(INVITATIONS, invited.id)).account == done.account
    assert (await builder.kept(CUSTOMERS, done.account)).status is AccountStatus.ACTIVE
    assert len(await listed(builder, SESSIONS, "account", done.account)) == 1


@pytest.mark.proves("REG-52", "REG-51")
async def test_of_accepting_declining_and_taking_back_at_once_one_happens(shop, builder) -> None:
    bob = await shop.open_account(BOB)
    invited = await shop.invitations.invite(bob.session, ANN, HERE)
    token = builder.mailbag.last.token

    async def one_of_three(index):
        invitations = builder.build().invitations
        if index % 3 == 0:
            return await invitations.accept_invitation(token, form(ANN), HERE)
        if index % 3 == 1:
            return await invitations.decline_invitation(token, HERE)
        return await invitations.revoke_invitation(bob.session, invited.id, HERE)

    outcomes = await race(CROWD, one_of_three)
    assert sum(one.error is None for one in outcomes) == 1
    assert all(isinstance(one.error, Rejected) for one in outcomes if one.error is not None)
    assert not (await builder.kept(INVITATIONS, invited.id)).is_open


@pytest.mark.proves("REG-50")
async def test_of_many_invitations_at_once_no_more_are_open_than_there_are_places(shop, builder) -> None:
    policy = RegistrationPolicy(invitations=InvitationPolicy(open_at_most=3))
    builder.policies = quick_policies(registration=policy, sends=without_gaps())
    bob = await shop.open_account(BOB)
    outcomes = await race(
        CROWD, lambda index: builder.build().invitations.invite(bob.session, f"ann{index}@lamp.example", HERE)
    )
    assert sum(one.error is None for one in outcomes) == 3
    assert all(isinstance(one.error, Throttled) for one in outcomes if one.error is not None)
    assert len(await listed(builder, INVITATIONS, "waiting", bob.id)) == 3


@pytest.mark.proves("REG-18")
async def test_of_many_corrections_at_once_three_happen(shop, builder) -> None:
    started = await shop.registration.register(form("amn@lamp.example"), HERE)
    outcomes = await race(
        CROWD,
        lambda index: builder.build().registration.change_attempt_contact(
            started.handle, f"ann{index}@lamp.example", HERE
        ),
    )
    assert sum(one.error is None for one in outcomes) == 3
    assert all(isinstance(one.error, CorrectionsUsedUp) for one in outcomes if one.error is not None)
    holding = [one for one in builder.mailbag.letters if one.to.startswith("ann")]
    (waiting,) = (await builder.kept(CUSTOMERS, holding[-1].message.subject)).contacts
    last = next(one for one in holding if one.to == waiting.key)  # which of them was stored last
    done = await shop.registration.complete_registration(started.handle, last.code, HERE)
    (contact,) = (await builder.kept(CUSTOMERS, done.account)).contacts
    assert contact.key == last.to


@pytest.mark.proves("REG-51", "REG-12")
async def test_of_registering_and_accepting_at_once_the_invited_gets_the_account(shop, builder) -> None:
    bob = await shop.open_account(BOB)
    await shop.invitations.invite(bob.session, ANN, HERE)
    token = builder.mailbag.last.token

    async def either(index):
        if index == 0:
            return await builder.build().invitations.accept_invitation(token, form(ANN), HERE)
        return await builder.build().registration.register(form(ANN), HERE)

    outcomes = await race(CROWD, either)
    assert [one.error for one in outcomes] == [None] * CROWD
    account = outcomes[0].value.account
    assert (await builder.kept(CUSTOMERS, account)).status is AccountStatus.ACTIVE
