"""How a change of a contact is confirmed: an address by the link that was mailed there, a number by its code."""

from datetime import datetime
from typing import Any, Final

import attrs

from shopaccounts.customers import CUSTOMERS, as_of
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.codes import Verdict
from shopaccounts.kernel.contact import mask
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change, Found
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY
from shopaccounts.kernel.tickets import Purpose, Ticket, peek, read_selector, spend
from shopaccounts.kernel.vault import Keyring, Ring
from shopaccounts.passwords import PASSWORDS
from shopaccounts.registration.changing import (
    CONFIRM_NEW,
    CONFIRM_OLD,
    CONTACT_CHANGES,
    UNDO,
    ChangeTrigger,
    ContactChange,
    advanced,
    is_reversible,
)
from shopaccounts.registration.coding import judged
from shopaccounts.registration.contact_answers import ConfirmationNeeded, ContactChanged, WhichNumber
from shopaccounts.registration.errors import ChangeNotPossible, CodeWrong, ContactLinkInvalid, ContactLinkStale
from shopaccounts.registration.holders import Account
from shopaccounts.registration.moving import Moves
from shopaccounts.registration.policy import ContactChangePolicy
from shopaccounts.signin import AUTHENTICATORS

__all__ = ["Confirmations", "link_of", "owner_of"]

_OWNER: Final = tuple(book.via("account") for book in (CUSTOMERS, SECURITY, PASSWORDS, AUTHENTICATORS))
_CONFIRMS: Final = {WhichNumber.NEW: ChangeTrigger.CONFIRM_NEW, WhichNumber.OLD: ChangeTrigger.CONFIRM_OLD}


@attrs.frozen(kw_only=True)
class Confirmations:
    """Takes the word of both contacts of a change."""

    desk: Desk
    records: Records
    moves: Moves
    keyring: Keyring
    policy: ContactChangePolicy

    async def find(self, id: str) -> Found[ContactChange]:
        """Answer a change with all that it is about.

        Raises:
            ContactLinkInvalid: There is none.
        """
        found = await got(self.records.find(CONTACT_CHANGES, id, bring=_OWNER))
        if found is None:
            raise ContactLinkInvalid
        return found

    async def open(self, token: Secret[str], purpose: Purpose) -> tuple[ContactChange, Account]:
        """Answer the change and the account that a link leads to, if the link may still be used.

        Raises:
            ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed, ContactLinkStale: It may not.
        """
        found = await self.find(read_selector(token, purpose))
        account, change = owner_of(found, self.desk.now()), found.it
        peek(link_of(change, purpose), token, purpose, account.security.stamps, self.desk.now())
        if not (is_reversible(account.customer, change) if purpose is UNDO else change.is_pending):
            raise ContactLinkStale(purpose.name)
        return change, account

    async def by_link(
        self, change: ContactChange, account: Account, token: Secret[str], purpose: Purpose
    ) -> ContactChanged | ConfirmationNeeded:
        """Record that a contact has confirmed with its link.

        Raises:
            ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed, ContactLinkStale: The link is of no use.
            ContactBelongsElsewhere: Another account signs in by the new contact.
        """
        spent, _ = spend(link_of(change, purpose), token, purpose, account.security.stamps, self.desk.now())
        if purpose is CONFIRM_NEW:
            return await self._confirmed(change, attrs.evolve(change, new_link=spent), account, WhichNumber.NEW)
        return await self._confirmed(change, attrs.evolve(change, old_link=spent), account, WhichNumber.OLD)

    async def by_code(
        self, change: ContactChange, account: Account, which: WhichNumber, typed: str
    ) -> ContactChanged | ConfirmationNeeded:
        """Record that a number has confirmed with its code, or that this wasn't it.

        Raises:
            CodeWrong, CodeExhausted: It wasn't.
            ChangeNotPossible: The change doesn't wait for that.
            ContactBelongsElsewhere: Another account signs in by the new number.
        """
        advanced(change, _CONFIRMS[which])
        challenge = change.new_code if which is WhichNumber.NEW else change.old_code
        if challenge is None:
            raise ChangeNotPossible(change.state.value)
        key = await got(self.keyring.key(Ring.CODES, challenge.key_id))
        answer = judged(challenge, typed, key, self.desk.now())
        if which is WhichNumber.NEW:
            answered = attrs.evolve(change, new_code=answer.challenge)
        else:
            answered = attrs.evolve(change, old_code=answer.challenge)
        if answer.verdict is Verdict.WRONG:
            await self.desk.record(Change(writes=(CONTACT_CHANGES.change(change, answered),)))
            raise CodeWrong(answer.tries_left)
        return await self._confirmed(change, answered, account, which)

    async def _confirmed(
        self, change: ContactChange, spent: ContactChange, account: Account, which: WhichNumber
    ) -> ContactChanged | ConfirmationNeeded:
        """Record that one of both contacts has confirmed, and the change in force if the other one had."""
        confirmed = advanced(spent, _CONFIRMS[which])
        if confirmed.is_pending:
            await self.desk.record(Change(writes=(CONTACT_CHANGES.change(change, confirmed),)) | account.guarded)
            waits_for = change.old if which is WhichNumber.NEW else change.new
            return ConfirmationNeeded(masked=mask(waits_for.value) if waits_for else "")
        applied, next_value, part = await self.moves.applied(account, change, confirmed)
        await self.desk.record(part)
        return ContactChanged(
            masked=mask(applied.new.value) if applied.new else "",
            on_hold_until=self.desk.now() + self.policy.hold_after,
            undo_until=applied.until,
            next_value=next_value,
        )


def link_of(change: ContactChange, purpose: Purpose) -> Ticket | None:
    """Answer the link of a change that serves a purpose."""
    return {CONFIRM_NEW.name: change.new_link, CONFIRM_OLD.name: change.old_link, UNDO.name: change.undo_link}[
        purpose.name
    ]


def owner_of(found: Found[Any], now: datetime) -> Account:
    """Answer the account that a change is about, as it is now.

    Raises:
        ContactLinkInvalid: It is gone.
    """
    customer, security = found[CUSTOMERS], found[SECURITY]
    if customer is None or security is None:
        raise ContactLinkInvalid
    return Account(
        customer=as_of(customer, now), security=security, password=found[PASSWORDS], own=found[AUTHENTICATORS]
    )
