"""Whoever ends a contract in writing and is overtaken is decided anew, three times in all, never three times three."""

import attrs
import pytest

from shopaccounts.kernel.errors import StaleWrite, Taken
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.subscriptions import (
    CANCELLATION_STATEMENTS,
    SUBSCRIPTIONS,
    WITHDRAWAL_STATEMENTS,
    BillingPorts,
    CancellationForm,
    SubscriptionPolicy,
    WithdrawalForm,
)
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.testing.billing_doubles import FlatTax, OneJurisdiction
from shopaccounts.testing.builders import quick_policies, request_from
from shopaccounts.testing.wrapping import wrapped

ANN, EVE, HERE = "ann@lamp.example", "eve@lamp.example", request_from()
WAYS = ["a form", "a confirmed form", "a withdrawal"]
FASTER = [StaleWrite("subscriptions", "hers"), Taken("live_plan_group")]


class Overtaken:
    """Somebody is faster so many times; wraps the ports of a shop.

    Args:
        times: How many times.
        said: What whoever comes too late is told.
    """

    def __init__(self, times, said):
        self.left, self.said, self.tried = times, said, 0

    def __call__(self, port):
        """Answer a stand-in for a port or a storage."""
        return wrapped(port, self._around)

    def _around(self, call):
        if call.method != "record":
            return call.make()
        self.tried += 1
        self.left -= 1
        if self.left >= 0:
            raise self.said
        return call.make()


@pytest.fixture
def builder(builder, plans):
    """A shop in Germany that lets a subscription run before its first payment."""
    subscribing = SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED)
    builder.policies = quick_policies(subscriptions=SubscriptionPolicy(subscribing=subscribing))
    ports = BillingPorts(plans=plans, taxes=FlatTax("19"), jurisdictions=OneJurisdiction("DE"))
    return attrs.evolve(builder, ports={"billing": ports})


async def ready(coffee, way):
    """Ann has a contract, and somebody is about to end it; answer it, and what they are about to do."""
    account = await coffee.shop.open_account(ANN)
    made = await coffee.subscribed(coffee.order(reference="V-2041"), customer=CustomerId(account.id))
    if way == "a form":
        form = CancellationForm(name="Ann Lund", reference="V-2041", contact=ANN)
        return made.subscription.id, lambda shop: shop.statements.submit_cancellation(form, HERE)
    if way == "a confirmed form":
        form = CancellationForm(name="Ann Lund", reference="V-2041", contact=EVE)
        await coffee.shop.statements.submit_cancellation(form, HERE)
        (letter,) = [
            one for one in coffee.builder.mailbag.letters if one.template == "subscriptions.confirm_cancellation"
        ]
        return made.subscription.id, lambda shop: shop.statements.confirm_cancellation(letter.token, HERE)
    withdrawal = WithdrawalForm(name="Ann Lund", reference="V-2041", contact=ANN)
    opened = await coffee.shop.statements.open_withdrawal(withdrawal, HERE)
    return made.subscription.id, lambda shop: shop.statements.confirm_withdrawal(opened.statement, HERE)


@pytest.mark.proves("CAN-8", "CAN-9", "CAN-10")
@pytest.mark.parametrize("said", FASTER, ids=["changed", "taken"])
@pytest.mark.parametrize("way", WAYS)
async def test_the_third_time_it_counts(coffee, way, said) -> None:
    id, ends = await ready(coffee, way)
    before = len(coffee.builder.mailbag.letters)
    overtaken = Overtaken(2, said)
    receipt = await ends(coffee.builder.build(overtaken))
    assert overtaken.tried == 3
    one = await coffee.builder.kept(SUBSCRIPTIONS, id)
    assert one.ended_at is not None or one.scheduled.cancel is not None
    book = WITHDRAWAL_STATEMENTS if way == "a withdrawal" else CANCELLATION_STATEMENTS
    assert (await coffee.builder.kept(book, receipt.statement)).subscription == id
    sent = len(coffee.builder.mailbag.letters) - before
    assert sent == (1 if way == "a confirmed form" else 2), "a receipt with a new statement, and what it led to"


@pytest.mark.proves("CAN-8", "CAN-9")
@pytest.mark.parametrize("said", FASTER, ids=["changed", "taken"])
@pytest.mark.parametrize("way", WAYS)
async def test_whoever_is_overtaken_three_times_is_told_so_and_nothing_is_recorded(coffee, way, said) -> None:
    _, ends = await ready(coffee, way)
    before = coffee.builder.storage.snapshot()["main"].books
    overtaken = Overtaken(9, said)
    with pytest.raises(type(said)):
        await ends(coffee.builder.build(overtaken))
    assert overtaken.tried == 3
    assert coffee.builder.storage.snapshot()["main"].books == before
