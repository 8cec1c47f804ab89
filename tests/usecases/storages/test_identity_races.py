"""Many do the same thing at the same moment: one wins, and the others end as they were promised to."""

import pytest

from shopaccounts.customers import CUSTOMERS, AccountStatus
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.tickets import TICKETS
from shopaccounts.passwords import PASSWORDS
from shopaccounts.recovery import ResetLinkUsed
from shopaccounts.registration import (
    ATTEMPTS,
    CodeExhausted,
    CodeWrong,
    ContactLinkInvalid,
    ContactLinkUsed,
    RegistrationForm,
)
from shopaccounts.signin import SESSIONS, Resumed, SignedIn, SignInRefused, SignInRequired
from shopaccounts.testing.builders import PASSWORD, request_from
from shopaccounts.testing.races import assert_one_winner, race

ANN, HERE = "ann@lamp.example", request_from()
CROWD = 16
pytestmark = pytest.mark.proves("KER-180")


async def listed(builder, book, group, value):
    """What a group of a book holds."""
    return (await got(builder.storage.open(builder.scope).rows(book, group, value, None, 500))).items


async def started(shop):
    """A handle, and the letter that went with it."""
    answer = await shop.registration.register(RegistrationForm(identifier=ANN, password=PASSWORD), HERE)
    return answer.handle, shop.builder.mailbag.last


def words(index):
    return f"lamp number {index} of the long winter"


@pytest.mark.proves("REG-15")
async def test_one_registration_is_completed_once(shop, builder) -> None:
    handle, letter = await started(shop)
    outcomes = await race(
        CROWD, lambda _: builder.build().registration.complete_registration(handle, letter.code, HERE)
    )
    done = assert_one_winner(outcomes, ContactLinkUsed)
    assert (await builder.kept(CUSTOMERS, done.account)).status is AccountStatus.ACTIVE
    assert len(await listed(builder, SESSIONS, "account", done.account)) == 1
    told = [event.name for event in await listed(builder, EVENTS, "subject", done.account)]
    assert told.count("registration.account_activated") == 1


@pytest.mark.proves("REG-16")
async def test_one_link_is_confirmed_once(shop, builder) -> None:
    handle, letter = await started(shop)
    outcomes = await race(CROWD, lambda _: builder.build().registration.confirm_contact(letter.token, handle, HERE))
    assert_one_winner(outcomes, ContactLinkUsed)


@pytest.mark.proves("REG-17")
async def test_one_link_is_taken_over_once(shop, builder) -> None:
    _, letter = await started(shop)
    outcomes = await race(
        CROWD, lambda index: builder.build().registration.take_over_contact(letter.token, words(index), HERE)
    )
    assert_one_winner(outcomes, ContactLinkUsed)
    winner = next(index for index, one in enumerate(outcomes) if one.error is None)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, words(winner), HERE), SignedIn)


@pytest.mark.proves("REG-15", "REG-17")
async def test_of_code_and_link_at_once_one_proves_the_address(shop, builder) -> None:
    handle, letter = await started(shop)

    async def either(index):
        registration = builder.build().registration
        if index % 2:
            return await registration.take_over_contact(letter.token, words(index), HERE)
        return await registration.complete_registration(handle, letter.code, HERE)

    done = assert_one_winner(await race(CROWD, either), ContactLinkUsed, CodeWrong, CodeExhausted)
    assert len(await listed(builder, SESSIONS, "account", done.account)) == 1


@pytest.mark.proves("REG-12")
async def test_one_address_registered_at_once_leaves_one_attempt_and_everybody_gets_the_ordinary_answer(
    shop, builder
) -> None:
    form = RegistrationForm(identifier=ANN, password=PASSWORD)
    outcomes = await race(CROWD, lambda _: builder.build().registration.register(form, HERE))
    assert [one.error for one in outcomes] == [None] * CROWD
    answers = {repr(one.value) for one in outcomes}
    assert len(answers) == 1
    account = next(letter.message.subject for letter in builder.mailbag.letters)
    assert len(await listed(builder, ATTEMPTS, "account", account)) == 1
    assert len({letter.message.subject for letter in builder.mailbag.letters}) == 1
    alive = 0
    for one in outcomes:
        with pytest.raises((CodeWrong, ContactLinkInvalid)) as refused:
            await shop.registration.complete_registration(one.value.handle, "wrong", HERE)
        alive += isinstance(refused.value, CodeWrong)
    assert alive == 1


async def test_of_many_guesses_at_once_five_are_answered(shop, builder) -> None:
    handle, letter = await started(shop)
    wrong = [f"{(int(letter.code) + 1 + index) % 1_000_000:06}" for index in range(CROWD)]
    outcomes = await race(
        CROWD, lambda index: builder.build().registration.complete_registration(handle, wrong[index], HERE)
    )
    answered = [one.error.tries_left for one in outcomes if isinstance(one.error, CodeWrong)]
    assert sorted(answered) == [0, 1, 2, 3, 4]
    assert sum(isinstance(one.error, CodeExhausted) for one in outcomes) == CROWD - 5
    with pytest.raises(CodeExhausted):
        await shop.registration.complete_registration(handle, letter.code, HERE)


