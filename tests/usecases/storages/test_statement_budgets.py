"""How many statements a use-case costs; beginning, ending and counters apart.

A loop over rows that slips into a use-case shows here, and so does a look-up that is made twice.
"""

from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import attrs
import pytest
from sqlalchemy import event

from shopaccounts.customers import ContactRole
from shopaccounts.kernel.messages import Channel
from shopaccounts.recovery import Question, SecurityQuestionsPolicy
from shopaccounts.registration import RegistrationForm
from shopaccounts.signin import CodeWrong, RenewalPolicy, SessionPolicy
from shopaccounts.testing.builders import PASSWORD, quick_policies, request_from, without_gaps

ANN, HERE = "ann@lamp.example", request_from()
AROUND = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "PRAGMA", "SHOW", "SET ")
NEW = "another lamp by the river"
OTHER = "ann@other.example"
ANSWERS: dict[Question, object] = {
    Question.FIRST_PET: "a goldfish called Ottokar",
    Question.FIRST_CONCERT: "The Velvet Lampshades",
    Question.WORST_HOLIDAY: "rain in Bremen",
}
SESSIONS = 40


@pytest.fixture(params=["sqlite", "postgresql"])
def flavour(request):
    """Statements are the same whether somebody waits for them or not."""
    return request.param


@contextmanager
def counted(builder):
    """Lists the statements that are made meanwhile."""
    engine, statements = builder.storage.engine, []

    def note(_connection, _cursor, statement, *_):
        if not statement.lstrip().upper().startswith(AROUND) and "counters" not in statement:
            statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def costs(builder, work):
    with counted(builder) as statements:
        answer = await work
    return answer, len(statements), "\n\n".join(statements)


@pytest.mark.proves("TES-112")
async def test_registering_costs_eight_statements_at_most(shop, builder) -> None:
    form = RegistrationForm(identifier=ANN, password=PASSWORD)
    for situation in ("unknown", "pending"):
        _, number, statements = await costs(builder, shop.registration.register(form, HERE))
        assert number <= 8, (situation, statements)
    await shop.open_account("eve@lamp.example")
    owners = RegistrationForm(identifier="eve@lamp.example", password=PASSWORD)
    _, number, statements = await costs(builder, shop.registration.register(owners, HERE))
    assert number <= 8, statements


@pytest.mark.proves("TES-112")
async def test_proving_an_address_and_coming_in_costs_nine_statements_at_most(shop, builder) -> None:
    form = RegistrationForm(identifier=ANN, password=PASSWORD)
    started = await shop.registration.register(form, HERE)
    completing = shop.registration.complete_registration(started.handle, builder.mailbag.last.code, HERE)
    _, number, statements = await costs(builder, completing)
    assert number <= 9, statements
    await shop.registration.register(RegistrationForm(identifier="eve@lamp.example"), HERE)
    taking = shop.registration.take_over_contact(builder.mailbag.last.token, NEW, HERE)
    _, number, statements = await costs(builder, taking)
    assert number <= 9, statements


@pytest.mark.proves("TES-112")
async def test_signing_in_with_a_known_device_costs_five_statements_at_most(shop, builder) -> None:
    await shop.open_account(ANN)
    step, number, statements = await costs(builder, shop.signin.sign_in_with_password(ANN, PASSWORD, HERE))
    assert number <= 7, statements  # a new device is kept and told: the list of devices, two links, the mail
    known = request_from(device=step.set_cookies[1].value)
    _, number, statements = await costs(builder, shop.signin.sign_in_with_password(ANN, PASSWORD, known))
    assert number <= 5, statements
    builder.clock.advance(timedelta(days=2))
    _, number, statements = await costs(builder, shop.signin.sign_in_with_password(ANN, PASSWORD, known))
    assert number <= 6, statements  # once a day its use is noted


@pytest.mark.proves("TES-112", "SIG-15")
async def test_asking_for_a_code_and_signing_in_with_it_cost_six_statements_at_most(shop, builder) -> None:
    await shop.open_account(ANN)
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    known = request_from(device=step.set_cookies[1].value)
    for identifier in (ANN, "nobody@lamp.example"):
        asking = shop.code_signin.request_sign_in_code(identifier, Channel.EMAIL, known)
        sent, number, statements = await costs(builder, asking)
        assert number <= 6, statements
        with pytest.raises(CodeWrong):
            await costs(builder, shop.code_signin.sign_in_with_code(sent.handle, "nonsense", known))
        again, number, statements = await costs(builder, shop.code_signin.resend_code(sent.handle, known))
        assert number <= 7, statements
        if identifier == ANN:
            code = builder.mailbag.last.code
            signing_in = shop.code_signin.sign_in_with_code(again.handle, code, known)
            _, number, statements = await costs(builder, signing_in)
            assert number <= 6, statements


@pytest.mark.proves("TES-112", "SIG-16")
async def test_signing_in_with_a_link_costs_six_statements_at_most(shop, builder) -> None:
    await shop.open_account(ANN)
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    known = request_from(device=step.set_cookies[1].value)
    sent = await shop.code_signin.request_sign_in_link(ANN, known)
    token, here = builder.mailbag.last.token, attrs.evolve(known, binding=sent.set_cookies[0].value)
    _, number, statements = await costs(builder, shop.code_signin.peek_sign_in_link(token, here))
    assert number <= 1, statements
    _, number, statements = await costs(builder, shop.code_signin.sign_in_with_link(token, here))
    assert number <= 6, statements


