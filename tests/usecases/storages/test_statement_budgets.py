"""How many statements a use-case costs; beginning, ending and counters apart.

A loop over rows that slips into a use-case shows here, and so does a look-up that is made twice.
"""

from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import event

from shopaccounts.registration import RegistrationForm
from shopaccounts.testing.builders import PASSWORD, request_from

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
async def test_proving_an_address_and_coming_in_costs_eight_statements_at_most(shop, builder) -> None:
    form = RegistrationForm(identifier=ANN, password=PASSWORD)
    started = await shop.registration.register(form, HERE)
    completing = shop.registration.complete_registration(started.handle, builder.mailbag.last.code, HERE)
    _, number, statements = await costs(builder, completing)
    assert number <= 8, statements
    await shop.registration.register(RegistrationForm(identifier="eve@lamp.example"), HERE)
    taking = shop.registration.take_over_contact(builder.mailbag.last.token, NEW, HERE)
    _, number, statements = await costs(builder, taking)
    assert number <= 8, statements


@pytest.mark.proves("TES-112")
async def test_signing_in_by_password_costs_five_statements_at_most(shop, builder) -> None:
    await shop.open_account(ANN)
    _, number, statements = await costs(builder, shop.signin.sign_in_with_password(ANN, PASSWORD, HERE))
    assert number <= 5, statements


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
