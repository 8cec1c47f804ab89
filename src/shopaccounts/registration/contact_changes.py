"""What customers do to sign in by another address or number: ask, confirm at both, take it back from the old one."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import attrs

from shopaccounts.customers import CUSTOMERS, ContactPoint, NotFound
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Operation
from shopaccounts.kernel.contact import Contact, ContactKind, mask
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import Doorkeeper, NextValue, Present
from shopaccounts.kernel.due import work_off
from shopaccounts.kernel.errors import Taken
from shopaccounts.kernel.ids import AccountId, WorkerId
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.ports import DueWork, Records
from shopaccounts.kernel.record import Change, Found
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import Stamps
from shopaccounts.kernel.sending import SendBudget
from shopaccounts.kernel.text import require_choice, require_text
from shopaccounts.kernel.tickets import Purpose, check_secret, read_selector, selector_in, spend
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
    check_code_live,
    check_off_hold,
    contact_in_force,
    is_overtaken,
    is_reversible,
    needs_old,
    pending_key,
    without_former,
)
from shopaccounts.registration.confirming import Confirmations, link_of, owner_of
from shopaccounts.registration.contact_answers import (
    ChangeOffer,
    ChangeRequested,
    ConfirmationNeeded,
    ContactChanged,
    ContactChangeUndone,
    WhichNumber,
)
from shopaccounts.registration.errors import (
    ChangeNotPossible,
    ContactBelongsElsewhere,
    ContactLinkStale,
)
from shopaccounts.registration.events import ContactChangeExpired, ContactChangeSettled
from shopaccounts.registration.holders import Account, Holders
from shopaccounts.registration.model import HolderUnknown, Wanted
from shopaccounts.registration.moving import Moves
from shopaccounts.registration.policy import MAX_TRIES, ContactChangePolicy

__all__ = ["ContactChanges"]

_LISTED: Final = 500
T = TypeVar("T")
_CROWD: Final = 2 * MAX_TRIES + 2
"""As many answers as a change's codes may get, and what comes after them."""


