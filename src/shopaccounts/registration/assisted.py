"""Accounts that the shop opens for its customers: at the counter, on the phone, or when it moves from another system.

Such an account waits like any other, without a password or anything else to sign in with. An invitation brings its
owner the way in; nobody reads a password out or mails one. Only a shop that trusts the system it moves from takes its
word that an address was proven.
"""

from datetime import datetime

import attrs

from shopaccounts.customers import CUSTOMERS, Customer, Origin, VerificationMethod
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import Forbidden, InvalidInput
from shopaccounts.kernel.ids import AccountId, ContactId
from shopaccounts.kernel.limits import MAX_WINDOW
from shopaccounts.kernel.record import Change, Sweep
from shopaccounts.kernel.scope import ActorKind
from shopaccounts.kernel.staff import Permission, Staff
from shopaccounts.kernel.text import require_locale
from shopaccounts.kernel.time import require_instant
from shopaccounts.registration.activating import BY_IMPORT, BY_STAFF, coming_alive, opening
from shopaccounts.registration.addressing import Address
from shopaccounts.registration.deciding import activated, holder_of, opened, restarted
from shopaccounts.registration.errors import AddressHasAccount
from shopaccounts.registration.events import InvitationSent
from shopaccounts.registration.inviting import INVITATIONS, Answer, Invites, ended
from shopaccounts.registration.model import ATTEMPTS, NO_DETAILS, Wish
from shopaccounts.registration.openings import Openings
from shopaccounts.registration.policy import RegistrationPolicy

__all__ = ["AssistedRegistration", "OpenedFor"]

_CROWD = MAX_WINDOW + 1
TRUSTED_SOURCE = "import"


@attrs.frozen(kw_only=True)
class OpenedFor:
    """An account that the shop opened.

    Args:
        account: Whose it is.
        invitation: What brings the owner the way in; None if nothing was mailed.
    """

    account: AccountId
    invitation: str | None


