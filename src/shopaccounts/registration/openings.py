"""What is recorded when somebody registers or corrects an address: an attempt, a message, and what it does to accounts.

Every step asks the same of the ports and writes one attempt and one message, whoever holds the address.
"""

from datetime import datetime, timedelta

import attrs

from shopaccounts.customers import CUSTOMERS, AccountStatus, Customer, LifecyclePolicy, as_of, login_key
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.contact import Contact, mask
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.ids import AccountId, ContactId
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change, Sweep
from shopaccounts.kernel.request import safe_return_path
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, AccountSecurity
from shopaccounts.kernel.text import require_locale
from shopaccounts.passwords import Chosen
from shopaccounts.registration.activating import moving, opening
from shopaccounts.registration.addressing import Addresses
from shopaccounts.registration.choosing import NewPasswords
from shopaccounts.registration.deciding import check_correctable, corrected, holder_of
from shopaccounts.registration.errors import ContactLinkStale
from shopaccounts.registration.events import AttemptStarted
from shopaccounts.registration.forms import read_details
from shopaccounts.registration.model import (
    ATTEMPTS,
    Attempt,
    RegistrationForm,
    RegistrationStarted,
    WaitingPassword,
    Wanted,
    Wish,
)
from shopaccounts.registration.policy import RegistrationPolicy
from shopaccounts.registration.verifying import HANDLE, Verifications

__all__ = ["Openings"]


@attrs.frozen(kw_only=True)
class Openings:
    """Begins registrations.

    Args:
        resend_after: How long to wait before another mail to the same mailbox.
    """

    desk: Desk
    records: Records
    passwords: NewPasswords
    addresses: Addresses
    verifications: Verifications
    policy: RegistrationPolicy
    lifecycle: LifecyclePolicy
    resend_after: timedelta

    async def wish(self, form: RegistrationForm) -> Wish:
        """Answer what somebody filled in, checked.

        Raises:
            EmailInvalid, EmailUnsupportedCharacters, DomainNotAccepted, PhoneInvalid, PhoneNotServed: The contact.
            FormRejected, TermsNotAccepted, TermsOutdated, InvalidInput: What else was filled in.
        """
        now = self.desk.now()
        wanted = await self.addresses.read_contact(form.identifier, by_call=form.by_call)
        return Wish(
            value=wanted.value,
            channel=wanted.channel,
            disposable=wanted.disposable,
            details=read_details(form, self.policy, now),
            locale=require_locale(self.desk.scope.locale if form.locale is None else form.locale),
            return_path=safe_return_path(form.return_path),
            account=AccountId(self.desk.entropy.new_id(now)),
            contact=ContactId(self.desk.entropy.new_id(now)),
        )

    def started(self, handle: Secret[str], wish: Wish, expires_at: datetime) -> RegistrationStarted:
        """Answer what everybody is told."""
        return RegistrationStarted(
            handle=handle,
            channel=wish.channel,
            masked=mask(wish.value),
            resend_after=self.resend_after,
            expires_at=expires_at,
        )

    async def register(
        self, wish: Wish, chosen: Chosen | None, hashes: dict[AccountId, WaitingPassword]
    ) -> RegistrationStarted:
        """Record a registration.

        Args:
            wish: What somebody filled in.
            chosen: Their password; None without one.
            hashes: What was hashed for which account in an earlier round.
        """
        now = self.desk.now()
        known = await self.holder(wish.value, now)
        account = _led_to(known, wish)
        hashed_for = account or wish.account
        if chosen and hashed_for not in hashes:
            hashes[hashed_for] = await self.passwords.hash(chosen, hashed_for)
        readied = await self.verifications.ready(wish.value)
        provable, handle = self.verifications.start(readied, wish, account, hashes.get(hashed_for), now)
        attempt = provable.attempt
        started = Change(
            writes=(ATTEMPTS.add(attempt),),
            sweeps=(_replaced(attempt, known),),
            messages=(await self.verifications.letter_for(known, provable),),
            events=self.desk.tell(AttemptStarted(at=now, attempt=attempt.id, disposable=wish.disposable)),
        )
        await self.desk.record(started | opening(self.desk, known, wish, now + self.lifecycle.unverified_after, now))
        return self.started(handle, wish, attempt.challenge.code_expires_at)

    async def correct(self, attempt: Attempt, handle: Secret[str], wanted: Wanted) -> RegistrationStarted:
        """Record that the address of an attempt is another one.

        Raises:
            CorrectionsUsedUp, CodeExhausted, ContactLinkStale: It can't be corrected.
        """
        now = self.desk.now()
        check_correctable(attempt, self.policy)
        known = await self.holder(wanted.value, now)
        mine = await self._mine(attempt, now)
        wish = Wish(
            value=wanted.value,
            channel=wanted.channel,
            disposable=wanted.disposable,
            locale=attempt.locale,
            account=attempt.destined,
            contact=ContactId(self.desk.entropy.new_id(now)),
        )
        readied = await self.verifications.ready(wish.value)
        moved = corrected(attempt, _led_to(known, wish), readied.contact, wish)
        provable = self.verifications.renew(readied, moved, now)
        until = now + self.lifecycle.unverified_after
        change = Change(
            writes=(ATTEMPTS.change(attempt, provable.attempt),),
            sweeps=(attrs.evolve(_replaced(moved, known), spare=frozenset({attempt.id})),),
            messages=(await self.verifications.letter_for(known, provable),),
        )
        await self.desk.record(change | moving(self.desk, mine, known, wish, until, now))
        return self.started(handle, wish, provable.attempt.challenge.code_expires_at)

    async def holder(self, value: Contact, now: datetime) -> Customer | None:
        """Answer who holds an address or number, as the record is now."""
        key = login_key(value.kind, value.key)
        found = await got(self.records.find(CUSTOMERS, key, by="login_contact"))
        return as_of(found.it, now) if found else None

    async def security_of(self, known: Customer | None) -> AccountSecurity | None:
        """Answer the row of an account that was closed and is reopened; None for one that never lived."""
        found = await got(self.records.find(SECURITY, known.id)) if known else None
        return found.it if found else None

    async def _mine(self, attempt: Attempt, now: datetime) -> Customer | None:
        """Answer the account that had opened for an attempt, None if there is none yet.

        Raises:
            ContactLinkStale: The account has gone another way since.
        """
        found = await got(self.records.find(CUSTOMERS, attempt.destined))
        mine = as_of(found.it, now) if found else None
        if mine is not None and mine.status is not AccountStatus.PENDING:
            raise ContactLinkStale(HANDLE.name)
        return mine


def _led_to(known: Customer | None, wish: Wish) -> AccountId | None:
    """Answer the account that an attempt leads to; None for a decoy, at an address that has an owner."""
    if holder_of(known).is_owner:
        return None
    return known.id if known else wish.account


def _replaced(attempt: Attempt, known: Customer | None) -> Sweep:
    """Answer what a new attempt replaces: the one of the account that starts over, else those at its address."""
    if known is not None and attempt.account == known.id:
        return Sweep(book=ATTEMPTS, group="account", value=known.id)
    return Sweep(book=ATTEMPTS, group="contact", value=attempt.contact)
