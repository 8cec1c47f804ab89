"""The doubles for what billing asks of the outside keep the promises of their ports, at once and late."""

from datetime import UTC, date, datetime, timedelta

import attrs
import pytest

from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.money import Money
from shopaccounts.subscriptions.charges.metering import Measured, UsageRequest
from shopaccounts.subscriptions.plans.offers import (
    Goods,
    Phase,
    PhaseKind,
    Plan,
    PlanId,
    PlanVersion,
    PlanVersionId,
)
from shopaccounts.subscriptions.plans.tariffs import PerUnit
from shopaccounts.subscriptions.ports import MethodFacts, TaxRequest
from shopaccounts.testing.billing_doubles import FixedDetails, FixedPlans, FixedUsage, FlatTax, NoTax, OneJurisdiction
from shopaccounts.testing.contracts.billing import (
    JurisdictionsContract,
    MethodDetailsContract,
    PlansContract,
    TaxesContract,
    UsageContract,
)
from shopaccounts.testing.doubles import Late
from shopaccounts.testing.plugin import BLOCKING

MAY = datetime(2031, 5, 1, tzinfo=UTC)
REQUESTS = [
    TaxRequest(account="main/nora", profile={"region": "DE"}, category=category, on=date(2031, 5, 4))
    for category in ("", "books", "alms")
]


def counts() -> dict[UsageRequest, int]:
    stretches = [UsageRequest("sub-1", meter, MAY, MAY + timedelta(days=31)) for meter in ("calls", "bytes")]
    return dict(zip(stretches, (0, 10**12), strict=True))


def versions() -> list[PlanVersion]:
    price = PerUnit(Money.of("9.00", "EUR"))
    version = PlanVersion(
        id=PlanVersionId("box-1"),
        plan=Plan(id=PlanId("box"), code="box", group="box", goods=Goods.PHYSICAL),
        phases=(Phase(PhaseKind.EVERGREEN, None, (price,)),),
        interval=Interval.months(1),
    )
    return [version, attrs.evolve(version, id=PlanVersionId("box-2"), interval=Interval.months(3))]


class InBothHosts:
    """Answers ports as they are, or late."""

    @pytest.fixture(autouse=True)
    def _in_host(self, host: str) -> None:
        self.late = (lambda port: port) if host == BLOCKING else Late


class TestFixedPlans(InBothHosts, PlansContract):
    def plans(self):
        return self.late(FixedPlans(versions()))

    def sold(self):
        return versions()


class TestNoTax(InBothHosts, TaxesContract):
    def taxes(self):
        return self.late(NoTax())

    def requests(self):
        return REQUESTS


class TestFlatTax(InBothHosts, TaxesContract):
    def taxes(self):
        return self.late(FlatTax("19", {"books": "7", "alms": ""}))

    def requests(self):
        return REQUESTS


class TestFixedUsage(InBothHosts, UsageContract):
    def usage(self):
        return self.late(FixedUsage(counts()))

    def counted(self):
        return counts()

    def uncounted(self):
        return UsageRequest("sub-2", "calls", MAY, MAY + timedelta(days=31))


class TestFixedDetails(InBothHosts, MethodDetailsContract):
    def details(self):
        return self.late(FixedDetails({"card-1": MethodFacts(kind="card")}))

    def known(self):
        return "card-1"

    def unknown(self):
        return "lost"


class TestOneJurisdiction(InBothHosts, JurisdictionsContract):
    def jurisdictions(self):
        return self.late(OneJurisdiction("US-CA"))

    def accounts(self):
        return ["main/nora", "main/nobody"]


@pytest.mark.proves("PRT-1")
def test_nothing_is_taxed_or_all_at_one_rate_but_for_categories_that_have_others():
    assert NoTax().rates(REQUESTS) == ((), (), ())
    usual, books, alms = FlatTax("19", {"books": "7", "alms": ""}).rates(REQUESTS)
    assert [(rate.numerator, rate.denominator) for rate in (*usual, *books, *alms)] == [(19, 100), (7, 100)]


@pytest.mark.proves("PRT-1")
def test_a_catalogue_in_memory_takes_no_second_version_of_one_id():
    one, other = versions()
    plans = FixedPlans([one, one])
    with pytest.raises(ValueError, match="box-1"):
        plans.add(attrs.evolve(other, id=one.id))


@pytest.mark.proves("USE-2")
def test_a_report_moves_the_watermark_of_the_meters_in_a_test():
    usage, (request, *_) = FixedUsage(counts()), counts()
    (before,) = usage.quantities([request])
    usage.report(request, 7)
    (after,) = usage.quantities([request])
    assert isinstance(before, Measured)
    assert isinstance(after, Measured)
    assert (before.quantity, after.quantity, usage.pages) == (0, 7, 2)
    assert before.watermark != after.watermark
