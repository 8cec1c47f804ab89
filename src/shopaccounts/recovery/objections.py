"""What owners do who were told of something that they didn't do: look at the page of the link, and object."""

from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from shopaccounts.customers import CUSTOMERS, Customer, as_of
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change, Found
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, Stamps
from shopaccounts.kernel.tickets import TICKETS, Purpose, Ticket, peek, read_selector, spend
from shopaccounts.kernel.web import Landing
from shopaccounts.recovery.objecting import (
    OBJECT_TO_CHANGE,
    OBJECT_TO_SIGN_IN,
    Repudiations,
    may_be_objected,
)
from shopaccounts.registration import CONTACT_CHANGES
from shopaccounts.signin import SESSIONS, Session

__all__ = ["ObjectionOffer", "Objections"]

_MOMENT: Final = timedelta(microseconds=1)


@attrs.frozen(kw_only=True)
class ObjectionOffer(Landing):
    """What the page of a link shows: nothing about the account; looking changes nothing."""

    expires_at: datetime


@attrs.frozen(kw_only=True)
class Objections:
    """Saying "that wasn't me", without signing in, by the links of security notices."""

    desk: Desk
    records: Records
    repudiations: Repudiations
    transport: TransportPolicy

    async def peek_not_me_sign_in(self, token: Secret[str], context: RequestContext) -> ObjectionOffer:
        """Answer what the page of the link shows; nothing changes, however often a scanner opens it.

        Raises:
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: The link is of no use.
            InsecureTransport: The request didn't come over TLS.
        """
        return await self._peek(OBJECT_TO_SIGN_IN, token, context)

    async def not_me_sign_in(self, token: Secret[str], context: RequestContext) -> None:
        """Take the account out of the hands of whoever signed in: every session ends, the password has to be changed.

        A link for a new password goes to the contacts that were proven before. It works once.

        Raises:
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: The link is of no use.
            InsecureTransport: The request didn't come over TLS.
        """
        await self._object(OBJECT_TO_SIGN_IN, token, context)

    async def peek_not_me_change(self, token: Secret[str], context: RequestContext) -> ObjectionOffer:
        """Answer what the page of the link shows; nothing changes, however often a scanner opens it.

        Raises:
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: The link is of no use.
            InsecureTransport: The request didn't come over TLS.
        """
        return await self._peek(OBJECT_TO_CHANGE, token, context)

    async def not_me_change(self, token: Secret[str], context: RequestContext) -> None:
        """Take the account out of the hands of whoever changed it, and take the change back as far as there is a way.

        A link for a new password goes to the contacts that were proven before. It works once.

        Raises:
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: The link is of no use.
            InsecureTransport: The request didn't come over TLS.
        """
        await self._object(OBJECT_TO_CHANGE, token, context)

    async def _peek(self, purpose: Purpose, token: Secret[str], context: RequestContext) -> ObjectionOffer:
        self.transport.check(context)
        found, _ = await self._open(purpose, token)
        return ObjectionOffer(expires_at=found.it.expires_at)

    async def _object(self, purpose: Purpose, token: Secret[str], context: RequestContext) -> None:
        self.transport.check(context)

        async def decide() -> None:
            found, customer = await self._open(purpose, token)
            ticket, now = found.it, self.desk.now()
            spent, _ = spend(ticket, token, purpose, Stamps(), now)
            session = ticket.bound if purpose is OBJECT_TO_SIGN_IN else None
            since = await self._since(ticket, session)
            restricted = await self.repudiations.prepare(customer, found, since, session, ticket.selector, now)
            await self.desk.record(Change(writes=(TICKETS.change(ticket, spent),)) | restricted)

        await self.desk.retrying(decide)

    async def _open(self, purpose: Purpose, token: Secret[str]) -> tuple[Found[Any], Customer]:
        """Answer the ticket of a link with its account, if it may be used.

        Raises:
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: It may not.
        """
        selector, now = read_selector(token, purpose), self.desk.now()
        found = await got(self.records.find(TICKETS, selector, bring=self.repudiations.bring("subject")))
        ticket = peek(found.it if found else None, token, purpose, Stamps(), now)
        stored = found[CUSTOMERS] if found else None
        if found is None or stored is None or found[SECURITY] is None:
            raise purpose.refusals.invalid
        customer = as_of(stored, now)
        if not may_be_objected(customer):
            raise purpose.refusals.stale(ticket.purpose)
        return found, customer

    async def _since(self, ticket: Ticket, session: str | None) -> datetime:
        """Answer since when nothing is to be trusted: from the session on, or after the one in which it was changed.

        A change is objected to with all that was done in its session: the latest notice is the one that is acted on.
        What came with the session's own beginning, such as the proof that opened the account, isn't objected to.
        """
        if session:
            return min([ticket.issued_at, *(one.created_at for one in await self._named(ticket, session))])
        found = await got(self.records.find(CONTACT_CHANGES, ticket.bound)) if ticket.bound else None
        change = found.it if found and found.it.account == ticket.subject else None
        began = [
            one.created_at + _MOMENT for one in await self._named(ticket, change.session if change else ticket.bound)
        ]
        return min([ticket.issued_at, *([change.requested_at] if change else []), *began])

    async def _named(self, ticket: Ticket, session: str) -> tuple[Session, ...]:
        """Answer the account's session of this public id, however often its value has changed since."""
        rows = (await got(self.records.rows(SESSIONS, "public_id", session, None, 1))).items if session else ()
        return tuple(one for one in rows if one.account == ticket.subject)
