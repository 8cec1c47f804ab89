"""What answers where a shop has nothing to say: no plans, no taxes, no meters, no gateway."""

from collections.abc import Sequence
from datetime import date

import attrs

from shopaccounts.kernel.money import Rate
from shopaccounts.subscriptions.charges.metering import Missing, UsageRequest
from shopaccounts.subscriptions.plans.offers import PlanVersion, PlanVersionId
from shopaccounts.subscriptions.ports import (
    Gateway,
    Jurisdictions,
    MethodDetails,
    PaymentMethods,
    Plans,
    Taxes,
    TaxRequest,
    Usage,
)

__all__ = ["BillingPorts", "NoTax"]


class _NoPlans:
    """For shops that sell nothing that comes again."""

    def version(self, id: PlanVersionId) -> PlanVersion | None:  # noqa: ARG002  (the port's signature)
        """Know no plan."""
        return None

    def versions(self, ids: Sequence[PlanVersionId]) -> tuple[PlanVersion | None, ...]:
        """Know none of them."""
        return (None,) * len(ids)


class NoTax:
    """Nothing is taxed: a ``Taxes`` port for shops that owe no tax, and for tests."""

    def rates(self, requests: Sequence[TaxRequest]) -> tuple[tuple[Rate, ...], ...]:
        """Answer no rates."""
        return ((),) * len(requests)


class _NoUsage:
    """For shops that meter nothing."""

    def quantities(self, requests: Sequence[UsageRequest]) -> tuple[Missing, ...]:
        """Know no count."""
        return (Missing(),) * len(requests)


class _NoMethods:
    """For shops whose payment methods only the host knows."""

    def usable(self, account: str) -> None:
        """Know no method."""

    def fingerprint(self, method: str) -> None:
        """Know no card again."""


class _NoDetails:
    """For shops that don't tell what their customers' payment methods are."""

    def details(self, methods: Sequence[str]) -> tuple[None, ...]:
        """Know nothing of any."""
        return (None,) * len(methods)


class _Nowhere:
    """For shops that don't tell where their customers are."""

    def of(self, account: str, on: date) -> str:  # noqa: ARG002  (the port's signature)
        """Answer that it isn't known."""
        return ""


@attrs.frozen(kw_only=True)
class BillingPorts:
    """What billing asks of the outside.

    Args:
        plans: What is sold.
        gateway: Who moves money; None for shops whose customers pay invoices by themselves.
        methods: What is known of payment methods.
        method_details: What payment methods are, and when they expire.
        taxes: Which rates hold.
        usage: What meters counted.
        jurisdictions: Whose law holds for a customer.
        holidays: The days on which nobody works, for deadlines that end on a working day.
    """

    plans: Plans = attrs.field(factory=_NoPlans)
    gateway: Gateway | None = None
    methods: PaymentMethods = attrs.field(factory=_NoMethods)
    method_details: MethodDetails = attrs.field(factory=_NoDetails)
    taxes: Taxes = attrs.field(factory=NoTax)
    usage: Usage = attrs.field(factory=_NoUsage)
    jurisdictions: Jurisdictions = attrs.field(factory=_Nowhere)
    holidays: frozenset[date] = frozenset()
