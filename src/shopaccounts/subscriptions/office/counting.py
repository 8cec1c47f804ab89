"""Asking what meters counted: once for a page, and only for what is really going to be billed.

The rules, in plain English:

* Which stretches of usage are billed follows from the subscription and never from how much was used. So what to ask is
  found by deciding once with nothing counted, and noting what was wanted.
* Whoever has no meter costs nothing: nothing is looked up, and nobody is asked.
* A source that doesn't answer keeps from being billed those who have something to be counted, and nobody else.
"""

import contextlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import attrs

from shopaccounts.kernel.answers import Answer, got
from shopaccounts.kernel.ports import Records
from shopaccounts.subscriptions.charges.metering import NOTHING_COUNTED, Asked, Counts, Measurements, measurements
from shopaccounts.subscriptions.charges.usage import METERS, Meter
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.ports import Usage

__all__ = ["NOT_METERED", "Counted", "Reading"]


@attrs.frozen
class Counted:
    """What is known of the meters of some subscriptions.

    Args:
        measured: What they counted.
        meters: What is remembered of them, by the ids of the subscriptions, as it is stored.
    """

    measured: Counts
    meters: Mapping[str, Meter]

    def told(self, facts: Facts) -> Facts:
        """Answer what a decision is told, with what was counted."""
        return facts if self is NOT_METERED else attrs.evolve(facts, measured=self.measured, meters=self.meters)


NOT_METERED: Final = Counted(NOTHING_COUNTED, MappingProxyType({}))
"""That nothing on the page has a meter."""

Deciding = Callable[[Counted], Answer[object]]
"""Decides about one subscription, when it is told what was counted; whatever that comes to."""


@attrs.frozen
class Reading:
    """Reads meters.

    Args:
        records: Where it is kept what was billed of them.
        usage: Who counts.
    """

    records: Records
    usage: Usage

    async def counted(self, wanting: Mapping[str, Deciding]) -> Counted:
        """Answer what the decisions about some subscriptions need to know.

        Args:
            wanting: For each subscription that may have something to be counted, how it is decided; that is done once
                and has no effect.
        """
        if not wanting:
            return NOT_METERED
        meters = {one.id: one for one in await got(self.records.pick(METERS, sorted(wanting)))}
        asked = Asked()
        for decide in wanting.values():
            with contextlib.suppress(Exception):  # it comes again when it is decided in earnest
                await got(decide(Counted(asked, meters)))
        return Counted(await self._measured(asked, wanting), meters)

    async def _measured(self, asked: Asked, wanting: Mapping[str, Deciding]) -> Measurements:
        requests = tuple(dict.fromkeys(asked.requests))
        if not requests:
            return NOTHING_COUNTED
        try:
            return measurements(requests, await got(self.usage.quantities(requests)))
        except Exception as failure:  # noqa: BLE001  (whatever the source does, the others are billed)
            return Measurements(found={}, failures=dict.fromkeys(wanting, failure))
