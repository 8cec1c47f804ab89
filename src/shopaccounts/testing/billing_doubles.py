"""Stand-ins for what billing asks of the outside: taxes, usage, plans, jurisdictions. They answer what a test says."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from shopaccounts.kernel.money import Rate
from shopaccounts.subscriptions.charges.metering import Measured, Missing, UsageAnswer, UsageRequest
from shopaccounts.subscriptions.plans.offers import PlanVersion, PlanVersionId
from shopaccounts.subscriptions.ports import MethodFacts, TaxRequest
from shopaccounts.subscriptions.stand_ins import NoTax

__all__ = ["FixedDetails", "FixedPlans", "FixedUsage", "FlatTax", "NoTax", "OneJurisdiction"]


class FlatTax:
    """Everything is taxed at one rate, or at that of its category; a ``Taxes`` port.

    Args:
        percent: The rate, as ``Rate.percent`` reads it: "19".
        categories: Rates of categories that have others; an empty one is free of tax.
    """

    def __init__(self, percent: str, categories: Mapping[str, str] | None = None) -> None:
        self._usual = (Rate.percent(percent),)
        self._others = {name: (Rate.percent(rate),) if rate else () for name, rate in (categories or {}).items()}

    def rates(self, requests: Sequence[TaxRequest]) -> tuple[tuple[Rate, ...], ...]:
        """Answer the rate of each request's category."""
        return tuple(self._others.get(request.category, self._usual) for request in requests)


class FixedUsage:
    """Meters that count what a test says; a ``Usage`` port. It counts the pages that it was asked for.

    Args:
        counts: What is counted already.
    """

    def __init__(self, counts: Mapping[UsageRequest, int] | None = None) -> None:
        self._counts = dict(counts or {})
        self._reports = len(self._counts)
        self.pages = 0

    def report(self, request: UsageRequest, quantity: int) -> None:
        """Count so much for a stretch from now on."""
        self._counts[request] = quantity
        self._reports += 1

    def quantities(self, requests: Sequence[UsageRequest]) -> tuple[UsageAnswer, ...]:
        """Answer the counts, as of the last report."""
        self.pages += 1
        return tuple(self._answer(request) for request in requests)

    def _answer(self, request: UsageRequest) -> UsageAnswer:
        quantity = self._counts.get(request)
        return Missing() if quantity is None else Measured(quantity, f"report {self._reports}")


class FixedPlans:
    """A catalogue in memory; a ``Plans`` port.

    Args:
        versions: What is in it.
    """

    def __init__(self, versions: Iterable[PlanVersion] = ()) -> None:
        self._versions: dict[PlanVersionId, PlanVersion] = {}
        for version in versions:
            self.add(version)

    def add(self, version: PlanVersion) -> None:
        """Put a version into the catalogue.

        Raises:
            ValueError: Another version has its id already.
        """
        if self._versions.setdefault(version.id, version) != version:
            msg = f"{version.id} is another version already"
            raise ValueError(msg)

    def version(self, id: PlanVersionId) -> PlanVersion | None:
        """Answer one version."""
        return self._versions.get(id)

    def versions(self, ids: Sequence[PlanVersionId]) -> tuple[PlanVersion | None, ...]:
        """Answer several versions, each at its place."""
        return tuple(map(self.version, ids))


class FixedDetails:
    """Payment methods of which a test says what they are; a ``MethodDetails`` port.

    Args:
        known: What is known of which.
    """

    def __init__(self, known: Mapping[str, MethodFacts] | None = None) -> None:
        self._known = dict(known or {})

    def details(self, methods: Sequence[str]) -> tuple[MethodFacts | None, ...]:
        """Answer what is known of each."""
        return tuple(map(self._known.get, methods))


class OneJurisdiction:
    """Everybody is at home in one place; a ``Jurisdictions`` port, for shops that sell in one country as well.

    Args:
        place: Such as ``DE`` or ``US-CA``; empty for nowhere in particular.
    """

    def __init__(self, place: str = "") -> None:
        self._place = place

    def of(self, account: str, on: date) -> str:  # noqa: ARG002  (the port names them)
        """Answer that place."""
        return self._place
