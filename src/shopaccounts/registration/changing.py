"""How the address that one signs in by is changed, as a table; and what a change does to the customer's contacts.

* A contact is never edited in place: the new one is proven, then put in force, then the old one is let go.
* Who has no second factor confirms at both addresses, in either order; who has one confirms at the new address.
* Until then the old address is the one that counts. A newer request replaces an older one, and any change of the
  account's security kills both.
* When a change is in force, the old address hears of everything and stays reserved for a while. In that time whoever
  reads it can take the change back: the old address is in force again, and everything that was added since the change
  was asked for is gone. That depends on nothing that a thief could have changed.
* A number is changed in the same way, by codes instead of links: the session that asked types them. Only the way back
  is a link, since it has to last.
* Removing a contact is a change without a new one: it is in force at once, and can be taken back in the same way.
* Who goes back to an address whose change can still be taken back takes it back so: the addresses in between are free,
  and none of them can bring itself back.

[OWASP Authentication Cheat Sheet, "Changing a User's Registered Email Address"; NIST SP 800-63B-4 4.6]
"""

from collections.abc import Iterable
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Final

import attrs

from shopaccounts.customers import (
    MAX_CONTACTS,
    AccountStatus,
    ContactLimit,
    ContactPoint,
    ContactRole,
    Customer,
    FormerContact,
    LastLoginContact,
    LastNoticeContact,
    VerificationMethod,
    is_verified,
)
from shopaccounts.kernel.assurance import Level
from shopaccounts.kernel.codes import Challenge
from shopaccounts.kernel.contact import ContactKind
from shopaccounts.kernel.doorkeeper import Present
from shopaccounts.kernel.ids import AccountId, ContactId, RealmId
from shopaccounts.kernel.personal import described, impersonal
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.security import Stamp, Stamps
from shopaccounts.kernel.tickets import Purpose, Refusals, Ticket
from shopaccounts.registration.errors import (
    ChangeNotPossible,
    ContactLinkExpired,
    ContactLinkInvalid,
    ContactLinkStale,
    ContactLinkUsed,
    OnHold,
)
from shopaccounts.registration.policy import ConfirmOld, ContactChangePolicy

__all__ = [
    "CHANGES",
    "CONFIRM_NEW",
    "CONFIRM_OLD",
    "CONTACT_CHANGES",
    "CONTACT_STAMPS",
    "LINK_REFUSALS",
    "PENDING",
    "UNDO",
    "ChangeState",
    "ChangeTrigger",
    "ContactChange",
    "advanced",
    "brought_back",
    "check_code_live",
    "check_off_hold",
    "check_removable",
    "check_told",
    "contact_in_force",
    "is_overtaken",
    "is_reversible",
    "moved_to",
    "needs_old",
    "pending_key",
    "told_kind",
    "with_change",
    "with_change_undone",
    "with_contact_removed",
    "with_contact_restored",
    "without_former",
]

CONTACT_STAMPS: Final = frozenset({Stamp.ACCOUNT, Stamp.PASSWORD, Stamp.CONTACTS, Stamp.FACTORS})
LINK_REFUSALS: Final = Refusals(ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed, ContactLinkStale)
CONFIRM_NEW: Final = Purpose("change_contact_new", "ccn", CONTACT_STAMPS, LINK_REFUSALS)
"""Proves the new address of a change."""
CONFIRM_OLD: Final = Purpose("change_contact_old", "cco", CONTACT_STAMPS, LINK_REFUSALS)
"""Agrees to a change from the old address."""
UNDO: Final = Purpose("undo_contact_change", "ucc", frozenset(), LINK_REFUSALS)
"""Takes a change back; it depends on no stamp, so that nothing a thief does takes it away."""


class ChangeState(Enum):
    """How far a change got."""

    REQUESTED = "requested"
    OLD_PENDING = "old_pending"
    NEW_PENDING = "new_pending"
    APPLIED = "applied"
    SETTLED = "settled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    UNDONE = "undone"


class ChangeTrigger(Enum):
    """What can happen to a change."""

    CONFIRM_NEW = "confirm_new"
    CONFIRM_OLD = "confirm_old"
    CANCEL = "cancel"
    EXPIRE = "expire"
    SUPERSEDE = "supersede"
    SETTLE = "settle"
    UNDO = "undo"


