"""How many statements a passkey costs; beginning, ending and counters apart."""

import attrs
import pytest

from shopaccounts.testing.builders import request_from
from tests.usecases.storages.test_passkey_races import HERE, PASSKEYS, ann_with, device
from tests.usecases.storages.test_statement_budgets import costs


@pytest.fixture(params=["sqlite", "postgresql"])
def flavour(request):
    """Statements are the same whether somebody waits for them or not."""
    return request.param


@pytest.fixture
def shop(builder):
    """A shop with passkeys."""
    builder.policies = attrs.evolve(builder.policies, passkeys=PASSKEYS)
    return builder.build()


@pytest.mark.proves("TES-112")
async def test_asking_costs_one_statement_and_signing_in_eight_at_most(shop, builder) -> None:
    mine = device()
    await ann_with(shop, mine)
    asked, number, statements = await costs(builder, shop.passkey_signin.passkey_options(HERE))
    assert number <= 1, statements
    signing_in = shop.passkey_signin.sign_in_with_passkey(asked.handle, mine.get(asked.options), HERE)
    step, _, _ = await costs(builder, signing_in)
    known = request_from(device=step.set_cookies[1].value, browser=HERE.binding)
    asked = await shop.passkey_signin.passkey_options(known)
    signing_in = shop.passkey_signin.sign_in_with_passkey(asked.handle, mine.get(asked.options), known)
    _, number, statements = await costs(builder, signing_in)
    assert number <= 8, statements
