"""What is recorded on each step of a contact's change, and who is told."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import attrs

from shopaccounts.customers import CUSTOMERS, ContactPoint, Customer, Notices
from shopaccounts.customers.events import ContactAdded
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.contact import EmailAddress
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import Doorkeeper, NextValue, Present
from shopaccounts.kernel.ids import ContactId
from shopaccounts.kernel.messages import Message
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change, Write
from shopaccounts.kernel.security import SECURITY, AccountSecurity, Stamp, Stamps
from shopaccounts.kernel.tickets import mint
from shopaccounts.passwords import PASSWORDS, MustChange, flagged
from shopaccounts.registration.changing import (
    CONFIRM_NEW,
    CONFIRM_OLD,
    CONTACT_CHANGES,
    UNDO,
    ChangeState,
    ChangeTrigger,
    ContactChange,
    advanced,
    brought_back,
    with_change,
    with_change_undone,
    with_contact_removed,
    with_contact_restored,
)
from shopaccounts.registration.claiming import Claims
from shopaccounts.registration.errors import ContactLinkInvalid
from shopaccounts.registration.events import (
    ContactChangeApplied,
    ContactChangeCancelled,
    ContactChangeRequested,
    ContactChangeUndone,
    ContactVerified,
)
from shopaccounts.registration.holders import Account
from shopaccounts.registration.policy import ContactChangePolicy

__all__ = ["Moves"]

_LISTED: Final = 500
_ENDS_ALL: Final = (Stamp.ACCOUNT, Stamp.PASSWORD, Stamp.CONTACTS)


@attrs.frozen(kw_only=True)
class Moves:
    """Puts the steps of a change together."""

    desk: Desk
    doorkeeper: Doorkeeper
    records: Records
    claims: Claims
    notices: Notices
    policy: ContactChangePolicy

    async def requested(
        self, account: Account, old: ContactPoint, email: EmailAddress, session: str, *, confirm_old: bool
    ) -> tuple[ContactChange, Change]:
        """Answer a new change, and what is recorded: the change and its messages."""
        customer, now = account.customer, self.desk.now()
        holding = await self.claims.holding(email, customer.id, now)
        new_link, new_text = mint(
            CONFIRM_NEW,
            realm=customer.realm,
            subject=customer.id,
            bound=old.id,
            stamps=account.security.stamps,
            life=self.policy.link_life,
            now=now,
            entropy=self.desk.entropy,
        )
        change = ContactChange(
            id=new_link.selector,
            realm=customer.realm,
            account=customer.id,
            kind=old.kind,
            old=old,
            new=ContactPoint(
                id=ContactId(self.desk.entropy.new_id(now)), kind=old.kind, value=email, roles=old.roles, added_at=now
            ),
            state=ChangeState.REQUESTED if confirm_old else ChangeState.NEW_PENDING,
            session=session,
            epoch=account.security.stamps.contacts,
            requested_at=now,
            until=new_link.expires_at,
            new_link=new_link,
        )
        key, until = f"confirm_new {change.id}", change.until
        if holding.owner is not None:
            letters = [await self.claims.word_to_owner(holding.owner, email, key, until)]
        else:
            links = {"link": self.claims.link(CONFIRM_NEW.name, new_text)}
            letters = [await self.claims.letter("registration.confirm_new_contact", email, customer, key, until, links)]
        if confirm_old:
            change, letter = await self._asked(change, account)
            letters.append(letter)
        told = self.desk.tell(
            ContactChangeRequested(at=now, account=customer.id, change=change.id, kind=change.kind.value)
        )
        notice = await self.notices.about(
            customer,
            "registration.change_requested",
            f"change_requested {change.id}",
            now,
            bound=change.id,
            where=account.where,
        )
        added = Change(writes=(CONTACT_CHANGES.add(change),), messages=tuple(letters), events=told)
        return change, added | notice | account.guarded

    async def applied(
        self,
        account: Account,
        was: ContactChange | None,
        confirmed: ContactChange,
        *,
        hold_after: timedelta | None = None,
        also: Iterable[EmailAddress] = (),
    ) -> tuple[ContactChange, NextValue | None, Change]:
        """Answer a change that is in force, the next value of the session that acts, and what is recorded.

        Args:
            account: As it is now.
            was: The change as it is stored; None for one that was confirmed in another way.
            confirmed: The change with all that confirms it.
            hold_after: How long nothing of value leaves the account; None: as the policy has it.
            also: Further addresses that hear of it.

        Raises:
            ContactLinkStale: The old contact isn't the one in force any more.
            ContactBelongsElsewhere: Another account signs in by the new one.
        """
        customer, now = account.customer, self.desk.now()
        email = confirmed.new_email
        if email is None or confirmed.new is None:
            raise ContactLinkInvalid
        freed = await self.claims.freed(email, customer.id, now)
        until = now + self.policy.undo_window
        between = brought_back(confirmed, await self._others(confirmed), now)
        after = with_change(customer, confirmed, until, now, between)
        change, part = await self._reversible(confirmed, customer, until, between)
        security = attrs.evolve(
            account.security.bump(Stamp.CONTACTS),
            hold_until=now + (self.policy.hold_after if hold_after is None else hold_after),
        )
        next_value, ended = self._ended_others(account, security, now)
        proven = after.contact_with(change.kind, confirmed.new.key)
        told = self.desk.tell(
            ContactVerified(at=now, account=customer.id, contact=proven.id if proven else "", method="link"),
            ContactChangeApplied(at=now, account=customer.id, change=change.id, kind=change.kind.value),
        )
        notice = await self.notices.about(
            customer,
            "registration.contact_changed",
            f"contact_changed {change.id}",
            now,
            bound=change.id,
            also=(email, *also),
            where=account.where,
        )
        kept = CONTACT_CHANGES.change(was, change) if was else CONTACT_CHANGES.add(change)
        written = Change(writes=(CUSTOMERS.change(customer, after), kept), events=told)
        return change, next_value, part | written | ended | freed | notice

    async def removed(self, here: Present, contact: ContactPoint) -> tuple[ContactChange, NextValue, Change]:
        """Answer the removal of a contact as a change that is in force, and what is recorded."""
        customer, now = Account.of(here).customer, self.desk.now()
        until = now + self.policy.undo_window
        removal = ContactChange(
            id=self.desk.entropy.token(128),
            realm=customer.realm,
            account=customer.id,
            kind=contact.kind,
            old=contact,
            new=None,
            state=ChangeState.APPLIED,
            session=here.session,
            epoch=here.security.stamps.contacts,
            requested_at=now,
            until=until,
        )
        change, undo = await self._undoable(removal, customer, now)
        next_value, ended = self.doorkeeper.hand_on(here, here.security.bump(Stamp.CONTACTS), now)
        notice = await self.notices.about(
            customer,
            "registration.contact_removed",
            f"contact_removed {change.id}",
            now,
            bound=change.id,
            where=here.where,
        )
        after = with_contact_removed(customer, contact, until)
        written = Change(writes=(CUSTOMERS.change(customer, after), CONTACT_CHANGES.add(change)), messages=undo)
        return change, next_value, written | ended | notice

    async def restored(self, here: Present, removal: ContactChange) -> tuple[NextValue, Change]:
        """Answer what is recorded when a customer takes a removed contact back."""
        customer, now = Account.of(here).customer, self.desk.now()
        after, over = with_contact_restored(customer, removal), advanced(removal, ChangeTrigger.CANCEL)
        next_value, ended = self.doorkeeper.hand_on(here, here.security.bump(Stamp.CONTACTS), now)
        key = f"contact_restored {removal.id}"
        notice = await self.notices.about(
            customer, "registration.contact_added", key, now, bound=removal.id, where=here.where
        )
        told = self.desk.tell(ContactAdded(at=now, account=customer.id, contact=removal.old.id))
        writes = (CUSTOMERS.change(customer, after), CONTACT_CHANGES.change(removal, over))
        return next_value, Change(writes=writes, events=told) | ended | notice

    async def undone(
        self, account: Account, was: ContactChange, spent: ContactChange, overtaken: tuple[ContactChange, ...]
    ) -> Change:
        """Answer what is recorded when a change is taken back.

        Args:
            account: As it is now.
            was: The change as it is stored.
            spent: The change with what was used for it.
            overtaken: Later changes that end with it.
        """
        customer, now = account.customer, self.desk.now()
        after, change = with_change_undone(customer, was, overtaken), advanced(spent, ChangeTrigger.UNDO)
        writes: tuple[Write, ...] = (
            CUSTOMERS.change(customer, after),
            CONTACT_CHANGES.change(was, change),
            SECURITY.change(account.security, account.security.bump(*_ENDS_ALL)),
        )
        if account.password is not None:
            reported = flagged(account.password, MustChange.REPORTED, now)
            writes += (PASSWORDS.change(account.password, reported),)
        told = self.desk.tell(
            ContactChangeUndone(at=now, account=customer.id, change=change.id, kind=change.kind.value)
        )
        old = (was.old_email,) if was.old_email else ()
        notice = await self.notices.about(
            customer, "registration.change_undone", f"change_undone {change.id}", now, bound=change.id, also=old
        )
        whole = Change(writes=writes, events=told) | notice
        for later in overtaken:
            whole |= self.ended(later, ChangeTrigger.CANCEL, "overtaken")
        return whole

    def ended(self, change: ContactChange, trigger: ChangeTrigger, reason: str) -> Change:
        """Answer what is recorded when a change ends without being in force."""
        told = ContactChangeCancelled(
            at=self.desk.now(), account=change.account, change=change.id, kind=change.kind.value, reason=reason
        )
        write = CONTACT_CHANGES.change(change, advanced(change, trigger))
        return Change(writes=(write,), events=self.desk.tell(told))

    async def _asked(self, change: ContactChange, account: Account) -> tuple[ContactChange, Message]:
        """Answer the change with a link for the old address, and the message that brings it."""
        link, text = mint(
            CONFIRM_OLD,
            realm=change.realm,
            subject=change.account,
            bound=change.old.id,
            stamps=account.security.stamps,
            life=self.policy.link_life,
            now=change.requested_at,
            entropy=self.desk.entropy,
            selector=change.id,
        )
        links = {"link": self.claims.link(CONFIRM_OLD.name, text)}
        letter = await self.claims.letter(
            "registration.confirm_old_contact",
            _email_of(change),
            account.customer,
            f"confirm_old {change.id}",
            change.until,
            links,
        )
        return attrs.evolve(change, old_link=link), letter

    async def _others(self, change: ContactChange) -> tuple[ContactChange, ...]:
        rows = await got(
            self.records.rows(CONTACT_CHANGES, "account", change.account, None, _LISTED, newest_first=True)
        )
        return tuple(other for other in rows.items if other.id != change.id)

    async def _reversible(
        self,
        change: ContactChange,
        customer: Customer,
        until: datetime,
        between: tuple[ContactChange, ...] | None,
    ) -> tuple[ContactChange, Change]:
        """Answer a change that can be taken back, unless it takes back others itself; those end with it."""
        if between is None:
            undoable, letters = await self._undoable(attrs.evolve(change, until=until), customer, self.desk.now())
            return undoable, Change(messages=letters)
        part = Change()
        for one in between:
            part |= self.ended(one, ChangeTrigger.CANCEL, "overtaken")
        return attrs.evolve(change, until=self.desk.now()), part

    async def _undoable(
        self, change: ContactChange, customer: Customer, now: datetime
    ) -> tuple[ContactChange, tuple[Message, ...]]:
        """Answer the change with a link that takes it back, and the message that brings it to the old address."""
        link, text = mint(
            UNDO,
            realm=change.realm,
            subject=change.account,
            bound=change.old.id,
            stamps=Stamps(),
            life=self.policy.undo_window,
            now=now,
            entropy=self.desk.entropy,
            selector=change.id,
        )
        days = {"days": str(self.policy.undo_window.days)}
        links = {"link": self.claims.link(UNDO.name, text)}
        letter = await self.claims.letter(
            "registration.undo_contact_change",
            _email_of(change),
            customer,
            f"undo {change.id}",
            change.until,
            links,
            days,
        )
        return attrs.evolve(change, undo_link=link), (letter,)

    def _ended_others(
        self, account: Account, security: AccountSecurity, now: datetime
    ) -> tuple[NextValue | None, Change]:
        if account.here is None:
            return None, Change(writes=(SECURITY.change(account.security, security),))
        return self.doorkeeper.hand_on(account.here, security, now)


def _email_of(change: ContactChange) -> EmailAddress:
    if change.old_email is None:
        raise ContactLinkInvalid
    return change.old_email
