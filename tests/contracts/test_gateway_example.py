"""The gateway adapter of the how-to keeps every promise of a gateway, over HTTP, against a provider on this machine."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import attrs
import pytest

from payment_gateway.adapter import HttpGateway, NotFromTheProvider, read_webhook
from payment_gateway.provider import Books, provider
from shopaccounts.kernel.money import Money
from shopaccounts.subscriptions import Gateway
from shopaccounts.subscriptions.payments import Charged, ChargeRequest, Declined, DeclineKind, NeverSeen, NoAnswer
from shopaccounts.testing.contracts.gateway import GatewayContract


@attrs.frozen
class ToTheProvider(HttpGateway):
    """The adapter, and the books of whom it talks to."""

    books: Books = attrs.field(kw_only=True)
    lines: ExitStack = attrs.field(kw_only=True)


class TestTheGatewayOfTheHowTo(GatewayContract):
    @pytest.fixture(autouse=True)
    def lines(self) -> Iterator[ExitStack]:
        with ExitStack() as self._lines:
            yield self._lines

    def gateway(self) -> ToTheProvider:
        books = Books()
        connect = self._lines.enter_context(provider(books))
        return ToTheProvider(connect, "sk_test", books=books, lines=self._lines)

    def deaf(self, gateway: Gateway) -> HttpGateway:
        assert isinstance(gateway, ToTheProvider)
        return attrs.evolve(gateway, connect=self._lines.enter_context(provider(gateway.books, is_deaf=True)))

    def debits(self, gateway: Gateway, key: str) -> Sequence[Money]:
        assert isinstance(gateway, ToTheProvider)
        known = gateway.books.movements.get(key, {"moved": 0})
        return [Money(known["moved"], known["currency"])] if known["moved"] else []

    def key(self, name: str) -> str:
        return f"inv/ä-7:{name}"  # a key may need quoting in an address

    @pytest.mark.proves("PAY-3")
    def test_a_provider_that_is_down_has_not_answered(self) -> None:
        gateway = self.gateway()
        gateway.books.is_down = True
        assert gateway.charge(self._request("one", self.good_method)) == NoAnswer()
        assert gateway.lookup(self.key("one")) == NoAnswer()
        gateway.books.is_down = False
        assert isinstance(gateway.lookup(self.key("one")), Charged)  # the money had moved

    @pytest.mark.proves("PAY-3")
    def test_a_webhook_tells_what_a_look_up_would_and_only_the_provider_writes_it(self) -> None:
        gateway = self.gateway()
        for method in (self.good_method, self.stolen_method):
            request: ChargeRequest = self._request(method, method)
            gateway.charge(request)
            body, signature = gateway.books.webhook(request.key)
            assert read_webhook(body, signature, gateway.books.secret) == (request.key, gateway.lookup(request.key))
            with pytest.raises(NotFromTheProvider):
                read_webhook(body, signature, b"another secret")

    def test_a_refund_is_looked_up_like_a_charge(self) -> None:
        gateway, charge = self.gateway(), self._request("one", self.good_method)
        gateway.charge(charge)
        refund = self._refund("back", charge, charge.amount)
        assert gateway.lookup(refund.key) == NeverSeen()
        assert gateway.refund(refund) == gateway.lookup(refund.key) == Charged("mv_2")
        again = gateway.refund(self._refund("again", charge, charge.amount))
        assert again == Declined(DeclineKind.SOFT, "refund_too_large")
