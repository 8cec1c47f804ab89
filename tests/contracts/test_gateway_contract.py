"""The scripted gateway keeps the promises of the port, whether it answers now or later."""

from collections.abc import Sequence

import pytest

from shopaccounts.kernel.answers import Answer, got
from shopaccounts.kernel.money import Money
from shopaccounts.subscriptions.payments.charging import (
    ActionNeeded,
    Charged,
    ChargeRequest,
    Declined,
    DeclineKind,
    Found,
    NeverSeen,
    NoAnswer,
    Outcome,
    RefundRequest,
)
from shopaccounts.subscriptions.ports import Gateway
from shopaccounts.testing.contracts.gateway import AMOUNT, GatewayContract
from shopaccounts.testing.doubles import Late
from shopaccounts.testing.gateway import Delayed, Lost, ScriptedGateway, Unheard
from shopaccounts.testing.plugin import ASYNC


class Deaf:
    """Everything arrives, and nothing comes back."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def charge(self, request: ChargeRequest) -> Outcome:
        await got(self.gateway.charge(request))
        return NoAnswer()

    def lookup(self, key: str) -> Answer[Found]:
        return self.gateway.lookup(key)

    def refund(self, request: RefundRequest) -> Answer[Outcome]:
        return self.gateway.refund(request)


class TestScriptedGateway(GatewayContract):
    def gateway(self) -> Gateway:
        self.scripted = ScriptedGateway()
        self.scripted.cards["poor"] = Declined(DeclineKind.SOFT, "insufficient_funds")
        self.scripted.cards["stolen"] = Declined(DeclineKind.HARD, "stolen_card")
        self.scripted.cards["odd"] = Declined(DeclineKind.SOFT, "x_931")
        return self.scripted

    def deaf(self, gateway: Gateway) -> Gateway:
        return Deaf(gateway)

    def debits(self, gateway: Gateway, key: str) -> Sequence[Money]:  # noqa: ARG002  (the books are its own)
        return self.scripted.debits_of(key)

    def key(self, name: str) -> str:
        return f"{name}:1"


class TestLateScriptedGateway(TestScriptedGateway):
    @pytest.fixture
    def host(self) -> str:
        return ASYNC

    def gateway(self) -> Gateway:
        return Late(super().gateway())


def ask(attempt: int = 1, method: str = "card") -> ChargeRequest:
    return ChargeRequest(key=f"inv:{attempt}", amount=AMOUNT, method=method, invoice="inv", account="acc")


def test_what_happens_is_said_for_an_attempt_and_not_for_a_place_in_the_order_of_calls() -> None:
    gateway = ScriptedGateway()
    gateway.script("inv", 2, Declined(DeclineKind.SOFT, "x"))
    assert gateway.charge(ask(2)) == Declined(DeclineKind.SOFT, "x")
    assert gateway.charge(ask(1)) == Charged("charge-inv:1")


def test_a_request_that_is_lost_can_be_made_again() -> None:
    gateway = ScriptedGateway()
    gateway.script("inv", 1, Lost(), Unheard(Charged("a")))
    assert gateway.charge(ask()) == NoAnswer()
    assert gateway.lookup("inv:1") == NeverSeen()
    assert gateway.charge(ask()) == NoAnswer()
    assert gateway.lookup("inv:1") == Charged("a")
    assert gateway.asked["inv:1"] == 2


def test_a_request_that_arrives_late_debits_then_and_not_if_it_was_made_again_meanwhile() -> None:
    gateway = ScriptedGateway()
    for attempt in (1, 2):
        gateway.script("inv", attempt, Delayed(Charged("late")))
        assert gateway.charge(ask(attempt)) == NoAnswer()
        assert gateway.lookup(f"inv:{attempt}") == NeverSeen()
    gateway.charge(ask(2))
    for attempt in (1, 2, 2):
        gateway.arrive(f"inv:{attempt}")
    assert dict(gateway.webhooks()) == {"inv:1": Charged("late"), "inv:2": Charged("charge-inv:2")}
    assert [debit.key for debit in gateway.debits] == ["inv:2", "inv:1"]


def test_a_payment_that_waits_for_the_customer_is_decided_once_the_customer_acted() -> None:
    gateway = ScriptedGateway()
    gateway.script("inv", 1, ActionNeeded("confirm"))
    assert gateway.charge(ask()) == ActionNeeded("confirm")
    gateway.act("inv:1", Charged("confirmed"))
    gateway.act("inv:1", Declined(DeclineKind.HARD))
    assert gateway.lookup("inv:1") == Charged("confirmed")
    assert gateway.debits_of("inv:1") == (AMOUNT,)


@pytest.mark.parametrize("attempt", [1, 2])
def test_a_gateway_that_is_down_hears_nothing(attempt: int) -> None:
    gateway = ScriptedGateway()
    gateway.is_down = True
    assert gateway.charge(ask(attempt)) == NoAnswer()
    assert gateway.lookup(ask(attempt).key) == NoAnswer()
    gateway.is_down = False
    assert gateway.lookup(ask(attempt).key) == NeverSeen()
    assert gateway.debits == []