PENDING: Final = frozenset({ChangeState.REQUESTED, ChangeState.OLD_PENDING, ChangeState.NEW_PENDING})
"""Not in force yet."""
_LIVE: Final = PENDING | {ChangeState.APPLIED}
_ENDS: Final = {
    ChangeTrigger.CANCEL: ChangeState.CANCELLED,
    ChangeTrigger.EXPIRE: ChangeState.EXPIRED,
    ChangeTrigger.SUPERSEDE: ChangeState.SUPERSEDED,
}

CHANGES: Final = MappingProxyType[tuple[ChangeState, ChangeTrigger], ChangeState](
    {
        (ChangeState.REQUESTED, ChangeTrigger.CONFIRM_NEW): ChangeState.OLD_PENDING,
        (ChangeState.REQUESTED, ChangeTrigger.CONFIRM_OLD): ChangeState.NEW_PENDING,
        (ChangeState.OLD_PENDING, ChangeTrigger.CONFIRM_OLD): ChangeState.APPLIED,
        (ChangeState.NEW_PENDING, ChangeTrigger.CONFIRM_NEW): ChangeState.APPLIED,
        **{(state, trigger): end for state in PENDING for trigger, end in _ENDS.items()},
        (ChangeState.APPLIED, ChangeTrigger.UNDO): ChangeState.UNDONE,
        (ChangeState.APPLIED, ChangeTrigger.SETTLE): ChangeState.SETTLED,
        (ChangeState.APPLIED, ChangeTrigger.CANCEL): ChangeState.CANCELLED,
    }
)
"""The whole life of a change. One that needs no word of the old address begins as if that had been given; a change in
force is cancelled when an earlier one is taken back."""


@described(data_class="contact_points", default=impersonal("ids, times, states"))
@attrs.frozen(kw_only=True)
class ContactChange:
    """One change of a contact: what is to be replaced, by what, and what proves it.

    Both contacts stay as they were when the change was asked for, so a link that was mailed for one value proves no
    other.

    Args:
        id: The selector of its links.
        old: What is let go.
        new: What takes its place; None for a removal.
        session: The public id of the session that asked.
        epoch: How often the account's contacts had changed when it was asked for: what came later has a higher one,
            also within one instant.
        until: When the state ends by itself.
        new_link: For the new address.
        old_link: For the old address, None if its word isn't needed.
        undo_link: For the old address, once the change is in force.
        new_code: For a new number, in place of a link.
        old_code: For an old number, None if its word isn't needed.
    """

    id: str
    realm: RealmId
    version: int = 1
    account: AccountId
    kind: ContactKind
    old: ContactPoint
    new: ContactPoint | None
    state: ChangeState
    session: str = attrs.field(metadata=impersonal("an opaque id"))
    epoch: int
    requested_at: datetime
    until: datetime
    new_link: Ticket | None = None
    old_link: Ticket | None = None
    undo_link: Ticket | None = None
    new_code: Challenge | None = None
    old_code: Challenge | None = None

    @property
    def method(self) -> VerificationMethod:
        """How its contacts are proven: a number by a code, an address by a link."""
        return VerificationMethod.CODE if self.kind is ContactKind.PHONE else VerificationMethod.LINK

    @property
    def is_pending(self) -> bool:
        """Whether it waits for a confirmation."""
        return self.state in PENDING


def pending_key(account: AccountId, kind: ContactKind) -> str:
    """Answer the unique key of the one change of a kind that an account may have pending."""
    return f"{account} {kind.value}"


CONTACT_CHANGES = Book(
    name="contact_changes",
    of=ContactChange,
    unique={"pending_contact_change": lambda c: [pending_key(c.account, c.kind)] if c.is_pending else []},
    groups={"account": lambda c: c.account},
    order=lambda c: c.requested_at,
    due=lambda c: c.until if c.state in _LIVE else None,
    keep_until=lambda c: None if c.state in _LIVE else c.until,
    personal=True,
)


def needs_old(policy: ContactChangePolicy, can_reach: Level) -> bool:
    """Tell whether the old address has to agree to a change.

    Args:
        policy: What the shop wants.
        can_reach: The highest level that the account's ways in add up to.
    """
    return policy.confirm_old is ConfirmOld.ALWAYS or can_reach < Level.MULTI


def advanced(change: ContactChange, trigger: ChangeTrigger) -> ContactChange:
    """Answer *change* after *trigger*.

    Raises:
        ChangeNotPossible: The table has no such step.
    """
    target = CHANGES.get((change.state, trigger))
    if target is None:
        raise ChangeNotPossible(change.state.value)
    return attrs.evolve(change, state=target)