@pytest.mark.proves("RCV-10")
async def test_one_reset_link_sets_one_password(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await shop.recovery.request_reset(ANN, HERE)
    token, before = builder.mailbag.last.token, len(builder.mailbag.letters)
    outcomes = await race(CROWD, lambda index: builder.build().recovery.reset_password(token, words(index), HERE))
    assert_one_winner(outcomes, ResetLinkUsed)
    winner = next(index for index, one in enumerate(outcomes) if one.error is None)
    assert len(builder.mailbag.letters) == before + 1
    assert (await builder.kept(PASSWORDS, account.id)).version == 2
    assert isinstance(await shop.signin.sign_in_with_password(ANN, words(winner), HERE), SignedIn)


async def outcome_of(asked) -> str:
    """The name of what was answered, or of how it was refused."""
    try:
        return type(await asked).__name__
    except Rejected as refused:
        return type(refused).__name__


@pytest.mark.proves("KER-235")
async def test_many_requests_at_once_leave_one_live_link(shop, builder) -> None:
    account = await shop.open_account(ANN)
    outcomes = await race(CROWD, lambda _: builder.build().recovery.request_reset(ANN, HERE))
    assert [one.error for one in outcomes] == [None] * CROWD
    assert len(await listed(builder, TICKETS, "subject", account.id)) == CROWD
    links = [letter.token for letter in builder.mailbag.letters if letter.template == "recovery.reset_password"]
    told = [await outcome_of(shop.recovery.peek_reset(link, HERE)) for link in links]
    assert [told.count(kind) for kind in ("ResetOffer", "ResetLinkStale")] == [1, CROWD - 1]


@pytest.mark.proves("RCV-2")
async def test_many_requests_at_once_for_a_suspended_account_tell_its_owner_once(shop, builder) -> None:
    await shop.arrange("suspended", ANN)
    outcomes = await race(CROWD, lambda _: builder.build().recovery.request_reset(ANN, HERE))
    assert [one.error for one in outcomes] == [None] * CROWD
    told = [letter for letter in builder.mailbag.letters if letter.template == "recovery.account_suspended"]
    assert len(told) == 1


@pytest.mark.proves("SIG-7", "SIG-76")
async def test_who_signs_in_while_all_sessions_end_is_in_or_out_and_nothing_between(shop, builder) -> None:
    account = await shop.open_account(ANN)

    async def either(index):
        signin = builder.build().signin
        if index == 0:
            return await builder.build().sessions.sign_out_everywhere(account.session, HERE)
        return await signin.sign_in_with_password(ANN, PASSWORD, HERE)

    outcomes = await race(4, either)
    assert [one.error for one in outcomes] == [None] * 4
    assert not isinstance(await shop.sessions.resume(account.session, HERE), Resumed)
    security_of = {session.public_id: session for session in await listed(builder, SESSIONS, "account", account.id)}
    for one in outcomes[1:]:
        alive = isinstance(await shop.sessions.resume(one.value.session, HERE), Resumed)
        assert alive == (security_of[one.value.public_id].stamps.account == 1)


@pytest.mark.proves("SIG-75")
async def test_signing_out_everywhere_at_once_is_done_once(shop, builder) -> None:
    account = await shop.open_account(ANN)
    outcomes = await race(CROWD, lambda _: builder.build().sessions.sign_out_everywhere(account.session, HERE))
    assert_one_winner(outcomes, SignInRequired)


@pytest.mark.proves("SIG-77")
async def test_signing_out_at_once_is_no_error_for_anybody_and_told_once(shop, builder) -> None:
    account = await shop.open_account(ANN)
    outcomes = await race(CROWD, lambda _: builder.build().sessions.sign_out(account.session, HERE))
    assert [one.error for one in outcomes] == [None] * CROWD
    told = [event.name for event in await listed(builder, EVENTS, "subject", account.id)]
    assert told.count("signin.session_ended") == 1


@pytest.mark.proves("REG-12", "REG-15")
async def test_who_completes_while_somebody_registers_anew_has_the_account_or_nothing(shop, builder) -> None:
    handle, letter = await started(shop)
    other = RegistrationForm(identifier=ANN, password="the lamp of somebody else")

    async def either(index):
        registration = builder.build().registration
        if index % 2:
            return await registration.register(other, HERE)
        return await registration.complete_registration(handle, letter.code, HERE)

    outcomes = await race(CROWD, either)
    assert not [one.error for one in outcomes[1::2] if one.error]
    completed = [one for one in outcomes[::2] if one.error is None]
    assert len(completed) <= 1
    assert all(isinstance(one.error, ContactLinkUsed | ContactLinkInvalid) for one in outcomes[::2] if one.error)
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(ANN, "the lamp of somebody else", HERE)
    if completed:
        assert isinstance(await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE), SignedIn)
