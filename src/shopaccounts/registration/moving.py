"""What is recorded on each step of a contact's change, and who is told."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import attrs

from shopaccounts.customers import CUSTOMERS, ContactPoint, ContactRole, Customer, Notices, is_verified
from shopaccounts.customers.events import ContactAdded
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.contact import Contact
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
    CONTACT_CHANGES,
    UNDO,
    ChangeState,
    ChangeTrigger,
    ContactChange,
    advanced,
    brought_back,
    check_off_hold,
    contact_in_force,
    moved_to,
    told_kind,
    with_change,
    with_change_undone,
    with_contact_removed,
    with_contact_restored,
)
from shopaccounts.registration.claiming import Claims
from shopaccounts.registration.errors import ChangeNotPossible, ContactLinkInvalid
from shopaccounts.registration.events import (
    ContactChangeApplied,
    ContactChangeCancelled,
    ContactChangeRequested,
    ContactChangeUndone,
    ContactVerified,
)
from shopaccounts.registration.holders import Account
from shopaccounts.registration.model import Wanted
from shopaccounts.registration.policy import ContactChangePolicy
from shopaccounts.registration.proposing import Proposals
from shopaccounts.registration.shared_numbers import SharedNumbers
from shopaccounts.signin import PointedSteps, pointed_elsewhere, withdraw, without_added_since

__all__ = ["Moves"]

_SIGNS_IN: Final = frozenset({ContactRole.PRIMARY, ContactRole.LOGIN, ContactRole.NOTIFY})
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
    proposals: Proposals
    steps: PointedSteps
    shared: SharedNumbers
    policy: ContactChangePolicy

    async def requested(
        self, account: Account, old: ContactPoint, wanted: Wanted, session: str, *, confirm_old: bool
    ) -> tuple[ContactChange, Change]:
        """Answer a new change, and what is recorded: the change and its messages."""
        customer, now = account.customer, self.desk.now()
        holding = await self.claims.holding(wanted.value, customer.id, now)
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
                id=ContactId(self.desk.entropy.new_id(now)),
                kind=old.kind,
                value=wanted.value,
                roles=old.roles,
                added_at=now,
            ),
            state=ChangeState.REQUESTED if confirm_old else ChangeState.NEW_PENDING,
            session=session,
            epoch=account.security.stamps.contacts,
            requested_at=now,
            until=new_link.expires_at,
            new_link=new_link,
        )
        change, letter = await self.proposals.to_new(
            change, customer, holding.owner, change.id, wanted.channel, new_text
        )
        letters = [letter]
        if confirm_old:
            change, letter = await self.proposals.to_old(change, account, change.id)
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
            variables=told_kind(change.kind),
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
        also: Iterable[Contact] = (),
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
        if confirmed.new is None:
            raise ContactLinkInvalid
        freed = await self.claims.freed(confirmed.new.value, customer.id, now)
        until = now + self.policy.undo_window
        between = brought_back(confirmed, await self._others(confirmed), now)
        after = with_change(customer, confirmed, until, now, between)
        change, part = await self._reversible(confirmed, customer, until, between)
        theirs = withdraw(account.own, pointed_elsewhere(account.own, moved_to(customer, after)), self.desk, now)
        security = attrs.evolve(
            account.security.bump(Stamp.CONTACTS, *theirs.stamps),
            hold_until=now + (self.policy.hold_after if hold_after is None else hold_after),
        )
        next_value, ended = self._ended_others(account, security, now)
        proven = after.contact_with(change.kind, confirmed.new.key)
        told = self.desk.tell(
            ContactVerified(
                at=now, account=customer.id, contact=proven.id if proven else "", method=change.method.value
            ),
            ContactChangeApplied(at=now, account=customer.id, change=change.id, kind=change.kind.value),
        )
        notice = await self.notices.about(
            customer,
            "registration.contact_changed",
            f"contact_changed {change.id}",
            now,
            bound=change.id,
            also=(confirmed.new.value, *also),
            where=account.where,
            variables=told_kind(change.kind),
        )
        kept = CONTACT_CHANGES.change(was, change) if was else CONTACT_CHANGES.add(change)
        written = Change(writes=(CUSTOMERS.change(customer, after), kept), events=told)
        return change, next_value, part | written | ended | freed | theirs.part | notice

    async def removed(self, here: Present, contact: ContactPoint) -> tuple[ContactChange, NextValue, Change]:
        """Answer the removal of a contact as a change that is in force, and what is recorded.

        Raises:
            LastWayIn, FactorProtectsShortPassword, FreshSignInNeeded: As ``PointedSteps.gone_with``.
        """
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
        after = with_contact_removed(customer, contact, until)
        theirs = await self.steps.gone_with(here, contact, after)
        change, undo = await self._undoable(removal, customer, now)
        next_value, ended = self.doorkeeper.hand_on(here, here.security.bump(Stamp.CONTACTS, *theirs.stamps), now)
        notice = await self.notices.about(
            customer,
            "registration.contact_removed",
            f"contact_removed {change.id}",
            now,
            bound=change.id,
            where=here.where,
            variables=told_kind(change.kind),
        )
        written = Change(writes=(CUSTOMERS.change(customer, after), CONTACT_CHANGES.add(change)), messages=undo)
        return change, next_value, written | ended | theirs.part | notice

    async def made_sign_in(self, here: Present, contact: ContactPoint) -> tuple[NextValue, Change]:
        """Answer what is recorded when a proven contact becomes one to sign in by, and the session's next value.

        Raises:
            ChangeNotPossible: It isn't proven, or there is one of its kind.
            OnHold: The sign-in contact was changed a short while ago.
            ContactBelongsElsewhere: Another account signs in by it.
        """
        customer, now = Account.of(here).customer, self.desk.now()
        check_off_hold(here, now)
        if not is_verified(contact) or contact_in_force(customer, contact.kind) is not None:
            raise ChangeNotPossible("in_force" if is_verified(contact) else "unproven")
        freed = await self.claims.freed(contact.value, customer.id, now)
        after = customer.with_contact(attrs.evolve(contact, roles=contact.roles | _SIGNS_IN))
        next_value, ended = self.doorkeeper.hand_on(here, here.security.bump(Stamp.CONTACTS), now)
        key, told = f"contact_used {contact.id} {customer.version}", told_kind(contact.kind)
        notice = await self.notices.about(
            customer, "registration.contact_used", key, now, where=here.where, variables=told
        )
        return next_value, Change(writes=(CUSTOMERS.change(customer, after),)) | ended | freed | notice

    async def restored(self, here: Present, removal: ContactChange) -> tuple[NextValue, Change]:
        """Answer what is recorded when a customer takes a removed contact back."""
        customer, now = Account.of(here).customer, self.desk.now()
        after, over = with_contact_restored(customer, removal), advanced(removal, ChangeTrigger.CANCEL)
        next_value, ended = self.doorkeeper.hand_on(here, here.security.bump(Stamp.CONTACTS), now)
        key = f"contact_restored {removal.id}"
        notice = await self.notices.about(
            customer,
            "registration.contact_added",
            key,
            now,
            bound=removal.id,
            where=here.where,
            variables=told_kind(removal.kind),
        )
        told = self.desk.tell(ContactAdded(at=now, account=customer.id, contact=removal.old.id))
        writes = (CUSTOMERS.change(customer, after), CONTACT_CHANGES.change(removal, over))
        shared = await self.shared.noted(customer.id, removal.old.value)
        return next_value, Change(writes=writes, events=told) | ended | shared | notice

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
        left = pointed_elsewhere(without_added_since(account.own, was.requested_at), moved_to(customer, after))
        theirs = withdraw(account.own, left, self.desk, now)
        writes: tuple[Write, ...] = (
            CUSTOMERS.change(customer, after),
            CONTACT_CHANGES.change(was, change),
            SECURITY.change(account.security, account.security.bump(*_ENDS_ALL, *theirs.stamps)),
        )
        if account.password is not None:
            reported = flagged(account.password, MustChange.REPORTED, now)
            writes += (PASSWORDS.change(account.password, reported),)
        told = self.desk.tell(
            ContactChangeUndone(at=now, account=customer.id, change=change.id, kind=change.kind.value)
        )
        notice = await self.notices.about(
            customer,
            "registration.change_undone",
            f"change_undone {change.id}",
            now,
            bound=change.id,
            also=(was.old.value,),
            variables=told_kind(change.kind),
        )
        whole = Change(writes=writes, events=told) | theirs.part | notice
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
            change.old.value,
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