@attrs.frozen(kw_only=True)
class ContactChanges:
    """Signing in by another address or number."""

    desk: Desk
    records: Records
    work: DueWork
    doorkeeper: Doorkeeper
    holders: Holders
    moves: Moves
    confirmations: Confirmations
    budget: SendBudget
    addresses: Addresses
    policy: ContactChangePolicy
    transport: TransportPolicy

    async def promote_contact(
        self, value: Secret[str], identifier: str, context: RequestContext, *, by_call: bool = False
    ) -> ChangeRequested:
        """Ask to sign in by another address, or another number; nothing changes before it is confirmed.

        The answer is the same whatever the shop knows of the new one. A newer request replaces an older one of a kind.

        Args:
            value: The session value.
            identifier: The new address or number as typed; it may be a contact of the account already.
            context: Where the request came from.
            by_call: Call the new number and say the code, instead of sending a text message.

        Raises:
            EmailInvalid, EmailUnsupportedCharacters, InvalidInput, DomainNotAccepted: It can't be the address.
            PhoneInvalid, PhoneNotServed, CountryNotServed: It can't be the number.
            SignInRequired: The value opens nothing.
            FreshSignInNeeded: The proofs are too weak or too old.
            ChangeNotPossible: There is nothing to change, or it is the address in force.
            OnHold: The address was changed a short while ago.
            Throttled: Too many changes, or messages.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        wanted = await self.addresses.read_contact(identifier, by_call=by_call)
        here = await self._present_to_change(value, context)
        self._old_contact(here, wanted.value)
        await self.budget.take("contact_changes", here.account, self.policy.changes, self.desk.now())
        await self.budget.charge(wanted.value, context.network, self.desk.now())

        async def decide() -> ChangeRequested:
            return await self._request(await self._present_to_change(value, context), wanted)

        return await self.desk.retrying(decide, on_taken=True)

    async def peek_contact_change(self, token: Secret[str], context: RequestContext) -> ChangeOffer:
        """Answer what the landing page of a change's link shows, whichever of its links it is; nothing changes.

        Raises:
            ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed, ContactLinkStale: The link is of no use.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        purpose = _purpose_of(token)
        change, _ = await self.confirmations.open(token, purpose)
        link = link_of(change, purpose)
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
            change, _ = await self.confirmations.open(token, CONFIRM_NEW)
            here = await self.holders.holder_of(change.account, change.session, value, context)
            return (
                await self.confirmations.by_link(change, Account.of(here), token, CONFIRM_NEW)
                if here
                else HolderUnknown()
            )

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
            change, account = await self.confirmations.open(token, CONFIRM_OLD)
            here = await self.holders.session_of(change.account, value, context, Operation.MANAGE)
            return await self.confirmations.by_link(change, Account.of(here) if here else account, token, CONFIRM_OLD)

        return await self._proving(decide)

    async def prove_number(
        self, value: Secret[str], which: WhichNumber, code: str, context: RequestContext
    ) -> ContactChanged | ConfirmationNeeded | HolderUnknown:
        """Confirm the change of a number with a code that was sent to it; the old number's code agrees to the change.

        Args:
            value: The session value: of the session that asked, or one that was signed in to a short while ago.
            which: The number that the code was sent to.
            code: As typed; spaces, hyphens and letter case don't matter.
            context: Where the request came from.

        Returns:
            ``HolderUnknown`` from a session that neither asked nor is fresh: nothing changed.

        Raises:
            CodeWrong: That isn't the code; some tries are left.
            CodeExhausted: No tries are left.
            ChangeNotPossible: No change of a number waits for that.
            ContactLinkExpired, ContactLinkStale: Its time is over, or the account's security has changed since.
            ContactBelongsElsewhere: Another account signs in by the new number; nothing changed.
            SignInRequired: The value opens nothing.
            InvalidInput: It is neither number, or the code is no text, or endless.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        number, typed = require_choice(which, "which", WhichNumber), require_text(code, "code", printable=False)

        async def decide() -> ContactChanged | ConfirmationNeeded | HolderUnknown:
            change, holder = await self._number_change(value, context)
            return (
                await self.confirmations.by_code(change, Account.of(holder), number, typed)
                if holder
                else HolderUnknown()
            )

        return await self._proving(decide, ContactKind.PHONE)

    async def resend_number_codes(
        self, value: Secret[str], context: RequestContext, *, by_call: bool = False
    ) -> ChangeRequested | HolderUnknown:
        """Send new codes to the numbers of a change that haven't confirmed it; the tries stay counted.

        Args:
            value: The session value, as for ``prove_number``.
            context: Where the request came from.
            by_call: Call the new number and say the code, instead of sending a text message.

        Returns:
            ``HolderUnknown`` as ``prove_number``.

        Raises:
            ChangeNotPossible, ContactLinkExpired, ContactLinkStale: As ``prove_number``.
            PhoneNotServed, CountryNotServed: The number can't be reached so.
            Throttled: Too soon, or too many messages.
            SignInRequired, InsecureTransport: The value opens nothing, or didn't come over TLS.
        """
        self.transport.check(context)
        change, holder = await self._number_change(value, context)
        if holder is None or change.new is None:
            return HolderUnknown()
        channel = self.addresses.channel_to(change.new.value, by_call=by_call)
        await self.budget.charge(change.new.value, context.network, self.desk.now())

        async def decide() -> ChangeRequested | HolderUnknown:
            change, holder = await self._number_change(value, context)
            if holder is None:
                return HolderUnknown()
            fresh, part = await self.moves.proposals.again(change, Account.of(holder), channel)
            await self.desk.record(part)
            return self._requested(fresh, channel)

        return await self.desk.retrying(decide)

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

    async def cancel_contact_change(
        self, value: Secret[str], context: RequestContext, kind: ContactKind = ContactKind.EMAIL
    ) -> None:
        """Give up a change that is not in force yet; any session of the account may.

        Args:
            value: The session value.
            context: Where the request came from.
            kind: Whether the address or the number was to be changed.

        Raises:
            SignInRequired: The value opens nothing.
            ChangeNotPossible: None is pending.
            InvalidInput: It is neither kind.
        """
        changed = require_choice(kind, "kind", ContactKind)

        async def decide() -> None:
            here = await self.doorkeeper.present(value, context, Operation.MANAGE)
            pending = await self._pending(here.account, changed)
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
            found = await self.confirmations.find(read_selector(token, UNDO))
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
        check_off_hold(here, self.desk.now())
        return here

    def _old_contact(self, here: Present, value: Contact) -> ContactPoint:
        old = contact_in_force(Account.of(here).customer, value.kind)
        if old is None or old.key == value.key:
            raise ChangeNotPossible("in_force" if old else "none")
        return old

    async def _request(self, here: Present, wanted: Wanted) -> ChangeRequested:
        confirm_old = needs_old(self.policy, here.can_reach)
        old, pending = self._old_contact(here, wanted.value), await self._pending(here.account, wanted.value.kind)
        change, part = await self.moves.requested(Account.of(here), old, wanted, here.session, confirm_old=confirm_old)
        if pending is not None:
            part |= self.moves.ended(pending, ChangeTrigger.SUPERSEDE, "superseded")
        await self.desk.record(part)
        return self._requested(change, wanted.channel)

    def _requested(self, change: ContactChange, channel: Channel) -> ChangeRequested:
        return ChangeRequested(
            masked=mask(change.new.value) if change.new else "",
            channel=channel,
            confirm_old=change.state in {ChangeState.REQUESTED, ChangeState.OLD_PENDING},
            resend_after=self.budget.resend_after,
            expires_at=change.new_code.code_expires_at if change.new_code else change.until,
        )

    async def _newest(self, account: AccountId) -> tuple[ContactChange, ...]:
        changes = self.records.rows(CONTACT_CHANGES, "account", account, None, _LISTED, newest_first=True)
        return (await got(changes)).items

    async def _removal(self, here: Present, contact: str) -> ContactChange:
        """Answer the removal of a contact that can still be taken back."""
        changes = await self._newest(here.account)
        now, former = self.desk.now(), Account.of(here).customer.former_contacts
        back = {one.contact.id for one in former if now < one.until}
        removals = (one for one in changes if one.new is None and one.state is ChangeState.APPLIED)
        found = next((one for one in removals if one.old.id == contact and contact in back), None)
        if found is None:
            raise NotFound
        return found

    async def _pending(self, account: AccountId, kind: ContactKind) -> ContactChange | None:
        key = pending_key(account, kind)
        found = await got(self.records.find(CONTACT_CHANGES, key, by="pending_contact_change"))
        return found.it if found else None

    # Confirming

    async def _number_change(self, value: Secret[str], context: RequestContext) -> tuple[ContactChange, Present | None]:
        """Answer the account's change of a number, and the session if it may confirm that.

        Raises:
            ChangeNotPossible: None is pending.
            ContactLinkExpired, ContactLinkStale: It is over.
        """
        here = await self.doorkeeper.present(value, context, Operation.MANAGE)
        change = await self._pending(here.account, ContactKind.PHONE)
        if change is None:
            raise ChangeNotPossible(state="none")
        check_code_live(change, here.security.stamps, self.desk.now())
        return change, await self.holders.holder_of(here.account, change.session, value, context)

    async def _proving(self, decide: Callable[[], Awaitable[T]], kind: ContactKind = ContactKind.EMAIL) -> T:
        try:
            return await self.desk.retrying(decide, _CROWD, on_taken=True)
        except Taken:
            raise ContactBelongsElsewhere(kind.value) from None

    # Taking back

    async def _undo(self, found: Found[ContactChange], spent: ContactChange) -> ContactChangeUndone:
        account = owner_of(found, self.desk.now())
        if not is_reversible(account.customer, found.it):
            raise ContactLinkStale(UNDO.name)
        overtaken = tuple(later for later in await self._newest(found.it.account) if is_overtaken(later, found.it))
        await self.desk.record(await self.moves.undone(account, found.it, spent, overtaken))
        return ContactChangeUndone(masked=mask(found.it.old.value))

    async def _finished(self, change: ContactChange) -> Change:
        expires = change.is_pending
        trigger = ChangeTrigger.EXPIRE if expires else ChangeTrigger.SETTLE
        event = ContactChangeExpired if expires else ContactChangeSettled
        told = event(at=self.desk.now(), account=change.account, change=change.id, kind=change.kind.value)
        ended = Change(writes=(CONTACT_CHANGES.change(change, advanced(change, trigger)),), events=self.desk.tell(told))
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
