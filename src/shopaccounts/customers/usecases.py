"""What stops an account and lets it go on: the shop's people, and the owner's link in every security notice."""

from datetime import datetime
from typing import Final

import attrs

from shopaccounts.customers.closing import CLOSINGS
from shopaccounts.customers.commanding import commanded
from shopaccounts.customers.errors import ContactTaken, NoticeLinkStale, StatusForbids
from shopaccounts.customers.events import CustomerReinstated, CustomerReopened, CustomerSuspended
from shopaccounts.customers.lifecycle import as_of, follow
from shopaccounts.customers.model import CUSTOMERS, AccountStatus, Customer, StatusReason, Trigger
from shopaccounts.customers.notices import FREEZE, Notices
from shopaccounts.customers.policy import LifecyclePolicy
from shopaccounts.customers.stopping import SILENT_REASONS, held, sessions_ended, suspended
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import InvalidInput, Taken
from shopaccounts.kernel.events import Event
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.messages import Message
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change, Found
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, Stamps
from shopaccounts.kernel.staff import OnDuty, Permission, Staff
from shopaccounts.kernel.tickets import TICKETS, Ticket, peek, read_selector, spend
from shopaccounts.kernel.web import Landing

__all__ = ["AccountStanding", "Customers", "FreezeOffer"]

_BRING: Final = (SECURITY.via(),)
_STOPPED: Final = "customers.account_stopped"
_FROZEN: Final = "customers.account_frozen"
_GOES_ON: Final = "customers.account_goes_on"
_REOPENED: Final = "customers.account_reopened"


@attrs.frozen(kw_only=True)
class AccountStanding:
    """Where an account stands after a command, and the version to name in the next one."""

    account: AccountId
    version: int
    status: AccountStatus
    reason: StatusReason | None
    until: datetime | None


@attrs.frozen(kw_only=True)
class FreezeOffer(Landing):
    """What the page of a freeze link shows: nothing about the account; looking changes nothing."""

    expires_at: datetime