def check_code_live(change: ContactChange, stamps: Stamps, now: datetime) -> None:
    """Refuse the codes of a change that is over, or was overtaken by a change of the account's security.

    Raises:
        ContactLinkExpired, ContactLinkStale: It is.
    """
    link = change.new_link
    if link is None or stamps.moved(link.stamps, CONFIRM_NEW.depends_on):
        raise ContactLinkStale(CONFIRM_NEW.name)
    if now >= change.until:
        raise ContactLinkExpired(CONFIRM_NEW.name, change.until)


def contact_in_force(customer: Customer, kind: ContactKind) -> ContactPoint | None:
    """Answer the proven contact of a kind that the customer signs in by."""
    return next((c for c in customer.contacts_for(ContactRole.LOGIN) if c.kind is kind), None)


def with_change(
    customer: Customer,
    change: ContactChange,
    until: datetime,
    now: datetime,
    between: tuple[ContactChange, ...] | None = None,
) -> Customer:
    """Answer the customer with a change in force: the new contact in place of the old one, which is let go.

    Args:
        customer: As the record is now.
        change: What was confirmed.
        until: How long the old contact is told, reserved, and able to take it back.
        now: When.
        between: What ``brought_back`` answers: where the change goes back to an earlier address, the old contact and
            those in between are nobody's any more.

    Raises:
        ContactLinkStale: The old contact isn't the one in force any more.
    """
    old, new = contact_in_force(customer, change.kind), change.new
    if old is None or new is None or old.key != change.old.key:
        raise ContactLinkStale(CONFIRM_NEW.name)
    known = customer.contact_with(change.kind, new.key)
    base = attrs.evolve(known, roles=known.roles | old.roles) if known else attrs.evolve(new, roles=old.roles)
    proven = base.proven(change.method, change.id, now)
    kept = tuple(c for c in customer.contacts if c.id not in {old.id, proven.id})
    gone = {old.key, new.key, *(one.old.key for one in between or ())}
    left = (FormerContact(contact=old, until=until),) if between is None else ()
    return attrs.evolve(customer, contacts=(*kept, proven), former_contacts=(*_former_without(customer, gone), *left))


def brought_back(
    change: ContactChange, others: Iterable[ContactChange], now: datetime
) -> tuple[ContactChange, ...] | None:
    """Answer what a change ends that goes back to an address whose own change can still be taken back.

    Args:
        change: What was confirmed.
        others: The account's other changes.
        now: When.

    Returns:
        The changes in between, by which no address may come back; None if the change goes anywhere else.
    """
    live = [one for one in others if one.state in _LIVE and one.kind is change.kind and now < one.until]
    goals = (one for one in live if one.undo_link and change.new and one.old.key == change.new.key)
    goal = min(goals, key=lambda one: one.epoch, default=None)
    if goal is None:
        return None
    since = tuple(one for one in live if is_overtaken(one, goal))
    came = {one.new.key for one in (goal, *since) if one.new}
    if change.old.key not in came:
        return None
    return tuple(one for one in since if one.old.key in came or one.old.added_at >= goal.requested_at)


def check_removable(customer: Customer, contact: ContactPoint) -> None:
    """Refuse to remove what a customer can't do without.

    Raises:
        LastLoginContact: Nothing else is left to sign in by.
        LastNoticeContact: No other address would hear of what happens.
    """
    others = attrs.evolve(customer, contacts=tuple(c for c in customer.contacts if c.id != contact.id))
    if ContactRole.LOGIN in contact.roles and not others.contacts_for(ContactRole.LOGIN):
        raise LastLoginContact
    check_told(customer, others)


def check_told(before: Customer, after: Customer) -> None:
    """Refuse to leave nobody who hears of what happens, or no e-mail address of those that heard of it.

    Raises:
        LastNoticeContact: So it would be.
    """
    hear = after.contacts_for(ContactRole.NOTIFY)
    heard = before.contacts_for(ContactRole.NOTIFY)
    mails = [any(c.kind is ContactKind.EMAIL for c in told) for told in (heard, hear)]
    if not hear or mails == [True, False]:
        raise LastNoticeContact


def with_contact_removed(customer: Customer, contact: ContactPoint, until: datetime) -> Customer:
    """Answer the customer without *contact*; a proven one is told of what happens until *until*."""
    former = (FormerContact(contact=contact, until=until),) if is_verified(contact) else ()
    return attrs.evolve(
        customer,
        contacts=tuple(c for c in customer.contacts if c.id != contact.id),
        former_contacts=(*_former_without(customer, {contact.key}), *former),
    )


