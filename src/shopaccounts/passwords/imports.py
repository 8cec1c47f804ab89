"""Taking over passwords from another shop system, page by page; the rules are in ``importing``."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import attrs

from shopaccounts.customers import CUSTOMERS, AccountStatus, Customer
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.bounds import MAX_PAGE
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change
from shopaccounts.passwords.events import PasswordImported
from shopaccounts.passwords.importing import Adopted, ImportReport, ImportRow, RowOutcome
from shopaccounts.passwords.keeping import PASSWORDS
from shopaccounts.passwords.model import MustChange, PasswordRecord
from shopaccounts.passwords.ports import LegacyHashes

__all__ = ["PasswordImports"]

_HAS_AN_ACCOUNT: Final = frozenset({AccountStatus.ACTIVE, AccountStatus.SUSPENDED, AccountStatus.CLOSING})
"""Who waits for the first proof has no password before it: nobody knows yet whose it would be."""


@attrs.frozen(kw_only=True)
class PasswordImports:
    """Takes over passwords that another system kept."""

    desk: Desk
    records: Records
    legacy: LegacyHashes | None

    async def import_passwords(self, page: Sequence[ImportRow]) -> ImportReport:
        """Take over the passwords of *page*, each by itself; safe to repeat with the same page.

        An account whose address nobody has proven yet takes none: whoever proves it chooses a password of their own.

        Args:
            page: At most 500 rows.

        Returns:
            What became of each row. Only ``imported`` ones are stored.

        Raises:
            Defect: More than 500 rows.
        """
        if len(page) > MAX_PAGE:
            msg = f"a page of {len(page)}; at most {MAX_PAGE}"
            raise Defect(msg)
        return ImportReport(tuple([(row.account, await self._imported(row)) for row in page]))

    async def _imported(self, row: ImportRow) -> RowOutcome:
        async def decide() -> RowOutcome:
            found = await got(self.records.find(CUSTOMERS, row.account, bring=(PASSWORDS.via(),)))
            if found is None or found.it.status not in _HAS_AN_ACCOUNT:
                return RowOutcome.UNKNOWN_ACCOUNT
            if found[PASSWORDS] is not None:
                return RowOutcome.HAS_PASSWORD
            if self.legacy is None:
                return RowOutcome.SCHEME_NOT_ALLOWED
            adopted: Adopted | RowOutcome = await got(self.legacy.adopt(row.text, row.scheme, row.account))
            if isinstance(adopted, RowOutcome):
                return adopted
            await self.desk.record(self._change(row, adopted, found.it))
            return RowOutcome.IMPORTED

        return await self.desk.retrying(decide)

    def _change(self, row: ImportRow, adopted: Adopted, customer: Customer) -> Change:
        now = self.desk.now()
        return Change(
            writes=(PASSWORDS.add(self._record(row, adopted, now)),),
            guards=(CUSTOMERS.unchanged(customer),),
            events=self.desk.tell(PasswordImported(at=now, account=row.account, scheme=row.scheme.value)),
        )

    def _record(self, row: ImportRow, adopted: Adopted, now: datetime) -> PasswordRecord:
        return PasswordRecord(
            id=row.account,
            realm=self.desk.scope.realm,
            hash=adopted.stored.text,
            set_at=now,
            meets_single_factor_minimum=False,
            must_change=MustChange.IMPORT_WEAK if adopted.weak else None,
            must_change_since=now if adopted.weak else None,
        )
