"""How many statements a use-case costs; beginning, ending and counters apart.

A loop over rows that slips into a use-case shows here, and so does a look-up that is made twice.
"""

from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import event

from shopaccounts.registration import RegistrationForm
from shopaccounts.signin import RenewalPolicy, SessionPolicy
from shopaccounts.testing.builders import PASSWORD, quick_policies, request_from

ANN, HERE = "ann@lamp.example", request_from()
AROUND = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "PRAGMA", "SHOW", "SET ")
NEW = "another lamp by the river"
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
async def test_signing_in_with_a_known_device_costs_six_statements_at_most(shop, builder) -> None:
    await shop.open_account(ANN)
    step, number, statements = await costs(builder, shop.signin.sign_in_with_password(ANN, PASSWORD, HERE))
    assert number <= 9, statements  # a new device is kept and told: the list of devices, two links, the mail
    known = request_from(device=step.set_cookies[1].value)
    _, number, statements = await costs(builder, shop.signin.sign_in_with_password(ANN, PASSWORD, known))
    assert number <= 6, statements
    builder.clock.advance(timedelta(days=2))
    _, number, statements = await costs(builder, shop.signin.sign_in_with_password(ANN, PASSWORD, known))
    assert number <= 8, statements  # once a day its use is noted; what has lapsed is put away


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
async def test_a_reset_costs_nine_statements_at_most_however_many_sessions_it_ends(shop, builder) -> None:
    for sessions in (1, SESSIONS):
        address = f"ann{sessions}@lamp.example"
        await shop.open_account(address)
        for _ in range(sessions - 1):
            await shop.signin.sign_in_with_password(address, PASSWORD, HERE)
        await shop.recovery.request_reset(address, HERE)
        resetting = shop.recovery.reset_password(builder.mailbag.last.token, NEW, HERE)
        _, number, statements = await costs(builder, resetting)
        assert number <= 9, statements


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
