"""What ``Plans``, ``Taxes``, ``Usage``, ``Jurisdictions`` and ``MethodDetails`` must promise.

There is a test or more for each numbered promise. Subclass a contract in your own tests, under a name that starts with
``Test``, and say how to make yours and what is in it.
"""

# ruff: noqa: D102  (a test's name is its sentence)
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.money import Rate
from shopaccounts.subscriptions.charges.metering import Measured, Missing, UsageRequest, measurements
from shopaccounts.subscriptions.plans.offers import PlanVersion, PlanVersionId
from shopaccounts.subscriptions.ports import Jurisdictions, MethodDetails, MethodFacts, Plans, Taxes, TaxRequest, Usage

__all__ = ["JurisdictionsContract", "MethodDetailsContract", "PlansContract", "TaxesContract", "UsageContract"]

NOBODYS: Final = PlanVersionId("a version that never was")
PLACE: Final = re.compile(r"([A-Z]{2}(-[A-Z0-9]{1,3})?)?")


class PlansContract(ABC):
    """The promises of ``Plans`` as tests."""

    @abstractmethod
    def plans(self) -> Plans:
        """Answer the catalogue under test."""

    @abstractmethod
    def sold(self) -> Sequence[PlanVersion]:
        """Answer two versions or more that are in it."""

    @pytest.mark.proves("PRT-1")
    async def test_promise_1_an_id_stands_for_the_same_version_for_ever(self) -> None:
        plans = self.plans()
        for version in self.sold():
            assert [await got(plans.version(version.id)) for _ in range(2)] == [version, version]

    @pytest.mark.proves("PRT-1")
    async def test_promise_2_an_id_that_is_not_known_answers_none(self) -> None:
        plans = self.plans()
        assert await got(plans.version(NOBODYS)) is None
        assert list(await got(plans.versions([NOBODYS]))) == [None]

    @pytest.mark.proves("PRT-1")
    async def test_promise_3_several_versions_are_answered_each_at_its_place(self) -> None:
        one, other = self.sold()[:2]
        ids = [other.id, NOBODYS, one.id, other.id]
        assert list(await got(self.plans().versions(ids))) == [other, None, one, other]
        assert list(await got(self.plans().versions([]))) == []


class TaxesContract(ABC):
    """The promises of ``Taxes`` as tests."""

    @abstractmethod
    def taxes(self) -> Taxes:
        """Answer the port under test."""

    @abstractmethod
    def requests(self) -> Sequence[TaxRequest]:
        """Answer requests of several kinds, such as of each category and profile that the shop has."""

    @pytest.mark.proves("PRT-1")
    async def test_promise_1_each_request_has_its_answer_at_its_place(self) -> None:
        taxes, requests = self.taxes(), list(self.requests())
        answers = list(await got(taxes.rates(requests)))
        assert len(answers) == len(requests)
        assert all(type(rates) is tuple and all(type(rate) is Rate for rate in rates) for rates in answers)
        assert list(await got(taxes.rates(requests[::-1]))) == answers[::-1]
        assert list(await got(taxes.rates([]))) == []

    @pytest.mark.proves("PRT-1")
    async def test_promise_2_asked_again_alone_or_among_others_a_request_has_the_same_answer(self) -> None:
        taxes, requests = self.taxes(), list(self.requests())
        answers = list(await got(taxes.rates(requests)))
        assert [rates for request in requests for rates in await got(taxes.rates([request]))] == answers
        assert list(await got(self.taxes().rates(requests))) == answers


class UsageContract(ABC):
    """The promises of ``Usage`` as tests."""

    @abstractmethod
    def usage(self) -> Usage:
        """Answer the source under test."""

    @abstractmethod
    def counted(self) -> Mapping[UsageRequest, int]:
        """Answer what it counts, a zero among it."""

    @abstractmethod
    def uncounted(self) -> UsageRequest:
        """Answer a stretch of which it can't tell."""

    @pytest.mark.proves("USE-1", "PRT-1")
    async def test_promise_1_each_count_is_a_whole_number_at_its_place(self) -> None:
        usage, counted = self.usage(), self.counted()
        requests = [*counted, *reversed(list(counted))]
        answers = list(await got(usage.quantities(requests)))
        assert [answer.quantity for answer in answers if isinstance(answer, Measured)] == [
            counted[request] for request in requests
        ]
        assert measurements(requests, answers).failures == {}
        assert list(await got(usage.quantities([]))) == []

    @pytest.mark.proves("USE-2", "PRT-1")
    async def test_promise_2_each_count_says_up_to_where_was_counted(self) -> None:
        for answer in await got(self.usage().quantities(list(self.counted()))):
            assert isinstance(answer, Measured)
            assert isinstance(answer.watermark, str)
            assert answer.watermark

    @pytest.mark.proves("USE-1", "PRT-1")
    async def test_promise_3_what_can_not_be_told_is_said_and_is_not_zero(self) -> None:
        counted = self.counted()
        assert 0 in counted.values(), "let one of the counts be zero"
        requests = [self.uncounted(), *counted]
        missing, *answers = await got(self.usage().quantities(requests))
        assert missing == Missing()
        assert [type(answer) for answer in answers] == [Measured] * len(counted)


class JurisdictionsContract(ABC):
    """The promises of ``Jurisdictions`` as tests."""

    on: date = date(2031, 5, 4)
    """A day."""

    @abstractmethod
    def jurisdictions(self) -> Jurisdictions:
        """Answer the port under test."""

    @abstractmethod
    def accounts(self) -> Sequence[str]:
        """Answer accounts, one that isn't known among them."""

    @pytest.mark.proves("PRT-1")
    async def test_promise_1_the_answer_is_a_country_a_part_of_one_or_empty(self) -> None:
        for account in self.accounts():
            place = await got(self.jurisdictions().of(account, self.on))
            assert PLACE.fullmatch(place), f"{place!r} is no code of ISO 3166"

    @pytest.mark.proves("PRT-1")
    async def test_promise_2_asked_again_it_is_the_same(self) -> None:
        for account in self.accounts():
            places = [await got(self.jurisdictions().of(account, self.on)) for _ in range(2)]
            assert places[0] == places[1]


class MethodDetailsContract(ABC):
    """The promises of ``MethodDetails`` as tests."""

    @abstractmethod
    def details(self) -> MethodDetails:
        """Answer the port under test."""

    @abstractmethod
    def known(self) -> str:
        """Answer a method of which something is known."""

    @abstractmethod
    def unknown(self) -> str:
        """Answer a method of which nothing is known."""

    @pytest.mark.proves("PRT-1")
    async def test_promise_1_each_method_is_answered_at_its_place_and_none_where_nothing_is_known(self) -> None:
        asked = [self.unknown(), self.known(), self.known()]
        missing, *found = await got(self.details().details(asked))
        assert missing is None
        assert found[0] == found[1]
        assert isinstance(found[0], MethodFacts)
        assert tuple(await got(self.details().details([]))) == ()
