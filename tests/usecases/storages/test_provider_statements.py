"""How many statements accounts elsewhere cost; beginning, ending and counters apart."""

import attrs
import pytest

from shopaccounts.kernel.web import DEVICE_COOKIE
from tests.usecases.storages.test_provider_races import arrival, comes, profile, with_providers
from tests.usecases.storages.test_statement_budgets import costs


@pytest.fixture(params=["sqlite", "postgresql"])
def flavour(request):
    """Statements are the same whether somebody waits for them or not."""
    return request.param


@pytest.mark.proves("TES-112")
async def test_signing_in_with_a_provider(builder) -> None:
    shop = with_providers(builder, "eins")
    step = await comes(shop, "eins")
    device = next(cookie.value for cookie in step.set_cookies if cookie.name == DEVICE_COOKIE)
    flow, here = await arrival(shop, "eins")
    here = attrs.evolve(here, device=device)
    _, number, statements = await costs(builder, shop.providers.finish_provider(flow, profile(), here))
    assert number <= 8, (number, statements)


@pytest.mark.proves("TES-112")
async def test_going_and_coming_back(builder) -> None:
    shop = with_providers(builder, "eins")

    async def there_and_back():
        return await arrival(shop, "eins")

    _, number, statements = await costs(builder, there_and_back())
    assert number <= 4, (number, statements)