def is_reversible(customer: Customer, change: ContactChange) -> bool:
    """Tell whether there is still something that a change could be taken back from."""
    return customer.status in {AccountStatus.ACTIVE, AccountStatus.SUSPENDED, AccountStatus.CLOSING} and (
        change.state is ChangeState.APPLIED and change.undo_link is not None
    )


def with_change_undone(
    customer: Customer, change: ContactChange, overtaken: tuple[ContactChange, ...] = ()
) -> Customer:
    """Answer the customer with a change taken back: what it let go as it was, nothing that was added since.

    Args:
        customer: As the record is now.
        change: What is taken back.
        overtaken: Later changes that end with it; those in force are taken back first, the newest before the others.
    """
    in_force = [later for later in overtaken if later.state is ChangeState.APPLIED]
    for one in (*sorted(in_force, key=lambda later: -later.epoch), change):
        customer = _restored(customer, one)
    return attrs.evolve(
        customer,
        contacts=tuple(c for c in customer.contacts if _stays(c, change)),
        former_contacts=tuple(f for f in customer.former_contacts if f.contact.added_at < change.requested_at),
    )


def is_overtaken(later: ContactChange, undone: ContactChange) -> bool:
    """Tell whether taking back *undone* ends a later change: another one of its kind, or of what came with it."""
    if later.state not in _LIVE or later.epoch <= undone.epoch:
        return False
    return later.new is not None or later.old.added_at >= undone.requested_at


def with_contact_restored(customer: Customer, removal: ContactChange) -> Customer:
    """Answer the customer with a removed contact back, as it was proven, though not in a place that another one has.

    Raises:
        ContactLimit: There are as many as there may be.
    """
    if len(customer.contacts) >= MAX_CONTACTS:
        raise ContactLimit(MAX_CONTACTS)
    held = {role for contact in customer.contacts if contact.kind is removal.kind for role in contact.roles}
    roles = removal.old.roles - (held & {ContactRole.LOGIN, ContactRole.PRIMARY})
    back = attrs.evolve(removal.old, roles=roles)
    left = _former_without(customer, {back.key})
    return attrs.evolve(customer, contacts=(*customer.contacts, back), former_contacts=left)


def moved_to(before: Customer, after: Customer) -> dict[ContactId, ContactId]:
    """Answer which contact takes the place of each that is gone: that of its kind which one signs in by, if any."""
    stays = {contact.id for contact in after.contacts}
    return {c.id: new.id for c in before.contacts if c.id not in stays and (new := contact_in_force(after, c.kind))}


def without_former(customer: Customer, change: ContactChange) -> Customer:
    """Answer the customer without the contact that a settled change let go: it is free for everybody."""
    kept = (f for f in customer.former_contacts if f.contact.key != change.old.key or f.until > change.until)
    return attrs.evolve(customer, former_contacts=tuple(kept))


def _former_without(customer: Customer, keys: set[str]) -> tuple[FormerContact, ...]:
    return tuple(f for f in customer.former_contacts if f.contact.key not in keys)


def _restored(customer: Customer, change: ContactChange) -> Customer:
    gone = {change.old.key, *((change.new.key,) if change.new else ())}
    kept = (_without_place(c, change.old) for c in customer.contacts if c.key not in gone)
    return attrs.evolve(customer, contacts=(*kept, change.old), former_contacts=_former_without(customer, gone))


def _stays(contact: ContactPoint, undone: ContactChange) -> bool:
    in_force = ContactRole.LOGIN in contact.roles
    return in_force or contact.id == undone.old.id or contact.added_at < undone.requested_at


def _without_place(contact: ContactPoint, restored: ContactPoint) -> ContactPoint:
    """Answer a contact without the place that only one of a kind may have, where that is given back."""
    if contact.kind is not restored.kind:
        return contact
    return attrs.evolve(contact, roles=contact.roles - ({ContactRole.LOGIN, ContactRole.PRIMARY} & restored.roles))


def check_off_hold(here: Present, now: datetime) -> None:
    """Refuse to change contacts again a short while after a change, unless two factors vouch for the customer.

    Raises:
        OnHold: So it is.
    """
    until = here.security.on_hold_until(now)
    if until is not None and here.auth.level < Level.MULTI:
        raise OnHold(until)


def told_kind(kind: ContactKind) -> dict[str, str]:
    """Answer what a notice is told of a contact's kind: that it is a number, if it is."""
    return {"kind": kind.value} if kind is ContactKind.PHONE else {}
