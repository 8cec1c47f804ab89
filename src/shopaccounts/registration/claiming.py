"""Who holds an address that a customer wants to have as well, and what they are told.

* Whoever asks is told the same, and one message goes to the address: how to prove it, or, where another account signs
  in by it, that somebody wanted to have it. It goes to the spelling that its owner proved.
* Who holds an address is decided when it is proven, and told to whoever proved it.
* An account that waits for its first proof keeps nobody from an address: it is emptied, and whoever had begun it is
  told nothing.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from shopaccounts.customers import CUSTOMERS, AccountStatus, Customer, as_of, login_key
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.contact import Contact
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.letters import Letters
from shopaccounts.kernel.messages import Channel, Message
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change, Found
from shopaccounts.kernel.secret import Secret
from shopaccounts.registration.deciding import lapsed, taken_over
from shopaccounts.registration.errors import ContactBelongsElsewhere
from shopaccounts.registration.events import AccountCleansed
from shopaccounts.registration.model import ATTEMPTS

__all__ = ["Claims", "Holding"]

_MAC_BYTES = 32


@attrs.frozen
class Holding:
    """Who holds an address besides the customer who wants it.

    Args:
        owner: Whose address it is; None if it is nobody's.
        waiting: The account that waits for its first proof there, with its newest attempt.
    """

    owner: Customer | None
    waiting: Found[Customer] | None


@attrs.frozen(kw_only=True)
class Claims:
    """Looks for holders of addresses, and writes to addresses."""

    desk: Desk
    records: Records
    letters: Letters

    async def holding(self, value: Contact, wanted_by: str, now: datetime) -> Holding:
        """Answer who holds an address or number besides the account *wanted_by*."""
        key = login_key(value.kind, value.key)
        bring = (ATTEMPTS.newest("account"),)
        found = await got(self.records.find(CUSTOMERS, key, by="login_contact", bring=bring))
        if found is None or found.it.id == wanted_by:
            return Holding(None, None)
        holder = as_of(found.it, now)
        if holder.status is AccountStatus.PENDING:
            return Holding(None, found)
        return Holding(holder, None)

    async def freed(self, value: Contact, wanted_by: str, now: datetime) -> Change:
        """Answer the part of a change that makes an address free for the account *wanted_by*, which has proven it.

        Raises:
            ContactBelongsElsewhere: Another account signs in by it, or did a short while ago.
        """
        holding = await self.holding(value, wanted_by, now)
        if holding.owner is not None:
            raise ContactBelongsElsewhere(value.kind.value)
        return self._emptied(holding.waiting, now) if holding.waiting else Change()

    async def letter(
        self,
        template: str,
        to: Contact,
        customer: Customer,
        key: str,
        until: datetime,
        secrets: Mapping[str, Secret[str]],
        variables: Mapping[str, str] | None = None,
        channel: Channel | None = None,
    ) -> Message:
        """Answer a message that serves the proof of an address.

        Args:
            template: Which text.
            to: Where it goes.
            customer: Whom it is about.
            key: Natural key of the cause.
            until: When what it says is over.
            secrets: Links and codes.
            variables: Plain values besides the shop's.
            channel: By which way; None: by e-mail to an address, by text message to a number.
        """
        return await self.letters.write(
            template,
            to,
            key=key,
            until=until,
            subject=customer.id,
            locale=customer.locale,
            variables=variables,
            secrets=secrets,
            channel=channel,
        )

    async def word_to_owner(
        self, owner: Customer, value: Contact, key: str, until: datetime, channel: Channel | None = None
    ) -> Message:
        """Answer the message that tells an owner that somebody wanted to have their address or number."""
        to = owned_value(owner, value)
        return await self.letter("registration.address_wanted", to, owner, key, until, {}, channel=channel)

    def link(self, purpose: str, text: Secret[str]) -> Secret[str]:
        """Answer the link to the page where a ticket is used."""
        return self.letters.link(purpose, text)

    def _emptied(self, found: Found[Any], now: datetime) -> Change:
        stored, attempt = found.it, found[ATTEMPTS]
        writes = [CUSTOMERS.change(stored, lapsed(stored))]
        if attempt is not None:
            nobodys = taken_over(
                attempt, AccountId(self.desk.entropy.new_id(now)), self.desk.entropy.raw(_MAC_BYTES), now
            )
            writes.append(ATTEMPTS.change(attempt, nobodys))
        return Change(writes=tuple(writes), events=self.desk.tell(AccountCleansed(at=now, account=stored.id)))


def owned_value(owner: Customer, value: Contact) -> Contact:
    """Answer an address or number in the spelling that its owner proved."""
    former = owner.former_contact_with(value.kind, value.key)
    contact = owner.contact_with(value.kind, value.key) or (former.contact if former else None)
    return contact.value if contact else value
