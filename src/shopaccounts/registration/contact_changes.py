"""What customers do to sign in by another address: ask, confirm at both, and take it back from the old one."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final, TypeVar

import attrs

from shopaccounts.customers import CUSTOMERS, ContactPoint, NotFound, as_of
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Level, Operation
from shopaccounts.kernel.contact import ContactKind, EmailAddress, mask
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import Doorkeeper, NextValue, Present
from shopaccounts.kernel.due import work_off
from shopaccounts.kernel.errors import Taken
from shopaccounts.kernel.ids import AccountId, WorkerId
from shopaccounts.kernel.ports import DueWork, Records
from shopaccounts.kernel.record import Change, Found
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, Stamps
from shopaccounts.kernel.sending import SendBudget
from shopaccounts.kernel.text import require_text
from shopaccounts.kernel.tickets import Purpose, Ticket, check_secret, peek, read_selector, selector_in, spend
from shopaccounts.passwords import PASSWORDS
from shopaccounts.registration.addressing import Addresses
from shopaccounts.registration.changing import (
    CONFIRM_NEW,
    CONFIRM_OLD,
    CONTACT_CHANGES,
    UNDO,
    ChangeState,
    ChangeTrigger,
    ContactChange,
    advanced,
    contact_in_force,
    is_overtaken,
    is_reversible,
    needs_old,
    pending_key,
    without_former,
)
from shopaccounts.registration.contact_answers import (
    ChangeOffer,
    ChangeRequested,
    ConfirmationNeeded,
    ContactChanged,
    ContactChangeUndone,
)
from shopaccounts.registration.errors import (
    ChangeNotPossible,
    ContactBelongsElsewhere,
    ContactLinkInvalid,
    ContactLinkStale,
    OnHold,
)
from shopaccounts.registration.events import ContactChangeExpired, ContactChangeSettled
from shopaccounts.registration.holders import Account, Holders
from shopaccounts.registration.model import HolderUnknown
from shopaccounts.registration.moving import Moves
from shopaccounts.registration.policy import ContactChangePolicy

__all__ = ["ContactChanges"]

_OWNER: Final = (CUSTOMERS.via("account"), SECURITY.via("account"), PASSWORDS.via("account"))
_LISTED: Final = 500
T = TypeVar("T")


@attrs.frozen(kw_only=True)
class ContactChanges:
    """Signing in by another address."""

    desk: Desk
    records: Records
    work: DueWork
    doorkeeper: Doorkeeper
    holders: Holders
    moves: Moves
    budget: SendBudget
    addresses: Addresses
    policy: ContactChangePolicy
    transport: TransportPolicy

    async def promote_contact(self, value: Secret[str], identifier: str, context: RequestContext) -> ChangeRequested:
        """Ask to sign in by another address; nothing changes before it is confirmed.

        The answer is the same whatever the shop knows of the new address. A newer request replaces an older one.

        Args:
            value: The session value.
            identifier: The new address as typed; it may be a contact of the account already.
            context: Where the request came from.

        Raises:
            EmailInvalid, EmailUnsupportedCharacters, InvalidInput, DomainNotAccepted: It can't be the address.
            SignInRequired: The value opens nothing.
            FreshSignInNeeded: The proofs are too weak or too old.
            ChangeNotPossible: There is nothing to change, or it is the address in force.
            OnHold: The address was changed a short while ago.
            Throttled: Too many changes, or messages.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        email = (await self.addresses.read(identifier)).email
        here = await self._present_to_change(value, context)
        self._old_contact(here, email)
        await self.budget.take("contact_changes", here.account, self.policy.changes, self.desk.now())
        await self.budget.charge(email, context.network, self.desk.now())

        async def decide() -> ChangeRequested:
            return await self._request(await self._present_to_change(value, context), email)

        return await self.desk.retrying(decide, on_taken=True)

    async def peek_contact_change(self, token: Secret[str], context: RequestContext) -> ChangeOffer:
        """Answer what the landing page of a change's link shows, whichever of its links it is; nothing changes.

        Raises:
            ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed, ContactLinkStale: The link is of no use.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        purpose = _purpose_of(token)
        change, _ = await self._open(token, purpose)
        link = _link_of(change, purpose)
        return ChangeOffer(
            old=mask(change.old.value),
            new=mask(change.new.value) if change.new else None,
            expires_at=link.expires_at if link else change.until,
        )

    async def confirm_change_new(
        self, token: Secret[str], value: Secret[str] | None, context: RequestContext
    ) -> ContactChanged | ConfirmationNeeded | HolderUnknown:
        """Prove the new address with the link that was mailed there.

        Args:
            token: From the link.
            value: The session value: of the session that asked, or one that was signed in to a short while ago.
            context: Where the request came from.

        Returns:
            ``HolderUnknown`` without such a session: nothing changed, and the link stays good.

        Raises:
            ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed, ContactLinkStale: The link is of no use.
            ContactBelongsElsewhere: Another account signs in by the address; nothing changed.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        check_secret(value)

        async def decide() -> ContactChanged | ConfirmationNeeded | HolderUnknown:
            change, _ = await self._open(token, CONFIRM_NEW)
            here = await self.holders.holder_of(change.account, change.session, value, context)
            return await self._confirm(change, Account.of(here), token, CONFIRM_NEW) if here else HolderUnknown()

        return await self._proving(decide)

    async def confirm_change_old(
        self, token: Secret[str], value: Secret[str] | None, context: RequestContext
    ) -> ContactChanged | ConfirmationNeeded:
        """Agree to the change with the link that was mailed to the old address.

        Args:
            token: From the link.
            value: The session value, if this browser has one; a session of the account goes on.
            context: Where the request came from.

        Raises:
            ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed, ContactLinkStale: The link is of no use.
            ContactBelongsElsewhere: Another account signs in by the new address meanwhile; nothing changed.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        check_secret(value)

        async def decide() -> ContactChanged | ConfirmationNeeded:
            change, account = await self._open(token, CONFIRM_OLD)
            here = await self.holders.session_of(change.account, value, context, Operation.MANAGE)
            return await self._confirm(change, Account.of(here) if here else account, token, CONFIRM_OLD)

        return await self._proving(decide)

    async def restore_contact(self, value: Secret[str], contact: str, context: RequestContext) -> NextValue:
        """Take back a contact that was removed a while ago; it is proven as it was. Other sessions end.

        Args:
            value: The session value.
            contact: Its id, as ``remove_contact`` was given it.
            context: Where the request came from.

        Raises:
            NotFound: No such contact was removed, or it is too long ago.
            ContactLimit: There are as many as there may be.
            SignInRequired, FreshSignInNeeded: The session is not good enough.
            InsecureTransport: The request didn't come over TLS.
        """
        require_text(contact, "label")

        async def decide() -> NextValue:
            here = await self.doorkeeper.present(value, context, Operation.CHANGE_CONTACTS)
            next_value, part = await self.moves.restored(here, await self._removal(here, contact))
            await self.desk.record(part)
            return next_value

        return await self.desk.retrying(decide)

    async def cancel_contact_change(self, value: Secret[str], context: RequestContext) -> None:
        """Give up a change that is not in force yet; any session of the account may.

        Raises:
            SignInRequired: The value opens nothing.
            ChangeNotPossible: None is pending.
        """

        async def decide() -> None:
            here = await self.doorkeeper.present(value, context, Operation.MANAGE)
            pending = await self._pending(here.account)
            if pending is None:
                raise ChangeNotPossible(state="none")
            await self.desk.record(self.moves.ended(pending, ChangeTrigger.CANCEL, "cancelled"))

        await self.desk.retrying(decide)

    async def reverse_contact_change(self, token: Secret[str], context: RequestContext) -> ContactChangeUndone:
        """Take a change back from the old address, without signing in, exactly once.

        Whatever happened since: the old address is in force again, the new one and everything that was added since the
        change was asked for is gone, every session ends, and the password has to be chosen anew.

        Raises:
            ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed, ContactLinkStale: The link is of no use.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)

        async def decide() -> ContactChangeUndone:
            found = await self._find(read_selector(token, UNDO))
            spent, _ = spend(found.it.undo_link, token, UNDO, Stamps(), self.desk.now())
            return await self._undo(found, attrs.evolve(found.it, undo_link=spent))

        return await self.desk.retrying(decide)

    async def finish_changes(self, limit: int, worker: WorkerId) -> int:
        """End up to *limit* changes whose time is over: unconfirmed ones expire, the others settle; answer how many.

        A settled change sets its old address free. Safe to run at any time, twice, and by many workers.
        """
        return await work_off(self.desk, self.work, CONTACT_CHANGES, self._finished, limit, worker)

    # Asking

    async def _present_to_change(self, value: Secret[str], context: RequestContext) -> Present:
        here = await self.doorkeeper.present(value, context, Operation.CHANGE_CONTACTS)
        until = here.security.on_hold_until(self.desk.now())
        if until is not None and here.auth.level < Level.MULTI:
            raise OnHold(until)
        return here

    def _old_contact(self, here: Present, email: EmailAddress) -> ContactPoint:
        old = contact_in_force(Account.of(here).customer, ContactKind.EMAIL)
        if old is None or old.key == email.login_key:
            raise ChangeNotPossible("in_force" if old else "none")
        return old

    async def _request(self, here: Present, email: EmailAddress) -> ChangeRequested:
        confirm_old = needs_old(self.policy, here.can_reach)
        old, pending = self._old_contact(here, email), await self._pending(here.account)
        change, part = await self.moves.requested(Account.of(here), old, email, here.session, confirm_old=confirm_old)
        if pending is not None:
            part |= self.moves.ended(pending, ChangeTrigger.SUPERSEDE, "superseded")
        await self.desk.record(part)
        return ChangeRequested(
            masked=mask(email),
            confirm_old=confirm_old,
            resend_after=self.budget.resend_after,
            expires_at=change.until,
        )

    async def _removal(self, here: Present, contact: str) -> ContactChange:
        """Answer the removal of a contact that can still be taken back."""
        rows = await got(self.records.rows(CONTACT_CHANGES, "account", here.account, None, _LISTED, newest_first=True))
        now, former = self.desk.now(), Account.of(here).customer.former_contacts
        back = {one.contact.id for one in former if now < one.until}
        removals = (one for one in rows.items if one.new is None and one.state is ChangeState.APPLIED)
        found = next((one for one in removals if one.old.id == contact and contact in back), None)
        if found is None:
            raise NotFound
        return found

    async def _pending(self, account: AccountId) -> ContactChange | None:
        key = pending_key(account, ContactKind.EMAIL)
        found = await got(self.records.find(CONTACT_CHANGES, key, by="pending_contact_change"))
        return found.it if found else None

    # Confirming

    async def _find(self, id: str) -> Found[ContactChange]:
        found = await got(self.records.find(CONTACT_CHANGES, id, bring=_OWNER))
        if found is None:
            raise ContactLinkInvalid
        return found

    async def _open(self, token: Secret[str], purpose: Purpose) -> tuple[ContactChange, Account]:
        """Answer the change and the account that a link leads to, if the link may still be used.

        Raises:
            ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed, ContactLinkStale: It may not.
        """
        found = await self._find(read_selector(token, purpose))
        account, change = _owner_of(found, self.desk.now()), found.it
        peek(_link_of(change, purpose), token, purpose, account.security.stamps, self.desk.now())
        if not (is_reversible(account.customer, change) if purpose is UNDO else change.is_pending):
            raise ContactLinkStale(purpose.name)
        return change, account

    async def _confirm(
        self, change: ContactChange, account: Account, token: Secret[str], purpose: Purpose
    ) -> ContactChanged | ConfirmationNeeded:
        spent, _ = spend(_link_of(change, purpose), token, purpose, account.security.stamps, self.desk.now())
        if purpose is CONFIRM_NEW:
            confirmed = advanced(attrs.evolve(change, new_link=spent), ChangeTrigger.CONFIRM_NEW)
        else:
            confirmed = advanced(attrs.evolve(change, old_link=spent), ChangeTrigger.CONFIRM_OLD)
        if confirmed.is_pending:
            await self.desk.record(Change(writes=(CONTACT_CHANGES.change(change, confirmed),)) | account.guarded)
            waits_for = change.old if purpose is CONFIRM_NEW else change.new
            return ConfirmationNeeded(masked=mask(waits_for.value) if waits_for else "")
        applied, next_value, part = await self.moves.applied(account, change, confirmed)
        await self.desk.record(part)
        return ContactChanged(
            masked=mask(applied.new.value) if applied.new else "",
            on_hold_until=self.desk.now() + self.policy.hold_after,
            undo_until=applied.until,
            next_value=next_value,
        )

    async def _proving(self, decide: Callable[[], Awaitable[T]]) -> T:
        try:
            return await self.desk.retrying(decide, on_taken=True)
        except Taken:
            raise ContactBelongsElsewhere(ContactKind.EMAIL.value) from None

    # Taking back

    async def _undo(self, found: Found[ContactChange], spent: ContactChange) -> ContactChangeUndone:
        account = _owner_of(found, self.desk.now())
        if not is_reversible(account.customer, found.it):
            raise ContactLinkStale(UNDO.name)
        rows = await got(
            self.records.rows(CONTACT_CHANGES, "account", found.it.account, None, _LISTED, newest_first=True)
        )
        overtaken = tuple(later for later in rows.items if is_overtaken(later, found.it))
        await self.desk.record(await self.moves.undone(account, found.it, spent, overtaken))
        return ContactChangeUndone(masked=mask(found.it.old.value))

    async def _finished(self, change: ContactChange) -> Change:
        expires = change.is_pending
        trigger, event = (
            (ChangeTrigger.EXPIRE, ContactChangeExpired) if expires else (ChangeTrigger.SETTLE, ContactChangeSettled)
        )
        told = event(at=self.desk.now(), account=change.account, change=change.id, kind=change.kind.value)
        ended = Change(
            writes=(CONTACT_CHANGES.change(change, advanced(change, trigger)),),
            events=self.desk.tell(told),
        )
        return ended if expires else ended | await self._freed(change)

    async def _freed(self, change: ContactChange) -> Change:
        """Answer the part that sets the old address of a settled change free."""
        found = await got(self.records.find(CUSTOMERS, change.account))
        free = without_former(found.it, change) if found else None
        if found is None or free is None or free == found.it:
            return Change()
        return Change(writes=(CUSTOMERS.change(found.it, free),))


def _purpose_of(token: Secret[str]) -> Purpose:
    purpose = next((one for one in (CONFIRM_NEW, CONFIRM_OLD) if selector_in(token, one)), UNDO)
    read_selector(token, purpose)
    return purpose


def _link_of(change: ContactChange, purpose: Purpose) -> Ticket | None:
    return {CONFIRM_NEW.name: change.new_link, CONFIRM_OLD.name: change.old_link, UNDO.name: change.undo_link}[
        purpose.name
    ]


def _owner_of(found: Found[Any], now: datetime) -> Account:
    customer, security = found[CUSTOMERS], found[SECURITY]
    if customer is None or security is None:
        raise ContactLinkInvalid
    return Account(customer=as_of(customer, now), security=security, password=found[PASSWORDS])
