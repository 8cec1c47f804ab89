"""Meters: what is asked of whoever counts usage, and how the answers are read.

The rules, in plain English:

* How usage is added up (sum, maximum, last value) is the business of whoever counts; what it costs is ours.
* A count is a whole number, and never negative. That a count isn't there is said, and not taken for zero.
* Whatever is wrong with one subscription's counts keeps that subscription from being billed now, and no other.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final, Protocol, final

import attrs

from shopaccounts.kernel.errors import Defect, Unavailable
from shopaccounts.subscriptions.plans.tariffs import MOST_UNITS

__all__ = [
    "NOTHING_COUNTED",
    "Asked",
    "Counts",
    "Measured",
    "Measurements",
    "Missing",
    "UsageAnswer",
    "UsageRequest",
    "measurements",
]


_MISSING: Final = "usage_missing"


@final
@attrs.frozen
class UsageRequest:
    """What did a meter count for a subscription from *start*, included, to *end*, excluded?"""

    subscription: str
    meter: str
    start: datetime
    end: datetime


@final
@attrs.frozen
class Measured:
    """A meter counted so much.

    Args:
        quantity: A whole number from zero on.
        watermark: Up to where the source had counted, in its own words, such as an instant or an offset.
    """

    quantity: int
    watermark: str


@final
@attrs.frozen
class Missing:
    """The source can't tell what a meter counted."""


UsageAnswer = Measured | Missing


@final
@attrs.frozen
class Measurements:
    """What the meters of many subscriptions counted; ``measurements`` makes it.

    Args:
        found: The answers that are counts.
        failures: Why a subscription can't be billed.
    """

    found: Mapping[UsageRequest, Measured]
    failures: Mapping[str, Exception]

    def of(self, request: UsageRequest) -> Measured:
        """Answer what a meter counted.

        Raises:
            Unavailable: A count of the subscription isn't there; try later.
            Defect: One is negative, or no whole number.
        """
        failure = self.failures.get(request.subscription)
        if failure:
            raise failure
        if (counted := self.found.get(request)) is None:
            raise Unavailable(_MISSING)
        return counted


class Counts(Protocol):
    """Whatever answers what meters counted."""

    def of(self, request: UsageRequest) -> Measured:
        """Answer what a meter counted."""
        ...


class Asked:
    """Counts that aren't there yet. It notes what it is asked, and answers that nothing was counted.

    What is asked of it is what has to be asked of the source: which stretches are billed never depends on how much was
    used in them.
    """

    def __init__(self) -> None:
        self.requests: list[UsageRequest] = []

    def of(self, request: UsageRequest) -> Measured:
        """Note what is asked."""
        self.requests.append(request)
        return _NONE


_NONE: Final = Measured(0, "")
NOTHING_COUNTED: Final = Measurements(found=MappingProxyType({}), failures=MappingProxyType({}))
"""What is known where nobody was asked."""


def measurements(requests: Sequence[UsageRequest], answers: Sequence[UsageAnswer]) -> Measurements:
    """Read what a source answered: whatever is wrong with one subscription leaves the others alone.

    Args:
        requests: What it was asked.
        answers: Its answers in the same order.

    Raises:
        Defect: There are more answers than requests, or fewer.
    """
    if len(requests) != len(answers):
        msg = f"{len(answers)} answers to {len(requests)} requests for usage"
        raise Defect(msg)
    found: dict[UsageRequest, Measured] = {}
    failures: dict[str, Exception] = {}
    for request, answer in zip(requests, answers, strict=True):
        failure = _failure(request, answer)
        if failure:
            failures.setdefault(request.subscription, failure)
        elif isinstance(answer, Measured):
            found[request] = answer
    return Measurements(found, failures)


def _failure(request: UsageRequest, answer: UsageAnswer) -> Exception | None:
    if isinstance(answer, Missing):
        return Unavailable(_MISSING)
    if type(answer) is not Measured or type(answer.quantity) is not int or type(answer.watermark) is not str:
        return Defect(f"the meter {request.meter} answered {answer!r}, which is no whole number with a watermark")
    if not 0 <= answer.quantity <= MOST_UNITS:
        return Defect(f"the meter {request.meter} counted {answer.quantity}")
    return None
