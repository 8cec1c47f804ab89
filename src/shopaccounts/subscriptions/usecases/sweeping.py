"""All due work of subscriptions in one call, for shops that have cron and no more.

The rules, in plain English:

* Billing, payments, notices and boxes each do a page, in this order, until all four are quiet: a payment may wake a
  subscription, whose renewal is billed, and paid, and told.
* It may be called at any interval, from several machines, and twice.
"""

import attrs

from shopaccounts.kernel.ids import WorkerId
from shopaccounts.subscriptions.announcing.notifying import BillingNotices
from shopaccounts.subscriptions.boxes.usecases import Boxes
from shopaccounts.subscriptions.collecting.usecases import Collecting
from shopaccounts.subscriptions.usecases.billing_run import BillingRun

__all__ = ["SweepReport", "Sweeping"]


@attrs.frozen(kw_only=True)
class SweepReport:
    """How many pages each kind of work had.

    Args:
        billing: Of subscriptions that were due.
        payments: Of payments and unpaid invoices.
        notices: Of letters.
        deliveries: Of boxes.
    """

    billing: int = 0
    payments: int = 0
    notices: int = 0
    deliveries: int = 0

    def __add__(self, more: "SweepReport") -> "SweepReport":
        return SweepReport(
            billing=self.billing + more.billing,
            payments=self.payments + more.payments,
            notices=self.notices + more.notices,
            deliveries=self.deliveries + more.deliveries,
        )


_QUIET = SweepReport()


@attrs.frozen(kw_only=True)
class Sweeping:
    """Does everything that is due.

    Args:
        billing: Bills.
        payments: Collects.
        notices: Writes letters.
        boxes: Hands boxes over.
    """

    billing: BillingRun
    payments: Collecting
    notices: BillingNotices
    boxes: Boxes

    async def sweep(self, *, worker: WorkerId) -> SweepReport:
        """Do everything that is due, a page of each kind at a time, until nothing is left.

        Args:
            worker: Who works.
        """
        report = _QUIET
        while (done := await self._round(worker)) != _QUIET:
            report += done
        return report

    async def sweep_page(self, limit: int, worker: WorkerId) -> int:  # noqa: ARG002  (each kind has pages of its own size)
        """Do a page of each kind, as a part of the shop's upkeep, and answer how many there were.

        Args:
            limit: Says nothing: each kind of work knows its pages.
            worker: Who works.
        """
        done = await self._round(worker)
        return done.billing + done.payments + done.notices + done.deliveries

    async def _round(self, worker: WorkerId) -> SweepReport:
        return SweepReport(
            billing=(await self.billing.run_billing(max_pages=1, worker=worker)).pages,
            payments=(await self.payments.collect_due(max_pages=1, worker=worker)).pages,
            notices=(await self.notices.run_notices(max_pages=1, worker=worker)).pages,
            deliveries=(await self.boxes.run_deliveries(max_pages=1, worker=worker)).pages,
        )
