"""What waits for an invoice when none is to come: the last bill of an account.

The rules, in plain English:

* What waits joins the account's next invoice. When a subscription has ended while something waits, somebody looks
  whether any other is to be billed: one that runs, that may run, or whose usage isn't billed yet.
* Where none is, what waits is a final invoice of its own. What is too little for an invoice then is waived.
* An account that can't be billed stops no other, and is tried again an hour later.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.ports import Claimed, DueWork
from shopaccounts.kernel.reading import all_rows
from shopaccounts.kernel.record import Change, ClaimGuard
from shopaccounts.subscriptions.model import ACCOUNTS, SUBSCRIPTIONS, BillingAccount, Subscription
from shopaccounts.subscriptions.office.beside import waiting_beside
from shopaccounts.subscriptions.office.filing import filed, new_ids
from shopaccounts.subscriptions.planning.last_bill import is_to_be_billed, write_last
from shopaccounts.subscriptions.planning.writing_up import PaperFacts, Papers
from shopaccounts.subscriptions.policy import SubscriptionPolicy

__all__ = ["LastBills"]

log = logging.getLogger("shopaccounts")
_TRY_AGAIN: Final = timedelta(hours=1)


@attrs.frozen(kw_only=True)
class LastBills:
    """Bills what waits of accounts that have no next invoice.

    Args:
        desk: Whose books.
        work: Who hands out what is due.
        policy: How the shop bills.
    """

    desk: Desk
    work: DueWork
    policy: SubscriptionPolicy

    async def page(self, limit: int, worker: WorkerId) -> tuple[Sequence[Papers], Sequence[str]] | None:
        """Look after a page of accounts; answer what was written and how each was recorded, None if none is due.

        Args:
            limit: How many at most.
            worker: Who works.
        """
        now, lease = self.desk.now(), self.policy.running.lease
        claims = await got(self.work.claim_due(ACCOUNTS, now, limit, lease, worker))
        if not claims:
            return None
        beside = await waiting_beside(self.desk.records, [claim.item for claim in claims], ())
        written = [(claim, papers) for claim in claims if (papers := await self._papers(claim, beside)) is not None]
        changes = [self._change(claim, papers, beside) for claim, papers in written]
        results = await got(self.desk.records.record_page(changes)) if changes else ()
        return [papers for _, papers in written], results

    async def _papers(self, claim: Claimed[BillingAccount], beside: Mapping[str, Subscription]) -> Papers | None:
        account = attrs.evolve(claim.item, settle_at=None)
        facts = PaperFacts(method=account.payment_method, beside=beside)
        now = self.desk.now()
        try:
            is_last = not await self._has_more(account)
            billed = account if is_last else attrs.evolve(account, pending=())
            papers = write_last(billed, facts, self.policy, now, new_ids(self.desk))
        except Exception:
            log.exception("the last bill of account %s can't be written", account.id)
            await got(self.work.release(ACCOUNTS, [claim], now + _TRY_AGAIN))
            return None
        return papers if is_last else attrs.evolve(papers, account=account)

    async def _has_more(self, account: BillingAccount) -> bool:
        """Tell whether anything is to be billed yet: then what waits goes along."""
        more = await all_rows(
            self.desk.records, SUBSCRIPTIONS, "account", account.id, wanted=is_to_be_billed, room=1, newest_first=True
        )
        return bool(more)

    def _change(self, claim: Claimed[BillingAccount], papers: Papers, beside: Mapping[str, Subscription]) -> Change:
        guard = ClaimGuard(ACCOUNTS, claim.item.id, claim.fence)
        desk = self.desk.by_itself
        change = filed(desk, papers, account=claim.item, subscriptions={}, invoices={}, beside=beside)
        return change | Change(claims=(guard,))