@attrs.frozen(kw_only=True)
class Customers:
    """Stopping accounts, and letting them go on."""

    desk: Desk
    records: Records
    staff: Staff
    notices: Notices
    policy: LifecyclePolicy
    transport: TransportPolicy

    # What the shop does

    async def suspend(
        self,
        account: AccountId,
        reason: StatusReason,
        why: str,
        *,
        note: str | None = None,
        until: datetime | None = None,
        expected_version: int | None = None,
    ) -> AccountStanding:
        """Stop an account: every session ends, and no way in opens it. Doing so again changes nothing.

        The customer is told, unless the law may forbid it.

        Args:
            account: Whose.
            reason: Why; the customer is told this word.
            why: Why the agent does it, up to 500 characters.
            note: The reason in words, 3 to 500 characters, for ``StatusReason.OTHER``.
            until: When it ends by itself; None: when somebody reinstates the account.
            expected_version: The version that the agent looked at; None if none.

        Raises:
            Forbidden: Nobody, or an agent who may not.
            NotFound: There is no such account.
            StatusForbids: The account can't be stopped from where it stands.
            InvalidInput: An end in the past, or another reason without words.
            StaleWrite: The record has changed since the agent looked.
        """
        duty = await self.staff.require(Permission.SUSPEND, why)

        async def decide(found: Found[Customer], now: datetime) -> AccountStanding:
            if until is not None and until <= now:
                raise InvalidInput(field="until", reason="past")
            after = suspended(found.it, reason, note=note, until=until)
            told = CustomerSuspended(at=now, account=after.id, reason=reason.value)
            return await self._step(found, after, told, duty, "" if reason in SILENT_REASONS else _STOPPED, now)

        return await commanded(self.desk, account, expected_version, _BRING, decide)

    async def reinstate(self, account: AccountId, why: str, *, expected_version: int | None = None) -> AccountStanding:
        """Let a stopped account go on where it stood; ended sessions stay ended. Doing so again changes nothing.

        Where a stop of the shop lay over the owner's own hold, the hold is left; a second call lifts it too.

        Args:
            account: Whose.
            why: Why the agent does it, up to 500 characters.
            expected_version: The version that the agent looked at; None if none.

        Raises:
            Forbidden: Nobody, or an agent who may not.
            NotFound: There is no such account.
            StatusForbids: The account isn't stopped.
            StaleWrite: The record has changed since the agent looked.
        """
        duty = await self.staff.require(Permission.SUSPEND, why)

        async def decide(found: Found[Customer], now: datetime) -> AccountStanding:
            after = follow(found.it, Trigger.REINSTATE)
            told = CustomerReinstated(at=now, account=after.id)
            silent = found.it.status_reason in SILENT_REASONS or after.status is AccountStatus.SUSPENDED
            return await self._step(found, after, told, duty, "" if silent else _GOES_ON, now)

        return await commanded(self.desk, account, expected_version, _BRING, decide)

    async def reopen(self, account: AccountId, why: str, *, expected_version: int | None = None) -> AccountStanding:
        """Open a closed account again, within the time that its closing left; its owner proves the address anew.

        Until then it is pending: nobody signs in. Whoever asks for a new password proves the address on the way.

        Args:
            account: Whose.
            why: Why the agent does it, up to 500 characters.
            expected_version: The version that the agent looked at; None if none.

        Raises:
            Forbidden: Nobody, or an agent who may not.
            NotFound: There is no such account.
            StatusForbids: The account isn't closed, or was closed too long ago.
            ContactTaken: Somebody else signs in by the address by now.
            StaleWrite: The record has changed since the agent looked.
        """
        duty = await self.staff.require(Permission.CLOSE, why)

        async def decide(found: Found[Customer], now: datetime) -> AccountStanding:
            until = found.it.status_until
            if found.it.status is AccountStatus.CLOSED and (until is None or now >= until):
                raise StatusForbids(found.it.status.value, Trigger.REOPEN.value)
            after = follow(found.it, Trigger.REOPEN, until=now + self.policy.unverified_after)
            told = CustomerReopened(at=now, account=after.id)
            return await self._step(found, after, told, duty, _REOPENED, now)

        try:
            return await commanded(self.desk, account, expected_version, _BRING, decide)
        except Taken:
            raise ContactTaken from None

    # What the owner does, without signing in

    async def peek_freeze(self, token: Secret[str], context: RequestContext) -> FreezeOffer:
        """Answer what the page of a freeze link shows; nothing changes, however often a scanner opens it.

        Raises:
            NoticeLinkInvalid, NoticeLinkExpired, NoticeLinkUsed, NoticeLinkStale: The link is of no use.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        return FreezeOffer(expires_at=(await self._by_link(token)).it.expires_at)

    async def freeze_account(self, token: Secret[str], context: RequestContext) -> None:
        """Put the owner's hold on an account, with the link of any security notice: every session ends.

        It lasts until somebody who reads a proven address sets a new password, or the shop lifts it. A closing that was
        under way is off. The link works once, and however much of the account has changed since it was sent.

        Raises:
            NoticeLinkInvalid, NoticeLinkExpired, NoticeLinkUsed, NoticeLinkStale: The link is of no use.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)

        async def decide() -> None:
            found, now = await self._by_link(token), self.desk.now()
            customer = self._owner(found, now)
            spent, _ = spend(found.it, token, FREEZE, Stamps(), now)
            used = Change(writes=(TICKETS.change(found.it, spent),))
            await self.desk.record(used | await self._hold(customer, found, spent.selector, now))

        await self.desk.retrying(decide)

    async def _hold(self, customer: Customer, found: Found[Ticket], key: str, now: datetime) -> Change:
        """Answer the part that puts the owner's hold on an account; nothing where it is on it."""
        after, wish = held(customer), found[CLOSINGS]
        if after == customer:
            return Change()
        told = CustomerSuspended(at=now, account=customer.id, reason=StatusReason.SECURITY_HOLD.value)
        return Change(
            writes=(CUSTOMERS.change(customer, after), *sessions_ended(found[SECURITY])),
            removals=(CLOSINGS.remove(wish),) if wish else (),
            events=self.desk.tell(told),
            messages=await self.notices.word_of(customer, _FROZEN, f"frozen {key}", now),
        )

    async def _by_link(self, token: Secret[str]) -> Found[Ticket]:
        """Answer the ticket of a freeze link with its account, if it may be used.

        Raises:
            NoticeLinkInvalid, NoticeLinkExpired, NoticeLinkUsed, NoticeLinkStale: It may not.
        """
        selector, now = read_selector(token, FREEZE), self.desk.now()
        bring = (CUSTOMERS.via("subject"), SECURITY.via("subject"), CLOSINGS.via("subject"))
        found = await got(self.records.find(TICKETS, selector, bring=bring))
        peek(found.it if found else None, token, FREEZE, Stamps(), now)
        if found is None:
            raise FREEZE.refusals.invalid
        self._owner(found, now)
        return found

    def _owner(self, found: Found[Ticket], now: datetime) -> Customer:
        stored = found[CUSTOMERS]
        if stored is None:
            raise FREEZE.refusals.invalid
        customer = as_of(stored, now)
        try:
            held(customer)
        except StatusForbids:
            raise NoticeLinkStale(FREEZE.name) from None
        return customer

    # How a command is carried out

    async def _step(
        self, found: Found[Customer], after: Customer, told: Event, duty: OnDuty, template: str, now: datetime
    ) -> AccountStanding:
        """Record a step; one that leads nowhere is neither recorded nor told."""
        customer = found.it
        if after == customer:
            return _standing(customer)
        standing = attrs.evolve(after.standing, why=duty.reason)
        write = CUSTOMERS.change(customer, attrs.evolve(after, standing=standing))
        letters: tuple[Message, ...] = ()
        if template:
            key = f"{told.name} {customer.id} after {customer.version}"
            letters = await self.notices.word_of(customer, template, key, now)
        ended = sessions_ended(found[SECURITY])
        await self.desk.record(Change(writes=(write, *ended), events=self.desk.tell(told), messages=letters))
        return _standing(write.now)


def _standing(customer: Customer) -> AccountStanding:
    return AccountStanding(
        account=customer.id,
        version=customer.version,
        status=customer.status,
        reason=customer.status_reason,
        until=customer.status_until,
    )
