"""What every ``Gateway`` must promise; one test or more for each number of its promises.

Subclass ``GatewayContract`` in your own tests, under a name that starts with ``Test``, and say how to make your
gateway: against your provider's sandbox, or against a recording of it.
"""

# ruff: noqa: D102  (a test's name is its sentence)
from abc import ABC, abstractmethod
from collections.abc import Sequence

import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.money import Money
from shopaccounts.subscriptions.payments.charging import (
    Charged,
    ChargeRequest,
    Declined,
    DeclineKind,
    NeverSeen,
    NoAnswer,
    RefundRequest,
)
from shopaccounts.subscriptions.ports import Gateway

__all__ = ["GatewayContract"]

AMOUNT = Money.of("12.50", "EUR")
AMOUNTS = (AMOUNT, Money.of("0.01", "EUR"), Money.of(1250, "JPY"), Money.of("1.250", "KWD"))


class GatewayContract(ABC):
    """The promises of ``Gateway`` as tests."""

    good_method: str = "good"
    """A payment method that is charged without the customer."""
    poor_method: str = "poor"
    """One that is declined for want of funds."""
    stolen_method: str = "stolen"
    """One that is declined for good."""
    odd_method: str = "odd"
    """One that is declined with a code that the adapter doesn't know."""
    amounts: Sequence[Money] = AMOUNTS
    """What is charged, in each currency that the shop takes."""

    @abstractmethod
    def gateway(self) -> Gateway:
        """Answer the gateway under test."""

    @abstractmethod
    def deaf(self, gateway: Gateway) -> Gateway:
        """Answer the same gateway behind a connection that breaks before an answer comes back, once asked."""

    @abstractmethod
    def debits(self, gateway: Gateway, key: str) -> Sequence[Money]:
        """Answer what moved under a key, from the provider's own books; below zero what was paid back."""

    @abstractmethod
    def key(self, name: str) -> str:
        """Answer a key that was never used; the same one for the same name, within one test."""

    def _request(self, name: str, method: str, amount: Money = AMOUNT) -> ChargeRequest:
        return ChargeRequest(key=self.key(name), amount=amount, method=method, invoice="invoice", account="account")

    def _refund(self, name: str, charge: ChargeRequest, amount: Money) -> RefundRequest:
        return RefundRequest(
            key=self.key(name), amount=amount, charge=charge.key, invoice=charge.invoice, account=charge.account
        )

    @pytest.mark.proves("PAY-2")
    async def test_promise_1_a_key_that_is_asked_again_debits_once_and_answers_the_same(self) -> None:
        gateway, request = self.gateway(), self._request("one", self.good_method)
        answers = [await got(gateway.charge(request)) for _ in range(3)]
        assert isinstance(answers[0], Charged)
        assert answers == [answers[0]] * 3
        assert list(self.debits(gateway, request.key)) == [AMOUNT]

    @pytest.mark.proves("PAY-2")
    async def test_promise_1_two_keys_are_two_debits(self) -> None:
        gateway = self.gateway()
        requests = [self._request(name, self.good_method) for name in ("one", "two")]
        for request in requests:
            await got(gateway.charge(request))
        assert [list(self.debits(gateway, request.key)) for request in requests] == [[AMOUNT], [AMOUNT]]

    @pytest.mark.proves("PAY-2")
    async def test_promise_1_a_known_key_moves_nothing_more_whatever_the_request_says(self) -> None:
        gateway, request = self.gateway(), self._request("one", self.good_method)
        await got(gateway.charge(request))
        await got(gateway.charge(attrs.evolve(request, amount=AMOUNT + AMOUNT)))
        await got(gateway.charge(attrs.evolve(request, method=self.poor_method)))
        assert list(self.debits(gateway, request.key)) == [AMOUNT]

    @pytest.mark.proves("PAY-2")
    async def test_promise_1_a_declined_key_stays_declined(self) -> None:
        gateway, request = self.gateway(), self._request("one", self.poor_method)
        first = await got(gateway.charge(request))
        again = await got(gateway.charge(attrs.evolve(request, method=self.good_method)))
        assert again == first
        assert not self.debits(gateway, request.key)

    @pytest.mark.proves("PAY-4")
    async def test_promise_1_a_refund_that_is_asked_again_pays_back_once(self) -> None:
        gateway, charge = self.gateway(), self._request("one", self.good_method)
        await got(gateway.charge(charge))
        refund = self._refund("back", charge, AMOUNT)
        answers = [await got(gateway.refund(refund)) for _ in range(2)]
        assert isinstance(answers[0], Charged)
        assert answers[1] == answers[0]
        assert list(self.debits(gateway, refund.key)) == [-AMOUNT]

    @pytest.mark.proves("DUN-3")
    async def test_promise_2_a_decline_is_an_answer_that_tells_what_would_help(self) -> None:
        gateway = self.gateway()
        kinds = {self.poor_method: DeclineKind.SOFT, self.stolen_method: DeclineKind.HARD}
        for method, kind in kinds.items():
            request = self._request(method, method)
            answer = await got(gateway.charge(request))
            assert isinstance(answer, Declined)
            assert answer.kind is kind
            assert answer.code
            assert not self.debits(gateway, request.key)

    @pytest.mark.proves("DUN-3")
    async def test_promise_2_a_code_that_nobody_knows_is_a_soft_decline(self) -> None:
        answer = await got(self.gateway().charge(self._request("odd", self.odd_method)))
        assert isinstance(answer, Declined)
        assert answer.kind is DeclineKind.SOFT

    @pytest.mark.proves("PAY-3")
    async def test_promise_2_a_connection_that_breaks_is_no_answer_and_no_exception(self) -> None:
        deaf = self.deaf(self.gateway())
        assert await got(deaf.charge(self._request("one", self.good_method))) == NoAnswer()

    @pytest.mark.proves("PAY-4")
    async def test_promise_3_exactly_what_is_asked_for_moves_in_every_currency(self) -> None:
        gateway = self.gateway()
        for amount in self.amounts:
            request = self._request(str(amount), self.good_method, amount)
            await got(gateway.charge(request))
            assert list(self.debits(gateway, request.key)) == [amount]

    @pytest.mark.proves("PAY-4")
    async def test_promise_3_exactly_what_is_asked_for_is_paid_back_and_never_more_than_was_charged(self) -> None:
        gateway, charge = self.gateway(), self._request("one", self.good_method)
        await got(gateway.charge(charge))
        part = AMOUNT - Money.of("0.01", "EUR")
        assert isinstance(await got(gateway.refund(self._refund("part", charge, part))), Charged)
        rest = self._refund("too much", charge, AMOUNT)
        assert isinstance(await got(gateway.refund(rest)), Declined)
        assert list(self.debits(gateway, self.key("part"))) == [-part]
        assert not self.debits(gateway, rest.key)

    @pytest.mark.proves("PAY-3")
    async def test_promise_4_what_was_answered_is_found_again(self) -> None:
        gateway = self.gateway()
        for method in (self.good_method, self.poor_method, self.stolen_method):
            request = self._request(method, method)
            assert await got(gateway.lookup(request.key)) == NeverSeen()
            answer = await got(gateway.charge(request))
            assert await got(gateway.lookup(request.key)) == answer

    @pytest.mark.proves("PAY-3")
    async def test_promise_4_a_debit_whose_answer_was_lost_is_found_and_not_made_twice(self) -> None:
        gateway, request = self.gateway(), self._request("one", self.good_method)
        await got(self.deaf(gateway).charge(request))
        found = await got(gateway.lookup(request.key))
        assert isinstance(found, Charged)
        assert await got(gateway.charge(request)) == found
        assert list(self.debits(gateway, request.key)) == [AMOUNT]
