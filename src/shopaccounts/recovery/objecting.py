"""What becomes of an account whose owner says "that wasn't me".

It can only get less, never more. Whoever holds the link gets no session and sees nothing; the account gets this:

* Every session ends, and every link that opens something or could.
* The password has to be changed: whoever signs in with it is sent to the mailbox.
* Contacts that were added since are gone, as long as the owner is left with a proven one to sign in by. A sign-in
  address that was changed since is in force again, and changes under way are off.
* Second steps, passkeys, recovery codes and linked providers that were added since are gone.
* Devices that were first seen since are strangers again, and an account that is being closed since then stays.
* A link for a new password goes to the proven contacts that were there before, and word of it to every address. An
  address for recovery counts once it is no recent one: else a thief adds one, objects to what the owner does, and is
  let in by the answer.

"Since" is when the session in question began, or when the change in question was made.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from shopaccounts.customers import (
    CLOSINGS,
    CUSTOMERS,
    NOT_ME_CHANGE,
    NOT_ME_SIGN_IN,
    AccountStatus,
    Closing,
    ContactPoint,
    ContactRole,
    Customer,
    Notices,
    Trigger,
    follow,
    is_held,
    is_verified,
)
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.contact import EmailAddress
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.letters import Letters
from shopaccounts.kernel.messages import Message
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Bring, Change, Found, Write
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, AccountSecurity, Stamp
from shopaccounts.kernel.tickets import TICKETS, Purpose, Refusals, Use, mint
from shopaccounts.passwords import PASSWORDS, MustChange, PasswordRecord
from shopaccounts.recovery.deciding import RESET
from shopaccounts.recovery.errors import ResetLinkExpired, ResetLinkInvalid, ResetLinkStale, ResetLinkUsed
from shopaccounts.recovery.policy import ResetPolicy
from shopaccounts.recovery.recent import RECENT
from shopaccounts.registration import (
    CONTACT_CHANGES,
    ChangeTrigger,
    ContactChange,
    advanced,
    is_overtaken,
    is_reversible,
    moved_to,
    with_change_undone,
)
from shopaccounts.registration.events import ContactChangeUndone
from shopaccounts.signin import (
    AUTHENTICATORS,
    DEVICES,
    KnownDevices,
    pointed_elsewhere,
    withdraw,
    without_added_since,
)
from shopaccounts.signin.events import Repudiated

__all__ = ["OBJECT_TO_CHANGE", "OBJECT_TO_SIGN_IN", "Repudiations", "may_be_objected", "reported", "withdrawn"]

_REFUSALS: Final = Refusals(ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale)


def _consumed(use: Use) -> Purpose:
    return Purpose(use.name, use.code, use.depends_on, _REFUSALS)


OBJECT_TO_SIGN_IN: Final = _consumed(NOT_ME_SIGN_IN)
OBJECT_TO_CHANGE: Final = _consumed(NOT_ME_CHANGE)
_ALIVE: Final = frozenset({AccountStatus.ACTIVE, AccountStatus.SUSPENDED, AccountStatus.CLOSING})
_HOUR: Final = timedelta(hours=1)
_LISTED: Final = 500


def may_be_objected(customer: Customer) -> bool:
    """Tell whether there is an account that could be restricted."""
    return customer.status in _ALIVE


def withdrawn(
    customer: Customer,
    closing: Closing | None,
    since: datetime,
    changed: ContactChange | None = None,
    overtaken: tuple[ContactChange, ...] = (),
) -> Customer:
    """Answer *customer* without what was added to it since then.

    Args:
        customer: The record as it is now.
        closing: The wish to close the account, if there is one.
        since: When the session in question began, or the change in question was made.
        changed: The first change of its sign-in address since, if it can be taken back.
        overtaken: Later changes that end with it.
    """
    customer = with_change_undone(customer, changed, overtaken) if changed else customer
    earlier = tuple(contact for contact in customer.contacts if contact.added_at < since)
    if any(is_verified(contact) and ContactRole.LOGIN in contact.roles for contact in earlier):
        customer = attrs.evolve(customer, contacts=earlier)
    if customer.status is AccountStatus.CLOSING and (closing is None or closing.asked_at >= since):
        customer = follow(customer, Trigger.CANCEL_CLOSING)
    return customer


def ended_changes(changes: Iterable[ContactChange], undone: ContactChange | None) -> Iterator[Write]:
    """Answer what becomes of the changes of sign-in addresses: one is undone, those under way and after it are off."""
    for change in changes:
        if undone is not None and change.id == undone.id:
            yield CONTACT_CHANGES.change(change, advanced(change, ChangeTrigger.UNDO))
        elif change.is_pending or (undone is not None and is_overtaken(change, undone)):
            yield CONTACT_CHANGES.change(change, advanced(change, ChangeTrigger.CANCEL))


def known_before(known: KnownDevices, since: datetime) -> KnownDevices:
    """Answer the devices that were known before: whoever came since is a stranger again, and is told of."""
    return attrs.evolve(known, devices=tuple(device for device in known.devices if device.first_seen < since))


def reported(record: PasswordRecord, now: datetime) -> PasswordRecord:
    """Answer a password that has to be changed, since its owner reported that somebody else used it."""
    return attrs.evolve(record, must_change=MustChange.REPORTED, must_change_since=now)


def recovering(customer: Customer, since: datetime) -> tuple[tuple[ContactPoint, EmailAddress], ...]:
    """Answer the proven contacts from before that a new password may be set by.

    Args:
        customer: The record as it will be.
        since: Since when nothing is to be trusted, nor an address for recovery that was proven within 30 days before.
    """
    stopped = customer.status is AccountStatus.SUSPENDED and not is_held(customer)
    return tuple(
        (contact, contact.value)
        for contact in (() if stopped else customer.contacts)
        if contact.verified is not None and is_verified(contact) and isinstance(contact.value, EmailAddress)
        if (ContactRole.LOGIN in contact.roles and contact.verified.at < since)
        or (ContactRole.RECOVERY in contact.roles and contact.verified.at <= since - RECENT)
    )


@attrs.frozen(kw_only=True)
class Repudiations:
    """Takes accounts out of the hands of whoever isn't their owner.

    Published for every way in which an owner can say so: the links of notices, and those that stop a recovery.
    """

    desk: Desk
    records: Records
    letters: Letters
    notices: Notices
    policy: ResetPolicy

    @staticmethod
    def bring(via: str) -> tuple[Bring, ...]:
        """Answer what ``prepare`` needs to be read along, from an entity whose group *via* is the account."""
        books = (CUSTOMERS, SECURITY, PASSWORDS, AUTHENTICATORS, CLOSINGS, DEVICES)
        return tuple(book.via(via) for book in books)

    async def prepare(
        self, customer: Customer, found: Found[Any], since: datetime, session: str | None, key: str, now: datetime
    ) -> Change:
        """Answer the part of a change that restricts an account to its owner.

        Args:
            customer: The record as it is now.
            found: What ``bring`` names.
            since: When the session in question began, or the change in question was made.
            session: The public id of that session, None if a change is objected to.
            key: Natural key of the objection.
            now: When.
        """
        rows = self.records.rows(CONTACT_CHANGES, "account", customer.id, None, _LISTED, newest_first=True)
        changes = tuple(change for change in (await got(rows)).items if change.requested_at >= since)
        changed = next((change for change in reversed(changes) if is_reversible(customer, change)), None)
        overtaken = tuple(change for change in changes if changed and is_overtaken(change, changed))
        after = withdrawn(customer, found[CLOSINGS], since, changed, overtaken)
        moved = {Stamp.ACCOUNT, Stamp.PASSWORD} | ({Stamp.CONTACTS} if after.contacts != customer.contacts else set())
        security, record, wish, devices = found[SECURITY], found[PASSWORDS], found[CLOSINGS], found[DEVICES]
        own = found[AUTHENTICATORS]
        left = pointed_elsewhere(without_added_since(own, since), moved_to(customer, after))
        theirs = withdraw(own, left, self.desk, now)
        if security is None:
            msg = f"account {customer.id} has no security row"
            raise Defect(msg)
        restricted = security.bump(*moved, *theirs.stamps)
        part = theirs.part | Change(
            writes=(
                SECURITY.change(security, restricted),
                *((PASSWORDS.change(record, reported(record, now)),) if record else ()),
                *((CUSTOMERS.change(customer, after),) if after != customer else ()),
                *ended_changes(changes, changed),
                *((DEVICES.change(devices, known_before(devices, since)),) if devices else ()),
            ),
            guards=() if after != customer else (CUSTOMERS.unchanged(customer),),
            removals=(CLOSINGS.remove(wish),) if wish and wish.asked_at >= since else (),
            events=self.desk.tell(Repudiated(at=now, account=customer.id, session=session), *_undone(changed, now)),
        )
        told = await self.notices.about(customer, "recovery.account_protected", f"protected {key}", now, bound=key)
        return part | told | await self._way_back(after, restricted, since, now)

    async def _way_back(self, customer: Customer, security: AccountSecurity, since: datetime, now: datetime) -> Change:
        """Answer the part that mails a link for a new password; one link, for whoever reads a contact from before."""
        contacts = recovering(customer, since)
        if not contacts:
            return Change()
        ticket, text = mint(
            RESET,
            realm=customer.realm,
            subject=customer.id,
            bound=contacts[0][0].id,
            stamps=security.stamps,
            life=self.policy.link_life,
            now=now,
            entropy=self.desk.entropy,
        )
        link = self.letters.link(RESET.name, text)
        letters = [
            await self._letter(customer, email, link, f"reset {ticket.selector} {number}", now)
            for number, (_, email) in enumerate(contacts)
        ]
        return Change(writes=(TICKETS.add(ticket),), messages=tuple(letters))

    async def _letter(
        self, customer: Customer, email: EmailAddress, link: Secret[str], key: str, now: datetime
    ) -> Message:
        return await self.letters.write(
            "recovery.choose_new_password",
            email.stored,
            key=key,
            until=now + self.policy.link_life,
            subject=customer.id,
            locale=customer.locale,
            variables={"hours": str(self.policy.link_life // _HOUR)},
            secrets={"link": link},
        )


def _undone(change: ContactChange | None, now: datetime) -> tuple[ContactChangeUndone, ...]:
    if change is None:
        return ()
    return (ContactChangeUndone(at=now, account=change.account, change=change.id, kind=change.kind.value),)
