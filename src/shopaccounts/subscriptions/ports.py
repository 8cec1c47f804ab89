"""What subscriptions need from the outside."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Protocol, final

import attrs

from shopaccounts.kernel.answers import Answer
from shopaccounts.kernel.money import Rate
from shopaccounts.subscriptions.charges.metering import UsageAnswer, UsageRequest
from shopaccounts.subscriptions.payments.charging import ChargeRequest, Found, Outcome, RefundRequest
from shopaccounts.subscriptions.plans.offers import PlanVersion, PlanVersionId

__all__ = [
    "Gateway",
    "Jurisdictions",
    "MethodDetails",
    "MethodFacts",
    "PaymentMethods",
    "Plans",
    "TaxRequest",
    "Taxes",
    "Usage",
]


class Gateway(Protocol):
    """Moves money: a payment provider, behind an adapter of the shop's.

    Promises:
        1. Under one key money moves once at most, and the answer is the same for ever, however often and from however
           many places it is asked, and whatever else the request says by then. Only a payment that waits for the
           customer is decided later, once.
        2. A decline is an answer, not an exception, and a code that the adapter doesn't know is a soft one. That the
           provider can't be reached, or didn't answer in time, is ``NoAnswer``.
        3. What moves is exactly the amount asked for, in its currency. A provider that counts other units than the
           currency's own is the adapter's to convert for.
        4. What was asked under a key can be looked up by it, also when the answer was lost; a key that nobody asked
           under is ``NeverSeen``.

    It is never called between load and record, nor within a transaction; it may be as slow as it likes.
    """

    def charge(self, request: ChargeRequest) -> Answer[Outcome]:
        """Debit an amount."""
        ...

    def lookup(self, key: str) -> Answer[Found]:
        """Answer what became of the request with this key; ``NoAnswer`` if that can't be told now."""
        ...

    def refund(self, request: RefundRequest) -> Answer[Outcome]:
        """Pay back some or all of a charge."""
        ...


class PaymentMethods(Protocol):
    """Which payment methods customers have; cards themselves are the provider's and never come here.

    Promises:
        1. ``usable`` names a method that can be charged without the customer, or None.
        2. Two methods with one fingerprint are one card or account, whoever has it; None where that can't be told.
    """

    def usable(self, account: str) -> Answer[str | None]:
        """Answer the method that pays for a billing account."""
        ...

    def fingerprint(self, method: str) -> Answer[str | None]:
        """Answer what tells a card or account again under another name."""
        ...


@final
@attrs.frozen(kw_only=True)
class MethodFacts:
    """What is known of a payment method.

    Args:
        kind: What it is, as rules on notices name it: ``card``, ``upi``, ``sepa_debit``.
        expires_on: The first local day on which it can't be charged any more, None where it doesn't expire.
    """

    kind: str
    expires_on: date | None = None


class MethodDetails(Protocol):
    """Knows what payment methods are: some laws ask for a notice where a card is charged, and cards expire.

    Promises:
        1. There are as many answers as methods, in the same order; None where nothing is known.
    """

    def details(self, methods: Sequence[str]) -> Answer[Sequence[MethodFacts | None]]:
        """Answer what is known of a whole page of methods."""
        ...


class Plans(Protocol):
    """The shop's catalogue of plans.

    Promises:
        1. A version never changes: an id stands for the same version for ever. Whoever edits a plan makes another one.
        2. An id that isn't known answers None.
        3. ``versions`` answers each id at its place, also one that is asked twice.
    """

    def version(self, id: PlanVersionId) -> Answer[PlanVersion | None]:
        """Answer one version of a plan."""
        ...

    def versions(self, ids: Sequence[PlanVersionId]) -> Answer[Sequence[PlanVersion | None]]:
        """Answer several versions at once."""
        ...


@final
@attrs.frozen(kw_only=True)
class TaxRequest:
    """Which taxes are on something?

    Args:
        account: The billing account that is charged.
        profile: What the shop keeps about that account for its taxes, such as a region; the library only hands it on.
        category: The tax category of what is sold; empty for the shop's usual one.
        on: The local day on which the service begins.
    """

    account: str
    profile: Mapping[str, str]
    category: str = ""
    on: date


class Taxes(Protocol):
    """Knows the rates of taxes; who owes which tax is the shop's business and its adviser's.

    Promises:
        1. There are as many answers as requests, in the same order; what isn't taxed has no rates.
        2. What holds on a day holds for ever: asked again, alone or among others, a request has the same answer.
    """

    def rates(self, requests: Sequence[TaxRequest]) -> Answer[Sequence[tuple[Rate, ...]]]:
        """Answer the rates of a whole page of lines, in the order in which they stand on an invoice."""
        ...


class Usage(Protocol):
    """Counts what customers use: a warehouse of events, or a meter.

    Promises:
        1. There are as many answers as requests, in the same order; a count is an ``int`` from zero on.
        2. Each count says in a word of its own, its watermark, up to where the source had counted.
        3. What can't be told is ``Missing``; zero means that it was counted, and that there was none.

    How counts are made of events (sum, maximum, last value) is the adapter's business. A stretch begins with its first
    instant and ends before its last. What is counted may grow later: it is billed as late usage then.
    """

    def quantities(self, requests: Sequence[UsageRequest]) -> Answer[Sequence[UsageAnswer]]:
        """Answer the counts for a whole page of subscriptions."""
        ...


class Jurisdictions(Protocol):
    """Knows whose law holds for an account.

    Promises:
        1. The answer is a country of ISO 3166-1 in two capitals, a part of one as in ISO 3166-2 (``US-CA``), or empty
           where it isn't known.
        2. What held on a day holds for ever: asked again, it is the same.
    """

    def of(self, account: str, on: date) -> Answer[str]:
        """Answer where a billing account is at home on a local day."""
        ...