@attrs.frozen(kw_only=True)
class AssistedRegistration:
    """Opens accounts for others."""

    desk: Desk
    staff: Staff
    openings: Openings
    invites: Invites
    policy: RegistrationPolicy

    async def open_for(self, identifier: str, reason: str, *, locale: str | None = None) -> OpenedFor:
        """Open an account for a customer, who takes it over from the mailbox.

        An account that waits at the address starts over.

        Args:
            identifier: The customer's address as typed.
            reason: Why, up to 500 characters.
            locale: The customer's language; None takes the shop's.

        Raises:
            Forbidden: Nobody, or an agent who may not open accounts.
            AddressHasAccount: The address has an owner.
            EmailInvalid, EmailUnsupportedCharacters, InvalidInput: The address can't be one, or there is no reason.
            DomainNotAccepted: The shop takes no addresses of this domain.
        """
        await self.staff.require(Permission.OPEN_ACCOUNTS, reason)
        address = await self.openings.addresses.read(identifier)

        async def decide() -> OpenedFor:
            return await self._prepare(address, locale, BY_STAFF, invite=True)

        return await self.desk.retrying(decide, _CROWD, on_taken=True)

    async def import_account(
        self,
        identifier: str,
        *,
        locale: str | None = None,
        verified_at: datetime | None = None,
        verified_by: str | None = None,
        invite: bool = True,
    ) -> OpenedFor:
        """Open an account that another system had; nothing to sign in with comes along.

        Args:
            identifier: The customer's address.
            locale: The customer's language; None takes the shop's.
            verified_at: When the address was proven there; such an account lives at once and gets no mail.
            verified_by: ``import``, where *verified_at* is given.
            invite: Whether to mail the customer the way in.

        Raises:
            Forbidden: Neither the shop's own program nor an agent who may open accounts.
            AddressHasAccount: The address has an owner.
            EmailInvalid, EmailUnsupportedCharacters, DomainNotAccepted: The address.
            InvalidInput: A proof that the policy doesn't trust, of the future, or of another source.
        """
        await self._check_importer()
        address = await self.openings.addresses.read(identifier)
        proven_at = self._trusted(verified_at, verified_by)

        async def decide() -> OpenedFor:
            if proven_at is None:
                return await self._prepare(address, locale, BY_IMPORT, invite=invite)
            return await self._bring_over(address, locale, proven_at)

        return await self.desk.retrying(decide, _CROWD, on_taken=True)

    async def _check_importer(self) -> None:
        actor = self.desk.scope.actor
        known = await self.staff.known(actor)
        may = known is not None and Permission.OPEN_ACCOUNTS in known.permissions
        if actor.kind is not ActorKind.SYSTEM and not may:
            raise Forbidden

    def _trusted(self, verified_at: datetime | None, verified_by: str | None) -> datetime | None:
        if verified_at is None:
            return None
        if verified_by != TRUSTED_SOURCE:
            raise InvalidInput(field="verified_by", reason="source")
        if not self.policy.trust_imported_contacts:
            raise InvalidInput(field="verified_at", reason="not_trusted")
        if require_instant(verified_at) > self.desk.now():
            raise InvalidInput(field="verified_at", reason="future")
        return verified_at

    async def _prepare(self, address: Address, locale: str | None, way: str, *, invite: bool) -> OpenedFor:
        known, wish, now = await self._unowned(address, locale)
        until = now + self.openings.lifecycle.unverified_after
        change = opening(self.desk, known, wish, until, now, way) | _without_attempts(known)
        account = known.id if known else wish.account
        if not invite:
            await self.desk.record(change)
            return OpenedFor(account=account, invitation=None)
        invited, part = await self._invited(address, known, wish, now)
        await self.desk.record(change | part)
        return OpenedFor(account=account, invitation=invited)

    async def _bring_over(self, address: Address, locale: str | None, proven_at: datetime) -> OpenedFor:
        known, wish, now = await self._unowned(address, locale)
        until = now + self.openings.lifecycle.unverified_after
        pending = (
            restarted(known, wish, until, now)
            if known
            else opened(wish, self.desk.scope.realm, until, now, Origin.IMPORT)
        )
        contact = pending.contacts[0].proven(VerificationMethod.IMPORT, TRUSTED_SOURCE, proven_at)
        account = activated(pending, contact, wish.locale, {})
        write = CUSTOMERS.change(known, account) if known else CUSTOMERS.add(account)
        living = coming_alive(
            self.desk,
            account,
            contact,
            None,
            NO_DETAILS,
            now,
            disposable=address.disposable,
            way=BY_IMPORT,
            security=await self.openings.security_of(known),
        )
        await self.desk.record(Change(writes=(write,)) | living | _without_attempts(known))
        return OpenedFor(account=account.id, invitation=None)

    async def _unowned(self, address: Address, locale: str | None) -> tuple[Customer | None, Wish, datetime]:
        """Answer who waits at an address, and what is to be opened for it.

        Raises:
            AddressHasAccount: The address has an owner.
        """
        now = self.desk.now()
        known = await self.openings.holder(address.email, now)
        if holder_of(known).is_owner:
            raise AddressHasAccount
        wish = Wish(
            value=address.email,
            disposable=address.disposable,
            locale=require_locale(self.desk.scope.locale if locale is None else locale),
            account=AccountId(self.desk.entropy.new_id(now)),
            contact=ContactId(self.desk.entropy.new_id(now)),
        )
        return known, wish, now

    async def _invited(self, address: Address, known: Customer | None, wish: Wish, now: datetime) -> tuple[str, Change]:
        contact = await self.invites.contact(address.email)
        waiting = await self.invites.waiting(None, contact)
        invitation, text = self.invites.make(address.email, contact, None, None, now, wish.locale)
        letter = await self.invites.letter(invitation, text, known, "registration.account_prepared")
        earlier = tuple(INVITATIONS.change(one, ended(one, Answer.REVOKE, now)) for one in waiting)
        told = InvitationSent(at=now, invitation=invitation.id, inviter=None)
        return invitation.id, Change(
            writes=(INVITATIONS.add(invitation), *earlier), events=self.desk.tell(told), messages=(letter,)
        )


def _without_attempts(known: Customer | None) -> Change:
    """Answer the end of the attempts that had led to an account which starts over."""
    if known is None:
        return Change()
    return Change(sweeps=(Sweep(book=ATTEMPTS, group="account", value=known.id),))