@pytest.mark.proves("TES-112", "SIG-74")
async def test_proving_again_and_renewing_cost_six_statements_at_most(shop, builder) -> None:
    account = await shop.open_account(ANN)
    renewed, number, statements = await costs(builder, shop.signin.confirm_identity(account.session, PASSWORD, HERE))
    assert number <= 6, statements
    builder.policies = quick_policies(sessions=SessionPolicy(renewal=RenewalPolicy()))
    _, number, statements = await costs(builder, builder.build().sessions.renew(renewed.session, HERE))
    assert number <= 6, statements


@pytest.mark.proves("TES-112", "SIG-71")
async def test_coming_back_costs_one_look(shop, builder) -> None:
    account = await shop.open_account(ANN)
    _, number, statements = await costs(builder, shop.sessions.resume(account.session, HERE))
    assert number == 1, statements
    builder.clock.advance(timedelta(minutes=10))
    _, number, statements = await costs(builder, shop.sessions.resume(account.session, HERE))
    assert number <= 3, statements


@pytest.mark.proves("TES-112")
async def test_a_reset_costs_eight_statements_at_most_however_many_sessions_it_ends(shop, builder) -> None:
    for sessions in (1, SESSIONS):
        address = f"ann{sessions}@lamp.example"
        await shop.open_account(address)
        for _ in range(sessions - 1):
            await shop.signin.sign_in_with_password(address, PASSWORD, HERE)
        await shop.recovery.request_reset(address, HERE)
        resetting = shop.recovery.reset_password(builder.mailbag.last.token, NEW, HERE)
        _, number, statements = await costs(builder, resetting)
        assert number <= 8, statements


@pytest.mark.proves("TES-112", "SIG-75")
async def test_signing_out_everywhere_costs_four_statements_for_one_session_and_for_many(shop, builder) -> None:
    account = await shop.open_account(ANN)
    value, numbers = account.session, []
    for _ in range(2):
        _, number, statements = await costs(builder, shop.sessions.sign_out_everywhere(value, HERE))
        numbers.append(number)
        assert number <= 4, statements
        for _ in range(SESSIONS):
            value = (await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)).session
    assert numbers[0] == numbers[1]


@pytest.mark.proves("TES-112", "REG-18")
async def test_correcting_an_address_costs_eleven_statements_at_most(shop, builder) -> None:
    started = await shop.registration.register(RegistrationForm(identifier="amn@lamp.example"), HERE)
    correcting = shop.registration.change_attempt_contact(started.handle, ANN, HERE)
    _, number, statements = await costs(builder, correcting)
    assert number <= 11, statements


@pytest.mark.proves("TES-112", "REG-50", "REG-51")
async def test_inviting_and_coming_by_invitation_cost_the_same_however_many_invitations_there_are(
    shop, builder
) -> None:
    bob, inviting, coming = await shop.open_account("bob@lamp.example"), [], []
    for number in range(3):
        invited = RegistrationForm(identifier=f"ann{number}@lamp.example", password=PASSWORD)
        work = shop.invitations.invite(bob.session, invited.identifier, HERE)
        inviting.append((await costs(builder, work))[1])
        work = shop.invitations.accept_invitation(builder.mailbag.last.token, invited, HERE)
        coming.append((await costs(builder, work))[1])
    assert len(set(inviting)) == len(set(coming)) == 1, (inviting, coming)
    assert (inviting[0] <= 9, coming[0] <= 14) == (True, True), (inviting, coming)


# What a customer does with an account


def newest(builder, template):
    return next(one for one in reversed(builder.mailbag.letters) if one.template.partition(".")[2] == template)


async def signed_in(shop, _builder, hand):
    hand["session"] = (await shop.open_account(ANN)).session


async def adding(shop, builder, hand):
    await signed_in(shop, builder, hand)
    hand["addition"] = (await shop.contacts.add_contact(hand["session"], OTHER, HERE)).addition
    hand |= {"code": newest(builder, "add_contact").code, "link": newest(builder, "add_contact").token}


async def with_two(shop, builder, hand):
    await adding(shop, builder, hand)
    added = await shop.contacts.confirm_added_contact(hand["link"], hand["session"], HERE)
    hand["contact"] = added.contact


async def moving(shop, builder, hand):
    await signed_in(shop, builder, hand)
    await shop.contact_changes.promote_contact(hand["session"], OTHER, HERE)
    hand |= {
        "new": newest(builder, "confirm_new_contact").token,
        "old": newest(builder, "confirm_old_contact").token,
    }


async def agreed(shop, builder, hand):
    await moving(shop, builder, hand)
    await shop.contact_changes.confirm_change_old(hand["old"], None, HERE)


async def moved(shop, builder, hand):
    await agreed(shop, builder, hand)
    await shop.contact_changes.confirm_change_new(hand["new"], hand["session"], HERE)
    hand["undo"] = newest(builder, "undo_contact_change").token


