"""A billing run holds one page: neither a large account nor a full book is ever loaded whole."""

import inspect
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from shopaccounts.kernel.answers import Answer
from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.money import Rate
from shopaccounts.subscriptions import SubscriptionPolicy
from shopaccounts.subscriptions.policy import FirstPayment, OneLivePer, SubscribePolicy
from shopaccounts.testing.billing_doubles import FlatTax
from shopaccounts.testing.builders import quick_policies
from shopaccounts.testing.wrapping import PortCall, wrapped

if TYPE_CHECKING:
    from tests.usecases.subscriptions.conftest import CoffeeShop

PAGE, MANY = 10, 40
FIRM = CustomerId("firm")


class Watch:
    """Stands between a shop and its books, and notes how many entities each answer holds."""

    def __init__(self) -> None:
        self.largest = 0

    def __call__(self, port: Any) -> Any:
        return wrapped(port, self._around)

    def _around(self, call: PortCall) -> Answer[Any]:
        answer = call.make()
        if call.method == "record_page":
            return answer  # tells how each change ended, and holds nothing
        return self._later(answer) if inspect.isawaitable(answer) else self._noted(answer)

    async def _later(self, answer: Any) -> Any:
        return self._noted(await answer)

    def _noted(self, answer: Any) -> Any:
        if isinstance(answer, Sequence):
            self.largest = max(self.largest, len(answer))
        return answer


class CountedTax(FlatTax):
    """Notes how many rates it was asked for at a time."""

    def __init__(self) -> None:
        super().__init__("19")
        self.pages: list[int] = []

    def rates(self, requests: Sequence[Any]) -> tuple[tuple[Rate, ...], ...]:
        self.pages.append(len(requests))
        return super().rates(requests)


@pytest.fixture
def tax() -> CountedTax:
    """The tax service."""
    return CountedTax()


@pytest.fixture
def builder(builder: Any, tax: CountedTax) -> Any:
    """A shop that lets firms subscribe as often as they like, before they pay."""
    often = SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED, one_live_per=OneLivePer.NONE)
    builder.policies = quick_policies(subscriptions=SubscriptionPolicy(subscribing=often))
    builder.ports = {"billing": attrs.evolve(builder.ports["billing"], taxes=tax)}
    return builder


@pytest.mark.proves("PRF-5", "RUN-2")
@pytest.mark.parametrize("is_one_account", [True, False])
async def test_a_run_never_holds_more_than_a_page(
    coffee: "CoffeeShop", tax: CountedTax, *, is_one_account: bool
) -> None:
    for n in range(MANY):
        await coffee.subscribed(customer=FIRM if is_one_account else CustomerId(f"c-{n}"), key=f"o-{n}")
    coffee.builder.clock.advance(timedelta(days=30))
    watch, tax.pages = Watch(), []
    report = await coffee.builder.build(watch).billing.run_billing(limit=PAGE, worker=WorkerId("w"))
    assert (report.invoices, report.pages >= MANY / PAGE) == (MANY, True)
    assert 0 < watch.largest <= PAGE
    assert len(tax.pages) == report.pages
    assert max(tax.pages) <= PAGE
