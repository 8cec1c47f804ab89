"""The letters about payments that fail, and that arrive after all.

The rules, in plain English:

* Each goes out once for an invoice and a step, to every e-mail address that hears of the account.
* It says how much, for what, and when something follows. It leads to a page of the shop that asks to sign in: nobody
  pays, or sees a bill, by a link alone.
* Who has no address with the shop gets none.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import attrs

from shopaccounts.customers import CUSTOMERS, Customer
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.contact import EmailAddress
from shopaccounts.kernel.letters import Letters
from shopaccounts.kernel.messages import Message, MessageCategory
from shopaccounts.kernel.time import local_date
from shopaccounts.subscriptions.collecting.dossiers import Note
from shopaccounts.subscriptions.model import BillingAccount, Subscription

__all__ = ["DunningLetters"]

_LIFE: Final = timedelta(days=3)
"""A mail server that is down over a weekend loses none; what it says is old after that."""
_BY_THE_MINUTE: Final = frozenset({"payment_action"})


@attrs.frozen(kw_only=True)
class DunningLetters:
    """Writes what customers are told about payments.

    Args:
        letters: Writes letters, and knows the shop's pages.
    """

    letters: Letters

    async def readers(self, accounts: Sequence[BillingAccount]) -> Mapping[str, Customer]:
        """Answer the customers of some billing accounts, by their ids; those without a record are left out."""
        ids = sorted({account.customer for account in accounts})
        found = await got(self.letters.desk.records.pick(CUSTOMERS, ids)) if ids else ()
        return {customer.id: customer for customer in found}

    async def about(
        self, notes: Sequence[Note], customer: Customer | None, subscriptions: Mapping[str, Subscription], now: datetime
    ) -> tuple[Message, ...]:
        """Answer the letters that say some things to a customer.

        Args:
            notes: What is to be said; nothing, by a shop that has no page to lead to.
            customer: To whom; None for somebody whom the shop doesn't know.
            subscriptions: What it is about, by id.
            now: This instant.
        """
        if customer is None or self.letters.desk.scope.store not in self.letters.storefront.links.base:
            return ()
        addresses = [one for one in customer.notice_contacts(now) if isinstance(one, EmailAddress)]
        letters = [
            await self.letters.write(
                f"subscriptions.{note.template}",
                to,
                key=f"dunning {note.key} {number}",
                until=now + _LIFE,
                subject=customer.id,
                locale=customer.locale,
                variables=self._variables(note, subscriptions),
                category=MessageCategory.TRANSACTIONAL,
            )
            for note in notes
            for number, to in enumerate(addresses)
        ]
        return tuple(letters)

    def _variables(self, note: Note, subscriptions: Mapping[str, Subscription]) -> Mapping[str, str]:
        front, store = self.letters.storefront, self.letters.desk.scope.store
        about = subscriptions.get(note.subscription)
        return {
            "product": about.plan_line.product if about else "",
            "amount": str(note.amount),
            "link": front.links.page(store, "subscription"),
            **_time(note, about),
        }


def _time(note: Note, about: Subscription | None) -> Mapping[str, str]:
    """Answer when something follows: to the minute, or the customer's day."""
    if note.at is None:
        return {}
    if note.template in _BY_THE_MINUTE:
        return {"until": note.at.isoformat(timespec="minutes")}
    return {"date": (local_date(note.at, about.zone) if about else note.at.date()).isoformat()}
