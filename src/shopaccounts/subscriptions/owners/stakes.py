"""What a customer has at stake: what closing the account would cost, and what speaks against forgetting somebody."""

from datetime import date

import attrs

from shopaccounts.customers import Blocker, CreditLeft, Holding, SubscriptionEnds
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.reading import all_rows
from shopaccounts.kernel.time import local_date
from shopaccounts.subscriptions.errors import ErasureRefused
from shopaccounts.subscriptions.leaving.statements import CANCELLATION_STATEMENTS, WITHDRAWAL_STATEMENTS
from shopaccounts.subscriptions.model import SUBSCRIPTIONS, BillingAccount, Subscription
from shopaccounts.subscriptions.owners.forgetting import released_on
from shopaccounts.subscriptions.owners.handing_over import accounts_of
from shopaccounts.subscriptions.papers.documents import CREDIT_NOTES, INVOICES
from shopaccounts.subscriptions.policy import KeepingPolicy
from shopaccounts.subscriptions.states import ENDED

__all__ = ["Stakes"]


@attrs.frozen(kw_only=True)
class Stakes:
    """Knows what customers have, in every store of the realm; it writes nothing.

    Args:
        desk: Whose books.
        policy: How long papers and statements are kept.
    """

    desk: Desk
    policy: KeepingPolicy

    async def against(self, account: AccountId) -> tuple[Holding, ...]:
        """Answer what blocks the closing of an account, and what its owner would lose.

        Args:
            account: Whose.
        """
        holdings: list[Holding] = []
        accounts = await accounts_of(self.desk, account)
        if not accounts:
            return ()
        for one in accounts:
            holdings += [CreditLeft(amount) for amount in one.balances]
            if await self._is_unsettled(one):
                holdings.append(Blocker.INVOICE_UNPAID)
        running = (one for one in await self._live(account) if one.scheduled.cancel is None)
        return (*holdings, *(SubscriptionEnds(one.id) for one in running))

    async def require_erasable(self, account: AccountId) -> None:
        """Let a customer be erased whose contracts are over and whose papers need to be kept no more.

        Args:
            account: Whose.

        Raises:
            ErasureRefused: A subscription runs, an invoice isn't settled, or the law wants papers kept.
        """
        if await self._live(account):
            raise ErasureRefused(reason="live", until=None)
        for one in await accounts_of(self.desk, account):
            if await self._is_unsettled(one):
                raise ErasureRefused(reason="unsettled", until=None)
            until = await self._kept_until(one)
            if until is not None and local_date(self.desk.now(), one.zone) < until:
                raise ErasureRefused(reason="retention", until=until)

    async def _live(self, account: AccountId) -> list[Subscription]:
        return await all_rows(
            self.desk.records, SUBSCRIPTIONS, "customer", account, wanted=lambda one: one.lifecycle not in ENDED
        )

    async def _is_unsettled(self, account: BillingAccount) -> bool:
        return bool((await got(self.desk.records.rows(INVOICES, "unsettled", account.id, None, 1))).items)

    async def _kept_until(self, account: BillingAccount) -> date | None:
        """Answer the day on which the last paper of an account is released; None if there is none."""
        records, zone, days = self.desk.records, account.zone, list[date]()
        invoices = await got(records.rows(INVOICES, "account", account.id, None, 1, newest_first=True))
        notes = await got(records.rows(CREDIT_NOTES, "account", account.id, None, 1, newest_first=True))
        issued = [one.issued_at or one.written_at for one in invoices.items] + [one.issued_at for one in notes.items]
        days += [released_on(local_date(at, zone), self.policy.document_years) for at in issued]
        for one in await all_rows(self.desk.records, SUBSCRIPTIONS, "account", account.id):
            said = await got(records.rows(CANCELLATION_STATEMENTS, "subscription", one.id, None, 1, newest_first=True))
            back = await got(records.rows(WITHDRAWAL_STATEMENTS, "subscription", one.id, None, 1, newest_first=True))
            came = [each.received_at for each in said.items] + [each.opened_at for each in back.items]
            days += [released_on(local_date(at, zone), self.policy.statement_years) for at in came]
        return max(days, default=None)
