"""Telling that usage has come to an amount, while the cycle still runs.

The host asks whenever it likes: when it stored events of usage, or every hour. What was told isn't told again. What
nobody asked about is told at the latest when the cycle is billed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.events import Event
from shopaccounts.kernel.record import Change, PageResult
from shopaccounts.subscriptions.billing.usage_billing import parts_in, told_of
from shopaccounts.subscriptions.charges.metering import Measurements, UsageRequest, measurements
from shopaccounts.subscriptions.charges.usage import METERS, Meter, UsagePart
from shopaccounts.subscriptions.model import SUBSCRIPTIONS, Subscription
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.ports import Usage
from shopaccounts.subscriptions.states import Lifecycle

__all__ = ["UsageWatch"]

_MOST = 500
_Asked = tuple[tuple[UsagePart, UsageRequest], ...]


@attrs.frozen(kw_only=True)
class UsageWatch:
    """Watches what usage comes to.

    Args:
        desk: Whose books.
        usage: Who counts.
        policy: At which amounts somebody is told.
    """

    desk: Desk
    usage: Usage
    policy: SubscriptionPolicy

    async def check_usage(self, subscriptions: Sequence[str]) -> int:
        """Tell of each of some subscriptions to which of the shop's amounts its usage has come by now.

        Args:
            subscriptions: Their ids, at most 500; those without a meter, and unknown ones, do no harm.

        Returns:
            How many amounts were told.

        Raises:
            InvalidInput: There are too many.
        """
        if len(subscriptions) > _MOST:
            raise InvalidInput(field="subscriptions", reason="range")
        if not self.policy.usage.alerts or not subscriptions:
            return 0
        now = self.desk.now()
        found = await got(self.desk.records.pick(SUBSCRIPTIONS, sorted(set(subscriptions))))
        runs = {one.id: one for one in found if one.lifecycle is Lifecycle.ACTIVE}
        asked = {id: parts for id, one in runs.items() if (parts := self._asked(one, now))}
        if not asked:
            return 0
        requests = tuple(dict.fromkeys(request for parts in asked.values() for _, request in parts))
        measured = measurements(requests, await got(self.usage.quantities(requests)))
        return await self._told(runs, asked, measured, now)

    def _asked(self, subscription: Subscription, now: datetime) -> _Asked:
        """Answer what to ask about the first cycle whose usage isn't billed."""
        parts = parts_in(subscription, subscription.usage_to, self.policy)
        return tuple((part, request) for part in parts if (request := part.request_until(now)) is not None)

    async def _told(
        self, runs: Mapping[str, Subscription], asked: Mapping[str, _Asked], measured: Measurements, now: datetime
    ) -> int:
        before = {one.id: one for one in await got(self.desk.records.pick(METERS, sorted(asked)))}
        changes, counts = [], []
        for id, parts in asked.items():
            if id in measured.failures:
                continue
            meter = before.get(id) or Meter.of(runs[id])
            costs = [(part, part.cost(measured.of(request).quantity)[1]) for part, request in parts]
            told, events = told_of(runs[id], meter, costs, now, self.policy)
            if events:
                changes.append(self._change(before.get(id), told, runs[id], events))
                counts.append(len(events))
        results = await got(self.desk.records.record_page(changes)) if changes else ()
        return sum(n for n, result in zip(counts, results, strict=True) if result == PageResult.RECORDED)

    def _change(self, was: Meter | None, told: Meter, subscription: Subscription, events: Sequence[Event]) -> Change:
        write = METERS.change(was, told) if was else METERS.add(told)
        envelopes = self.desk.by_itself.tell(*events)
        return Change(writes=(write,), guards=(SUBSCRIPTIONS.unchanged(subscription),), events=envelopes)
