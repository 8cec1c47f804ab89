"""What people do when they lost their password: ask for a link, look at it, choose a new one."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from shopaccounts.customers import CUSTOMERS, Customer, Notices, as_of, login_key
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.contact import ContactKind, EmailAddress, mask
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.limits import MAX_WINDOW
from shopaccounts.kernel.messages import Channel, Message, MessageCategory, Priority
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change, Found
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, AccountSecurity, Stamp, Stamps
from shopaccounts.kernel.sending import SendBudget
from shopaccounts.kernel.storefront import Storefront
from shopaccounts.kernel.text import require_text
from shopaccounts.kernel.tickets import TICKETS, Ticket, is_replaced, mint, peek, read_selector, spend
from shopaccounts.kernel.vault import Vault
from shopaccounts.kernel.writing import compose
from shopaccounts.passwords import (
    PASSWORDS,
    Acceptable,
    Hasher,
    PasswordContext,
    PasswordPolicy,
    PersonalWords,
    Prepared,
    ShopWords,
    StoredHash,
    choose,
    describe,
    prepare,
    prepare_to_verify,
)
from shopaccounts.passwords.events import PasswordSet
from shopaccounts.recovery.deciding import (
    RESET,
    Reply,
    email_of,
    new_password,
    proven_contact,
    reply_to,
    signed_in_since,
    told_lately,
)
from shopaccounts.recovery.errors import ResetLinkInvalid, ResetLinkStale
from shopaccounts.recovery.events import PasswordReset, ResetRequested
from shopaccounts.recovery.model import STOP_NOTICES, PasswordWasReset, ResetOffer, ResetSent, StopNotice
from shopaccounts.recovery.policy import ResetPolicy
from shopaccounts.registration import ATTEMPTS, Readied, Verifications
from shopaccounts.signin import SESSIONS, Attempts

__all__ = ["Recovery"]

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_CROWD: Final = MAX_WINDOW + 1
"""No mailbox gets more messages in an hour than a window holds, so no more can meet at one address."""
_ASKED: Final = (SECURITY.via(), PASSWORDS.via(), STOP_NOTICES.via(), ATTEMPTS.newest("account"))
_SPENT_BY: Final = (
    CUSTOMERS.via("subject"),
    SECURITY.via("subject"),
    PASSWORDS.via("subject"),
    SESSIONS.newest("account", via="subject"),
    TICKETS.newest("issued", via="issued"),
)


@attrs.frozen(kw_only=True)
class _Opened:
    """A reset ticket that may be spent, with the account it belongs to."""

    ticket: Ticket
    customer: Customer
    security: AccountSecurity
    email: EmailAddress
    found: Found[Ticket]


@attrs.frozen(kw_only=True)
class Recovery:
    """The way back in."""

    desk: Desk
    records: Records
    hasher: Hasher
    vault: Vault
    attempts: Attempts
    budget: SendBudget
    verifications: Verifications
    storefront: Storefront
    notices: Notices
    policy: ResetPolicy
    passwords: PasswordPolicy
    transport: TransportPolicy

    async def request_reset(self, identifier: str, context: RequestContext) -> ResetSent:
        """Send a reset link to the owner of an address, if there is one; the answer is always the same.

        Args:
            identifier: The address as typed.
            context: Where the request came from.

        Raises:
            EmailInvalid, EmailUnsupportedCharacters, InvalidInput: The address can't be one.
            Throttled: Too many messages to this mailbox, or for this network.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        email = EmailAddress.parse(require_text(identifier, "identifier", printable=False))
        await self.budget.charge(email, context.network, self.desk.now())

        async def decide() -> None:
            await self._send(email)

        await self.desk.retrying(decide, _CROWD)
        return ResetSent(channel=Channel.EMAIL, masked=mask(email), resend_after=self.budget.resend_after)

    async def peek_reset(self, token: Secret[str], context: RequestContext) -> ResetOffer:
        """Answer what the landing page of a reset link shows; nothing changes, however often a scanner opens it.

        Raises:
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: The link is of no use.
        """
        self.transport.check(context)
        opened = await self._open(token)
        guide = describe(self.passwords, PasswordContext().can_reach)
        return ResetOffer(masked=mask(opened.email), expires_at=opened.ticket.expires_at, guide=guide)

    async def reset_password(
        self, token: Secret[str], new_password: object, context: RequestContext
    ) -> PasswordWasReset:
        """Set a new password with a reset link; every session ends, and nobody is signed in by it.

        A password that won't do leaves the link good.

        Raises:
            PasswordUnacceptable: The password won't do, with every reason.
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: The link is of no use.
            TryLater: The hasher is not available.
        """
        self.transport.check(context)
        typed = prepare(new_password).text
        opened = await self._open(token)
        prepared, verdict = await self._choose(typed, opened)
        stored = await got(self.hasher.hash(prepared, opened.customer.id))
        read = [opened]

        async def decide() -> PasswordWasReset:
            return await self._reset(read.pop() if read else await self._open(token), token, stored, verdict)

        was_reset = await self.desk.retrying(decide)
        await self.attempts.succeeded(opened.customer.id)
        return was_reset

    # Asking

    async def _send(self, email: EmailAddress) -> None:
        now, key = self.desk.now(), login_key(ContactKind.EMAIL, email.login_key)
        found = await got(self.records.find(CUSTOMERS, key, by="login_contact", bring=_ASKED))
        readied = await self.verifications.ready(email)
        known = attrs.evolve(found, it=as_of(found.it, now)) if found else None
        await self.desk.record(await self._answer(known, email, readied, now))

    async def _answer(
        self, known: Found[Customer] | None, email: EmailAddress, readied: Readied, now: datetime
    ) -> Change:
        """Answer what is recorded: one message in every case, sent or not."""
        reply = reply_to(known.it if known else None, email)
        if known is None or reply is Reply.NOTHING or (reply is Reply.RESET and not self._may_reset(known)):
            return await self._decoy(email, now)
        if reply is Reply.VERIFICATION:
            return await self.verifications.prepare_reminder(readied, known.it, email, known[ATTEMPTS])
        if reply is Reply.RESET:
            return await self._reset_link(known, email, now)
        if reply is Reply.SUSPENDED:
            return await self._word_of_suspension(known, email, now)
        letter = await self._letter(reply, known.it, email, {}, f"reset {self.desk.entropy.token(128)}", now)
        return Change(guards=(CUSTOMERS.unchanged(known.it),), messages=(letter,))

    def _may_reset(self, known: Found[Any]) -> bool:
        return known[PASSWORDS] is not None or self.policy.creates_first_password

    async def _decoy(self, email: EmailAddress, now: datetime) -> Change:
        ticket, text = self._ticket("", "", Stamps(), now)
        secrets = {"link": self.storefront.link(self.desk.scope.store, RESET.name, text)}
        letter = await self._letter(Reply.RESET, None, email, secrets, f"reset {ticket.selector}", now)
        return Change(messages=(letter,))

    async def _reset_link(self, known: Found[Customer], email: EmailAddress, now: datetime) -> Change:
        customer, security, contact = known.it, known[SECURITY], proven_contact(known.it, email)
        stamps = security.stamps if security else Stamps()
        ticket, text = self._ticket(customer.id, contact.id if contact else "", stamps, now)
        secrets = {"link": self.storefront.link(self.desk.scope.store, RESET.name, text)}
        letter = await self._letter(Reply.RESET, customer, email, secrets, f"reset {ticket.selector}", now)
        return Change(
            writes=(TICKETS.add(ticket),),
            guards=(CUSTOMERS.unchanged(customer),),
            messages=(letter,),
            events=self.desk.tell(ResetRequested(at=now, account=customer.id)),
        )

    async def _word_of_suspension(self, known: Found[Customer], email: EmailAddress, now: datetime) -> Change:
        customer, earlier = known.it, known[STOP_NOTICES]
        if told_lately(earlier, now):
            return await self._decoy(email, now)
        told = StopNotice(id=customer.id, realm=customer.realm, told_at=now)
        letter = await self._letter(Reply.SUSPENDED, customer, email, {}, f"reset {self.desk.entropy.token(128)}", now)
        return Change(
            writes=(STOP_NOTICES.change(earlier, told) if earlier else STOP_NOTICES.add(told),),
            guards=(CUSTOMERS.unchanged(customer),),
            messages=(letter,),
        )

    def _ticket(self, subject: str, contact: str, stamps: Stamps, now: datetime) -> tuple[Ticket, Secret[str]]:
        return mint(
            RESET,
            realm=self.desk.scope.realm,
            subject=subject,
            bound=contact,
            stamps=stamps,
            life=self.policy.link_life,
            now=now,
            entropy=self.desk.entropy,
        )

    async def _letter(
        self,
        reply: Reply,
        customer: Customer | None,
        email: EmailAddress,
        secrets: Mapping[str, Secret[str]],
        key: str,
        now: datetime,
    ) -> Message:
        """Write to the address that its owner proved; to nobody, where there is no customer."""
        contact = proven_contact(customer, email) if customer else None
        to = contact.value if contact and isinstance(contact.value, EmailAddress) else email
        hours = {"hours": str(self.policy.link_life // _HOUR)} if reply is Reply.RESET else {}
        return await compose(
            self.desk,
            self.vault,
            template=reply.value,
            channel=Channel.EMAIL,
            to=to.stored,
            locale=(customer.locale if customer else None) or self.desk.scope.locale,
            variables=self.storefront.variables(**hours),
            secrets=secrets,
            subject=customer.id if customer else "",
            key=key,
            category=MessageCategory.SECURITY,
            priority=Priority.SECURITY,
            expires_at=now + self.policy.link_life,
            deliver=customer is not None,
        )

    # Using the link

    async def _open(self, token: Secret[str]) -> _Opened:
        """Answer the ticket and its account, if the link may still be used.

        Raises:
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: It may not.
        """
        selector, now = read_selector(token, RESET), self.desk.now()
        found = await got(self.records.find(TICKETS, selector, bring=_SPENT_BY))
        stored, security = (found[CUSTOMERS], found[SECURITY]) if found else (None, None)
        stamps = security.stamps if security else Stamps()
        ticket = peek(found.it if found else None, token, RESET, stamps, now)
        if found is None or stored is None or security is None:
            raise ResetLinkInvalid
        customer = as_of(stored, now)
        email = email_of(customer, ticket.bound)
        wanted = email is not None and reply_to(customer, email) is Reply.RESET and self._may_reset(found)
        overtaken = is_replaced(ticket, found[TICKETS]) or signed_in_since(ticket, found[SESSIONS])
        if email is None or not wanted or overtaken:
            raise ResetLinkStale(ticket.purpose)
        return _Opened(ticket=ticket, customer=customer, security=security, email=email, found=found)

    async def _choose(self, typed: Secret[str], opened: _Opened) -> tuple[Prepared, Acceptable]:
        record, candidate = opened.found[PASSWORDS], prepare_to_verify(typed)
        match = await got(self.hasher.verify(record.stored, candidate, record.id)) if record else None
        emails = tuple(c.value.login_key for c in opened.customer.contacts if isinstance(c.value, EmailAddress))
        about = PasswordContext(
            shop=ShopWords(names=(self.storefront.name,), domains=self.storefront.domains),
            person=PersonalWords(emails=emails),
            is_current=match is not None and match.ok,
        )
        return choose(typed, about, self.passwords)

    async def _reset(
        self, opened: _Opened, token: Secret[str], stored: StoredHash, verdict: Acceptable
    ) -> PasswordWasReset:
        now = self.desk.now()
        customer, record = opened.customer, opened.found[PASSWORDS]
        ticket, spent = spend(opened.ticket, token, RESET, opened.security.stamps, now)
        kept = new_password(spent, customer.realm, stored, verdict)
        change = Change(
            writes=(
                TICKETS.change(opened.ticket, ticket),
                PASSWORDS.change(record, kept) if record else PASSWORDS.add(kept),
                SECURITY.change(opened.security, opened.security.bump(Stamp.PASSWORD)),
            ),
            guards=(CUSTOMERS.unchanged(customer),),
            events=self.desk.tell(PasswordSet(at=now, account=customer.id), PasswordReset(at=now, account=customer.id)),
        )
        told = await self.notices.about(customer, "passwords.was_reset", f"was_reset {ticket.selector}", now)
        await self.desk.record(change | told)
        return PasswordWasReset(masked=mask(opened.email))