async def leaving(shop, builder, hand):
    await signed_in(shop, builder, hand)
    await shop.closings.request_account_closing(hand["session"], None, HERE)
    hand["link"] = newest(builder, "close_account").token


async def noticed(shop, builder, hand):
    await signed_in(shop, builder, hand)
    await shop.passwords.change_password(hand["session"], PASSWORD, NEW, HERE)
    told = newest(builder, "was_changed")
    hand |= {"not me": told.ticket("not_me_link"), "freeze": told.ticket("freeze_link")}


async def from_elsewhere(shop, builder, hand):
    await signed_in(shop, builder, hand)
    there = request_from("203.0.113.9", agent="Mozilla/5.0 (X11) Firefox/1")
    hand["other"] = (await shop.signin.sign_in_with_password(ANN, PASSWORD, there)).public_id
    hand["not me"] = newest(builder, "new_device").ticket("not_me_link")


async def with_questions(shop, builder, hand):
    await signed_in(shop, builder, hand)
    await shop.questions.set_questions(hand["session"], ANSWERS, HERE)


BUDGETS: dict[str, Any] = {
    "change the password": (
        signed_in,
        lambda shop, hand: shop.passwords.change_password(hand["session"], PASSWORD, NEW, HERE),
        10,
    ),
    "add a contact": (signed_in, lambda shop, hand: shop.contacts.add_contact(hand["session"], OTHER, HERE), 6),
    "prove a contact by code": (
        adding,
        lambda shop, hand: shop.contacts.prove_added_contact(hand["session"], hand["addition"], hand["code"], HERE),
        11,
    ),
    "prove a contact by link": (
        adding,
        lambda shop, hand: shop.contacts.confirm_added_contact(hand["link"], hand["session"], HERE),
        10,
    ),
    "use a contact": (
        with_two,
        lambda shop, hand: shop.contacts.use_contact(hand["session"], hand["contact"], ContactRole.RECOVERY, HERE),
        5,
    ),
    "remove a contact": (
        with_two,
        lambda shop, hand: shop.contacts.remove_contact(hand["session"], hand["contact"], HERE),
        10,
    ),
    "list contacts": (with_two, lambda shop, hand: shop.contacts.list_contacts(hand["session"], HERE), 1),
    "ask for another address": (
        signed_in,
        lambda shop, hand: shop.contact_changes.promote_contact(hand["session"], OTHER, HERE),
        11,
    ),
    "confirm at the old address": (
        moving,
        lambda shop, hand: shop.contact_changes.confirm_change_old(hand["old"], None, HERE),
        3,
    ),
    "confirm at the new address": (
        agreed,
        lambda shop, hand: shop.contact_changes.confirm_change_new(hand["new"], hand["session"], HERE),
        15,
    ),
    "take a change back": (
        moved,
        lambda shop, hand: shop.contact_changes.reverse_contact_change(hand["undo"], HERE),
        11,
    ),
    "list sessions": (from_elsewhere, lambda shop, hand: shop.sessions.list_sessions(hand["session"], HERE), 2),
    "list devices": (from_elsewhere, lambda shop, hand: shop.sessions.list_devices(hand["session"], HERE), 1),
    "end a session": (
        from_elsewhere,
        lambda shop, hand: shop.sessions.end_session(hand["session"], hand["other"], HERE),
        5,
    ),
    "look back": (from_elsewhere, lambda shop, hand: shop.history.security_history(hand["session"], HERE), 2),
    "ask to close": (
        signed_in,
        lambda shop, hand: shop.closings.request_account_closing(hand["session"], None, HERE),
        4,
    ),
    "close": (
        leaving,
        lambda shop, hand: shop.closings.confirm_account_closing(hand["session"], hand["link"], HERE),
        11,
    ),
    "not my sign-in": (from_elsewhere, lambda shop, hand: shop.objections.not_me_sign_in(hand["not me"], HERE), 12),
    "not my change": (noticed, lambda shop, hand: shop.objections.not_me_change(hand["not me"], HERE), 13),
    "freeze": (noticed, lambda shop, hand: shop.customers.freeze_account(hand["freeze"], HERE), 7),
    "set questions": (signed_in, lambda shop, hand: shop.questions.set_questions(hand["session"], ANSWERS, HERE), 7),
    "remove questions": (
        with_questions,
        lambda shop, hand: shop.questions.remove_questions(hand["session"], HERE),
        6,
    ),
}
"""What somebody does, after what, and with how many statements at most."""


@pytest.mark.proves("TES-112")
@pytest.mark.parametrize("doing", BUDGETS)
async def test_what_a_customer_does_with_an_account_keeps_to_its_budget(builder, doing) -> None:
    builder.policies = quick_policies(
        sends=without_gaps(), questions=SecurityQuestionsPolicy(enabled=True, accept_risk=True)
    )
    shop, hand = builder.build(), dict[str, Any]()
    arrange, act, most = BUDGETS[doing]
    await arrange(shop, builder, hand)
    _, number, statements = await costs(builder, act(shop, hand))
    assert number <= most, statements
