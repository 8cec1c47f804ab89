"""How many statements second steps cost; beginning, ending and counters apart."""

import attrs
import pytest

from shopaccounts.kernel.web import DEVICE_COOKIE
from shopaccounts.signin import RecoveryCodeAnswer, TotpCode
from shopaccounts.testing.apps import AuthenticatorApp, enrol_app
from shopaccounts.testing.builders import PASSWORD, request_from
from tests.usecases.storages.test_statement_budgets import costs

ANN, HERE = "ann@lamp.example", request_from()


@pytest.fixture(params=["sqlite", "postgresql"])
def flavour(request):
    """Statements are the same whether somebody waits for them or not."""
    return request.param


@pytest.mark.proves("TES-112")
async def test_adding_listing_and_removing_an_app(shop, builder) -> None:
    account = await shop.open_account(ANN)
    starting = shop.factors.start_totp(account.session, "", HERE)
    started, number, statements = await costs(builder, starting)
    assert number <= 2, statements
    app = AuthenticatorApp(started.uri, builder.clock)
    confirming = shop.factors.confirm_totp(account.session, app.code(), HERE)
    added, number, statements = await costs(builder, confirming)
    assert number <= 10, statements
    session = added.next_value.session
    _, number, statements = await costs(builder, shop.factors.factors(session, HERE))
    assert number == 1, statements
    _, number, statements = await costs(builder, shop.factors.rename_factor(session, added.factor, "My app", HERE))
    assert number <= 2, statements
    session = (await shop.signin.confirm_identity(session, PASSWORD, HERE)).session
    proving = shop.signin.confirm_identity(session, TotpCode(app.next_code()), HERE)
    proven, number, statements = await costs(builder, proving)
    assert number <= 7, statements
    renewing = shop.factors.renew_recovery_codes(proven.session, HERE)
    renewed, number, statements = await costs(builder, renewing)
    assert number <= 10, statements
    removing = shop.factors.remove_factor(renewed.next_value.session, added.factor, HERE)
    _, number, statements = await costs(builder, removing)
    assert number <= 10, statements


@pytest.mark.proves("TES-112")
async def test_giving_a_second_step(shop, builder) -> None:
    account = await shop.open_account(ANN)
    enrolled = await enrol_app(shop.factors, account.session, HERE, builder.clock)
    for answer in (TotpCode(enrolled.app.next_code()), RecoveryCodeAnswer(enrolled.recovery_codes[0])):
        step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
        there = attrs.evolve(HERE, binding=step.set_cookies[0].value)
        giving = shop.second_step.give_second_factor(step.progress, answer, there)
        _, number, statements = await costs(builder, giving)
        assert number <= 10, statements


@pytest.mark.proves("TES-112")
async def test_signing_in_with_two_steps_from_a_known_device(shop, builder) -> None:
    account = await shop.open_account(ANN)
    enrolled = await enrol_app(shop.factors, account.session, HERE, builder.clock)
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    there = attrs.evolve(HERE, binding=step.set_cookies[0].value)
    first = await shop.second_step.give_second_factor(step.progress, TotpCode(enrolled.app.next_code()), there)
    device = next(cookie.value for cookie in first.set_cookies if cookie.name == DEVICE_COOKIE)
    known = attrs.evolve(there, device=device)
    step, number, statements = await costs(builder, shop.signin.sign_in_with_password(ANN, PASSWORD, known))
    assert number <= 6, statements
    giving = shop.second_step.give_second_factor(step.progress, TotpCode(enrolled.app.next_code()), known)
    _, number, statements = await costs(builder, giving)
    assert number <= 6, statements
